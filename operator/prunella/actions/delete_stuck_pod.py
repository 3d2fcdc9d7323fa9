"""deleteStuckPod: free a StatefulSet from a pod that it waits for and that will never be ready.

Two sorts: a pod of an older template that is not ready and holds up the rollout of a repaired one
("forced rollback" in the documentation of StatefulSets); and, only where the policy says after how
long, a pod in deletion whose node does not answer, for which its controller waits for ever.

The second is removed with no grace (``kubectl delete --force``): a node that is merely cut off may
still run it, and then there are two pods of one identity.  So nothing is removed when more than
half of the set is lost: that is rather the network than a node.  There is no inverse.
"""

from __future__ import annotations

import datetime

from prunella.actions import evict_pod
from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action, strategies


class DeleteStuckPod:
    """Evicts the pods that a StatefulSet waits for in vain."""

    name = "deleteStuckPod"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """An eviction of each pod that blocks the rollout, or else a removal of each lost one."""
        if not isinstance(request.params, steps_api.DeleteStuckPod):
            raise TypeError("deleteStuckPod is planned from the parameters of such a step")
        ref = request.live_state.workload.ref
        if ref.kind != "StatefulSet":
            message = f"{ref} waits for none of its pods: only a StatefulSet does"
            return model.Refusal(reasons.Refused.NO_PODS, message, skip_step=True)
        current = next((each for each in request.live_state.revisions if each.current), None)
        if current is not None and (effects := _blocking(request.live_state, current.name)):
            return action.Plan(effects)
        after = request.params.lost_node_after
        if after is not None:
            return _lost(request, after)
        return _nothing(request, "pods of lost nodes are left alone without lostNodeAfter")


def _blocking(live_state: model.LiveState, newest: str) -> tuple[model.Effect, ...]:
    """Pods of an older template only: one of the newest is what its template makes of it."""
    return evict_pod.unblock(live_state, newest)


def _lost(request: action.Request, after: datetime.timedelta) -> action.Plan | model.Refusal:
    ref, pods = request.live_state.workload.ref, request.live_state.pods
    lost = [pod for pod in pods if pod.deleting and pod.stranded is model.Stranded.LOST]
    if not lost:
        return _nothing(request, "none is in deletion on a node that does not answer")
    waited = {pod.name: _seconds(pod, request.now) for pod in lost}
    due = [pod for pod in lost if waited[pod.name] >= after.total_seconds()]
    if not due:
        longest = max(lost, key=lambda pod: waited[pod.name])
        message = (
            f"pod {longest.name} of {ref} should have been gone for {waited[longest.name]:.0f} s, "
            f"its node does not answer; lostNodeAfter is {after.total_seconds():.0f} s"
        )
        return model.Refusal(reasons.Refused.NO_PODS, message, skip_step=True)
    if 2 * len(lost) > len(pods):
        message = (
            f"{len(lost)} of {len(pods)} pods of {ref} are on nodes that do not answer, more than "
            "half: that is rather the network, and they may still run"
        )
        return model.Refusal(reasons.Refused.AT_BOUND, message)
    due.sort(key=strategies.ordinal)
    return action.Plan(tuple(_removal(ref, pod, waited[pod.name]) for pod in due))


def _seconds(pod: model.Pod, now: datetime.datetime) -> float:
    """How long ago the pod's own grace was over."""
    return 0.0 if pod.gone_by is None else (now - pod.gone_by).total_seconds()


def _removal(ref: model.Ref, pod: model.Pod, waited: float) -> model.Effect:
    summary = (
        f"remove pod {pod.name} of {ref} without grace: its node does not answer, and it should "
        f"have been gone for {waited:.0f} s"
    )
    return evict_pod.eviction(ref, pod, summary, forced=True)


def _nothing(request: action.Request, but: str) -> model.Refusal:
    live_state = request.live_state
    unready = sum(not pod.ready for pod in live_state.pods)
    message = (
        f"no pod of {live_state.workload.ref} is stuck: {unready} of {len(live_state.pods)} are "
        f"not ready, none of an older template holds up a rollout; {but}"
    )
    return model.Refusal(reasons.Refused.NO_PODS, message, skip_step=True)
