"""Guards of nodes: few out of service at once, never the control plane, no fight with people."""

from __future__ import annotations

from typing import Final

from prunella.api import reasons
from prunella.core import model, node_state
from prunella.core.decisions import ledger, nodes, shares
from prunella.core.decisions.guards.case import Answer, Case, Refused

_STANDS: Final = frozenset({reasons.Phase.SUCCEEDED, reasons.Phase.SUPERSEDED})


def spares_the_control_plane(case: Case) -> Answer:
    """What keeps the quorum of etcd is for people."""
    if case.action.name not in nodes.TAKING_OUT:
        return f"{case.action.name} takes no node out of service"
    found = next((label for label in node_state.CONTROL_PLANE if label in case.workload.labels), "")
    if found:
        message = f"{case.target} has the label {found}: nodes of the control plane are spared"
        return model.Refusal(Refused.CONTROL_PLANE, message)
    return f"{case.target} has no label of the control plane"


def leaves_nodes_in_service(case: Case) -> Answer:
    """A node that stays cordoned counts, whoever did it: else one after the other would go."""
    if case.action.name not in nodes.TAKING_OUT:
        return f"{case.action.name} takes no node out of service"
    own = case.verdicts.keys()
    busy = {r.target for r in case.others if r.in_flight}
    out = busy | {ref for ref, state in case.nodes.items() if _is_out(state)}
    limit, size = case.spec.guards.max_unavailable, len(own)
    allowed = shares.unavailable_allowance(limit, size)
    others = len(out & own - {case.target})
    message = (
        f"{others} of {size} other nodes of the policy are cordoned, not Ready or being worked "
        f"on, {shares.told(limit, size, allowed)}"
    )
    if others >= allowed:
        return model.Refusal(Refused.MAX_UNAVAILABLE, message)
    last = nodes.last_in_service(case.target, case.nodes, busy)
    return model.Refusal(Refused.MAX_UNAVAILABLE, last) if last else message


def _is_out(state: node_state.NodeState) -> bool:
    return state.unschedulable or not state.ready


def stays_uncordoned_by_people(case: Case) -> Answer:
    """A person who has uncordoned a node wants it to stay so while it is sick."""
    if case.action.name not in nodes.TAKING_OUT:
        return f"{case.action.name} takes no node out of service"
    last = nodes.taken_out(case.workload.uid, case.others)
    node = case.workload.node
    if last is None or node is None or node.unschedulable or last.in_flight:
        return f"nobody has uncordoned {case.target} against the operator"
    resumed = ledger.resumed_at(case.policy)
    over = last.status.cleared_at is not None or last.phase not in _STANDS
    if over or (resumed is not None and last.finished_or_decided_at <= resumed):
        return f"{case.target} was Healthy, or the policy was resumed, since {last.name}"
    message = (
        f"somebody has uncordoned {case.target} after {last.name}; goes on when {case.target} was "
        "Healthy once"
    )
    return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
