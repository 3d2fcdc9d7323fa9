"""A sample of the exam, a fresh shop for each fault: who is named, and what heals."""

from __future__ import annotations

import os

import pytest

from bench.exam import __main__ as exam
from bench.exam import operating, report, telemetry
from bench.exam.healer import Healer
from bench.exam.run import Examiner, Patience
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


PATIENT = Patience(limit=120, heal=180)
"""Other tests run on the same machine; how long it took is no matter here."""
TIMED = "seconds from"


def test_incidents_name_what_was_broken_and_playbooks_heal_it() -> None:
    """Given eight shops, when something else breaks in each, then its cause is named and healed.

    By ready playbooks, without harm; a lost node is left to a person.
    """
    name = f"{os.environ.get('PRUNELLA_LAB', 'test')}-exam"
    with exam.standing(name) as lab:
        items = operating.lists(lab)
        ask = telemetry.prometheus(lab.prometheus_url)
        with exam.watching(lab, items, heals=True) as watcher:
            folders = [faults.FOLDER / each for each in SAMPLE]
            healer = Healer(lab, items, ask)
            examiner = Examiner(lab, items, ask, watcher, PATIENT, healer=healer)
            outcomes = exam.run(examiner, folders, at_once=4)

    figures = [each for each in report.totals(outcomes) if not each.name.startswith(TIMED)]
    missed = [each.name for each in figures if not each.met]
    assert missed == [], f"{report.table(outcomes)}\n\n{report.summary(outcomes)}"
