"""resize: more memory or CPU for a container, in its pods as they run or in the pod template.

In place (Kubernetes 1.33) nothing restarts, and what is written goes with the pods; the template is
for good, and its change replaces them.  Both in one step would make the first one useless, so they
are two steps of a policy.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.actions import restore
from prunella.api import capacity, quantities, reasons, trust
from prunella.core import model
from prunella.core.changes import diff, swaps
from prunella.core.decisions import action

Refused = reasons.Refused
MOST_PODS: Final = 10
"""Pods that are resized in place at once."""


class Resize:
    """Writes ``resources`` of one container: of pods, or of the template."""

    name = "resize"
    owned_field = "spec.template"
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """A patch of the template, or of each pod, or a refusal."""
        if not isinstance(request.params, capacity.Resize):
            raise TypeError("resize is planned from the parameters of a resize step")
        pods = request.live_state.pods
        for pod in pods:
            if pod.resized_by:
                message = (
                    f"a VerticalPodAutoscaler sets the resources of pod {pod.name} "
                    f"({pod.resized_by}): change its bounds instead"
                )
                return model.Refusal(Refused.OWNED_BY_AUTOSCALER, message)
        workload = request.live_state.workload
        if request.params.where is capacity.Where.IN_PLACE:
            return _in_place(request, request.params)
        if (ref := workload.ref) not in request.looked:
            return (model.Need(model.NeedKind.OBJECT, ref),)
        return _planned(request, [ref], ("spec", "template"), request.params)


def _in_place(
    request: action.Request, params: capacity.Resize
) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
    """The sick pods, by name, or all where no signal names one."""
    workload = request.live_state.workload.ref
    named = {pod for finding in request.findings for pod in finding.sick_pods}
    pods = [pod for pod in request.live_state.pods if not pod.deleting]
    chosen = sorted(pod.name for pod in pods if pod.name in named or not named)
    if not chosen:
        message = f"no pod of {workload} that could be resized is left"
        return model.Refusal(Refused.NO_PODS, message, skip_step=True)
    if len(chosen) > MOST_PODS:
        message = f"{len(chosen)} pods of {workload} are sick, {MOST_PODS} are resized at most"
        return model.Refusal(Refused.AT_BOUND, message, skip_step=True)
    refs = [model.Ref("Pod", workload.namespace, name) for name in chosen]
    unseen = [ref for ref in refs if ref not in request.looked]
    if unseen:
        return tuple(model.Need(model.NeedKind.OBJECT, ref) for ref in unseen)
    return _planned(request, refs, (), params)


def _planned(
    request: action.Request,
    refs: Sequence[model.Ref],
    above: tuple[str, ...],
    params: capacity.Resize,
) -> action.Plan | model.Refusal:
    """One patch for each object; those that are at their bounds already are passed over."""
    effects: list[model.Effect] = []
    refusal = None
    for ref in refs:
        looked = request.looked[ref]
        if looked.problem:
            return model.Refusal(Refused.FORBIDDEN, looked.problem)
        if looked.manifest is None:
            continue
        found = _effect(ref, looked.manifest, above, params)
        if isinstance(found, model.Effect):
            effects.append(found)
        else:
            refusal = found
    if effects:
        return action.Plan(tuple(effects))
    gone = model.Refusal(Refused.NO_PODS, f"{refs[0]} is gone", skip_step=True)
    return refusal or gone


def _effect(
    ref: model.Ref, manifest: Mapping[str, Any], above: tuple[str, ...], params: capacity.Resize
) -> model.Effect | model.Refusal:
    spec: Any = manifest
    for part in (*above, "spec"):
        spec = spec[part]
    names = [each["name"] for each in spec["containers"]]
    name = params.container or names[0]
    if name not in names or (params.container is None and len(names) > 1):
        message = f"{ref} has the containers {', '.join(names)}: container must name one of them"
        return _skipped(Refused.NOT_WRITABLE, message)
    container = next(each for each in spec["containers"] if each["name"] == name)
    path: diff.Path = (*above, "spec", "containers", diff.Element("name", name), "resources")
    found: list[diff.Difference] = []
    refusal = None
    for resource, more in (("memory", params.memory), ("cpu", params.cpu)):
        if more is None:
            continue
        raised = _raised(ref, container, resource, more)
        if isinstance(raised, model.Refusal):
            refusal = raised
            continue
        resources = container["resources"]
        for kind in ("requests", "limits"):
            now = (resources.get(kind) or {}).get(resource)
            if now is not None and now == resources["limits"][resource]:
                found.append(diff.Difference((*path, kind, resource), raised, now))
    if not found:
        return refusal or _skipped(Refused.AT_BOUND, f"{ref} has all it may have")
    restarts = _restarting(container, {str(each.path[-1]) for each in found})
    if restarts and not above:
        message = f"the resizePolicy of container {name} of {ref} restarts it for {restarts}"
        return _skipped(Refused.NOT_WRITABLE, f"{message}: in place nothing may restart")
    made = swaps.take_back(found, manifest, manifest)
    told = [
        f"{each.path[-1]} {str(each.path[-2]).removesuffix('s')} from {each.new} to {each.old}"
        for each in found
    ]
    where = f"container {name} of {ref}"
    return restore.patching(ref, manifest, made, f"resize {where}: {', '.join(told)}")


def _restarting(container: Mapping[str, Any], resources: set[str]) -> str:
    """Of some resources those for whose change a container is restarted, by its own word."""
    return ", ".join(
        each["resourceName"]
        for each in container.get("resizePolicy") or ()
        if each.get("restartPolicy") == "RestartContainer" and each["resourceName"] in resources
    )


def _raised(
    ref: model.Ref, container: Mapping[str, Any], resource: str, more: capacity.More
) -> str | model.Refusal:
    """The new limit; the class of service stays, as the API server wants it in place."""
    what = f"the {resource} limit of container {container['name']} of {ref}"
    limit = ((container.get("resources") or {}).get("limits") or {}).get(resource)
    if limit is None:
        return _skipped(Refused.NOT_WRITABLE, f"{what} is not there: nothing holds it back")
    now, most = quantities.read(limit), quantities.read(more.max)
    if now >= most:
        return _skipped(Refused.AT_BOUND, f"{what} is {limit}, max is {more.max}")
    wanted = now * (1 + int(more.by.removesuffix("%")) / 100)
    if wanted >= most:
        return str(more.max)
    text = quantities.write(wanted, limit, whole=resource != "cpu")
    return text if quantities.read(text) <= most else str(more.max)


def _skipped(reason: reasons.Refused, message: str) -> model.Refusal:
    return model.Refusal(reason, message, skip_step=True)
