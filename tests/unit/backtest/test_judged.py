"""What history does not tell is not judged, and never passed."""

from __future__ import annotations

import pytest

from prunella.actions import registry
from prunella.backtest import judged
from prunella.core import action, guards, model
from tests.unit.core import builders

NOTHING = judged.Facts()
ALL = judged.Facts(workloads=True, autoscalers=True)


def _answers(facts: judged.Facts, case: guards.Case) -> dict[str, str]:
    answers = guards.evaluate(judged.chain(lambda: facts), case)
    return {each.guard: each.message for each in answers}


def _not_judged(facts: judged.Facts, case: guards.Case) -> set[str]:
    return {
        guard
        for guard, message in _answers(facts, case).items()
        if message.startswith(judged.NOT_JUDGED)
    }


def test_the_chain_is_the_live_one() -> None:
    """Given any facts, then the same guards answer in the same order."""
    names = [guard.__name__ for guard in judged.chain(lambda: NOTHING)]

    assert [guard.__name__ for guard in guards.GUARDS] == names


CASES = {
    "a restart, nothing known": ("restart", NOTHING, {"not_paused", "no_rollout_in_progress"}),
    "a restart, workloads known": ("restart", ALL, {"not_paused"}),
    "a scaling": ("scale", ALL, {"not_paused", "not_owned_by_others"}),
    "an eviction": ("evictPod", ALL, {"not_paused", "disruption_budgets_allow"}),
}


@pytest.mark.parametrize(("act", "facts", "expected"), CASES.values(), ids=CASES.keys())
def test_guards_without_facts_say_so(act: str, facts: judged.Facts, expected: set[str]) -> None:
    """Given an action and what is known, then exactly the guards without facts are not judged."""
    case = builders.case(action=act, verdicts=builders.verdicts(healthy=9, unhealthy=1))

    assert expected == _not_judged(facts, case)


def test_a_follow_up_does_not_know_who_changed_what() -> None:
    """Given an action that follows another, then edits by others are not judged."""
    case = builders.case(follows=builders.record())

    assert "unchanged_by_others" in _not_judged(ALL, case)


def test_a_known_autoscaler_refuses() -> None:
    """Given an autoscaler in the history, then the guard refuses as it does live."""
    workload = builders.workload()
    look = model.Look(workload, autoscalers=("HorizontalPodAutoscaler/checkout",))
    case = builders.case(action="scale", look=look)
    answers = guards.evaluate(judged.chain(lambda: ALL), case)
    refusal = guards.refusal(answers)

    assert refusal is not None
    assert refusal.reason == "OwnedByAutoscaler"


def test_a_rollout_that_is_known_refuses() -> None:
    """Given kube-state-metrics that tell of a rollout, then the guard refuses as it does live."""
    case = builders.case(target=builders.workload(updated=1))
    refusal = guards.refusal(guards.evaluate(judged.chain(lambda: ALL), case))

    assert refusal is not None
    assert refusal.reason == "RolloutInProgress"


def test_what_a_revert_rests_on_is_not_judged() -> None:
    """Given a revert, whose chain is fixed, then its answers about objects do not count."""
    assert not judged.was_judged("unchanged_by_others", "unchanged since x", "revert")
    assert judged.was_judged("unchanged_by_others", "follows nothing", "restart")
    assert not judged.was_judged("not_paused", f"{judged.NOT_JUDGED}why", "restart")


PLANS = {
    "restart": "restart Deployment/checkout, pod by pod",
    "scale": "scale Deployment/checkout; its replicas are not known",
    "rollback": "roll Deployment/checkout back; to which revision is not judged",
}


@pytest.mark.parametrize(("name", "expected"), PLANS.items(), ids=PLANS.keys())
def test_an_action_without_facts_is_only_named(name: str, expected: str) -> None:
    """Given nothing but series, then the plan says what would be done and invents no numbers."""
    made = judged.actions(registry.all_actions(), lambda: NOTHING)[name]
    request = action.Request(
        look=model.Look(builders.workload()),
        params=None,
        findings=(),
        verdicts_at={},
        decided_at=builders.NOW,
        now=builders.NOW,
    )
    plan = made.plan(request)

    assert isinstance(plan, action.Plan)
    assert [expected] == [effect.summary for effect in plan.effects]


def test_an_action_with_facts_plans_for_itself() -> None:
    """Given known replicas, then a restart plans as it does live."""
    made = judged.actions(registry.all_actions(), lambda: ALL)["restart"]
    request = action.Request(
        look=model.Look(builders.workload()),
        params=None,
        findings=(),
        verdicts_at={},
        decided_at=builders.NOW,
        now=builders.NOW,
    )
    plan = made.plan(request)

    assert isinstance(plan, action.Plan)
    assert "(3 replicas)" in plan.effects[0].summary
