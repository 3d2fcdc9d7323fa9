"""Counting once: the status and the marks of records agree however a write was lost."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from prunella.api import policy_status, reasons, trust
from prunella.core import objects
from prunella.core.decisions.trust import board, streaks
from tests.unit.core import builders
from tests.unit.core.builders import NOW, UNHEALTHY, minutes, record

Phase = reasons.Phase
DAY = datetime.timedelta(days=1)


def facts(
    own: Sequence[objects.Record], before: trust.Trust | None = None, **changes: Any
) -> board.Facts:
    """One pass over the policy of the builders."""
    status = policy_status.RemediationPolicyStatus(trust=before)
    target = builders.workload()
    whole = board.Facts(
        policy=builders.policy(status=status),
        own=own,
        verdicts={target.ref: UNHEALTHY},
        workloads={target.ref: target},
        within=minutes(5),
        actions=["restart"],
        now=NOW,
        resumed=None,
        limits=streaks.Limits(),
    )
    return dataclasses.replace(whole, **changes)


def fold(*args: Any, **changes: Any) -> trust.Trust:
    """The scoreboard after one pass."""
    found = board.fold(facts(*args, **changes))
    assert found is not None
    return found


def effective(told: trust.Trust) -> int:
    """All actions that helped."""
    return sum(score.effective for score in told.scores)


def test_nothing_is_told_while_nothing_has_ended() -> None:
    """A policy that never acted has no scoreboard in its status."""
    assert board.fold(facts([])) is None
    assert board.fold(facts([record(phase=Phase.VERIFYING)])) is None


def test_a_record_is_counted_and_waits_for_its_mark() -> None:
    """Its name is listed until it bears the mark; counting again changes nothing."""
    own = [record("checkout-1")]
    first = fold(own)
    again = fold(own, first)
    marked = [
        dataclasses.replace(
            each, status=each.status.model_copy(update={"counted_for": "policy-uid"})
        )
        for each in own
    ]
    after = fold(marked, again)

    assert (1, ["checkout-1"]) == (effective(first), first.counting)
    assert first == again
    assert (1, []) == (effective(after), after.counting)
    assert ["checkout-1"] == [r.name for r in board.unmarked(facts(own, first).policy, own)]
    assert [] == board.unmarked(facts(own, first).policy, marked)


def test_a_policy_made_anew_counts_what_is_left() -> None:
    """Marks of another UID do not count: a bad streak survives kubectl delete and apply."""
    own = [record(f"checkout-{n}", Phase.UNHELPFUL, counted_for="old-uid") for n in range(5)]

    told = fold(own)

    assert 5 == sum(score.not_better for score in told.scores)
    assert told.demoted is not None


def test_only_so_many_are_counted_before_their_marks_are_written() -> None:
    """The list is bounded; the rest follows in later passes, and none is lost."""
    own = [record(f"checkout-{n:02}", attempt=n + 1) for n in range(40)]
    first = fold(own)
    full = fold(own, first)

    assert (32, 32) == (effective(first), len(first.counting))
    assert first == full


AGES = {"younger": (209, 1), "older": (211, 0)}


@pytest.mark.parametrize(("days", "left"), AGES.values(), ids=AGES)
def test_a_period_is_kept_for_180_days_after_its_end(days: int, left: int) -> None:
    """What is older says little of the action as it is now."""
    score = trust.Score(action="restart", since=NOW - days * DAY, effective=1)
    told = board.fold(facts([], trust.Trust(scores=[score])))

    assert left == (0 if told is None else len(told.scores))


def test_counts_of_one_period_are_added_up() -> None:
    """One entry for each action and period."""
    own = [
        record("checkout-1"),
        record("checkout-2", Phase.UNHELPFUL),
        record("checkout-3", action="scale"),
        record("checkout-4", ago=45 * DAY),
    ]

    told = fold(own)

    counts = [(s.action, s.effective, s.not_better) for s in told.scores]
    assert [("restart", 1, 0), ("restart", 1, 1), ("scale", 1, 0)] == counts
    assert {board.period(NOW), board.period(NOW - 45 * DAY)} == {s.since for s in told.scores}


@hypothesis.given(st.lists(st.sampled_from(["write", "lose", "mark", "lose mark"]), max_size=30))
def test_whatever_is_lost_each_record_is_counted_once(steps: list[str]) -> None:
    """Status writes and marks may be lost in any order; in the end each counts once."""
    own = [record(f"checkout-{n}", attempt=n + 1) for n in range(3)]
    written: trust.Trust | None = None
    for step in [*steps, "write", "mark", "write"]:
        if step in {"write", "lose"}:
            folded = board.fold(facts(own, written))
            written = folded if step == "write" else written
        else:
            named = {r.name for r in board.unmarked(facts(own, written).policy, own)}
            own = [
                dataclasses.replace(
                    each, status=each.status.model_copy(update={"counted_for": "policy-uid"})
                )
                if each.name in named and step == "mark"
                else each
                for each in own
            ]

    assert written is not None
    assert (3, []) == (effective(written), written.counting)
