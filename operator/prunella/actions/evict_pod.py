"""evictPod: evict the pod with the worst value, through the Eviction API only.

The API server itself honours PodDisruptionBudgets there; the UID as precondition keeps a
repeat from hitting the pod that came after it under the same name.
"""

from __future__ import annotations

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action


class EvictPod:
    """Evicts one pod."""

    name = "evictPod"
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One eviction of the pod that the evidence names."""
        worst = next((finding.pod for finding in request.findings if finding.pod), "")
        workload = request.live_state.workload
        if not worst:
            message = "no signal names a pod: keep the label pod in the query's result"
            return model.Refusal(reasons.Refused.NO_PODS, message)
        pod = next((each for each in request.live_state.pods if each.name == worst), None)
        if pod is None or pod.deleting:
            state = "is gone" if pod is None else "is already being deleted"
            return model.Refusal(reasons.Refused.NO_PODS, f"pod {worst} of {workload.ref} {state}")
        effect = model.Effect(
            verb=model.Verb.EVICT,
            target=model.Ref("Pod", workload.ref.namespace, pod.name),
            uid=pod.uid,
            summary=f"evict pod {pod.name} of {workload.ref}",
        )
        return action.Plan((effect,))
