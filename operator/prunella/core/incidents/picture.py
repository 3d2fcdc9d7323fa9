"""Who is who in a cluster, from manifests: which workload a Service, a pod or an address means.

Alerts, calls and environment variables name things in many ways.  Incidents are about the owner
at the top of the chain, so every name is led to it here, and only here.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

from prunella.core import model

Manifest = Mapping[str, Any]
Manifests = Mapping[model.Ref, Manifest]
"""Objects as the API server shows them, by kind, namespace and name."""
Place = tuple[str, str]
"""Namespace and name."""

WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")
BATCH: Final = ("Job", "CronJob")
_HASHES: Final = {"pod-template-hash": "Deployment", "rollouts-pod-template-hash": "Rollout"}
"""Labels that Deployments and Argo Rollouts give to pods, with the end of the ReplicaSet's name."""
NO_MANIFESTS: Final[Manifests] = types.MappingProxyType({})
_ADDRESSES: Final = frozenset({"InternalIP", "ExternalIP", "Hostname", "InternalDNS"})


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """Names and what they lead to. Everything is by namespace and name but nodes."""

    workloads: Mapping[Place, model.Ref] = dataclasses.field(default_factory=dict)
    """Deployments before StatefulSets before DaemonSets where two have the same name."""
    services: Mapping[Place, tuple[model.Ref, ...]] = dataclasses.field(default_factory=dict)
    """The workloads that each Service sends to; none when it selects none."""
    pods: Mapping[Place, model.Ref | None] = dataclasses.field(default_factory=dict)
    """The workload of each pod; None for a pod that belongs to none."""
    claims: Mapping[Place, model.Ref] = dataclasses.field(default_factory=dict)
    """The workload that mounts each claim."""
    autoscalers: Mapping[Place, model.Ref] = dataclasses.field(default_factory=dict)
    nodes: Mapping[str, model.Ref] = dataclasses.field(default_factory=dict)
    """Nodes by their name, host name and addresses."""

    def service(self, namespace: str, name: str) -> model.Ref | None:
        """The workload behind a Service; the Service itself unless that is one; None: unknown."""
        behind = self.services.get((namespace, name))
        if behind is None:
            return None
        return behind[0] if len(behind) == 1 else model.Ref("Service", namespace, name)


def of(manifests: Manifests) -> Picture:
    """The picture that a set of objects gives; what is not in it is not known."""
    workloads, pods = _workloads(manifests), _pods(manifests)
    return Picture(
        workloads=workloads,
        services=_services(manifests, pods),
        pods=pods,
        claims=_claims(manifests),
        autoscalers=_autoscalers(manifests),
        nodes=_nodes(manifests),
    )


def of_kind(manifests: Manifests, *kinds: str) -> Iterator[tuple[model.Ref, Manifest]]:
    """The objects of some kinds, in the order of the kinds and then of the names."""
    for kind in kinds:
        yield from sorted((ref, raw) for ref, raw in manifests.items() if ref.kind == kind)


def template(raw: Manifest) -> Manifest:
    """The pod template of a workload, Job or CronJob; empty when there is none."""
    spec: Manifest = raw.get("spec") or {}
    if "jobTemplate" in spec:
        spec = (spec["jobTemplate"] or {}).get("spec") or {}
    found: Manifest = spec.get("template") or {}
    return found


def controller(namespace: str, raw: Manifest) -> model.Ref | None:
    """The object that an object's metadata names as its controller; None for one on its own."""
    for each in (raw.get("metadata") or {}).get("ownerReferences") or ():
        if each.get("controller", True):
            return model.Ref(str(each.get("kind", "")), namespace, str(each.get("name", "")))
    return None


def owner_of_pod(
    namespace: str, raw: Manifest, manifests: Manifests = NO_MANIFESTS
) -> model.Ref | None:
    """The workload at the top of a pod's owner chain; None for a pod on its own or of its node.

    ReplicaSets are mostly not there to be asked: their name is that of what made them, a dash
    and the hash that their pods carry as a label.
    """
    owner = controller(namespace, raw)
    if owner is None or owner.kind == "Node":
        return None
    if owner.kind in {"ReplicaSet", "Job"}:
        above = controller(namespace, manifests.get(owner) or {})
        return above or _by_hash(owner, (raw.get("metadata") or {}).get("labels") or {}, manifests)
    return owner


