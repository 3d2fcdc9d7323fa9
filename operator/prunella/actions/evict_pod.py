"""evictPod: evict the pod with the worst value, through the Eviction API only.

The API server itself honours PodDisruptionBudgets there; the UID as precondition keeps a
repeat from hitting the pod that came after it under the same name.
"""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action, strategies

MOST_EVICTIONS = 31
"""As many as a record has room for beside the patch that they follow."""


class EvictPod:
    """Evicts one pod."""

    name = "evictPod"
    owned_field = None
    risk = trust.Risk.LOW

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
        summary = f"evict pod {pod.name} of {workload.ref}"
        return action.Plan((eviction(workload.ref, pod, summary),))


def eviction(
    owner: model.Ref, pod: model.Pod, summary: str, *, paced: bool = False, forced: bool = False
) -> model.Effect:
    """The eviction of one pod, which no pod of the same name after it can be hit by."""
    target = model.Ref("Pod", owner.namespace, pod.name)
    return model.Effect(model.Verb.EVICT, target, pod.uid, summary, paced=paced, forced=forced)


def unblock(live_state: model.LiveState, healthy_revision: str = "") -> tuple[model.Effect, ...]:
    """Evictions of the pods for which a StatefulSet would wait before it replaces any other.

    They are not ready, so nothing that serves is taken down.  Evicted and not deleted, so that the
    API server asks their PodDisruptionBudget: the owner may have said that even a pod that is not
    ready must stay while too few others are (``unhealthyPodEvictionPolicy``).
    """
    ref = live_state.workload.ref
    waiting = strategies.blocking(live_state, healthy_revision)[:MOST_EVICTIONS]
    return tuple(
        eviction(ref, pod, f"evict pod {pod.name}, which is not ready and blocks the rollout")
        for pod in waiting
    )
