"""What history does not tell is not judged, and never passed."""

from __future__ import annotations

import pytest

from prunella.actions import registry
from prunella.backtest import recorded_guards
from prunella.core import model
from prunella.core.decisions import action, guards
from tests.unit.core import builders

NOTHING = recorded_guards.Facts()
ALL = recorded_guards.Facts(workloads=True, autoscalers=True)


def _answers(facts: recorded_guards.Facts, case: guards.Case) -> dict[str, str]:
    answers = guards.evaluate(recorded_guards.chain(lambda: facts), case)
    return {each.guard: each.message for each in answers}


def _not_judged(facts: recorded_guards.Facts, case: guards.Case) -> set[str]:
    return {
        guard
        for guard, message in _answers(facts, case).items()
        if message.startswith(recorded_guards.NOT_JUDGED)
    }


def test_the_chain_is_the_live_one() -> None:
    """Given any facts, then the same guards answer in the same order."""
    names = [guard.__name__ for guard in recorded_guards.chain(lambda: NOTHING)]

    assert [guard.__name__ for guard in guards.GUARDS] == names


STRATEGIES = {
    "rollout_not_paused",
    "strategy_replaces_pods",
    "rollout_is_not_held_up",
    "rollout_respects_budgets",
}
CASES = {
    "a restart, nothing known": (
        "restart",
        NOTHING,
        {"not_paused", "not_frozen", "no_rollout_in_progress", "wants_pods", *STRATEGIES},
    ),
    "a restart, workloads known": ("restart", ALL, {"not_paused", "not_frozen", *STRATEGIES}),
    "a scaling": ("scale", ALL, {"not_paused", "not_frozen", "not_owned_by_others"}),
    "an eviction": ("evictPod", ALL, {"not_paused", "not_frozen", "disruption_budgets_allow"}),
}


@pytest.mark.parametrize(("act", "facts", "expected"), CASES.values(), ids=CASES.keys())
def test_guards_without_facts_say_so(
    act: str, facts: recorded_guards.Facts, expected: set[str]
) -> None:
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
    live_state = model.LiveState(workload, autoscalers=("HorizontalPodAutoscaler/checkout",))
    case = builders.case(action="scale", live_state=live_state)
    answers = guards.evaluate(recorded_guards.chain(lambda: ALL), case)
    refusal = guards.refusal(answers)

    assert refusal is not None
    assert refusal.reason == "OwnedByAutoscaler"


def test_a_rollout_that_is_known_refuses() -> None:
    """Given kube-state-metrics that tell of a rollout, then the guard refuses as it does live."""
    case = builders.case(target=builders.workload(updated=1))
    refusal = guards.refusal(guards.evaluate(recorded_guards.chain(lambda: ALL), case))

    assert refusal is not None
    assert refusal.reason == "RolloutInProgress"


def test_what_a_revert_rests_on_is_not_judged() -> None:
    """Given a revert, whose chain is fixed, then its answers about objects do not count."""
    assert not recorded_guards.was_judged("unchanged_by_others", "unchanged since x", "revert")
    assert recorded_guards.was_judged("unchanged_by_others", "follows nothing", "restart")
    assert not recorded_guards.was_judged(
        "not_paused", f"{recorded_guards.NOT_JUDGED}why", "restart"
    )


PLANS = {
    "restart": "restart Deployment/checkout, pod by pod",
    "scale": "scale Deployment/checkout; its replicas are not known",
    "rollback": "roll Deployment/checkout back; to which revision is not judged",
}


@pytest.mark.parametrize(("name", "expected"), PLANS.items(), ids=PLANS.keys())
def test_an_action_without_facts_is_only_named(name: str, expected: str) -> None:
    """Given nothing but series, then the plan says what would be done and invents no numbers."""
    made = recorded_guards.actions(registry.all_actions(), lambda: NOTHING)[name]
    request = action.Request(
        live_state=model.LiveState(builders.workload()),
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
    made = recorded_guards.actions(registry.all_actions(), lambda: ALL)["restart"]
    request = action.Request(
        live_state=model.LiveState(builders.workload()),
        params=None,
        findings=(),
        verdicts_at={},
        decided_at=builders.NOW,
        now=builders.NOW,
    )
    plan = made.plan(request)

    assert isinstance(plan, action.Plan)
    assert "(3 replicas)" in plan.effects[0].summary
