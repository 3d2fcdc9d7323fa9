"""Settling, by observation alone, what was sent before a crash."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import model, objects, progressive
from prunella.core.decisions import ledger
from prunella.core.outcomes import settling
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase
SENT = remediation.EffectStatus(sent_at=NOW - minutes(1))
BEFORE = builders.workload()
SCALE = builders.scale_effect(to=5)
EVICT = model.Effect(
    model.Verb.EVICT, builders.ref("pod-a", kind="Pod"), "pod-uid", "evict pod pod-a"
)
FORCED = dataclasses.replace(EVICT, forced=True)
POD = model.Pod("pod-a", "pod-uid")


def acting(
    *effects: model.Effect, statuses: Sequence[remediation.EffectStatus] | None = None
) -> objects.Record:
    """A record whose effects were sent and whose answers nobody has."""
    return builders.record(
        "R", Phase.ACTING, effects=effects, effect_statuses=statuses or [SENT for _ in effects]
    )


def live_state(*pods: model.Pod, **changes: Any) -> model.LiveState:
    """A live look at the target."""
    return model.LiveState(dataclasses.replace(BEFORE, **changes), pods=pods)


def rerun(**spec: Any) -> model.Effect:
    """The creation of a Job."""
    whole = {"metadata": {"name": "job-1"}, "spec": spec}
    operation = {"op": "add", "path": "", "value": whole}
    target = builders.ref("job-1", kind="Job")
    return model.Effect(model.Verb.CREATE, target, "", "create it", patch=(operation,))


def with_job(name: str, mark: str) -> model.LiveState:
    """A look at a CronJob with one Job."""
    job = model.Job(name, "uid", NOW, model.JobState.ACTIVE, annotations={objects.MARK: mark})
    return model.LiveState(BEFORE, pods_known=False, jobs=(job,))


MARKED: dict[str, Any] = {"annotations": {objects.MARK: "R"}, "generation": 6, "replicas": 5}
Row = tuple[model.Effect, model.LiveState | None, str, str]
TABLE: dict[str, Row] = {
    "mark there": (SCALE, live_state(**MARKED), "Verifying", "Effective"),
    "no mark, generation as planned": (SCALE, live_state(), "NotSent", "NotSent"),
    "another record's mark, generation as planned": (
        SCALE,
        live_state(annotations={objects.MARK: "before"}),
        "NotSent",
        "NotSent",
    ),
    "no mark, generation changed": (SCALE, live_state(generation=5), "Unknown", "Unknown"),
    "another record's mark, generation changed": (
        SCALE,
        live_state(generation=5, annotations={objects.MARK: "later"}),
        "Unknown",
        "Unknown",
    ),
    "made again": (SCALE, live_state(uid="another"), "Unknown", "Unknown"),
    "made again with the mark copied": (
        SCALE,
        live_state(uid="another", **MARKED),
        "Unknown",
        "Unknown",
    ),
    "gone": (SCALE, None, "Unknown", "Unknown"),
    "pod evicted": (EVICT, live_state(), "Verifying", "Effective"),
    "pod on its way": (
        EVICT,
        live_state(dataclasses.replace(POD, deleting=True)),
        "Verifying",
        "Effective",
    ),
    "pod there": (EVICT, live_state(POD), "NotSent", "NotSent"),
    "another pod under its name": (
        EVICT,
        live_state(dataclasses.replace(POD, uid="another")),
        "Verifying",
        "Effective",
    ),
    "pod to be removed without grace gone": (FORCED, live_state(), "Verifying", "Effective"),
    "pod to be removed without grace still in deletion": (
        FORCED,
        live_state(dataclasses.replace(POD, deleting=True)),
        "NotSent",
        "NotSent",
    ),
    "job there with the mark": (rerun(), with_job("job-1", "R"), "Verifying", "Effective"),
    "job of another": (rerun(), with_job("job-1", "S"), "Unknown", "Unknown"),
    "job not there": (rerun(), with_job("job-2", "R"), "NotSent", "NotSent"),
    "job not there, it may have been cleaned up": (
        rerun(ttlSecondsAfterFinished=0),
        with_job("job-2", "R"),
        "Unknown",
        "Unknown",
    ),
    "pod's workload gone": (EVICT, None, "Unknown", "Unknown"),
}


@pytest.mark.parametrize(("effect", "seen", "phase", "outcome"), TABLE.values(), ids=TABLE)
def test_one_effect_is_settled_by_what_is_seen(
    effect: model.Effect, seen: model.LiveState | None, phase: str, outcome: str
) -> None:
    """The mark proves that it was done, an unchanged generation that it was not."""
    status = settling.settle(acting(effect), seen, NOW)
    assert (phase, [outcome]) == (status.phase, [each.outcome for each in status.effects])
    assert (NOW if status.phase.final else None) == status.finished_at
    assert SENT.sent_at == status.effects[0].sent_at, "when it was sent stays on record"


def test_what_was_seen_on_the_target_is_kept_for_later() -> None:
    """Generation and fingerprint are noted as if the answer had come."""
    record = acting(SCALE)
    status = settling.settle(record, live_state(**MARKED), NOW)
    assert status.effects[0].generation == 6
    settled = dataclasses.replace(record, status=status)
    assert ledger.edited_since(settled, dataclasses.replace(BEFORE, **MARKED)) is None


def test_a_person_who_scaled_before_the_settlement_is_still_seen() -> None:
    """The fingerprint is of what was sent: the edit of the meantime is not taken for our own."""
    theirs = dataclasses.replace(BEFORE, **{**MARKED, "generation": 7, "replicas": 9})
    record = acting(SCALE)
    settled = dataclasses.replace(
        record, status=settling.settle(record, model.LiveState(theirs), NOW)
    )
    assert Phase.VERIFYING is settled.phase
    assert ledger.edited_since(settled, theirs) is not None


DONE = SENT.model_copy(update={"outcome": "Effective", "generation": 5, "fingerprint": "f"})
REFUSED = SENT.model_copy(update={"outcome": "Refused"})
NEVER = remediation.EffectStatus()
MIXED: dict[str, tuple[list[remediation.EffectStatus], model.LiveState | None, str, list[str]]] = {
    "second never sent": (
        [DONE, NEVER],
        live_state(**MARKED),
        "Verifying",
        ["Effective", "NotSent"],
    ),
    "second never sent, gone": ([DONE, NEVER], None, "Verifying", ["Effective", "NotSent"]),
    "first refused": ([REFUSED, NEVER], live_state(), "NotSent", ["Refused", "NotSent"]),
    "second in doubt": (
        [DONE, SENT],
        live_state(generation=9),
        "Unknown",
        ["Effective", "Unknown"],
    ),
    "nothing ever sent": (
        [NEVER, NEVER],
        live_state(generation=9),
        "NotSent",
        ["NotSent", "NotSent"],
    ),
}


@pytest.mark.parametrize(("statuses", "seen", "phase", "outcomes"), MIXED.values(), ids=MIXED)
def test_effects_are_settled_one_by_one(
    statuses: list[remediation.EffectStatus],
    seen: model.LiveState | None,
    phase: str,
    outcomes: list[str],
) -> None:
    """Known outcomes stay; an effect without ``sentAt`` was never sent; one doubt is enough."""
    status = settling.settle(acting(SCALE, SCALE, statuses=statuses), seen, NOW)
    assert (phase, outcomes) == (status.phase, [each.outcome for each in status.effects])


def test_settling_twice_changes_nothing() -> None:
    """A second look at what is settled finds the same."""
    record = acting(SCALE)
    once = settling.settle(record, live_state(**MARKED), NOW)
    again = settling.settle(dataclasses.replace(record, status=once), live_state(**MARKED), NOW)
    assert once.effects == again.effects


ROLLBACK = builders.effect(patch=({"op": "replace", "path": "/spec/template", "value": {}},))
DONE = remediation.EffectStatus(sent_at=NOW - minutes(1), outcome="Effective")
UNSENT = remediation.EffectStatus()
BROKEN = model.Pod("pod-a", "pod-uid", ready=False)
MINE: dict[str, Any] = {"annotations": {objects.MARK: "R"}, "generation": 5}
HALVES: dict[str, tuple[list[remediation.EffectStatus], model.LiveState | None, bool]] = {
    "the pod still blocks": ([DONE, UNSENT], live_state(BROKEN, **MINE), True),
    "the patch was not noted": ([SENT, UNSENT], live_state(BROKEN, **MINE), True),
    "the eviction may be under way": ([DONE, SENT], live_state(BROKEN, **MINE), False),
    "all was sent": ([DONE, DONE], live_state(BROKEN, **MINE), False),
    "the patch was not carried out": ([SENT, UNSENT], live_state(BROKEN), False),
    "the pod is ready": (
        [DONE, UNSENT],
        live_state(dataclasses.replace(BROKEN, ready=True), **MINE),
        False,
    ),
    "the pod goes": (
        [DONE, UNSENT],
        live_state(dataclasses.replace(BROKEN, deleting=True), **MINE),
        False,
    ),
    "another pod has its name": (
        [DONE, UNSENT],
        live_state(dataclasses.replace(BROKEN, uid="another"), **MINE),
        False,
    ),
    "a later remediation changed it": (
        [DONE, UNSENT],
        live_state(BROKEN, annotations={objects.MARK: "later"}, generation=6),
        False,
    ),
    "a person has changed it": (
        [DONE, UNSENT],
        live_state(BROKEN, **{**MINE, "generation": 6}),
        False,
    ),
    "the target is gone": ([DONE, UNSENT], None, False),
}


@pytest.mark.parametrize(("statuses", "seen", "expected"), HALVES.values(), ids=HALVES)
def test_half_an_action_goes_on_while_it_is_still_right(
    statuses: list[remediation.EffectStatus], seen: model.LiveState | None, expected: bool
) -> None:
    """Only what was never sent, and only while the target is as the first effect left it."""
    record = acting(ROLLBACK, EVICT, statuses=statuses)
    settled = settling.settle(record, seen, NOW)
    assert expected is settling.half_done(record, settled, seen)


GONE_BY_ITSELF = remediation.EffectStatus(sent_at=NOW - minutes(1), outcome="Refused")
SECOND = model.Pod("pod-b", "pod-b-uid", ready=False)
THIRDS: dict[str, tuple[remediation.EffectStatus, bool]] = {
    "the first pod was evicted": (DONE, True),
    "the first pod had gone by itself": (GONE_BY_ITSELF, True),
    "whether it was evicted was not noted": (SENT, True),
    "it had not even been tried": (UNSENT, True),
}


@pytest.mark.parametrize(("evicted", "expected"), THIRDS.values(), ids=THIRDS)
def test_the_last_of_several_evictions_follows_too(
    evicted: remediation.EffectStatus, expected: bool
) -> None:
    """Two pods block the rollout: a death after the first eviction must not leave the second."""
    last = dataclasses.replace(EVICT, uid=SECOND.uid)
    record = acting(ROLLBACK, EVICT, last, statuses=[DONE, evicted, UNSENT])
    pods = (BROKEN, SECOND) if evicted is UNSENT else (SECOND,)
    seen = live_state(*pods, **MINE)
    settled = settling.settle(record, seen, NOW)
    assert expected is settling.half_done(record, settled, seen)


def test_an_outcome_that_is_known_is_not_written_anew() -> None:
    """A person's edit between the effect and the settlement must still be seen."""
    noted = DONE.model_copy(update={"fingerprint": "ours", "generation": 5})
    seen = live_state(BROKEN, **MINE, template={"spec": {"image": "theirs"}})
    settled = settling.settle(acting(ROLLBACK, EVICT, statuses=[noted, UNSENT]), seen, NOW)
    assert noted == settled.effects[0]


