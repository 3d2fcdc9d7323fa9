"""A sample of the exam: faults of different kinds, each in a fresh shop, and who is named."""

from __future__ import annotations

import os

import pytest

from bench.exam import __main__ as exam
from bench.exam import operating, report, telemetry
from bench.exam.run import Examiner
from lab.shop import faults

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SAMPLE = (
    "bad-image-tag",
    "blocking-network-policy",
    "failing-feature-flag",
    "herring-harmless-changes",
    "node-not-ready",
    "quota-too-small",
    "wrong-environment-variable",
    "wrong-target-port",
)


def test_incidents_name_what_was_broken() -> None:
    """Given eight shops, when something else breaks in each, then each incident names its cause."""
    name = f"{os.environ.get('PRUNELLA_LAB', 'test')}-exam"
    with exam.standing(name) as lab:
        items = operating.lists(lab)
        ask = telemetry.prometheus(lab.prometheus_url)
        with exam.watching(lab, items) as watcher:
            folders = [faults.FOLDER / each for each in SAMPLE]
            outcomes = exam.run(Examiner(lab, items, ask, watcher), folders, at_once=4)

    missed = [each.name for each in report.totals(outcomes) if not each.met]
    assert missed == [], f"{report.table(outcomes)}\n\n{report.summary(outcomes)}"
