"""Guards of rollouts: what a new pod template would do to the pods, by the update strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prunella.core import model, progressive
from prunella.core.decisions import gitops, helm, restoring, strategies
from prunella.core.decisions.guards.case import Answer, Case, Refused

TEMPLATE_ACTIONS = frozenset({"restart", "rollback", "resize"})
"""Actions that write the pod template, and so leave the rest to the update strategy."""


PROMOTE = "promote"


def _rolls_out(case: Case) -> bool:
    """Whether the target's own pods are replaced by what is written."""
    restored = case.action.name == restoring.RESTORE and not case.elsewhere
    written = case.action.name in TEMPLATE_ACTIONS and not case.elsewhere
    reverted = case.action.name in {gitops.GIT_REVERT, helm.HELM_ROLLBACK}
    # Where somebody has paused a Rollout, what tells its controller to go on is refused as well.
    told = case.action.name == PROMOTE
    return told or restored or reverted or written or case.target in case.readers


def wants_pods(case: Case) -> Answer:
    """A workload of no replicas does nothing by intent: a person or an autoscaler put it there."""
    if case.workload.replicas == 0:
        message = f"{case.target} is scaled to 0 replicas: nothing is expected of it"
        return model.Refusal(Refused.SCALED_TO_ZERO, message)
    return f"{case.workload.replicas} replicas are wanted"


def rollout_not_paused(case: Case) -> Answer:
    """A person who paused a rollout works on it; kubectl refuses both actions as well."""
    if not _rolls_out(case):
        return f"{case.action.name} starts no rollout"
    if case.workload.paused:
        message = f"{case.target} is paused (spec.paused); `{_resume(case.target)}` ends it"
        return model.Refusal(Refused.ROLLOUT_PAUSED, message)
    return f"{case.target} is not paused"


def _resume(target: model.Ref) -> str:
    """The command that ends a pause."""
    if target.kind == progressive.KIND:
        return f"kubectl argo rollouts promote {target.name} -n {target.namespace}"
    return f"kubectl rollout resume {target.kind.lower()}/{target.name} -n {target.namespace}"


def strategy_replaces_pods(case: Case) -> Answer:
    """A new template that reaches no pod heals nothing."""
    workload, strategy = case.workload, case.workload.strategy
    if not _rolls_out(case):
        return f"{case.action.name} does not depend on the update strategy"
    if strategy.replacement is model.Replacement.ON_DELETE:
        message = (
            f"the update strategy of {case.target} is OnDelete: {case.action.name} would replace "
            "no pod; evictPod does"
        )
        return model.Refusal(Refused.UPDATE_STRATEGY, message, skip_step=True)
    if strategies.replaced(workload) == 0:
        message = (
            f"partition {strategy.partition} keeps all {workload.replicas} pods of {case.target} "
            f"as they are: {case.action.name} would replace none"
        )
        return model.Refusal(Refused.UPDATE_STRATEGY, message, skip_step=True)
    return f"{strategies.replaced(workload)} of {workload.replicas} pods would be replaced"


def rollout_is_not_held_up(case: Case) -> Answer:
    """A DaemonSet waits for pods that can't run anywhere, and replaces no other meanwhile.

    Its controller counts them as unavailable; once they are as many as ``maxUnavailable`` it takes
    no healthy pod down (pkg/controller/daemon/update.go, rollingUpdate).
    """
    if not _rolls_out(case) or case.target.kind != "DaemonSet":
        return f"{case.action.name} of a {case.target.kind} does not wait for lost nodes"
    if case.live_state is None:
        return "not looked at yet"
    # Another template may fit a node where this one does not; a lost node takes none.
    hopeless = {model.Stranded.LOST}
    if case.action.name == "restart":
        hopeless.add(model.Stranded.NOT_PLACED)
    stranded = [pod for pod in case.live_state.pods if pod.stranded in hopeless]
    limit = case.workload.strategy.most_down
    counted = f"{len(stranded)} of {case.workload.replicas} pods can't run, maxUnavailable is"
    if len(stranded) >= limit > 0:
        first = f"{stranded[0].name}: {stranded[0].stranded}"
        message = f"{counted} {limit} ({first}): Kubernetes would replace no other pod"
        return model.Refusal(Refused.ROLLOUT_BLOCKED, message, skip_step=True)
    return f"{counted} {limit}"


def rollout_respects_budgets(case: Case) -> Answer:
    """What a rollout takes down at once must fit the owner's PodDisruptionBudgets.

    Kubernetes itself does not hold rollouts to budgets.  So a strategy as usual, one pod or the
    default quarter at once, passes wherever a budget allows anything at all.
    """
    if not _rolls_out(case):
        return f"{case.action.name} starts no rollout"
    if case.live_state is None:
        return "not looked at yet"
    labels = _pod_labels(case.workload)
    budgets = [b for b in case.live_state.budgets if b.selector.items() <= labels.items()]
    tightest = min(budgets, key=lambda budget: budget.disruptions_allowed, default=None)
    down = strategies.taken_down(case.workload)
    if tightest is None:
        return f"{down} pods are taken down at once, no PodDisruptionBudget selects them"
    message = (
        f"{case.action.name} takes down {down} of {case.workload.available} available pods at once "
        f"({case.workload.strategy.replacement}), PodDisruptionBudget {tightest.name} allows "
        f"{tightest.disruptions_allowed} ({tightest.current_healthy} healthy, "
        f"{tightest.desired_healthy} needed)"
    )
    usual = max(1, case.workload.replicas // strategies.DEFAULT_SHARE)
    allowed = max(tightest.disruptions_allowed, usual) if tightest.disruptions_allowed else 0
    return model.Refusal(Refused.DISRUPTION_BUDGET, message) if down > allowed else message


def _pod_labels(workload: model.Workload) -> Mapping[str, str]:
    metadata = cast(Mapping[str, Any], workload.template.get("metadata") or {})
    labels: Mapping[str, str] = metadata.get("labels") or model.NO_LABELS
    return labels
