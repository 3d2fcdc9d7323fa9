"""Pods that no node takes, and which side is why: the pod's wishes, or the nodes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, placement, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_SPEC = "spec.template.spec"


class Reason(NamedTuple):
    """A sort of refusal in the scheduler's words, and what of the pod and of nodes it is about."""

    words: str
    fields: tuple[str, ...]
    """Paths below the pod template's spec."""
    node_fields: tuple[str, ...]
    cause_kind: CauseKind = CauseKind.SCHEDULING


REASONS = (
    Reason("anti-affinity", ("affinity.podAntiAffinity", "affinity"), ()),
    Reason("pod affinity rules", ("affinity.podAffinity", "affinity"), ()),
    Reason("topology spread", ("topologySpreadConstraints",), ()),
    Reason("volume node affinity", ("volumes",), (), CauseKind.STORAGE),
    Reason("node affinity/selector", ("nodeSelector", "affinity"), ()),
    Reason("untolerated taint", ("tolerations",), ("spec.taints", "spec.unschedulable")),
    Reason("unschedulable", (), ("spec.unschedulable",), CauseKind.NODE),
    Reason("Insufficient", ("containers",), ("status.allocatable",), CauseKind.RESOURCES),
    Reason("Too many pods", (), (), CauseKind.SCHEDULING),
    Reason("free ports", ("containers", "hostNetwork"), ()),
)

_MET = ("node affinity/selector", "untolerated taint")
"""Reasons that only say of some nodes that they are not meant, where others are."""


def find(scene: Scene) -> Iterator[Fault]:
    """One fault for each workload with a pod that waits for a node."""
    seen: set[model.Ref] = set()
    for pod, workload in sorted(scene.owners.items()):
        raw = scene.get(pod)
        if workload in seen or read.text(raw, "spec", "nodeName"):
            continue
        placed = read.condition(raw, "PodScheduled")
        if placed.get("status") != "False":
            continue
        seen.add(workload)
        since = read.time(placed.get("lastTransitionTime"))
        yield from _unplaced(scene, workload, read.text(placed, "message"), since)


def _unplaced(
    scene: Scene, workload: model.Ref, message: str, since: float | None
) -> Iterator[Fault]:
    told = f"no node takes pods of {workload}: {message[:300]}"
    if "persistentvolumeclaim" in message.lower():
        yield _storage(workload, told, since)
        return
    reasons = [each for each in REASONS if each.words in message]
    if not reasons:
        return
    by_pod = _by_pod(scene, workload, reasons)
    spec = read.mapping(scene.template(workload), "spec")
    meant = [
        each for each, raw in sorted(scene.of("Node").items()) if placement.is_meant(spec, raw)
    ]
    sides = (*_node_sides(meant, reasons), *_label_sides(scene, spec, meant))
    cordoned = [each for each in meant if _cordoned(scene, each)]
    hurts = frozenset({workload})
    own = tuple(f"{_SPEC}.{path}" for each in reasons for path in each.fields)
    if not by_pod and cordoned:
        yield Fault(
            cordoned[0], "spec.unschedulable", CauseKind.NODE, "pod", told, faults.LIKELY, hurts,
            since, (*sides, Side(workload, own, CauseKind.SCHEDULING)),
        )  # fmt: skip
        return
    met = [each for each in reasons if each.words not in _MET] or reasons
    field = by_pod[0] if by_pod else (met[0].fields or ("containers",))[0]
    kind = CauseKind.RESOURCES if field.startswith("containers") else CauseKind.SCHEDULING
    yield Fault(
        workload, f"{_SPEC}.{field}", kind, "pod", told,
        faults.SURE - 0.5 if by_pod else faults.POSSIBLE + 0.5, hurts, since, sides,
        general=not by_pod, fields=(*own, f"{_SPEC}.{field}", "spec.replicas"),
    )  # fmt: skip


def _storage(workload: model.Ref, told: str, since: float | None) -> Fault:
    path = f"{_SPEC}.volumes"
    claims = re.findall(r'persistentvolumeclaim "([^"]+)"', told)
    sides = (
        Side(
            model.Ref("PersistentVolumeClaim", workload.namespace, claim), ("",), CauseKind.STORAGE
        )
        for claim in claims
    )
    return Fault(
        workload, path, CauseKind.STORAGE, "pod", told, faults.LIKELY, frozenset({workload}),
        since, tuple(sides),
    )  # fmt: skip


def _by_pod(scene: Scene, workload: model.Ref, reasons: list[Reason]) -> tuple[str, ...]:
    """The fields of the pod that no node could meet, even an empty one."""
    spec = read.mapping(scene.template(workload), "spec")
    nodes = scene.of("Node")
    found = []
    selected = [each for each in nodes.values() if placement.is_selected(spec, each)]
    if nodes and not selected:
        found.append("nodeSelector")
    if nodes and not any(placement.is_affine(spec, each) for each in nodes.values()):
        found.append("affinity.nodeAffinity")
    too_large = _too_large(spec, [each for each in selected if placement.is_affine(spec, each)])
    if too_large:
        found.append(too_large)
    words = {each.words for each in reasons}
    if not found and {"anti-affinity", "pod affinity rules", "topology spread"} & words:
        first = next(each for each in reasons if each.words in words and each.node_fields == ())
        found.append(first.fields[0] if first.fields else "affinity")
    return tuple(found)


def _too_large(spec: read.Raw, nodes: Collection[read.Raw]) -> str:
    """The path of a request that is larger than any node; empty when there is none."""
    for container in read.items(spec, "containers"):
        for resource, amount in read.mapping(container, "resources", "requests").items():
            wanted = read.quantity(amount)
            have = [
                read.quantity(read.value(each, "status", "allocatable", resource)) or 0.0
                for each in nodes
            ]
            if wanted is not None and have and wanted > max(have):
                return (
                    f"containers[name={read.text(container, 'name')}].resources.requests.{resource}"
                )
    return ""


def _node_sides(meant: Collection[model.Ref], reasons: list[Reason]) -> Iterator[Side]:
    """The nodes that the pod wants, any of which may have been changed so that it is not taken."""
    fields = tuple(path for each in reasons for path in each.node_fields)
    for node in meant if fields else ():
        yield Side(node, fields, CauseKind.NODE)


def _label_sides(scene: Scene, spec: read.Raw, meant: Collection[model.Ref]) -> Iterator[Side]:
    """The other nodes, which may have lost a label that the pod wants."""
    keys = list(read.labels(spec, "nodeSelector"))
    rule = placement.required(spec)
    for term in read.items(rule, "nodeSelectorTerms"):
        keys += [read.text(each, "key") for each in read.items(term, "matchExpressions")]
    fields = tuple(faults.child("metadata.labels", key) for key in keys)
    for node in sorted(scene.of("Node").keys() - set(meant)) if fields else ():
        yield Side(node, fields, CauseKind.NODE)


def _cordoned(scene: Scene, node: model.Ref) -> bool:
    return read.value(scene.get(node), "spec", "unschedulable") is True
