"""Places that many sick objects share, by topology alone: a rack, a zone, a node."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
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
        standing = frozenset(
            above
            for above, below in scene.view.places.items()
            if each.target in below or any(each.target in _below(scene, one) for one in below)
        )
        yield Fault(
            each.target, "", CauseKind.NODE, "topology",
            "; ".join(one.sentence for one in each.evidence)
            or f"{len(standing)} objects stand on {each.target}",
            faults.POSSIBLE + each.score, standing | {each.target}, general=True,
        )  # fmt: skip


def _below(scene: Scene, ref: object) -> tuple[object, ...]:
    return tuple(each for key, some in scene.view.places.items() if key == ref for each in some)
