"""Settling, by observation alone, what was sent before a crash."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import guards, model, objects, verify
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase
SENT = remediation.EffectStatus(sent_at=NOW - minutes(1))
BEFORE = builders.workload()
SCALE = builders.scale_effect(to=5)
EVICT = model.Effect(
    model.Verb.EVICT, builders.ref("pod-a", kind="Pod"), "pod-uid", "evict pod pod-a"
)
POD = model.Pod("pod-a", "pod-uid")


def acting(
    *effects: model.Effect, statuses: Sequence[remediation.EffectStatus] | None = None
) -> objects.Record:
    """A record whose effects were sent and whose answers nobody has."""
    return builders.record(
        "R", Phase.ACTING, effects=effects, effect_statuses=statuses or [SENT for _ in effects]
    )


def look(*pods: model.Pod, **changes: Any) -> model.Look:
    """A live look at the target."""
    return model.Look(dataclasses.replace(BEFORE, **changes), pods=pods)


MARKED: dict[str, Any] = {"annotations": {objects.MARK: "R"}, "generation": 6, "replicas": 5}
Row = tuple[model.Effect, model.Look | None, str, str]
TABLE: dict[str, Row] = {
    "mark there": (SCALE, look(**MARKED), "Verifying", "Effective"),
    "no mark, generation as planned": (SCALE, look(), "NotSent", "NotSent"),
    "another record's mark, generation as planned": (
        SCALE,
        look(annotations={objects.MARK: "before"}),
        "NotSent",
        "NotSent",
    ),
    "no mark, generation changed": (SCALE, look(generation=5), "Unknown", "Unknown"),
    "another record's mark, generation changed": (
        SCALE,
        look(generation=5, annotations={objects.MARK: "later"}),
        "Unknown",
        "Unknown",
    ),
    "made again": (SCALE, look(uid="another"), "Unknown", "Unknown"),
    "made again with the mark copied": (SCALE, look(uid="another", **MARKED), "Unknown", "Unknown"),
    "gone": (SCALE, None, "Unknown", "Unknown"),
    "pod evicted": (EVICT, look(), "Verifying", "Effective"),
    "pod on its way": (
        EVICT,
        look(dataclasses.replace(POD, deleting=True)),
        "Verifying",
        "Effective",
    ),
    "pod there": (EVICT, look(POD), "NotSent", "NotSent"),
    "another pod under its name": (
        EVICT,
        look(dataclasses.replace(POD, uid="another")),
        "Verifying",
        "Effective",
    ),
    "pod's workload gone": (EVICT, None, "Unknown", "Unknown"),
}


@pytest.mark.parametrize(("effect", "seen", "phase", "outcome"), TABLE.values(), ids=TABLE)
def test_one_effect_is_settled_by_what_is_seen(
    effect: model.Effect, seen: model.Look | None, phase: str, outcome: str
) -> None:
    """The mark proves that it was done, an unchanged generation that it was not."""
    status = verify.settle(acting(effect), seen, NOW)
    assert (phase, [outcome]) == (status.phase, [each.outcome for each in status.effects])
    assert (NOW if status.phase.final else None) == status.finished_at
    assert SENT.sent_at == status.effects[0].sent_at, "when it was sent stays on record"


def test_what_was_seen_on_the_target_is_kept_for_later() -> None:
    """Generation and fingerprint are noted as if the answer had come."""
    record = acting(SCALE)
    status = verify.settle(record, look(**MARKED), NOW)
    assert status.effects[0].generation == 6
    settled = dataclasses.replace(record, status=status)
    assert guards.edited_since(settled, dataclasses.replace(BEFORE, **MARKED)) is None


def test_a_person_who_scaled_before_the_settlement_is_still_seen() -> None:
    """The fingerprint is of what was sent: the edit of the meantime is not taken for our own."""
    theirs = dataclasses.replace(BEFORE, **{**MARKED, "generation": 7, "replicas": 9})
    record = acting(SCALE)
    settled = dataclasses.replace(record, status=verify.settle(record, model.Look(theirs), NOW))
    assert Phase.VERIFYING is settled.phase
    assert guards.edited_since(settled, theirs) is not None


DONE = SENT.model_copy(update={"outcome": "Effective", "generation": 5, "fingerprint": "f"})
REFUSED = SENT.model_copy(update={"outcome": "Refused"})
NEVER = remediation.EffectStatus()
MIXED: dict[str, tuple[list[remediation.EffectStatus], model.Look | None, str, list[str]]] = {
    "second never sent": ([DONE, NEVER], look(**MARKED), "Verifying", ["Effective", "NotSent"]),
    "second never sent, gone": ([DONE, NEVER], None, "Verifying", ["Effective", "NotSent"]),
    "first refused": ([REFUSED, NEVER], look(), "NotSent", ["Refused", "NotSent"]),
    "second in doubt": ([DONE, SENT], look(generation=9), "Unknown", ["Effective", "Unknown"]),
    "nothing ever sent": ([NEVER, NEVER], look(generation=9), "NotSent", ["NotSent", "NotSent"]),
}


@pytest.mark.parametrize(("statuses", "seen", "phase", "outcomes"), MIXED.values(), ids=MIXED)
def test_effects_are_settled_one_by_one(
    statuses: list[remediation.EffectStatus],
    seen: model.Look | None,
    phase: str,
    outcomes: list[str],
) -> None:
    """Known outcomes stay; an effect without ``sentAt`` was never sent; one doubt is enough."""
    status = verify.settle(acting(SCALE, SCALE, statuses=statuses), seen, NOW)
    assert (phase, outcomes) == (status.phase, [each.outcome for each in status.effects])


def test_settling_twice_changes_nothing() -> None:
    """A second look at what is settled finds the same."""
    record = acting(SCALE)
    once = verify.settle(record, look(**MARKED), NOW)
    again = verify.settle(dataclasses.replace(record, status=once), look(**MARKED), NOW)
    assert once.effects == again.effects
