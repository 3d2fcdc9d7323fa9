"""Nodes that do not work or take no pods, and places that several sick nodes share."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, placement, read
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import Scene

LEASES = "kube-node-lease"
"""Namespace of the nodes' leases, which kubelets renew each 10 s."""
SILENT = 25.0
"""Seconds without a renewal: two are missed. The control plane itself waits for 40 s and more."""
LATE = 15.0
"""Seconds without a renewal: one is missed. The node may be lost, or not."""
FEWEST = 3
"""Sick nodes from which the place that they share is named: two may fall out by chance, or by one
hand that took both, and are named themselves."""
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def find(scene: Scene) -> Iterator[Fault]:
    """Sick nodes, cordoned nodes, and zones or racks in which several are sick."""
    sick = [each for each in scene.of("Node") if _not_ready(scene.get(each))]
    silent = _unheard(scene, SILENT)
    for node in sorted(scene.of("Node")):
        yield from _node(scene, node, silent.get(node))
    yield from _places(scene, frozenset(sick))


def _not_ready(raw: read.Raw) -> read.Raw:
    ready = read.condition(raw, "Ready")
    return ready if ready.get("status") in ("False", "Unknown") else read.NOTHING


def _node(scene: Scene, node: model.Ref, silence: float | None) -> Iterator[Fault]:
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
    if silence is not None:
        yield Fault(
            node, "status.conditions[type=Ready]", CauseKind.NODE, "node",
            f"node {node.name} has not renewed its lease for {silence:.0f} s; {told}",
            faults.SURE - 0.5, hurts, scene.view.at - silence, fields=("",),
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


def doubted(scene: Scene) -> frozenset[model.Ref]:
    """Workloads with pods on a node that may be lost: what ails them may be the node's."""
    return frozenset(each for node in _unheard(scene, LATE) for each in scene.on_node(node))


def _unheard(scene: Scene, longer: float) -> dict[model.Ref, float]:
    """Nodes that were not heard of for longer than some seconds, and for how long.

    When they are more than half it is a clock, or the API server: then none.
    """
    there = {each.name for each in scene.of("Node")}  # leases outlive their nodes for a while
    leases = scene.of("Lease", LEASES).items()
    ages = {ref.name: _age(scene, raw) for ref, raw in leases if ref.name in there}
    found = {model.Ref("Node", "", name): age for name, age in ages.items() if age > longer}
    return {} if len(found) * 2 > len(ages) else found


def _age(scene: Scene, lease: read.Raw) -> float:
    renewed = read.time(read.value(lease, "spec", "renewTime"))
    return 0.0 if renewed is None else scene.view.at - renewed


def _cordoned(scene: Scene, node: model.Ref) -> Fault:
    """A cordon alone harms nobody; it does when pods wait for a node."""
    waiting = placement.waiting(scene, node)
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
        for place in _above(scene, node):
            members.setdefault(place, set()).add(node)
    for place, nodes in sorted(members.items()):
        inside, outside = len(nodes & sick), len(sick - nodes)
        if inside < FEWEST or inside < len(nodes) / 2 or outside * 2 > inside:
            continue
        hurts = frozenset(each for node in nodes for each in scene.on_node(node)) | nodes
        yield Fault(
            place, "", CauseKind.NODE, "node",
            f"{inside} of {len(nodes)} nodes of {place} are not ready, and {outside} elsewhere",
            faults.SURE + 0.5, frozenset(hurts),
        )  # fmt: skip


def _above(scene: Scene, node: model.Ref) -> set[model.Ref]:
    """The rack and the zone that a node stands in."""
    found: set[model.Ref] = set()
    edge = {node}
    while edge:
        edge = {place for ref in edge for place in scene.view.places.get(ref, ())} - found
        found |= edge
    return found
