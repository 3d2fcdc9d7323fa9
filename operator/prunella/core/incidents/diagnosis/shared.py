"""Places that many sick objects share, by topology alone: a rack, a zone, a node."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents import places, values
from prunella.core.incidents.diagnosis import faults
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import WORKLOADS, Scene

LIKELY = 0.5
"""From which share of the likelihood a place is named."""
MOSTLY = 0.5
"""Share of what is sick that a place must explain."""
BEFORE, AFTER = 300.0, 3600.0
"""Seconds around an incident's first symptom in which other symptoms may have its cause."""


def find(scene: Scene, incident: values.Incident) -> Iterator[Fault]:
    """The place that is sick itself, and those that correlation suspects and shares bear out."""
    sick = _sick(scene, incident)
    ill = sick | _elsewhere(scene, incident)
    if len(ill) < places.FEWEST:
        return
    view = scene.view
    known = view.standing or places.Places(view.calls, view.places)
    clear = known.clearest(ill)
    if clear is not None and _mostly(known.explained(clear.place, ill), sick):
        yield _fault(scene, clear.place, clear.sentence(), 1.0)
    if len(sick) < places.FEWEST:
        return
    for each in incident.suspects:
        if each.score < LIKELY or each.target.kind in (*WORKLOADS, "Service", "Pod"):
            continue
        found = known.contrast(each.target, ill)
        if each.target == (clear and clear.place) or (found and not found.stands_out):
            continue
        told = "; ".join(one.sentence for one in each.evidence)
        yield _fault(scene, each.target, told, each.score)


def _sick(scene: Scene, incident: values.Incident) -> frozenset[model.Ref]:
    """What the incident's alerts are about, and the workloads that this stands for."""
    found = {place for each in incident.members for place in scene.workloads_of(each.target)}
    return frozenset(found | {each.target for each in incident.members})


def _elsewhere(scene: Scene, incident: values.Incident) -> frozenset[model.Ref]:
    """What other open incidents say is sick since about the same time."""
    first, last = incident.onset - BEFORE, incident.onset + AFTER
    return frozenset(ref for ref, at in scene.view.sick.items() if first <= at <= last)


def _mostly(explained: frozenset[model.Ref], sick: frozenset[model.Ref]) -> bool:
    return len(explained & sick) >= MOSTLY * len(sick)


def _fault(scene: Scene, place: model.Ref, told: str, score: float) -> Fault:
    standing = _standing(scene, place)
    return Fault(
        place, "", CauseKind.NODE, "topology",
        told or f"{len(standing)} objects stand on {place}",
        faults.POSSIBLE + score, standing | {place}, general=True,
    )  # fmt: skip


def _standing(scene: Scene, place: model.Ref) -> frozenset[model.Ref]:
    """All that stands on a place, over nodes and racks."""
    found: set[model.Ref] = set()
    edge = {place}
    while edge:
        edge = {ref for ref, some in scene.view.places.items() if edge & set(some)} - found
        found |= edge
    return frozenset(found)
