"""Releases: which are the same, which were proved bad, and what that changes."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger, releases
from prunella.core.decisions.guards import timing
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, seconds

Phase = reasons.Phase
NOTE = {releases.RESTARTED_AT: "2026-01-05T08:00:00Z"}
LABELS = {"app": "checkout"}


def template(image: str = "v1", **metadata: Any) -> dict[str, Any]:
    """A pod template."""
    return {"metadata": {"labels": LABELS, **metadata}, "spec": {"image": image}}


SAME: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "as it is": (template(), template(), True),
    "restarted": (template(), template(annotations=NOTE), True),
    "restarted, with other annotations": (
        template(annotations={"a": "b"}),
        template(annotations={"a": "b", **NOTE}),
        True,
    ),
    "empty metadata": (template(), template(annotations={}, creationTimestamp=None), True),
    "another image": (template(), template("v2"), False),
    "another annotation": (template(), template(annotations={"a": "b"}), False),
}


@pytest.mark.parametrize(("one", "other", "same"), SAME.values(), ids=SAME)
def test_which_templates_are_one_release(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    """A restart and empty metadata make no other release."""
    assert same == (releases.release(one) == releases.release(other))
    assert same == (releases.release_hash(one) == releases.release_hash(other))


BAD = builders.workload(template=template("v2-bad"))
BAD_HASH = releases.release_hash(BAD.template)


def rolled_back(
    name: str = "proof", phase: Phase = Phase.SUCCEEDED, leaves: str = BAD_HASH, **fields: Any
) -> objects.Record:
    """A rollback from the bad release."""
    record = builders.record(name, phase, action="rollback", **{"ago": minutes(60), **fields})
    spec = record.spec.model_copy(update={"leaves": leaves})
    return dataclasses.replace(record, spec=spec)


MONTH = releases.CONDEMNED_FOR
PROOFS: dict[str, tuple[objects.Record, dict[str, str], bool]] = {
    "rolled back, and Healthy after it": (rolled_back(), {}, True),
    "the rollback did not help": (rolled_back(phase=Phase.UNHELPFUL), {}, False),
    "not proved yet": (rolled_back(phase=Phase.VERIFYING), {}, False),
    "only advised": (rolled_back(phase=Phase.ADVISED), {}, False),
    "of another release": (rolled_back(leaves="other"), {}, False),
    "by a restart": (builders.record(), {}, False),
    "of a workload before it": (
        rolled_back(target=builders.workload(uid="old")),
        {},
        False,
    ),
    "a month ago": (rolled_back(ago=MONTH), {}, True),
    "longer ago": (rolled_back(ago=MONTH + seconds(1)), {}, False),
    "a person has resumed since": (rolled_back(), builders.resumed(NOW - minutes(1)), False),
    "a person has resumed before": (rolled_back(), builders.resumed(NOW - minutes(90)), True),
}


@pytest.mark.parametrize(("record", "annotations", "expected"), PROOFS.values(), ids=PROOFS)
def test_what_condemns_a_release(
    record: objects.Record, annotations: dict[str, str], expected: bool
) -> None:
    """A rollback that was proved, of this very workload, until a person or a month ends it."""
    resumed = ledger.resumed_at(builders.policy(annotations=annotations))
    found = releases.released_again(BAD, [record], resumed, NOW)
    assert (record if expected else None) == found


def test_the_newest_proof_is_told() -> None:
    """A release may be condemned more than once."""
    records = [rolled_back("new", ago=minutes(10)), rolled_back("old", ago=minutes(90))]
    found = releases.released_again(BAD, records, None, NOW)
    assert found is not None
    assert found.name == "new"


HOLDS: dict[str, tuple[float, float, float]] = {
    # for, interval, hold in seconds
    "a quarter": (600, 15, 150),
    "two evaluations at least": (60, 15, 30),
    "never more than for": (20, 15, 20),
    "no for": (0, 15, 0),
}


@pytest.mark.parametrize(("needed", "interval", "expected"), HOLDS.values(), ids=HOLDS)
def test_how_much_sooner(needed: float, interval: float, expected: float) -> None:
    """A quarter of the time, bounded by two evaluations."""
    assert seconds(expected) == releases.hold(seconds(needed), seconds(interval))


GUARDS: dict[str, tuple[str, model.Workload, datetime.timedelta, str]] = {
    "long enough for a condemned release": (
        "rollback",
        BAD,
        seconds(150),
        "Unhealthy for 150 s, 150 s are needed, not 600 s: proof proved this release bad",
    ),
    "a condemned release, not yet": (
        "rollback",
        BAD,
        seconds(149),
        "Unhealthy for 149 s of 150 s, not 600 s: proof proved this release bad",
    ),
    "another release": (
        "rollback",
        builders.workload(),
        seconds(150),
        "Unhealthy for 150 s of 600 s",
    ),
    "another action": ("restart", BAD, seconds(150), "Unhealthy for 150 s of 600 s"),
}


@pytest.mark.parametrize(("action", "workload", "held", "words"), GUARDS.values(), ids=GUARDS)
def test_a_rollback_of_a_condemned_release_waits_less(
    action: str, workload: model.Workload, held: datetime.timedelta, words: str
) -> None:
    """Only the rollback: what was proved is that leaving this release helps."""
    case = builders.case(
        action=action,
        target=workload,
        of=builders.policy(interval="15s"),
        records=[rolled_back()],
        held_since=NOW - held,
        held_for=seconds(600),
    )
    answer = timing.held_for_long_enough(case)
    assert words == (answer.message if isinstance(answer, model.Refusal) else answer)


def test_retention_keeps_what_condemns() -> None:
    """As long as it counts, and no longer."""
    week = minutes(7 * 24 * 60)
    for ago, gone in ((MONTH, []), (MONTH + seconds(1), ["proof"])):
        records = [
            rolled_back(ago=ago),
            builders.record("later", attempt=2, ago=minutes(1)),
        ]
        assert gone == [r.name for r in ledger.expired(records, NOW, week, minutes(60))]
