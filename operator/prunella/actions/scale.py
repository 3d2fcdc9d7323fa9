"""scale: change the number of replicas, within bounds. Its inverse is the number before."""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action


class Scale:
    """Writes ``spec.replicas``."""

    name = "scale"
    owned_field = "spec.replicas"
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch of the replicas, or a refusal at the bounds."""
        workload = request.live_state.workload
        if workload.ref.kind == "DaemonSet":
            message = f"{workload.ref} has one pod per node and can't be scaled"
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        if not isinstance(request.params, steps_api.Scale):
            raise TypeError("scale is planned from the parameters of a scale step")
        params = request.params
        wanted = params.to if params.to is not None else workload.replicas + (params.by or 0)
        bounded = min(max(wanted, params.min), params.max)
        # Outside its bounds already: to be pulled the other way is not what the step asks for.
        opposite = (bounded > workload.replicas) != (wanted > workload.replicas)
        if bounded == workload.replicas or opposite:
            message = (
                f"{workload.ref} has {workload.replicas} replicas, "
                f"{wanted} are wanted within {params.min} to {params.max}"
            )
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        return action.Plan((replicas_effect(workload, bounded),))


def replicas_effect(workload: model.Workload, replicas: int) -> model.Effect:
    """The patch that sets the replicas, with the one that sets them back."""
    return model.Effect(
        verb=model.Verb.PATCH,
        target=workload.ref,
        uid=workload.uid,
        generation=workload.generation,
        patch=({"op": "add", "path": "/spec/replicas", "value": replicas},),
        inverse=({"op": "add", "path": "/spec/replicas", "value": workload.replicas},),
        summary=f"scale {workload.ref} from {workload.replicas} to {replicas} replicas",
    )
