"""drain: cordon a node and evict its pods, as ``kubectl drain`` does.

What is evicted is frozen in the record, and no pod is evicted twice.  What kubectl and the
descheduler leave alone is left alone: pods of DaemonSets, of the kubelet itself, those that have
ended, and those of the system's own priority; pods with local storage or without a controller only
where the policy allows it.  So are pods of system namespaces, where no action is done.  How it goes
on is in ``core/outcomes/draining.py``.
Source: k8s.io/kubectl/pkg/drain/filters.go; kubernetes-sigs/descheduler, README.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prunella.api import nodes as nodes_api
from prunella.api import reasons, trust
from prunella.core import model, node_state
from prunella.core.decisions import action, nodes
from prunella.core.decisions.rules import Rules

MOST_EVICTIONS: Final = 127
"""As many as a record has room for beside the cordon; a kubelet runs 110 pods by default."""


class Drain:
    """Cordons a node, then evicts its pods."""

    name = nodes.DRAIN
    risk = trust.Risk.HIGH
    owned_field = None

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """The cordon, and an eviction of each pod that is not left alone."""
        node, params = request.live_state.workload, request.params
        if node.node is None or not isinstance(params, nodes_api.Drain):
            raise TypeError(f"drain is planned for nodes from such a step, not for {node.ref}")
        own = nodes.owner(node)
        if node.node.unschedulable and not own:
            message = f"{node.ref} was cordoned by somebody else, who decides about its pods"
            return model.Refusal(reasons.Refused.CHANGED_BY_OTHERS, message, skip_step=True)
        told = ((pod, left_alone(pod, params, request.rules)) for pod in node.node.pods)
        left = {pod: why for pod, why in told if why}
        chosen = [pod for pod in node.node.pods if pod not in left]
        if own and not chosen:
            message = (
                f"{node.ref} is cordoned by {own} and has no pod to evict{_told(left.values())}"
            )
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        if len(chosen) > MOST_EVICTIONS:
            message = f"{len(chosen)} pods on {node.ref}, a record holds {MOST_EVICTIONS} evictions"
            return model.Refusal(reasons.Refused.PLAN_TOO_LARGE, message, skip_step=True)
        first = nodes.taking_over if own else nodes.cordoning
        # The operator's own pod last: it goes on elsewhere from what it has written.
        home = request.rules.operator_namespace
        chosen.sort(key=lambda pod: (pod.namespace == home, pod.namespace, pod.name))
        return action.Plan((first(node, request.record), *map(_eviction, chosen)))


def left_alone(pod: node_state.NodePod, params: nodes_api.Drain, rules: Rules) -> str:
    """Why a pod is not evicted; empty when it is."""
    if pod.ended:
        return "ended"
    if pod.mirror:
        return "static"
    if pod.of_daemons:
        return "of DaemonSets"
    if pod.critical:
        return "of the system's priority"
    if pod.namespace in rules.system_namespaces:
        return "in a system namespace"
    if not pod.controller and not params.unmanaged:
        return "without a controller"
    return "with local storage" if pod.local_storage and not params.local_storage else ""


def _told(left: Iterable[str]) -> str:
    whys = list(left)
    told = (f"{whys.count(why)} {why}" for why in sorted(set(whys)))
    return f"; left alone are {', '.join(told)}" if whys else ""


def _eviction(pod: node_state.NodePod) -> model.Effect:
    target = model.Ref("Pod", pod.namespace, pod.name)
    summary = f"evict pod {pod} of {pod.controller or 'no controller'}"
    return model.Effect(model.Verb.EVICT, target, pod.uid, summary, paced=True)
