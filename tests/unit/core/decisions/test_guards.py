"""Each guard passes and refuses, with the numbers that it compared."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.api import types as api_types
from prunella.core import model, objects
from prunella.core.decisions import guards, ledger
from prunella.core.decisions.guards import scope, switches, timing
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import minutes, record, seconds

Phase, Refused = reasons.Phase, reasons.Refused
OTHER = objects.Key("shop", "other")


def in_vain(ago: datetime.timedelta, key: objects.Key = OTHER) -> objects.Record:
    """What did not help so long ago, and has an inverse."""
    effects = [builders.effect(inverse=({"op": "remove", "path": "/spec/x"},))]
    return record("checkout-1", Phase.UNHELPFUL, key=key, ago=ago, effects=effects)


CART = builders.workload("cart")
RESUME = "`prunella resume checkout -n shop`"
SUSPENDED = builders.policy(suspend=True)
NAMED = builders.policy(target={"name": "checkout"})
EMPTY = builders.policy().spec.model_copy(  # type: ignore[union-attr]
    update={"target": policy_api.Target(selector=api_types.LabelSelector())}
)

SWITCHES: dict[str, tuple[guards.Guard, guards.Case, guards.Answer]] = {
    "not suspended": (switches.not_suspended, builders.case(), "spec.suspend is false"),
    "suspended": (
        switches.not_suspended,
        builders.case(of=SUSPENDED),
        model.Refusal(Refused.SUSPENDED, "spec.suspend is true"),
    ),
    "not paused": (switches.not_paused, builders.case(), "the operator is not paused"),
    "paused": (
        switches.not_paused,
        builders.case(pause=model.PauseState(paused=True)),
        model.Refusal(Refused.PAUSED, "the operator is paused"),
    ),
    "paused, and it is said why": (
        switches.not_paused,
        builders.case(pause=model.PauseState(paused=True, message="prunella-pause is malformed")),
        model.Refusal(Refused.PAUSED, "prunella-pause is malformed"),
    ),
    "a selector": (scope.selector_is_not_empty, builders.case(), "the selector is not empty"),
    "a name": (
        scope.selector_is_not_empty,
        builders.case(of=NAMED),
        "the selector is not empty",
    ),
    "an empty selector": (
        scope.selector_is_not_empty,
        builders.case(spec=EMPTY),
        model.Refusal(Refused.EMPTY_SELECTOR, "the selector is empty and would mean all"),
    ),
    "a namespace of users": (
        scope.not_in_system_namespace,
        builders.case(),
        "shop is not a system namespace",
    ),
    "a system namespace": (
        scope.not_in_system_namespace,
        builders.case(target=builders.workload(namespace="kube-system")),
        model.Refusal(Refused.SYSTEM_NAMESPACE, "kube-system is a system namespace"),
    ),
    "a namespace that the settings protect": (
        scope.not_in_system_namespace,
        builders.case(rules=Rules(system_namespaces=frozenset({"shop"}))),
        model.Refusal(Refused.SYSTEM_NAMESPACE, "shop is a system namespace"),
    ),
    "another workload": (
        scope.not_the_operator,
        builders.case(),
        "Deployment/checkout is not the operator",
    ),
    "the operator": (
        scope.not_the_operator,
        builders.case(target=builders.workload("prunella", "prunella-system")),
        model.Refusal(Refused.OWN_WORKLOAD, "Deployment/prunella is the operator itself"),
    ),
    "the operator's name elsewhere": (
        scope.not_the_operator,
        builders.case(target=builders.workload("prunella")),
        "Deployment/prunella is not the operator",
    ),
    "the operator's neighbour": (
        scope.not_the_operator,
        builders.case(target=builders.workload("web", "prunella-system")),
        "Deployment/web is not the operator",
    ),
}

TIMES: dict[str, tuple[guards.Guard, guards.Case, guards.Answer]] = {
    "held for just long enough": (
        timing.held_for_long_enough,
        builders.case(held_since=builders.NOW - seconds(60)),
        "Unhealthy for 60 s, 60 s are needed",
    ),
    "held for too short": (
        timing.held_for_long_enough,
        builders.case(held_since=builders.NOW - seconds(59)),
        model.Refusal(Refused.NOT_HELD, "Unhealthy for 59 s of 60 s"),
    ),
    "held for long, and resumed since": (
        timing.held_for_long_enough,
        builders.case(of=builders.policy(annotations=builders.resumed(builders.NOW - seconds(59)))),
        model.Refusal(
            Refused.NOT_HELD,
            "Unhealthy for 59 s of 60 s, counted anew since the policy was resumed",
        ),
    ),
    "held for long enough since the pause": (
        timing.held_for_long_enough,
        builders.case(pause=model.PauseState(paused=False, last_seen=builders.NOW - seconds(60))),
        "Unhealthy for 60 s, 60 s are needed",
    ),
    "held for long, and paused just now": (
        timing.held_for_long_enough,
        builders.case(pause=model.PauseState(paused=False, last_seen=builders.NOW - seconds(1))),
        model.Refusal(
            Refused.NOT_HELD,
            "Unhealthy for 1 s of 60 s, counted anew since the operator was resumed",
        ),
    ),
    "resumed by a clock that is ahead": (
        timing.held_for_long_enough,
        builders.case(of=builders.policy(annotations=builders.resumed(builders.NOW + seconds(59)))),
        model.Refusal(
            Refused.NOT_HELD, "Unhealthy for 0 s of 60 s, counted anew since the policy was resumed"
        ),
    ),
    "never held": (
        timing.held_for_long_enough,
        builders.case(held_since=None),
        model.Refusal(Refused.NOT_HELD, "Unhealthy for 0 s of 60 s"),
    ),
    "never held, and nothing is asked": (
        timing.held_for_long_enough,
        builders.case(held_since=None, held_for=seconds(0)),
        model.Refusal(Refused.NOT_HELD, "Unhealthy for 0 s of 0 s"),
    ),
    "a follow-up": (
        timing.held_for_long_enough,
        builders.case(held_since=None, follows=record("checkout-1", Phase.UNHELPFUL)),
        "follows checkout-1, whose verification found it Unhealthy",
    ),
    "nothing in flight": (
        timing.nothing_in_flight,
        builders.case(records=[record(phase=Phase.SUCCEEDED)]),
        "no unfinished action on Deployment/checkout",
    ),
    "in flight on another target": (
        timing.nothing_in_flight,
        builders.case(records=[record(phase=Phase.ACTING, target=CART)]),
        "no unfinished action on Deployment/checkout",
    ),
    "the case's own record": (
        timing.nothing_in_flight,
        builders.case(records=[record("own", Phase.PENDING)], own_record="own"),
        "no unfinished action on Deployment/checkout",
    ),
    **{
        f"in flight: {phase}": (
            timing.nothing_in_flight,
            builders.case(records=[record("checkout-1", phase, key=OTHER)]),
            model.Refusal(Refused.IN_FLIGHT, "checkout-1 on Deployment/checkout is unfinished"),
        )
        for phase in (Phase.PENDING, Phase.ACTING, Phase.VERIFYING)
    },
    "another policy's, in vain a minute ago": (
        timing.nothing_in_flight,
        builders.case(records=[in_vain(seconds(60))]),
        model.Refusal(
            Refused.IN_FLIGHT,
            "checkout-1 on Deployment/checkout was in vain, and may be undone first",
        ),
    ),
    "another policy's, in vain longer ago": (
        timing.nothing_in_flight,
        builders.case(records=[in_vain(seconds(61))]),
        "no unfinished action on Deployment/checkout",
    ),
    "another policy's, in vain and undone": (
        timing.nothing_in_flight,
        builders.case(
            records=[in_vain(seconds(9)), record("back", key=OTHER, follows="checkout-1")]
        ),
        "no unfinished action on Deployment/checkout",
    ),
    "another policy's, in vain, which nothing undoes": (
        timing.nothing_in_flight,
        builders.case(records=[record("checkout-1", Phase.UNHELPFUL, key=OTHER)]),
        "no unfinished action on Deployment/checkout",
    ),
    "the policy's own, in vain": (
        timing.nothing_in_flight,
        builders.case(records=[in_vain(seconds(9), key=builders.KEY)]),
        "no unfinished action on Deployment/checkout",
    ),
}

STILL = "3 of 3 replicas updated, 3 pods in all, generation 4 of 4 seen"
ROLLOUTS: dict[str, tuple[dict[str, Any], guards.Answer]] = {
    "rolled out": ({}, STILL),
    "rolled out and unavailable": ({"available": 0}, STILL),
    "scaled to nothing": (
        {"replicas": 0, "updated": 0, "available": 0, "total": 0},
        "0 of 0 replicas updated, 0 pods in all, generation 4 of 4 seen",
    ),
    "not all updated": (
        {"updated": 2},
        model.Refusal(
            Refused.ROLLOUT_IN_PROGRESS,
            "2 of 3 replicas updated, 3 pods in all, generation 4 of 4 seen",
        ),
    ),
    "old pods are left": (
        {"total": 4},
        model.Refusal(
            Refused.ROLLOUT_IN_PROGRESS,
            "3 of 3 replicas updated, 4 pods in all, generation 4 of 4 seen",
        ),
    ),
    "a change that was not seen yet": (
        {"observed_generation": 3},
        model.Refusal(
            Refused.ROLLOUT_IN_PROGRESS,
            "3 of 3 replicas updated, 3 pods in all, generation 3 of 4 seen",
        ),
    ),
    "stuck": (
        {"updated": 1, "total": 4, "stuck": True},
        "1 of 3 replicas updated, 4 pods in all, generation 4 of 4 seen, stuck",
    ),
    "stuck before a change that was not seen yet": (
        {"updated": 1, "observed_generation": 3, "stuck": True},
        model.Refusal(
            Refused.ROLLOUT_IN_PROGRESS,
            "1 of 3 replicas updated, 3 pods in all, generation 3 of 4 seen",
        ),
    ),
    "deleting": (
        {"deleting": True},
        model.Refusal(Refused.TARGET_GONE, "Deployment/checkout is being deleted"),
    ),
    "deleting while stuck": (
        {"deleting": True, "updated": 1, "stuck": True},
        model.Refusal(Refused.TARGET_GONE, "Deployment/checkout is being deleted"),
    ),
}


@pytest.mark.parametrize(
    ("guard", "case", "expected"), [*SWITCHES.values(), *TIMES.values()], ids=[*SWITCHES, *TIMES]
)
def test_a_guard_answers(guard: guards.Guard, case: guards.Case, expected: guards.Answer) -> None:
    """The answer is the numbers compared, as a refusal or as a line for the record."""
    assert expected == guard(case)


@pytest.mark.parametrize(("changes", "expected"), ROLLOUTS.values(), ids=ROLLOUTS)
def test_no_rollout_in_progress(changes: dict[str, Any], expected: guards.Answer) -> None:
    """A target is left alone while its pods change, unless its rollout is stuck."""
    case = builders.case(target=builders.workload(**changes))
    assert expected == timing.no_rollout_in_progress(case)


# The latch


def _ended(*phases: reasons.Phase, key: objects.Key = builders.KEY) -> list[objects.Record]:
    """Records that ended one after the other, the last a minute ago."""
    return [
        record(f"r{n}", phase, key=key, attempt=n, ago=minutes(90 - 10 * n), finished_ago=minutes(
            len(phases) - n + 1
        ))
        for n, phase in enumerate(phases, 1)
    ]  # fmt: skip


BAD = (Phase.UNHELPFUL, Phase.UNPROVEN, Phase.FAILED)
THREE = model.Refusal(
    Refused.LATCHED, f"3 actions in a row did not help, the limit is 3; {RESUME} clears this"
)
LATCHES: dict[str, tuple[list[objects.Record], guards.Answer]] = {
    "no records": ([], "0 unhelpful actions in a row, the limit is 3"),
    "two unhelpful": (_ended(*BAD[:2]), "2 unhelpful actions in a row, the limit is 3"),
    "three unhelpful": (_ended(*BAD), THREE),
    "three, with advice between": (_ended(BAD[0], Phase.ADVISED, *BAD[1:]), THREE),
    "three, with one not sent between": (_ended(BAD[0], Phase.NOT_SENT, *BAD[1:]), THREE),
    "a success between": (
        _ended(BAD[0], Phase.SUCCEEDED, *BAD[1:]),
        "2 unhelpful actions in a row, the limit is 3",
    ),
    "a success after": (
        _ended(*BAD, Phase.SUCCEEDED),
        "0 unhelpful actions in a row, the limit is 3",
    ),
    "of another policy": (
        _ended(*BAD, key=OTHER),
        "0 unhelpful actions in a row, the limit is 3",
    ),
    "nobody knows": (
        _ended(Phase.UNKNOWN),
        model.Refusal(
            Refused.LATCHED, f"nobody knows whether r1 was carried out; {RESUME} clears this"
        ),
    ),
}


@pytest.mark.parametrize(("records", "expected"), LATCHES.values(), ids=LATCHES)
def test_not_latched(records: list[objects.Record], expected: guards.Answer) -> None:
    """Three actions in a row that did not help, or one of unknown outcome, stop the policy."""
    assert expected == switches.not_latched(builders.case(records=records))


@pytest.mark.parametrize(
    ("ago", "count"),
    [(0, 0), (1, 0), (1.5, 1), (3.5, 3)],
    ids=["after all", "at the last", "before the last", "before all"],
)
def test_resuming_clears_what_ended_before(ago: float, count: int) -> None:
    """Only what ended after a person resumed the policy counts again."""
    policy = builders.policy(annotations=builders.resumed(builders.NOW - minutes(ago)))
    answer = switches.not_latched(builders.case(of=policy, records=_ended(*BAD)))
    expected = THREE if count == 3 else f"{count} unhelpful actions in a row, the limit is 3"
    assert expected == answer


def test_the_limit_of_the_latch_is_a_setting() -> None:
    """With a limit of one, one unhelpful action stops the policy."""
    case = builders.case(records=_ended(*BAD[:1]), rules=Rules(unhelpful_before_latch=1))
    message = f"1 actions in a row did not help, the limit is 1; {RESUME} clears this"
    assert model.Refusal(Refused.LATCHED, message) == switches.not_latched(case)


@pytest.mark.parametrize(
    ("written", "expected"),
    {
        "with an author": ("2026-01-05T09:00:00+00:00 by ann", builders.NOW),
        "in Zulu time": ("2026-01-05T09:00:00Z", builders.NOW),
        "in another zone": ("2026-01-05T10:00:00+01:00 by ann", builders.NOW),
        "without a zone": ("2026-01-05T09:00:00 by ann", None),
        "not a time": ("yesterday", None),
        "empty": ("", None),
    }.values(),
)
def test_when_a_policy_was_resumed(written: str, expected: datetime.datetime | None) -> None:
    """The annotation is ``TIME by AUTHOR``; what is no time with a zone clears nothing."""
    policy = builders.policy(annotations={objects.RESUMED: written})
    assert expected == ledger.resumed_at(policy)
    assert ledger.resumed_at(builders.policy()) is None
