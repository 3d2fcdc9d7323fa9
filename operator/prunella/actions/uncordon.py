"""uncordon: let pods be placed again on a node that the operator itself has cordoned.

A step of a policy, and what gives a node back that a cordon took out and that is Healthy again.
"""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action, nodes


class Uncordon:
    """Takes ``spec.unschedulable`` away, if the operator wrote it."""

    name = nodes.UNCORDON
    risk = trust.Risk.LOW
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch that uncordons the node."""
        return _plan(request)


class ReturnNode:
    """The same without a step: the way back of a node that is Healthy again."""

    name = nodes.RETURN_NODE
    risk = trust.Risk.LOW
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch that uncordons the node."""
        return _plan(request)


def _plan(request: action.Request) -> action.Plan | model.Refusal:
    node = request.live_state.workload
    if node.node is None:
        raise TypeError(f"uncordon is planned for nodes, not for {node.ref}")
    if not node.node.unschedulable:
        message = f"{node.ref} is not cordoned"
        return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
    by = nodes.owner(node)
    if not by:
        message = f"{node.ref} was cordoned by somebody else, who alone uncordons it"
        return model.Refusal(reasons.Refused.CHANGED_BY_OTHERS, message, skip_step=True)
    return action.Plan((nodes.uncordoning(node, by),))
