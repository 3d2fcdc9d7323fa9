"""Nodes that do not work or take no pods, and places that several sick nodes share."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import Scene

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def find(scene: Scene) -> Iterator[Fault]:
    """Sick nodes, cordoned nodes, and zones or racks in which several are sick."""
    sick = [each for each in scene.of("Node") if _not_ready(scene.get(each))]
    for node in sorted(scene.of("Node")):
        yield from _node(scene, node)
    yield from _places(scene, frozenset(sick))


def _not_ready(raw: read.Raw) -> read.Raw:
    ready = read.condition(raw, "Ready")
    return ready if ready.get("status") in ("False", "Unknown") else read.NOTHING


def _node(scene: Scene, node: model.Ref) -> Iterator[Fault]:
    raw, hurts = scene.get(node), scene.on_node(node) | {node}
    told = f"{len(hurts) - 1} workloads have pods there"
    if ready := _not_ready(raw):
        yield Fault(
            node, "status.conditions[type=Ready]", CauseKind.NODE, "node",
            f"node {node.name} is not ready ({read.text(ready, 'reason')}: "
            f"{read.text(ready, 'message')[:160]}); {told}",
            faults.SURE, hurts, read.time(ready.get("lastTransitionTime")), fields=("",),
        )  # fmt: skip
        return
    for kind in _PRESSURES:
        found = read.condition(raw, kind)
        if found.get("status") == "True":
            yield Fault(
                node, f"status.conditions[type={kind}]", CauseKind.NODE, "node",
                f"node {node.name} has {kind}: {read.text(found, 'message')[:160]}; {told}",
                faults.LIKELY, hurts, read.time(found.get("lastTransitionTime")), fields=("",),
            )  # fmt: skip
    if read.value(raw, "spec", "unschedulable") is True:
        yield _cordoned(scene, node)


def _cordoned(scene: Scene, node: model.Ref) -> Fault:
    """A cordon alone harms nobody; it does when pods wait for a node."""
    waiting = frozenset(
        owner
        for pod, owner in scene.owners.items()
        if read.condition(scene.get(pod), "PodScheduled").get("status") == "False"
    )
    return Fault(
        node, "spec.unschedulable", CauseKind.NODE, "node",
        f"node {node.name} is cordoned; pods of {len(waiting)} workloads wait for a node",
        faults.POSSIBLE if waiting else faults.FAINT, waiting,
        fields=("spec.unschedulable", "spec.taints"),
    )  # fmt: skip


def _places(scene: Scene, sick: frozenset[model.Ref]) -> Iterator[Fault]:
    """A zone or rack most of whose nodes are sick, when few are sick elsewhere."""
    members: dict[model.Ref, set[model.Ref]] = {}
    for node in scene.of("Node"):
        for place in scene.view.places.get(node, ()):
            members.setdefault(place, set()).add(node)
    for place, nodes in sorted(members.items()):
        inside, outside = len(nodes & sick), len(sick - nodes)
        if inside < 2 or inside < len(nodes) / 2 or outside * 2 > inside:
            continue
        hurts = frozenset(each for node in nodes for each in scene.on_node(node)) | nodes
        yield Fault(
            place, "", CauseKind.NODE, "node",
            f"{inside} of {len(nodes)} nodes of {place} are not ready, and {outside} elsewhere",
            faults.SURE + 0.5, frozenset(hurts),
        )  # fmt: skip
