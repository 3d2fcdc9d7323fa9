"""Tests of who is called, for which records, and when nobody is."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide
from prunella.core.outcomes import escalation
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase
TWO_STEPS = [{"scale": {"by": 2}}, {"restart": {}}]
NOTHING_LEFT = {
    builders.ref(): decide.Decision(refusal=model.Refusal(reasons.Refused.NO_STEP_LEFT, "why"))
}


def tried(name: str, phase: Phase, attempt: int = 1, **fields: Any) -> objects.Record:
    """A record that ended ten minutes ago."""
    return builders.record(name, phase, attempt=attempt, ago=minutes(10), **fields)


CASES: dict[str, tuple[list[objects.Record], dict[model.Ref, decide.Decision], list[str]]] = {
    "nothing was tried": ([], NOTHING_LEFT, []),
    "helped": ([tried("A", Phase.SUCCEEDED)], {}, []),
    "not proved": ([tried("A", Phase.UNPROVEN)], {}, ["A"]),
    "called already": ([tried("A", Phase.UNPROVEN, escalated_at=NOW)], {}, []),
    "healthy again": ([tried("A", Phase.UNPROVEN, cleared_at=NOW)], {}, []),
    "another step is left": ([tried("A", Phase.UNHELPFUL)], {}, []),
    "the last step": ([tried("A", Phase.UNHELPFUL, step=1)], {}, ["A"]),
    "the other steps do not apply": ([tried("A", Phase.UNHELPFUL)], NOTHING_LEFT, ["A"]),
    "only for the newest": (
        [tried("A", Phase.UNHELPFUL), tried("B", Phase.UNHELPFUL, 2)],
        NOTHING_LEFT,
        ["B"],
    ),
    "of another policy": (
        [tried("A", Phase.UNPROVEN, key=objects.Key("shop", "other"))],
        NOTHING_LEFT,
        [],
    ),
}


@pytest.mark.parametrize(("records", "decisions", "expected"), CASES.values(), ids=CASES)
def test_for_whom_a_person_is_called(
    records: list[objects.Record],
    decisions: dict[model.Ref, decide.Decision],
    expected: list[str],
) -> None:
    """Once for each record that nothing automatic follows."""
    policy = builders.policy(steps=TWO_STEPS, verify={"otherwise": "Continue"})
    called = escalation.to_call(policy, records, decisions, 3)
    assert expected == [record.name for record in called]


def test_a_latch_calls_a_person_though_its_target_has_recovered() -> None:
    """Three in a row did not help: the policy has stopped, somebody must know."""
    records = [tried(str(n), Phase.UNHELPFUL, n, cleared_at=NOW) for n in (1, 2, 3)]
    policy = builders.policy(steps=TWO_STEPS)
    called = [record.name for record in escalation.to_call(policy, records, {}, 3)]
    assert called
    assert called[-1] == "3"