def _by_hash(owner: model.Ref, labels: Mapping[str, str], manifests: Manifests) -> model.Ref:
    for label, kind in _HASHES.items():
        name = owner.name.removesuffix(f"-{labels.get(label, '')}")
        if owner.kind == "ReplicaSet" and labels.get(label) and name != owner.name:
            rollout = model.Ref("Rollout", owner.namespace, name)
            return rollout if rollout in manifests else rollout._replace(kind=kind)
    return owner


def _workloads(manifests: Manifests) -> dict[Place, model.Ref]:
    found: dict[Place, model.Ref] = {}
    for ref, _ in of_kind(manifests, *WORKLOADS):
        found.setdefault((ref.namespace, ref.name), ref)
    return found


def _services(
    manifests: Manifests, pods: Mapping[Place, model.Ref | None]
) -> dict[Place, tuple[model.Ref, ...]]:
    labels: dict[str, list[tuple[model.Ref, Manifest]]] = {}
    for ref, raw in of_kind(manifests, *WORKLOADS):
        own = (template(raw).get("metadata") or {}).get("labels") or {}
        labels.setdefault(ref.namespace, []).append((ref, own))
    found: dict[Place, tuple[model.Ref, ...]] = {}
    for ref, raw in of_kind(manifests, "Service"):
        selector = (raw.get("spec") or {}).get("selector") or {}
        found[ref.namespace, ref.name] = tuple(
            workload
            for workload, own in labels.get(ref.namespace, ())
            if selector and selector.items() <= own.items()
        )
    for place, behind in _endpoints(manifests, pods).items():
        if not found.get(place, ()):
            found[place] = behind
    return found


def _endpoints(
    manifests: Manifests, pods: Mapping[Place, model.Ref | None]
) -> dict[Place, tuple[model.Ref, ...]]:
    """What EndpointSlices lead to: all that is known of a Service without a selector."""
    found: dict[Place, dict[model.Ref, None]] = {}
    for ref, raw in of_kind(manifests, "EndpointSlice"):
        labels = (raw.get("metadata") or {}).get("labels") or {}
        service = labels.get("kubernetes.io/service-name")
        if not service:
            continue
        behind = found.setdefault((ref.namespace, service), {})
        for endpoint in raw.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            owner = pods.get((target.get("namespace", ref.namespace), target.get("name", "")))
            if owner is not None:
                behind[owner] = None
    return {place: tuple(sorted(behind)) for place, behind in found.items()}


def _pods(manifests: Manifests) -> dict[Place, model.Ref | None]:
    return {
        (ref.namespace, ref.name): owner_of_pod(ref.namespace, raw, manifests)
        for ref, raw in of_kind(manifests, "Pod")
    }


def _claims(manifests: Manifests) -> dict[Place, model.Ref]:
    found: dict[Place, model.Ref] = {}
    for ref, raw in of_kind(manifests, *WORKLOADS, *BATCH):
        for volume in (template(raw).get("spec") or {}).get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                found.setdefault((ref.namespace, claim), ref)
    for place, owner in _claims_of_replicas(manifests):
        found.setdefault(place, owner)
    return found


def _claims_of_replicas(manifests: Manifests) -> Iterator[tuple[Place, model.Ref]]:
    """A StatefulSet's claims are named TEMPLATE-NAME-ORDINAL."""
    for ref, raw in of_kind(manifests, "StatefulSet"):
        spec = raw.get("spec") or {}
        for each in spec.get("volumeClaimTemplates") or ():
            prefix = f"{(each.get('metadata') or {}).get('name', '')}-{ref.name}"
            for ordinal in range(int(spec.get("replicas", 1))):
                yield (ref.namespace, f"{prefix}-{ordinal}"), ref


def _autoscalers(manifests: Manifests) -> dict[Place, model.Ref]:
    found = {}
    for ref, raw in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = (raw.get("spec") or {}).get("scaleTargetRef") or {}
        if target.get("name"):
            kind = str(target.get("kind") or "Deployment")
            found[ref.namespace, ref.name] = model.Ref(kind, ref.namespace, target["name"])
    return found


def _nodes(manifests: Manifests) -> dict[str, model.Ref]:
    found = {}
    for ref, raw in of_kind(manifests, "Node"):
        for each in (raw.get("status") or {}).get("addresses") or ():
            if each.get("type") in _ADDRESSES and each.get("address"):
                found[str(each["address"])] = model.Ref("Node", "", ref.name)
    for ref, _ in of_kind(manifests, "Node"):
        found[ref.name] = model.Ref("Node", "", ref.name)
    return found
