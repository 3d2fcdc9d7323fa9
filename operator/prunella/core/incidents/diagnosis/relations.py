"""Whom an object touches: the workloads whose pods would feel a change of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import formerly, placement, pods, read, scaling
from prunella.core.incidents.diagnosis.scene import WORKLOADS, Scene

Refs = frozenset[model.Ref]
NONE: Refs = frozenset()


def touched(scene: Scene, change: Change) -> Refs:
    """The workloads and nodes that a change touches directly."""
    ref = change.object
    if ref.kind == "Node":
        return _by_node(scene, change)
    found = related(scene, ref) | _before(scene, change)
    if ref in scene.workloads:
        found |= _crowded_out(scene, change) | joined(scene, change)
    if not found and ref.kind == "NetworkPolicy" and change.spec.verb is change_api.Verb.DELETED:
        return _all_of(scene, ref.namespace)
    return found


def _by_node(scene: Scene, change: Change) -> Refs:
    """What a change of a node touches: who waits for a node, or whose pods are there.

    A cordon and most taints leave pods alone that run already.
    """
    node = change.object
    whole = change.spec.verb is not change_api.Verb.MODIFIED
    texts = [f"{each.path} {each.new or ''}" for each in change.spec.fields]
    if any(each.startswith("metadata.labels") for each in texts):
        return scene.waiting  # who wanted the node by the label that it lost wants it no more
    if whole or any("status" in each or "NoExecute" in each for each in texts):
        return _on_node(scene, node) | placement.waiting(scene, node)
    return placement.waiting(scene, node)


def _before(scene: Scene, change: Change) -> Refs:
    """Whom a route or a policy touched as it was: they lose what it did for them."""
    ref = change.object
    if ref.kind in formerly.ROUTES:
        return _led_to(scene, ref, formerly.manifest(change))
    if ref.kind in formerly.POLICIES:
        return _chosen(scene, ref, formerly.manifest(change))
    return NONE


def joined(scene: Scene, change: Change) -> Refs:
    """The older workloads whose requests a new one takes a part of: it is behind their Service."""
    if change.spec.verb is not change_api.Verb.CREATED:
        return NONE
    ref = change.object
    return frozenset(
        each
        for service in scene.services.get(ref, ())
        for each in scene.selected[service] - {ref}
        if ref in scene.selected[service] and _made(scene, each) < _made(scene, ref)
    )


def _made(scene: Scene, ref: model.Ref) -> float:
    return read.time(read.value(scene.get(ref), "metadata", "creationTimestamp")) or 0.0


def related(scene: Scene, ref: model.Ref) -> Refs:
    """The workloads and nodes that an object is, selects, targets, or is referred to by."""
    if ref in scene.workloads or ref.kind in WORKLOADS:
        return frozenset({ref})
    found = _RULES.get(ref.kind)
    return found(scene, ref) if found is not None else NONE


def is_known(ref: model.Ref) -> bool:
    """Whether it is known whom objects of this kind touch."""
    return ref.kind in _RULES


def _crowded_out(scene: Scene, change: Change) -> Refs:
    """Whom a workload takes room from: pods that no node takes, or those on its nodes.

    The first by new pods, larger requests or a higher priority; the second by having no limit.
    """
    paths = [each.path for each in change.spec.fields]
    unlimited = any(
        ".resources.limits" in each.path and each.new is None for each in change.spec.fields
    )
    if unlimited:
        return _neighbours(scene, change.object)
    asks = (".requests", "priorityClass", "spec.replicas")
    if change.spec.verb is change_api.Verb.CREATED or any(
        word in path for word in asks for path in paths
    ):
        return scene.waiting
    return NONE


def _neighbours(scene: Scene, workload: model.Ref) -> Refs:
    nodes = scene.nodes_of.get(workload, NONE)
    return frozenset(each for node in nodes for each in scene.on_node(node))


def _all_of(scene: Scene, namespace: str) -> Refs:
    return frozenset(each for each in scene.workloads if each.namespace == namespace)


def _service(scene: Scene, ref: model.Ref) -> Refs:
    return scene.workloads_of(ref) or frozenset({ref})


def _config(scene: Scene, ref: model.Ref) -> Refs:
    return frozenset(
        each
        for each in _all_of(scene, ref.namespace)
        if ref.name in pods.config_names(scene.template(each))
    )


def _secret(scene: Scene, ref: model.Ref) -> Refs:
    return frozenset(
        each
        for each in _all_of(scene, ref.namespace)
        if ref.name in set(_secret_names(scene.template(each)))
    )


def _secret_names(template: read.Raw) -> Iterable[str]:
    for volume in read.items(template, "spec", "volumes"):
        yield read.text(volume, "secret", "secretName")
    for container in read.items(template, "spec", "containers"):
        for each in read.items(container, "env"):
            yield read.text(each, "valueFrom", "secretKeyRef", "name")
        for each in read.items(container, "envFrom"):
            yield read.text(each, "secretRef", "name")


def _selected(scene: Scene, ref: model.Ref) -> Refs:
    """By a pod selector: NetworkPolicies, budgets, mesh policies."""
    return _chosen(scene, ref, scene.get(ref))


def _chosen(scene: Scene, ref: model.Ref, raw: read.Raw) -> Refs:
    exact = read.labels(raw, "spec", "selector", "matchLabels")
    selector = read.value(raw, "spec", "podSelector")
    if selector is None:
        selector = {"matchLabels": exact} if exact else read.value(raw, "spec", "selector")
    return frozenset(
        each for each in _all_of(scene, ref.namespace) if read.selects(selector, scene.labels(each))
    )


def _scaled(scene: Scene, ref: model.Ref) -> Refs:
    aim = scaling.target(ref, scene.get(ref))
    return frozenset({aim}) if aim in scene.workloads else NONE


def _short_of_pods(scene: Scene, ref: model.Ref) -> Refs:
    """By a quota or a limit range: workloads of the namespace that lack pods."""
    return frozenset(
        each
        for each in _all_of(scene, ref.namespace)
        if len(scene.pods.get(each, ())) < scene.wanted(each)
    )


def _claimed(scene: Scene, ref: model.Ref) -> Refs:
    return frozenset(
        each for each in _all_of(scene, ref.namespace) if ref.name in _claims(scene, each)
    )


def _claims(scene: Scene, workload: model.Ref) -> set[str]:
    template = scene.template(workload)
    named = {
        read.text(each, "persistentVolumeClaim", "claimName")
        for each in read.items(template, "spec", "volumes")
    }
    made = {
        read.text(volume, "persistentVolumeClaim", "claimName")
        for pod in scene.pods.get(workload, ())
        for volume in read.items(scene.get(pod), "spec", "volumes")
    }
    return (named | made) - {""}


def _account(scene: Scene, ref: model.Ref) -> Refs:
    return frozenset(
        each
        for each in _all_of(scene, ref.namespace)
        if (read.text(scene.template(each), "spec", "serviceAccountName") or "default") == ref.name
    )


def _bound(scene: Scene, ref: model.Ref) -> Refs:
    """By a RoleBinding: users of its accounts."""
    found = NONE
    for each in read.items(scene.get(ref), "subjects"):
        if each.get("kind") == "ServiceAccount":
            namespace = read.text(each, "namespace") or ref.namespace
            found |= _account(
                scene, model.Ref("ServiceAccount", namespace, read.text(each, "name"))
            )
    return found


def _role(scene: Scene, ref: model.Ref) -> Refs:
    found = NONE
    for binding, raw in scene.of("RoleBinding", ref.namespace).items():
        if read.text(raw, "roleRef", "name") == ref.name:
            found |= _bound(scene, binding)
    return found


def _routed(scene: Scene, ref: model.Ref) -> Refs:
    """By an Ingress or a route: the workloads behind the Services that it names."""
    return _led_to(scene, ref, scene.get(ref))


def _led_to(scene: Scene, ref: model.Ref, raw: read.Raw) -> Refs:
    names = set(_named_services(raw.get("spec")))
    services = (model.Ref("Service", ref.namespace, name.partition(".")[0]) for name in names)
    return frozenset(each for service in services for each in scene.workloads_of(service))


def _named_services(raw: object) -> Iterable[str]:
    """Names of Services anywhere below: of backends, backendRefs, destinations and hosts."""
    if isinstance(raw, Mapping):
        for key, each in raw.items():
            if key in ("name", "host", "serviceName") and isinstance(each, str):
                yield each
            yield from _named_services(each)
    elif isinstance(raw, list | tuple):
        for each in raw:
            yield from _named_services(each)


def _on_node(scene: Scene, ref: model.Ref) -> Refs:
    return scene.on_node(ref) | {ref}


def _of_priority(scene: Scene, ref: model.Ref) -> Refs:
    return frozenset(
        each
        for each in scene.workloads
        if read.text(scene.template(each), "spec", "priorityClassName") == ref.name
    )


_RULES: Mapping[str, Callable[[Scene, model.Ref], Refs]] = {
    "Service": _service,
    "ConfigMap": _config,
    "Secret": _secret,
    "NetworkPolicy": _selected,
    "PodDisruptionBudget": _selected,
    "AuthorizationPolicy": _selected,
    "PeerAuthentication": _selected,
    "HorizontalPodAutoscaler": _scaled,
    "ScaledObject": _scaled,
    "ResourceQuota": _short_of_pods,
    "LimitRange": _short_of_pods,
    "PersistentVolumeClaim": _claimed,
    "ServiceAccount": _account,
    "RoleBinding": _bound,
    "Role": _role,
    "Ingress": _routed,
    "HTTPRoute": _routed,
    "VirtualService": _routed,
    "DestinationRule": _routed,
    "Node": _on_node,
    "PriorityClass": _of_priority,
}
