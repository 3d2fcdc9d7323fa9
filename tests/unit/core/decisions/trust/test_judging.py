"""What one ended record says of its action, and when it says anything."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import approvals, ledger
from prunella.core.decisions.trust import judging
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes, record

Phase = reasons.Phase
WITHIN = minutes(5)
AROUND = judging.Around(UNHEALTHY, builders.workload(), None, WITHIN, NOW)


def words(counted: judging.Counted | None) -> list[str] | None:
    """What is counted, in words; None: nothing yet."""
    return None if counted is None else [each.value for each in counted.outcomes]


SENT = {
    Phase.SUCCEEDED: ["effective"],
    Phase.UNHELPFUL: ["not_better"],
    Phase.UNPROVEN: ["not_better"],
    Phase.FAILED: ["not_better"],
    Phase.UNKNOWN: ["unsettled"],
    Phase.SUPERSEDED: [],
    Phase.NOT_SENT: None,
    Phase.PENDING: None,
    Phase.ACTING: None,
    Phase.VERIFYING: None,
}


@pytest.mark.parametrize(("phase", "expected"), SENT.items(), ids=SENT)
def test_what_was_sent_is_told_by_its_end(phase: Phase, expected: list[str] | None) -> None:
    """No proof is a false step; what is under way or was never sent says nothing."""
    assert expected == words(judging.judge(record(phase=phase), AROUND))


def advised(ago: float, cleared: float | None = None, **parts: Any) -> objects.Record:
    """Advice, given and cleared so many minutes ago."""
    at = None if cleared is None else NOW - minutes(cleared)
    return record(phase=Phase.ADVISED, ago=minutes(ago), cleared_at=at, **parts)


OTHER = builders.workload(uid="another")
EDITED = builders.workload(generation=builders.workload().generation + 1)
ADVICE: dict[str, tuple[objects.Record, judging.Around, list[str] | None]] = {
    "healthy in time": (advised(10, 6), AROUND, ["needless"]),
    "healthy at the very end": (advised(10, 5), AROUND, ["needless"]),
    "healthy too late": (advised(10, 4), AROUND, ["needed"]),
    "sick after the time": (advised(5), AROUND, ["needed"]),
    "sick within the time": (advised(4), AROUND, None),
    "unknown after the time": (advised(9), dataclasses.replace(AROUND, verdict=UNKNOWN), None),
    "healthy and not yet cleared": (
        advised(9),
        dataclasses.replace(AROUND, verdict=HEALTHY),
        None,
    ),
    "no target any more": (advised(9), dataclasses.replace(AROUND, verdict=None), []),
    "changed meanwhile": (advised(10, 6), dataclasses.replace(AROUND, workload=EDITED), []),
    "replaced meanwhile": (advised(10, 6), dataclasses.replace(AROUND, workload=OTHER), []),
    "deleted meanwhile": (advised(10, 6), dataclasses.replace(AROUND, workload=None), []),
}


@pytest.mark.parametrize(("told", "around", "expected"), ADVICE.values(), ids=ADVICE)
def test_advice_is_needed_or_needless(
    told: objects.Record, around: judging.Around, expected: list[str] | None
) -> None:
    """A target that recovers by itself within verify.within needed nothing; doubt waits."""
    assert expected == words(judging.judge(told, around))


def test_dry_runs_count_as_advice() -> None:
    """The API server was asked, and nothing was done."""
    told = record(phase=Phase.DRY_RUN, ago=minutes(9))
    assert ["needed"] == words(judging.judge(told, AROUND))


def waiting(phase: Phase, **status: Any) -> objects.Record:
    """An ended record of mode Approve, decided 10 minutes ago."""
    return record(phase=phase, mode=policy_api.Mode.APPROVE, ago=minutes(10), **status)


def recovered(ended: float) -> objects.Record:
    """A proposal that ended so many minutes ago, since its target was Healthy."""
    return waiting(Phase.EXPIRED, reason=approvals.RECOVERED, finished_ago=minutes(ended))


SILENCE = reasons.Refused.NOT_APPROVED
PEOPLE = {
    "rejected": (waiting(Phase.REJECTED), AROUND, ["rejected"]),
    "nobody answered": (waiting(Phase.EXPIRED, reason=SILENCE), AROUND, ["expired"]),
    "recovered in time": (recovered(5), AROUND, ["needless"]),
    "recovered too late": (recovered(4), AROUND, ["needed"]),
    "changed meanwhile": (recovered(5), dataclasses.replace(AROUND, workload=EDITED), []),
    "the policy was edited": (waiting(Phase.EXPIRED, reason="PolicyChanged"), AROUND, []),
}


@pytest.mark.parametrize(("told", "around", "expected"), PEOPLE.values(), ids=PEOPLE)
def test_what_people_said_is_counted(
    told: objects.Record, around: judging.Around, expected: list[str]
) -> None:
    """A rejection is not a silence, and what went by itself is neither."""
    assert approvals.RECOVERED == judging.RECOVERED
    assert expected == words(judging.judge(told, around))


def test_what_was_approved_counts_as_such_and_by_its_end() -> None:
    """Only what was approved is sent in mode Approve; it may help or not."""
    told = record(phase=Phase.UNHELPFUL, mode=policy_api.Mode.APPROVE)

    assert ["approved", "not_better"] == words(judging.judge(told, AROUND))


@pytest.mark.parametrize("action", [ledger.RETURN_NODE, ledger.RETURN_TRAFFIC])
def test_a_way_back_is_no_remedy(action: str) -> None:
    """Nobody was asked about it, and nothing is said by it."""
    assert [] == words(judging.judge(record(action=action), AROUND))


def test_a_revert_speaks_of_what_it_has_undone() -> None:
    """The scale is reverted, not the revert; without the scale nobody knows what was undone."""
    undone = record("checkout-1", Phase.UNHELPFUL, action="scale")
    revert = record("checkout-2", action=ledger.REVERT, follows="checkout-1")
    found = judging.judge(revert, dataclasses.replace(AROUND, follows=undone))
    alone = judging.judge(revert, AROUND)

    assert found is not None
    assert ("scale", ["reverted"]) == (found.action, words(found))
    assert [] == words(alone)


def test_a_request_to_people_says_nothing() -> None:
    """A pull request that was opened has neither helped nor failed."""
    assert [] == words(judging.judge(record(reason=ledger.REQUESTED), AROUND))


def test_now_is_a_time() -> None:
    """The tables above are about minutes before one moment."""
    assert datetime.timedelta(minutes=5) == WITHIN
    assert isinstance(UNHEALTHY, model.Verdict)
