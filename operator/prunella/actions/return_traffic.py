"""returnTraffic: bring a part of the traffic back that shiftTraffic has moved away.

No step of a policy has it: it follows a shift whose step says how (``back``).
"""

from __future__ import annotations

from prunella.actions import object_fields, restore
from prunella.api import reasons, traffic, trust
from prunella.core import model
from prunella.core.decisions import action, fields, ledger, requirements, sides, weights

Refused = reasons.Refused


class ReturnTraffic:
    """Writes weights of a route, towards what they were before the shift."""

    name = sides.RETURN_TRAFFIC
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of the route, or a refusal."""
        params, origin = request.params, request.moved_by
        if not isinstance(params, traffic.ShiftTraffic) or params.back is None or origin is None:
            raise TypeError("returnTraffic is planned from the record of a shift and its step")
        written = fields.written(params, request.live_state)
        if written is None:
            raise TypeError("returnTraffic writes a route")
        looked = object_fields.found(request, written.ref)
        if isinstance(looked, model.Refusal):
            return looked
        manifest = object_fields.manifest(looked)
        workload = request.live_state.workload
        if not workload.replicas or not workload.rolled_out:
            message = (
                f"{workload.ref}, which traffic would come back to: {workload.updated} of "
                f"{workload.replicas} replicas updated, {workload.available} available"
            )
            return model.Refusal(Refused.OTHER_SIDE_NOT_HEALTHY, message)
        verdict = request.verdicts.get(workload.ref, model.Verdict.HEALTHY)
        if verdict is not model.Verdict.HEALTHY:
            message = (
                f"{workload.ref}, which traffic would come back to, is {verdict} by another policy"
            )
            return model.Refusal(Refused.OTHER_SIDE_NOT_HEALTHY, message)
        (effect,) = ledger.effects_of(origin)
        before = weights.tested(effect.patch)
        try:
            found = weights.step_back(manifest, before, params.back.by)
        except weights.NotMovableError as error:
            return model.Refusal(Refused.NOT_WRITABLE, f"{looked.ref}: {error}")
        was, then = max((move.left for move in found.moves), key=lambda share: share[1])
        answer = requirements.unmet(request, params.back.require, then, was)
        if answer is not None:
            return answer
        told = "; ".join(f"rule {each.rule}: {each}" for each in found.moves)
        summary = f"move traffic of {looked.ref} back to {found.left} from {found.taking}: {told}"
        return action.Plan((restore.patching(looked.ref, manifest, found.swaps, summary),))
