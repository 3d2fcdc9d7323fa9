"""Guards of the blast radius: few targets at once, and nothing when much is sick or unseen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.decisions import restoring, shares, strategies
from prunella.core.decisions.guards.case import Answer, Case, Refused
from prunella.core.decisions.guards.rollouts import TEMPLATE_ACTIONS
from prunella.core.incidents import dependents


def not_too_many_unavailable(case: Case) -> Answer:
    """Only so many targets of the policy are worked on at once."""
    busy = {r.target for r in case.others if r.in_flight and r.policy == case.policy.key}
    size = len(case.verdicts)
    limit = case.spec.guards.max_unavailable
    allowed = shares.unavailable_allowance(limit, size)
    message = f"{len(busy)} of {size} targets in flight, {shares.told(limit, size, allowed)}"
    return model.Refusal(Refused.MAX_UNAVAILABLE, message) if len(busy) >= allowed else message


def not_too_many_unhealthy(case: Case) -> Answer:
    """When much is sick at once, the cause is elsewhere, or the measurement is wrong."""
    own = len(case.verdicts) >= shares.SMALLEST_SET
    targets = case.verdicts.keys() if own else case.verdicts.keys() | case.peers.keys()
    place = f"namespace {case.target.namespace}" if case.target.namespace else "all such policies"
    where = "of this policy" if own else f"of {place}"
    limit, size = case.spec.guards.stop_when_unhealthy, len(targets)
    if size < shares.SMALLEST_SET:
        least = shares.SMALLEST_SET
        return f"{limit} not judged: {size} targets {where}, fewer than {least}, may all be sick"
    bad = {record.target for record in case.others if record.in_flight}
    for verdicts in (case.verdicts, case.peers):
        bad |= {target for target, v in verdicts.items() if v is model.Verdict.UNHEALTHY}
    sick = targets & bad
    allowed = shares.allowance(limit, size)
    words = shares.told(limit, size, allowed)
    message = f"{len(sick)} of {size} targets {where} sick, {words}"
    return model.Refusal(Refused.TOO_MANY_UNHEALTHY, message) if len(sick) > allowed else message


def not_too_many_unknown(case: Case) -> Answer:
    """Who can't see half of a set can't judge the rest either."""
    unknown = sum(verdict is model.Verdict.UNKNOWN for verdict in case.verdicts.values())
    message = f"{unknown} of {len(case.verdicts)} targets are Unknown, half are allowed"
    if 2 * unknown > len(case.verdicts):
        return model.Refusal(Refused.TOO_MANY_UNKNOWN, message)
    return message


def disruption_budgets_allow(case: Case) -> Answer:
    """The numbers of the tightest PodDisruptionBudget, for the record.

    It never refuses: whether an eviction may be is for the API server to say, in a dry run of the
    eviction itself.  It knows ``unhealthyPodEvictionPolicy``, and lets a Pending pod go.
    """
    if case.live_state is None:
        return "not looked at yet"
    pods = _evicted(case, case.live_state)
    if not pods:
        return "no pod is evicted"
    budgets = [
        budget
        for budget in case.live_state.budgets
        if any(budget.selector.items() <= pod.labels.items() for pod in pods)
    ]
    tightest = min(budgets, key=lambda budget: budget.disruptions_allowed, default=None)
    if tightest is None:
        return "no PodDisruptionBudget selects the pod"
    return (
        f"PodDisruptionBudget {tightest.name} allows {tightest.disruptions_allowed} disruptions "
        f"({tightest.current_healthy} healthy, {tightest.desired_healthy} needed)"
    )


_UNBLOCKING: Final = TEMPLATE_ACTIONS - {"resize"}
"""Actions that evict what would block their rollout, beside what they write."""


def _evicted(case: Case, live_state: model.LiveState) -> Sequence[model.Pod]:
    """The pods that the action evicts: the sick ones, or those that would block its rollout."""
    if case.action.name in _UNBLOCKING:
        return _blocking(case, live_state)
    chosen = EVICTING.get(case.action.name)
    return chosen(case, live_state) if chosen is not None else ()


def _worst(case: Case, live_state: model.LiveState) -> Sequence[model.Pod]:
    worst = next((finding.pod for finding in case.findings if finding.pod), "")
    return [pod for pod in live_state.pods if pod.name == worst]


def _sick(case: Case, live_state: model.LiveState) -> Sequence[model.Pod]:
    sick = {name for finding in case.findings for name in finding.sick_pods}
    return [pod for pod in live_state.pods if pod.name in sick]


def _blocking(case: Case, live_state: model.LiveState) -> Sequence[model.Pod]:  # noqa: ARG001
    return strategies.blocking(live_state)


EVICTING: Final[Mapping[str, Callable[[Case, model.LiveState], Sequence[model.Pod]]]] = {
    "deleteStuckPod": _blocking,
    "evictPod": _worst,
    "restartPods": _sick,
}
"""The actions whose effects are evictions, with the pods that each evicts."""


def spares_healthy_dependents(case: Case) -> Answer:
    """What serves others well as it is now is hardly the cause, and is not put back under them."""
    if isinstance(case.params, restore_api.Restore):
        if case.looked is None:
            return "not looked at yet"
        return _healthy_dependents(case, case.looked, case.params.max_healthy_dependents)
    restored = case.also if case.written is None else ()
    answers = [_healthy_dependents(case, each, 0) for each in restored]
    refused = (each for each in answers if isinstance(each, model.Refusal))
    return next(refused, "; ".join(map(str, answers)) or f"{case.action.name} restores nothing")


def _healthy_dependents(case: Case, looked: restoring.Looked, limit: int) -> Answer:
    suspect = looked.ref
    known = {**looked.neighbours}
    if looked.manifest is not None:
        known[suspect] = looked.manifest
    depends = dependents.dependents(suspect, known) - {case.target, suspect}
    verdicts = {**case.peers, **case.verdicts}
    well = sorted(ref for ref in depends if verdicts.get(ref) is model.Verdict.HEALTHY)
    message = (
        f"{len(well)} of {len(depends)} other workloads that depend on {suspect} are Healthy, "
        f"at most {limit} may be"
    )
    if len(well) > limit:
        return model.Refusal(Refused.HEALTHY_DEPENDENTS, f"{message}: {_some(well)}")
    return message


def _some(refs: Sequence[model.Ref]) -> str:
    """The first few names of many."""
    more = f" and {len(refs) - 3} more" if len(refs) > 3 else ""
    return ", ".join(map(str, refs[:3])) + more
