"""Places that many sick objects share, by topology alone: a rack, a zone, a node."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import faults
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import WORKLOADS, Scene

LIKELY = 0.5
"""From which share of the likelihood a place is named."""
FEWEST = 3
"""Sick objects that a place must explain: two may share a node by chance."""


def find(scene: Scene, incident: values.Incident) -> Iterator[Fault]:
    """The places that correlation suspects, when they explain several sick workloads."""
    sick = {place for each in incident.members for place in scene.workloads_of(each.target)}
    sick |= {each.target for each in incident.members}
    if len(sick) < FEWEST:
        return
    for each in incident.suspects:
        if each.score < LIKELY or each.target.kind in (*WORKLOADS, "Service", "Pod"):
            continue
        standing = _standing(scene, each.target)
        yield Fault(
            each.target, "", CauseKind.NODE, "topology",
            "; ".join(one.sentence for one in each.evidence)
            or f"{len(standing)} objects stand on {each.target}",
            faults.POSSIBLE + each.score, standing | {each.target}, general=True,
        )  # fmt: skip


def _standing(scene: Scene, place: model.Ref) -> frozenset[model.Ref]:
    """All that stands on a place, over nodes and racks."""
    found: set[model.Ref] = set()
    edge = {place}
    while edge:
        edge = {ref for ref, some in scene.view.places.items() if edge & set(some)} - found
        found |= edge
    return frozenset(found)