ROLLOUT = builders.ref("web", kind="Rollout")
TO_THE_END = model.Effect(
    model.Verb.PATCH,
    ROLLOUT,
    BEFORE.uid,
    "promote web to the end",
    generation=4,
    patch=(
        {"op": "test", "path": "/status/currentPodHash", "value": "new"},
        {"op": "test", "path": "/status/promoteFull", "value": None},
        {"op": "add", "path": "/status/promoteFull", "value": True},
    ),
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"promoteFull": True, "stableRS": "old"}, "Effective", id="the word is there"),
        pytest.param({"stableRS": "new"}, "Effective", id="the controller has obeyed it"),
        pytest.param({"stableRS": "old"}, "NotSent", id="it still waits"),
        pytest.param(
            {"stableRS": "new", "currentPodHash": "newer"}, "Unknown", id="another release since"
        ),
    ],
)
def test_a_word_that_a_controller_takes_away_once_it_has_obeyed_was_sent(
    status: dict[str, Any], expected: str
) -> None:
    """What was promoted to the end says so no more when it is there."""
    shown = {"metadata": {"uid": BEFORE.uid}, "status": {"currentPodHash": "new", **status}}
    delivery = progressive.of({}, shown["status"])
    seen = {ROLLOUT: shown}
    settled = settling.settle(acting(TO_THE_END), live_state(delivery=delivery), NOW, seen)
    assert [expected] == [each.outcome for each in settled.effects]
