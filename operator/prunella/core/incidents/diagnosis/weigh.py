"""How much speaks against a candidate, as log-odds that add up.

The parts and what each is for stand in docs/design/0025-diagnosis.md.
"""

from __future__ import annotations

import dataclasses
import math

from prunella.core import model
from prunella.core.incidents.diagnosis import changes, faults, history, symptoms
from prunella.core.incidents.diagnosis.candidates import Blamed, Candidate
from prunella.core.incidents.diagnosis.changes import Touch
from prunella.core.incidents.diagnosis.scene import Scene

PRIOR = -3.0
"""Any one object, before anything is known of it."""
EXPLAINS = 3.0
"""It explains all symptoms."""
BEST = 0.4
"""How much of that the one counts that it explains best: there may be other causes beside it."""
DIRECT = 0.5
"""It explains one at the object itself, and not over callers."""
EXPLAINS_NONE = -5.0
OWN = 1.5
"""What it touches is itself sick, by an alert or by measurements."""
HEALTHY = -3.5
"""All that it touches was measured and is as usual."""
CHANGED = 0.5
"""A fault that a change in time explains, beside how close that was."""
OLD = -2.5
"""A fault that was there long before the first symptom."""
LONG_BEFORE = 1800.0
MORE = 0.25
"""What a further fault of the same object adds of its weight."""
MOST_MORE = 1.0
DEEPEST = 2.0
"""It has most harm of its own of all that the sick objects depend on."""
PASSED_ON = 0.1
"""Share of the most harm of its own from which a caller's trouble is also its own."""
FELT_BY_CALLERS = (
    "ConfigMap",
    "Service",
    "NetworkPolicy",
    "Ingress",
    "HTTPRoute",
    "VirtualService",
)
"""Kinds whose faults the callers feel, and not only the workloads that they touch."""


@dataclasses.dataclass(slots=True)
class Weighed:
    """A candidate with its log-odds, and what they are made of."""

    candidate: Candidate
    odds: float
    reach: symptoms.Reach
    explained: tuple[float, ...]
    """How well it explains each symptom."""
    fault: Blamed | None = None
    """Its heaviest fault."""
    touch: Touch | None = None
    """The change that is suspected."""
    onset: float | None = None
    """When the first symptom that it explains began."""
    own: bool = False
    """Whether what it touches is itself sick."""
    healthy: bool = False
    past: history.Past | None = None

    @property
    def target(self) -> model.Ref:
        """The object."""
        return self.candidate.target

    @property
    def probability(self) -> float:
        """The log-odds as a number from 0 to 1."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.odds))))

    @property
    def general(self) -> bool:
        """Whether nothing but a state speaks against it that somebody else may have caused."""
        fault = self.fault
        return self.touch is None and (fault is None or fault.fault.general)


def weigh(
    scene: Scene,
    sick: symptoms.Sick,
    candidate: Candidate,
    past: tuple[history.Past, ...] = (),
) -> Weighed:
    """Add up what speaks for and against a candidate."""
    reach = symptoms.reach(scene, candidate.hurts)
    shares = tuple(symptoms.explained(each, candidate.target, reach) for each in sick.symptoms)
    found = Weighed(candidate, PRIOR, reach, shares)
    found.odds += _explains(shares)
    found.own, found.healthy = _own(scene, sick, candidate)
    _add_change(found, sick)
    _add_fault(found)
    if candidate.ranked is not None:
        found.odds += DEEPEST * candidate.ranked.score
    _add_past(found, sick, past)
    return found


def _explains(shares: tuple[float, ...]) -> float:
    if not shares:
        return 0.0
    if max(shares) == 0:
        return EXPLAINS_NONE
    share = BEST * max(shares) + (1 - BEST) * sum(shares) / len(shares)
    return EXPLAINS * share + (DIRECT if max(shares) == 1.0 else 0.0)


def _own(scene: Scene, sick: symptoms.Sick, candidate: Candidate) -> tuple[bool, bool]:
    """Whether what it touches is sick, or all measured and as usual."""
    felt = set(candidate.hurts)
    if candidate.target.kind in FELT_BY_CALLERS:
        callers = {each for ref in candidate.hurts for each in scene.callers.get(ref, ())}
        felt |= {each for each in callers if not _passes_on(sick, each)}
    if felt & (sick.direct | sick.abnormal.keys()):
        return True, False
    known = felt & scene.workloads.keys()
    return False, bool(known) and known <= sick.healthy


def _passes_on(sick: symptoms.Sick, ref: model.Ref) -> bool:
    """Whether the trouble of an object is that of what it calls: it says nothing of the rest."""
    own = sick.ranked.get(ref)
    return own is not None and own.score <= PASSED_ON * max(
        each.score for each in sick.ranked.values()
    )


def _add_change(found: Weighed, sick: symptoms.Sick) -> None:
    """The change that is closest before a symptom that it may explain."""
    times = [
        each.at for each, share in zip(sick.symptoms, found.explained, strict=True) if share > 0
    ]
    times += [
        each.onset
        for ref, each in sick.abnormal.items()
        if ref in found.reach and each.onset is not None
    ]
    found.onset = min(times, default=None)
    best = -math.inf
    for touch, extra in _touches(found.candidate):
        onset = min((at for at in times if at >= touch.at - changes.SKEW), default=None)
        if onset is None:
            continue
        odds = changes.closeness(onset - touch.at) + extra
        if odds > best:
            best, found.touch, found.onset = odds, touch, onset
    best += OWN if found.own else HEALTHY if found.healthy else 0.0
    if best < 0 and (found.candidate.blamed or found.candidate.ranked is not None):
        found.touch = None  # what else speaks against it does not need a change
    if found.touch is not None:
        found.odds += best


def _touches(candidate: Candidate) -> list[tuple[Touch, float]]:
    """Its changes, with what their fields add: one that made a fault needs no other danger."""
    made = [(each.touch, CHANGED) for each in candidate.blamed if each.touch is not None]
    known = {id(each.change) for each, _ in made}
    return made + [
        (each, each.danger) for each in candidate.touches if id(each.change) not in known
    ]


def _add_fault(found: Weighed) -> None:
    blamed = sorted(found.candidate.blamed, key=lambda each: -_weight(each, found))
    if not blamed:
        return
    found.fault = blamed[0]
    more = MORE * sum(max(0.0, _weight(each, found)) for each in blamed[1:])
    found.odds += _weight(blamed[0], found) + min(MOST_MORE, more)


def _weight(blamed: Blamed, found: Weighed) -> float:
    fault, onset = blamed.fault, found.onset
    old = (
        blamed.touch is None
        and fault.since is not None
        and onset is not None
        and fault.since < onset - LONG_BEFORE
    )
    made_it = blamed.touch is not None and fault.weight > faults.FAINT
    return fault.weight + (OLD if old else 0.0) + (0.25 if made_it else 0.0)


def _add_past(found: Weighed, sick: symptoms.Sick, past: tuple[history.Past, ...]) -> None:
    names = frozenset((each.target, each.name) for each in sick.symptoms)
    found.past = history.about(past, found.target, names)
    if found.past is not None:
        found.odds += history.CONFIRMED if found.past.confirmed else history.REJECTED
