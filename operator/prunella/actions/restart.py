"""restart: replace all pods in a rolling update, as `kubectl rollout restart` does.

It writes the same annotation into the pod template, so the workload's own update strategy and
disruption limits hold.  There is no inverse: pods can't be given their old memory back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Restart:
    """Writes ``restartedAt`` into the pod template."""

    name = "restart"
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch of the pod template's annotations."""
        workload = request.live_state.workload
        if workload.replicas == 0:
            message = f"{workload.ref} has 0 replicas: there is no pod to restart"
            return model.Refusal(reasons.Refused.NO_PODS, message, skip_step=True)
        when = request.decided_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        effect = model.Effect(
            verb=model.Verb.PATCH,
            target=workload.ref,
            uid=workload.uid,
            generation=workload.generation,
            patch=(_annotate(workload.template, when),),
            summary=f"restart {workload.ref}, pod by pod ({workload.replicas} replicas)",
        )
        return action.Plan((effect,))


def _annotate(template: Mapping[str, object], when: str) -> model.PatchOperation:
    """The operation that sets the annotation, whether or not the template has any."""
    metadata = cast(Mapping[str, Any], template.get("metadata") or {})
    if metadata.get("annotations"):
        escaped = RESTARTED_AT.replace("/", "~1")
        path = f"/spec/template/metadata/annotations/{escaped}"
        return {"op": "add", "path": path, "value": when}
    path = "/spec/template/metadata/annotations"
    return {"op": "add", "path": path, "value": {RESTARTED_AT: when}}
