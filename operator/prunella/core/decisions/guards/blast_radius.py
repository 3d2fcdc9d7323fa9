"""Guards of the blast radius: few targets at once, and nothing when much is sick or unseen."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions import shares
from prunella.core.decisions.guards.case import Answer, Case, Refused


def not_too_many_unavailable(case: Case) -> Answer:
    """Only so many targets of the policy are worked on at once."""
    busy = {r.target for r in case.others if r.in_flight and r.policy == case.policy.key}
    size = len(case.verdicts)
    limit = case.spec.guards.max_unavailable
    allowed = shares.unavailable_allowance(limit, size)
    message = f"{len(busy)} of {size} targets in flight, {allowed} allowed ({limit})"
    return model.Refusal(Refused.MAX_UNAVAILABLE, message) if len(busy) >= allowed else message


def not_too_many_unhealthy(case: Case) -> Answer:
    """When much is sick at once, the cause is elsewhere, or the measurement is wrong."""
    own = len(case.verdicts) >= shares.SMALLEST_SET
    targets = case.verdicts.keys() if own else case.verdicts.keys() | case.peers.keys()
    where = "of this policy" if own else f"of namespace {case.target.namespace}"
    if len(targets) < shares.SMALLEST_SET:
        return f"not judged: {len(targets)} targets {where} are fewer than {shares.SMALLEST_SET}"
    bad = {record.target for record in case.others if record.in_flight}
    for verdicts in (case.verdicts, case.peers):
        bad |= {target for target, v in verdicts.items() if v is model.Verdict.UNHEALTHY}
    sick = targets & bad
    limit = case.spec.guards.stop_when_unhealthy
    allowed = shares.allowance(limit, len(targets))
    message = f"{len(sick)} of {len(targets)} targets {where} sick, {allowed} allowed ({limit})"
    return model.Refusal(Refused.TOO_MANY_UNHEALTHY, message) if len(sick) > allowed else message


def not_too_many_unknown(case: Case) -> Answer:
    """Who can't see half of a set can't judge the rest either."""
    unknown = sum(verdict is model.Verdict.UNKNOWN for verdict in case.verdicts.values())
    message = f"{unknown} of {len(case.verdicts)} targets are Unknown, half are allowed"
    if 2 * unknown > len(case.verdicts):
        return model.Refusal(Refused.TOO_MANY_UNKNOWN, message)
    return message


def disruption_budgets_allow(case: Case) -> Answer:
    """A PodDisruptionBudget is asked before the Eviction API would have to say no."""
    if case.action.name != "evictPod" or case.live_state is None:
        return "no pod is evicted" if case.live_state is not None else "not looked at yet"
    worst = next((finding.pod for finding in case.findings if finding.pod), "")
    labels = next(
        (pod.labels for pod in case.live_state.pods if pod.name == worst), model.NO_LABELS
    )
    budgets = [b for b in case.live_state.budgets if b.selector.items() <= labels.items()]
    tightest = min(budgets, key=lambda budget: budget.disruptions_allowed, default=None)
    if tightest is None:
        return "no PodDisruptionBudget selects the pod"
    message = (
        f"PodDisruptionBudget {tightest.name} allows {tightest.disruptions_allowed} disruptions "
        f"({tightest.current_healthy} healthy, {tightest.desired_healthy} needed)"
    )
    if tightest.disruptions_allowed < 1:
        return model.Refusal(Refused.DISRUPTION_BUDGET, message)
    return message
