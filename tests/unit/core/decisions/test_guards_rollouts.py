"""Guards of rollouts: what an update strategy makes of a new pod template."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import guards
from prunella.core.decisions.guards import rollouts, timing
from tests.unit.core import builders

Refused = reasons.Refused
Replacement = model.Replacement
ON_DELETE = model.Strategy(Replacement.ON_DELETE, most_down=0)
RECREATE = model.Strategy(Replacement.RECREATE, most_down=3)
DAEMON_SET: dict[str, Any] = {"kind": "DaemonSet"}
LOST = model.Pod("logs-a", "a", ready=False, stranded=model.Stranded.LOST)
NOT_PLACED = model.Pod("logs-c", "c", ready=False, stranded=model.Stranded.NOT_PLACED)
CRASHING = model.Pod("logs-b", "b", ready=False)


def refused(guard: guards.Guard, case: guards.Case) -> tuple[str, bool] | None:
    """Reason of a refusal and whether the next step may be tried, or None when it passes."""
    answer = guard(case)
    return (answer.reason, answer.skip_step) if isinstance(answer, model.Refusal) else None


PAUSED = builders.workload(paused=True, updated=0, total=3)
TARGETS: dict[str, tuple[guards.Guard, str, model.Workload, tuple[str, bool] | None]] = {
    "restart of a paused Deployment": (
        rollouts.rollout_not_paused,
        "restart",
        PAUSED,
        (Refused.ROLLOUT_PAUSED, False),
    ),
    "rollback of a paused Deployment": (
        rollouts.rollout_not_paused,
        "rollback",
        PAUSED,
        (Refused.ROLLOUT_PAUSED, False),
    ),
    "a paused Deployment may be scaled": (rollouts.rollout_not_paused, "scale", PAUSED, None),
    "a pod of a paused Deployment may be evicted": (
        rollouts.rollout_not_paused,
        "evictPod",
        PAUSED,
        None,
    ),
    "not paused": (rollouts.rollout_not_paused, "restart", builders.workload(), None),
    "what is paused does not roll": (timing.no_rollout_in_progress, "evictPod", PAUSED, None),
    "scale from 0": (
        rollouts.wants_pods,
        "scale",
        builders.workload(replicas=0),
        (Refused.SCALED_TO_ZERO, False),
    ),
    "rollback of 0": (
        rollouts.wants_pods,
        "rollback",
        builders.workload(replicas=0),
        (Refused.SCALED_TO_ZERO, False),
    ),
    "one replica is wanted": (rollouts.wants_pods, "scale", builders.workload(replicas=1), None),
    "restart with OnDelete": (
        rollouts.strategy_replaces_pods,
        "restart",
        builders.workload(kind="StatefulSet", strategy=ON_DELETE),
        (Refused.UPDATE_STRATEGY, True),
    ),
    "rollback with OnDelete": (
        rollouts.strategy_replaces_pods,
        "rollback",
        builders.workload(**DAEMON_SET, strategy=ON_DELETE),
        (Refused.UPDATE_STRATEGY, True),
    ),
    "eviction with OnDelete": (
        rollouts.strategy_replaces_pods,
        "evictPod",
        builders.workload(kind="StatefulSet", strategy=ON_DELETE),
        None,
    ),
    "eviction with OnDelete, pods of another template": (
        timing.no_rollout_in_progress,
        "evictPod",
        builders.workload(kind="StatefulSet", strategy=ON_DELETE, updated=0),
        None,
    ),
    "eviction with OnDelete, a pod still to come": (
        timing.no_rollout_in_progress,
        "evictPod",
        builders.workload(kind="StatefulSet", strategy=ON_DELETE, updated=0, total=2),
        (Refused.ROLLOUT_IN_PROGRESS, False),
    ),
    "a partition as large as the set": (
        rollouts.strategy_replaces_pods,
        "rollback",
        builders.workload(kind="StatefulSet", strategy=model.Strategy(partition=3)),
        (Refused.UPDATE_STRATEGY, True),
    ),
    "a partition below it": (
        rollouts.strategy_replaces_pods,
        "rollback",
        builders.workload(kind="StatefulSet", strategy=model.Strategy(partition=2)),
        None,
    ),
}


@pytest.mark.parametrize(
    ("guard", "action", "workload", "expected"), TARGETS.values(), ids=TARGETS.keys()
)
def test_by_the_workload(
    guard: guards.Guard, action: str, workload: model.Workload, expected: tuple[str, bool] | None
) -> None:
    """Each refusal has a reason of its own, and says whether another step may help."""
    case = builders.case(action=action, target=workload)
    assert expected == refused(guard, case)


def test_a_refusal_says_what_to_do() -> None:
    """The command that ends a pause, and the step that replaces pods of OnDelete."""
    paused = rollouts.rollout_not_paused(builders.case(target=PAUSED))
    assert isinstance(paused, model.Refusal)
    assert "`kubectl rollout resume deployment/checkout -n shop`" in paused.message
    on_delete = rollouts.strategy_replaces_pods(
        builders.case(target=builders.workload(strategy=ON_DELETE))
    )
    assert isinstance(on_delete, model.Refusal)
    assert "restart would replace no pod; evictPod does" in on_delete.message


HELD_UP: dict[str, tuple[str, str, tuple[model.Pod, ...], int, bool]] = {
    # action, kind, pods, most down at once, refused
    "one lost node": ("restart", "DaemonSet", (LOST,), 1, True),
    "two may be down": ("restart", "DaemonSet", (LOST,), 2, False),
    "two lost, two may be down": ("restart", "DaemonSet", (LOST, LOST), 2, True),
    "a crashing pod is replaced at once": ("restart", "DaemonSet", (CRASHING,), 1, False),
    "new pods come first": ("restart", "DaemonSet", (LOST,), 0, False),
    "a rollback does not wait less": ("rollback", "DaemonSet", (LOST,), 1, True),
    "a restart fits no better": ("restart", "DaemonSet", (NOT_PLACED,), 1, True),
    "an earlier template may fit": ("rollback", "DaemonSet", (NOT_PLACED,), 1, False),
    "an eviction is no rollout": ("evictPod", "DaemonSet", (LOST,), 1, False),
    "a Deployment takes another node": ("restart", "Deployment", (LOST,), 1, False),
}


@pytest.mark.parametrize(
    ("action", "kind", "pods", "down", "held"), HELD_UP.values(), ids=HELD_UP.keys()
)
def test_a_daemon_set_waits_for_lost_nodes(
    action: str, kind: str, pods: tuple[model.Pod, ...], down: int, held: bool
) -> None:
    """Its rollout stops when as many pods can't run as may be unavailable."""
    workload = builders.workload("logs", kind=kind, strategy=model.Strategy(most_down=down))
    case = builders.case(
        action=action, target=workload, live_state=model.LiveState(workload, pods=pods)
    )
    expected = (Refused.ROLLOUT_BLOCKED, True) if held else None
    assert expected == refused(rollouts.rollout_is_not_held_up, case)


