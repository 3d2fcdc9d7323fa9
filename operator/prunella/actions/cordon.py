"""cordon: let no new pods be placed on a node, as ``kubectl cordon`` does.

What runs there stays.  The node itself says who has cordoned it; the inverse is refused by the API
server where that has changed.
"""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action, nodes


class Cordon:
    """Writes ``spec.unschedulable``."""

    name = nodes.CORDON
    risk = trust.Risk.LOW
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch that cordons the node."""
        node = request.live_state.workload
        if node.node is None:
            raise TypeError(f"cordon is planned for nodes, not for {node.ref}")
        if node.node.unschedulable:
            by = nodes.owner(node) or "somebody else"
            message = f"{node.ref} is cordoned already, by {by}"
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        return action.Plan((nodes.cordoning(node, request.record),))
