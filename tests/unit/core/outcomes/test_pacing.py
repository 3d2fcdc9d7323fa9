"""One pod after the other: when the next eviction may be sent, and when the rest is left."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import modes
from prunella.core.outcomes import pacing
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes, seconds

Mode = policy_api.Mode
Turn = pacing.Turn
DONE = remediation.EffectStatus(sent_at=NOW - minutes(1), outcome="Effective")
DOUBT = remediation.EffectStatus(sent_at=NOW - minutes(1))
LEFT_OUT = remediation.EffectStatus(outcome="NotSent")
NEVER = remediation.EffectStatus()
LONG_AGO, JUST = NOW - minutes(30), NOW - seconds(20)


def evict(letter: str, *, paced: bool = True) -> model.Effect:
    """An eviction of a pod of one letter."""
    target = builders.ref(letter, kind="Pod")
    return model.Effect(model.Verb.EVICT, target, f"uid-{letter}", "evict it", paced=paced)


EFFECTS = (evict("a", paced=False), evict("b"), evict("c"))


def record(*statuses: remediation.EffectStatus) -> objects.Record:
    """A record of three evictions, one after the other, of a target with three pods available."""
    found = builders.record(
        "R", reasons.Phase.ACTING, effects=EFFECTS, effect_statuses=statuses or [DONE, NEVER, NEVER]
    )
    before = remediation.PodsBefore(wanted=3, available=3)
    return dataclasses.replace(found, spec=found.spec.model_copy(update={"before": before}))


def pod(letter: str, created: datetime.datetime = LONG_AGO, **changes: Any) -> model.Pod:
    """A pod of the target."""
    return dataclasses.replace(model.Pod(letter, f"uid-{letter}", created=created), **changes)


REPLACED = (pod("b"), pod("c"), pod("new", JUST))


def looked(pods: Sequence[model.Pod] = REPLACED, available: int = 3) -> model.LiveState:
    """A look at the target."""
    return model.LiveState(builders.workload(available=available), pods=tuple(pods))


def scene(**changes: Any) -> pacing.Scene:
    """All that lets the next one go."""
    whole = pacing.Scene(NOW, Rules(), may_send=True, verdict=UNHEALTHY, sick=frozenset("bc"))
    return dataclasses.replace(whole, **changes)


PACED: dict[str, tuple[Sequence[remediation.EffectStatus], bool]] = {
    "one sent": ([DONE, NEVER, NEVER], True),
    "two sent": ([DONE, DONE, NEVER], True),
    "nothing sent": ([NEVER, NEVER, NEVER], False),
    "all sent": ([DONE, DONE, DONE], False),
    "one in doubt": ([DOUBT, NEVER, NEVER], False),
}


@pytest.mark.parametrize(("statuses", "expected"), PACED.values(), ids=PACED)
def test_a_record_is_paced_between_its_evictions(
    statuses: Sequence[remediation.EffectStatus], expected: bool
) -> None:
    """What nobody knows the outcome of is settled first."""
    assert expected is pacing.is_paced(record(*statuses))


OLD_SICK = pod("d", ready=False)
Row = tuple[pacing.Scene, model.LiveState | None, Turn, str]
TURNS: dict[str, Row] = {
    "replaced": (scene(), looked(), Turn.SEND, ""),
    "still there": (
        scene(),
        looked([pod("a", deleting=True), *REPLACED[:2]]),
        Turn.WAIT,
        "pod a is still there",
    ),
    "not ready yet": (
        scene(),
        looked([*REPLACED[:2], pod("new", JUST, ready=False)], 2),
        Turn.WAIT,
        "pod new is not ready yet",
    ),
    "not made yet": (
        scene(),
        looked(REPLACED[:2], 2),
        Turn.WAIT,
        "2 of 3 pods are there, 2 available, 3 were before",
    ),
    "another pod was not ready before": (scene(), looked([*REPLACED, OLD_SICK]), Turn.SEND, ""),
    "another pod became not available": (
        scene(),
        looked([*REPLACED, OLD_SICK], 2),
        Turn.WAIT,
        "4 of 3 pods are there, 2 available, 3 were before",
    ),
    "in doubt": (scene(verdict=UNKNOWN), looked(), Turn.WAIT, "the signals are Unknown"),
    "no room": (
        scene(no_room=True),
        looked(),
        Turn.WAIT,
        "a PodDisruptionBudget allows no eviction now",
    ),
    "well again": (scene(verdict=HEALTHY), looked(), Turn.STOP, "Healthy again"),
    "stopped": (scene(may_send=False), looked(), Turn.STOP, "stopped by a person"),
    "stopped by a ceiling": (
        scene(may_send=False, stopped="Advise is the most"),
        looked(),
        Turn.STOP,
        "Advise is the most",
    ),
    "gone": (scene(), None, Turn.STOP, "the target is gone"),
    "no patience left": (
        scene(
            now=NOW
            + minutes(
                9,
            )
            + seconds(1),
            verdict=UNKNOWN,
        ),
        looked(),
        Turn.STOP,
        "no progress for 600 s: the signals are Unknown",
    ),
    "all the patience, but nothing to wait for": (
        scene(now=NOW + minutes(60)),
        looked(),
        Turn.SEND,
        "",
    ),
}


@pytest.mark.parametrize(("at", "seen", "turn", "why"), TURNS.values(), ids=TURNS)
def test_the_next_turn(
    at: pacing.Scene, seen: model.LiveState | None, turn: Turn, why: str
) -> None:
    """The next pod goes when the last was replaced, is still sick, and nobody said stop."""
    assert (turn, why) == pacing.turn(record(), at, seen)


LOW = {"restartPods": modes.Effective(Mode.ADVISE, "the ceiling")}
LOWERED = "decided in mode Live, and Advise is the most there is now: the ceiling"
EDITED = "the policy has generation 2, it was decided by 1"
PAUSE, FREEZE = model.PauseState(paused=True), model.PauseState(paused=False, frozen="frozen")
Said = tuple[str, objects.Policy | None, dict[str, Any], str]
SAID: dict[str, Said] = {
    "nothing": ("restartPods", builders.policy(), {}, ""),
    "as much is allowed": (
        "restartPods",
        builders.policy(),
        {"found": {"restartPods": modes.Effective(Mode.LIVE)}},
        "",
    ),
    "less is allowed": ("restartPods", builders.policy(), {"found": LOW}, LOWERED),
    "less to another action": (
        "restartPods",
        builders.policy(),
        {"found": {"rollback": modes.Effective(Mode.ADVISE, "the ceiling")}},
        "",
    ),
    "edited": ("restartPods", builders.policy(generation=2), {}, EDITED),
    "made anew": (
        "restartPods",
        builders.policy(uid="new"),
        {},
        "the policy has generation 1, it was decided by 1",
    ),
    "deleted": ("restartPods", None, {}, pacing.BY_A_PERSON),
    "suspended": ("restartPods", builders.policy(suspend=True), {}, pacing.BY_A_PERSON),
    "advises now": ("restartPods", builders.policy(mode="Advise"), {}, pacing.BY_A_PERSON),
    "paused": ("restartPods", builders.policy(), {"pause": PAUSE}, pacing.BY_A_PERSON),
    "frozen": ("restartPods", builders.policy(), {"pause": FREEZE}, pacing.BY_A_PERSON),
    "undoing, edited": ("revert", builders.policy(generation=2, mode="Approve"), {}, ""),
    "way back, edited": ("returnTraffic", builders.policy(generation=2, mode="Approve"), {}, ""),
    "undoing, paused": ("revert", builders.policy(), {"pause": PAUSE}, pacing.BY_A_PERSON),
    "drain, edited": ("drain", builders.policy(generation=2), {}, ""),
    "drain, edited to ask first": (
        "drain",
        builders.policy(generation=2, mode="Approve"),
        {},
        "decided in mode Live, and Approve is the most there is now",
    ),
}


@pytest.mark.parametrize(("action", "policy", "told", "expected"), SAID.values(), ids=SAID)
def test_what_was_begun_goes_on_unless_somebody_has_said_stop(
    action: str, policy: objects.Policy | None, told: dict[str, Any], expected: str
) -> None:
    """A ceiling and an edit stop what is new in each effect, and nothing that takes back."""
    begun = builders.record("R", reasons.Phase.ACTING, action=action, mode=Mode.LIVE)
    open_to_all: dict[str, Any] = {"pause": model.PauseState(paused=False), "found": {}}
    assert expected == pacing.stop(begun, policy, **{**open_to_all, **told})


def test_a_pod_that_is_well_again_is_passed_over() -> None:
    """What is not named any more is not evicted; a query that names none says nothing."""
    assert pacing.passed_over(record(), scene(sick=frozenset("c")))
    assert not pacing.passed_over(record(), scene())
    assert not pacing.passed_over(record(), scene(sick=frozenset()))
    status = pacing.without_next(record())
    assert ["Effective", "NotSent", ""] == [each.outcome for each in status.effects]
    assert reasons.Phase.ACTING is status.phase
    last = pacing.without_next(record(DONE, LEFT_OUT, NEVER))
    assert reasons.Phase.VERIFYING is last.phase
    assert [None, None] == [each.sent_at for each in last.effects[1:]]


def test_what_is_left_when_it_stops_is_never_sent() -> None:
    """The proof is of what was done; the record says how much was left."""
    status = pacing.stopped(record(), "Healthy again")
    assert reasons.Phase.VERIFYING is status.phase
    assert ["Effective", "NotSent", "NotSent"] == [each.outcome for each in status.effects]
    assert "Healthy again: 2 of 3 evictions were not needed or not possible" == status.message