BUDGETS: dict[str, tuple[model.Workload, int | None, bool]] = {
    # workload, disruptions that the budget allows (None: there is none), refused
    "Recreate without a budget": (builders.workload(strategy=RECREATE), None, False),
    "Recreate, one may go": (builders.workload(strategy=RECREATE), 1, True),
    "Recreate, all may go": (builders.workload(strategy=RECREATE), 3, False),
    "Recreate, nothing is available anyway": (
        builders.workload(strategy=RECREATE, available=0),
        0,
        False,
    ),
    "pod by pod, one may go": (builders.workload(), 1, False),
    "pod by pod, none may go": (builders.workload(), 0, True),
    "pod by pod, the sick one is replaced first": (builders.workload(available=2), 0, False),
    "new pods come first, none may go": (
        builders.workload(strategy=model.Strategy(most_down=0)),
        0,
        False,
    ),
    "all at once, one may go": (
        builders.workload(strategy=model.Strategy(most_down=3)),
        1,
        True,
    ),
    "the default quarter of ten, one may go": (
        builders.workload(
            **dict.fromkeys(("replicas", "available"), 10), strategy=model.Strategy(most_down=2)
        ),
        1,
        False,
    ),
    "half of ten, one may go": (
        builders.workload(
            **dict.fromkeys(("replicas", "available"), 10), strategy=model.Strategy(most_down=5)
        ),
        1,
        True,
    ),
}


@pytest.mark.parametrize(("workload", "allowed", "expected"), BUDGETS.values(), ids=BUDGETS.keys())
def test_budgets_hold_what_a_rollout_takes_down(
    workload: model.Workload, allowed: int | None, expected: bool
) -> None:
    """Pods that are available count; a strategy as usual passes while anything may go."""
    budgets = [model.Budget("b", {"app": "checkout"}, allowed, 3, 2)] if allowed is not None else []
    look = model.LiveState(workload, budgets=tuple(budgets))
    case = builders.case(action="rollback", target=workload, live_state=look)
    found = refused(rollouts.rollout_respects_budgets, case)
    assert ((Refused.DISRUPTION_BUDGET, False) if expected else None) == found


def test_a_budget_of_other_pods_says_nothing() -> None:
    """A budget counts where its selector matches the pod template."""
    workload = builders.workload(strategy=RECREATE)
    budget = model.Budget("b", {"app": "cart"}, 0, 3, 3)
    case = builders.case(target=workload, live_state=model.LiveState(workload, budgets=(budget,)))
    assert refused(rollouts.rollout_respects_budgets, case) is None


def test_a_budget_refusal_tells_its_numbers() -> None:
    """How many go at once, how, and what the budget needs."""
    workload = builders.workload(strategy=RECREATE)
    budget = model.Budget("b", {"app": "checkout"}, 1, 3, 2)
    case = builders.case(target=workload, live_state=model.LiveState(workload, budgets=(budget,)))
    answer = rollouts.rollout_respects_budgets(case)
    assert isinstance(answer, model.Refusal)
    assert answer.message == (
        "restart takes down 3 of 3 available pods at once (Recreate), PodDisruptionBudget b "
        "allows 1 (3 healthy, 2 needed)"
    )


def test_nothing_is_said_before_the_look() -> None:
    """Pods and budgets are known only after a live look."""
    case = dataclasses.replace(
        builders.case(target=builders.workload(**DAEMON_SET)), live_state=None
    )
    assert "not looked at yet" == rollouts.rollout_respects_budgets(case)
    assert "not looked at yet" == rollouts.rollout_is_not_held_up(case)
