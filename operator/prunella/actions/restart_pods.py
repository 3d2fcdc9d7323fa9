"""restartPods: evict the sick pods of a workload and no others, one after the other.

Which pods are sick the signals say, so they must keep the label ``pod``.  Each eviction waits until
the pods before it were replaced and are ready, and asks the disruption budgets as every eviction
does.  There is no inverse: pods can't be given their old memory back.
"""

from __future__ import annotations

from prunella.actions import evict_pod
from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action


class RestartPods:
    """Evicts the pods that the evidence names."""

    name = "restartPods"
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """An eviction of each sick pod, by name, so that the same pods give the same plan."""
        if not isinstance(request.params, steps_api.RestartPods):
            raise TypeError("restartPods is planned from the parameters of a restartPods step")
        ref = request.live_state.workload.ref
        named = {pod for finding in request.findings for pod in finding.sick_pods}
        if not named:
            message = "no signal names a pod: keep the label pod in the query's result"
            return model.Refusal(reasons.Refused.NO_PODS, message)
        sick = [p for p in request.live_state.pods if p.name in named and not p.deleting]
        if not sick:
            told = ", ".join(sorted(named)[:3])
            message = f"the sick pods of {ref} ({told}) are gone or are being deleted"
            return model.Refusal(reasons.Refused.NO_PODS, message)
        most = request.params.max
        if len(sick) > most:
            message = f"{len(sick)} pods of {ref} are sick, restartPods takes {most} at most"
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        sick.sort(key=lambda pod: pod.name)
        return action.Plan(tuple(_effect(ref, pod, at, sick) for at, pod in enumerate(sick)))


def _effect(ref: model.Ref, pod: model.Pod, at: int, sick: list[model.Pod]) -> model.Effect:
    count = f" ({at + 1} of {len(sick)})" if len(sick) > 1 else ""
    wait = f", once {sick[at - 1].name} is replaced" if at else ""
    summary = f"evict pod {pod.name} of {ref}{count}{wait}"
    return evict_pod.eviction(ref, pod, summary, paced=at > 0)
