"""restart: replace all pods in a rolling update, as `kubectl rollout restart` does.

It writes the same annotation into the pod template, so the workload's own update strategy and
disruption limits hold; of a Rollout ``spec.restartAt``, as `kubectl argo rollouts restart` does, so
that no new release begins.  There is no inverse: pods can't be given their old memory back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prunella.actions import evict_pod
from prunella.api import reasons, trust
from prunella.core import model, pointers
from prunella.core.decisions import action, releases, strategies

RESTARTED_AT = releases.RESTARTED_AT


class Restart:
    """Writes ``restartedAt`` into the pod template."""

    name = "restart"
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch of the pod template's annotations, and what must go for it to work."""
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
            patch=(_operation(workload, when),),
            summary=f"restart {workload.ref}, {strategies.in_words(workload)}",
        )
        return action.Plan((effect, *evict_pod.unblock(request.live_state)))


def _operation(workload: model.Workload, when: str) -> model.PatchOperation:
    if workload.delivery is not None:
        return {"op": "add", "path": "/spec/restartAt", "value": when}
    return annotate(workload.template, when)


def annotate(template: Mapping[str, object], when: str) -> model.PatchOperation:
    """The operation that sets the annotation, whether or not the template has any."""
    metadata = cast(Mapping[str, Any], template.get("metadata") or {})
    if metadata.get("annotations"):
        path = f"/spec/template/metadata/annotations/{pointers.part(RESTARTED_AT)}"
        return {"op": "add", "path": path, "value": when}
    path = "/spec/template/metadata/annotations"
    return {"op": "add", "path": path, "value": {RESTARTED_AT: when}}
