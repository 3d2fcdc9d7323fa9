"""Which workloads would feel a change of an object, and which objects refer to it by name.

Quotas and limit ranges are asked only when a pod is made, budgets only when one is evicted: no
running workload depends on them.
"""

from __future__ import annotations

import types as mapping_types
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

import pydantic

from prunella.api import types
from prunella.core import model
from prunella.core.incidents import links, topology
from prunella.core.incidents import picture as pictures

Manifests = pictures.Manifests
Manifest = pictures.Manifest
NO_CALLS: Final[topology.Links] = mapping_types.MappingProxyType({})


def dependents(ref: model.Ref, manifests: Manifests) -> set[model.Ref]:
    """The workloads that depend on an object, as far as the objects of its namespace tell."""
    match ref.kind:
        case "Service":
            return _of_service(ref, manifests)
        case "ConfigMap":
            return {each for each, raw in _workloads(manifests) if ref.name in config_maps(raw)}
        case "Ingress":
            return _routed(ref, manifests)
        case "NetworkPolicy":
            return _selected(ref, manifests)
        case "HorizontalPodAutoscaler":
            target = pictures.of(manifests).autoscalers.get((ref.namespace, ref.name))
            return set() if target is None else {target}
        case kind if kind in pictures.WORKLOADS:
            return {ref}
        case _:
            return set()


def leaders(
    ref: model.Ref,
    sick: Iterable[model.Ref],
    manifests: Manifests,
    before: Manifest | None = None,
    calls: topology.Links = NO_CALLS,
) -> set[model.Ref]:
    """The workloads that can prove a restore of an object for what is sick elsewhere.

    Those that depend on it as it is, or as it was ``before``, and those that the sick ones call.
    """
    found = dependents(ref, manifests)
    if before is not None:
        found |= dependents(ref, {**manifests, ref: before})
    called = {callee for each in sick for callee in (each, *calls.get(each, ()))}
    if ref.kind == "PodDisruptionBudget":
        found |= _selected(ref, manifests, "selector")
    for each in called:
        if each.namespace == ref.namespace:
            found |= {each, *(_behind(each, manifests) if each.kind == "Service" else ())}
    return {each for each in found if each.kind in pictures.WORKLOADS}


class Readers(NamedTuple):
    """The workloads that read a ConfigMap: as their containers start, and as it changes."""

    at_start: tuple[model.Ref, ...]
    live: tuple[model.Ref, ...]


def readers(ref: model.Ref, manifests: Manifests, keys: Collection[str]) -> Readers:
    """Who reads some keys of a ConfigMap. A workload that does both reads at start.

    Environments and files mounted by subPath stay as they were read.
    https://kubernetes.io/docs/concepts/configuration/configmap/
    """
    at_start, live = [], []
    for each, raw in _workloads(manifests):
        spec = pictures.template(raw).get("spec") or {}
        volumes = {v.get("name") for v in spec.get("volumes") or () if ref.name in _held_by(v)}
        containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        mounts = [
            mount
            for container in containers
            for mount in container.get("volumeMounts") or ()
            if mount.get("name") in volumes
        ]
        in_environment = any(_environment_has(c, ref.name, keys) for c in containers)
        if in_environment or any(mount.get("subPath") for mount in mounts):
            at_start.append(each)
        elif mounts:
            live.append(each)
    return Readers(tuple(at_start), tuple(live))


def _environment_has(container: Manifest, name: str, keys: Collection[str]) -> bool:
    """Whether a container's environment holds a key of a ConfigMap, or all of them."""
    if any(_name(each, "configMapRef") == name for each in container.get("envFrom") or ()):
        return True
    told = [(each.get("valueFrom") or {}) for each in container.get("env") or ()]
    return any(
        _name(each, "configMapKeyRef") == name and each["configMapKeyRef"].get("key") in keys
        for each in told
    )


def referrers(ref: model.Ref, manifests: Manifests) -> list[model.Ref]:
    """The objects that would miss an object if it were deleted, by name."""
    if ref.kind == "ConfigMap":
        running = pictures.of_kind(manifests, *pictures.WORKLOADS, *pictures.BATCH)
        return sorted(each for each, raw in running if ref.name in config_maps(raw))
    if ref.kind == "Service":
        called = {ref, *_behind(ref, manifests)}
        calls = links.from_manifests(manifests).calls
        return sorted(caller for caller, callees in calls.items() if called & set(callees))
    return []


def _workloads(manifests: Manifests) -> Iterator[tuple[model.Ref, Manifest]]:
    return pictures.of_kind(manifests, *pictures.WORKLOADS)


def _behind(ref: model.Ref, manifests: Manifests) -> tuple[model.Ref, ...]:
    return pictures.of(manifests).services.get((ref.namespace, ref.name), ())


def _routed(ref: model.Ref, manifests: Manifests) -> set[model.Ref]:
    """The workloads behind the Services that an Ingress sends to."""
    known = pictures.of(manifests).services
    places = links.backends(ref, manifests.get(ref) or {})
    return {each for place in places for each in known.get(place, ())}


def _of_service(ref: model.Ref, manifests: Manifests) -> set[model.Ref]:
    """Those that it sends to, and those that name it."""
    callers = (each for each in referrers(ref, manifests) if each.kind in pictures.WORKLOADS)
    return {*_behind(ref, manifests), *callers}


def _selected(ref: model.Ref, manifests: Manifests, field: str = "podSelector") -> set[model.Ref]:
    """The workloads whose pods a policy selects; all where its selector can't be read."""
    spec = (manifests.get(ref) or {}).get("spec") or {}
    try:
        selector = types.LabelSelector.model_validate(spec.get(field) or {})
    except pydantic.ValidationError:
        return {each for each, _ in _workloads(manifests)}
    return {each for each, raw in _workloads(manifests) if selector.matches(_labels(raw))}


def _labels(raw: Manifest) -> dict[str, str]:
    labels: dict[str, str] = (pictures.template(raw).get("metadata") or {}).get("labels") or {}
    return labels


def config_maps(raw: Manifest) -> set[str]:
    """The ConfigMaps that a workload's pods mount or read their environment from."""
    spec = pictures.template(raw).get("spec") or {}
    names = {name for volume in spec.get("volumes") or () for name in _held_by(volume)}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        names |= {_name(each, "configMapRef") for each in container.get("envFrom") or ()}
        for each in container.get("env") or ():
            names.add(_name(each.get("valueFrom") or {}, "configMapKeyRef"))
    return names - {""}


def _held_by(volume: Manifest) -> set[str]:
    """The ConfigMaps that a volume holds."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    return {_name(each, "configMap") for each in (volume, *sources)}


def _name(holder: Any, field: str) -> str:
    return str((holder.get(field) or {}).get("name") or "")
