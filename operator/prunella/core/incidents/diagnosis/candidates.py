"""Who may be suspected: each object once, with its faults, its changes and its anomalies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import (
    admission,
    changes,
    dns,
    fields,
    nodes,
    pods,
    policies,
    probes,
    references,
    resources,
    routes,
    saturation,
    scaling,
    scheduling,
    services,
    shared,
    symptoms,
)
from prunella.core.incidents.diagnosis.changes import Touch
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

Finder = Callable[[Scene], Iterator[Fault]]

FINDERS: tuple[Finder, ...] = (
    # Make sure that what leads to a workload leads to it.
    services.find,
    routes.find,
    policies.find,
    dns.find,
    # Make sure that what a workload refers to is there.
    references.find,
    # Make sure that its pods may exist, are placed, start and are ready.
    scaling.find,
    admission.find,
    scheduling.find,
    pods.find,
    probes.find,
    resources.find,
    # Make sure that they stand on something, and have what they need of it.
    nodes.find,
    saturation.find,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Blamed:
    """A fault with the side that is blamed for it, and the change of that side if there is one."""

    fault: Fault
    side: Side
    touch: Touch | None


@dataclasses.dataclass(slots=True)
class Candidate:
    """An object and all that speaks against it."""

    target: model.Ref
    blamed: list[Blamed] = dataclasses.field(default_factory=list)
    touches: list[Touch] = dataclasses.field(default_factory=list)
    """Dangerous changes of it before a symptom that it may explain."""
    ranked: values.Suspect | None = None

    @property
    def hurts(self) -> frozenset[model.Ref]:
        """All that it makes sick by itself."""
        found = frozenset(ref for each in self.blamed for ref in each.fault.hurts)
        found |= frozenset(ref for each in self.touches for ref in each.hurts)
        # A node makes sick what its faults say: a cordoned one, nobody who runs there.
        return found if self.target.kind == "Node" else found | {self.target}


def gather(scene: Scene, incident: values.Incident, sick: symptoms.Sick) -> list[Candidate]:
    """All candidates, without a weight yet."""
    found: dict[model.Ref, Candidate] = {}
    touches = changes.touches(scene)
    faults = [each for finder in FINDERS for each in finder(scene)]
    faults += shared.find(scene, incident)
    for fault in faults:
        blamed = blame(fault, touches, _latest(sick, incident))
        _candidate(found, blamed.side.target).blamed.append(blamed)
    for touch in touches:
        if touch.danger > fields.HARMLESS and _in_time(touch, incident, sick):
            _candidate(found, touch.target).touches.append(touch)
    for ref, suspect in sick.ranked.items():
        _candidate(found, ref).ranked = suspect
    return list(found.values())


def _candidate(found: dict[model.Ref, Candidate], target: model.Ref) -> Candidate:
    return found.setdefault(target, Candidate(target))


def _latest(sick: symptoms.Sick, incident: values.Incident) -> float:
    return max((each.at for each in sick.symptoms), default=incident.last)


def _in_time(touch: Touch, incident: values.Incident, sick: symptoms.Sick) -> bool:
    before = touch.at >= incident.onset - changes.LOOK_BACK
    return before and touch.at <= _latest(sick, incident) + changes.SKEW


def blame(fault: Fault, touches: Iterable[Touch], latest: float) -> Blamed:
    """The side that changed last before the last symptom; the usual culprit when none did."""
    until = latest if fault.since is None else max(fault.since, latest)
    best: Blamed | None = None
    for side in fault.all_sides:
        for touch in touches:
            if touch.at > until + changes.SKEW or _is_mere_birth(touch, fault):
                continue
            if changes.matches(touch, side.target, side.fields) and (
                best is None or best.touch is None or touch.at > best.touch.at
            ):
                best = Blamed(fault, side, touch)
    return best or Blamed(fault, fault.all_sides[0], None)


def _is_mere_birth(touch: Touch, fault: Fault) -> bool:
    """Whether a change only made an object, which took nothing from anybody by it.

    What is sick was not broken by being made, nor does who is on the other side of a mismatch
    break it by coming; a policy or a quota does.
    """
    if not changes.is_created(touch) or changes.takes(touch.target.kind):
        return False
    return touch.target in fault.hurts or touch.target != fault.target
