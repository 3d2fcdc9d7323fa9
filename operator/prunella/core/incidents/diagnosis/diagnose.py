"""The likely causes of an incident, with what speaks for each, and what was ruled out.

Pure: the same view and incident give the same answer.  Three steps: gather every object that
something speaks against, weigh each by itself, then let the heavier explain the lighter away.
"""

from __future__ import annotations

from collections.abc import Sequence

from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import (
    candidates,
    changes,
    explain,
    faults,
    fields,
    nodes,
    symptoms,
    weigh,
    wording,
)
from prunella.core.incidents.diagnosis import history as earlier
from prunella.core.incidents.diagnosis.changes import Touch
from prunella.core.incidents.diagnosis.scene import Scene
from prunella.core.incidents.diagnosis.values import Diagnosis, View
from prunella.core.incidents.diagnosis.weigh import Weighed

MOST = 5
MOST_RULED_OUT = 16
ANSWER = 0.5
"""Probability that the first suspect must reach, or there is no answer at all."""
NAMED = 0.15
"""Probability from which others are named after it."""


def diagnose(
    view: View, incident: values.Incident, history: Sequence[values.Record] = ()
) -> Diagnosis:
    """Rank the objects that may be the cause; empty when nothing speaks against any.

    ``history`` are earlier incidents whose suspects a person has judged.
    """
    scene = Scene(view)
    sick = symptoms.of(scene, incident)
    past = earlier.of(history)
    found = [
        weigh.weigh(scene, sick, each, past) for each in candidates.gather(scene, incident, sick)
    ]
    ranked = explain.away(scene, found)
    named = ranked[:MOST] if ranked and ranked[0].probability >= ANSWER else []
    named = [each for each in named if each.probability >= NAMED]
    others = [each for each in ranked if each not in named]
    doubted = nodes.doubted(scene)
    return Diagnosis(
        tuple(wording.suspect(each, sick, doubted) for each in named),
        tuple(_ruled_out(scene, incident, others, named)[:MOST_RULED_OUT]),
    )


def _ruled_out(
    scene: Scene, incident: values.Incident, others: list[Weighed], named: list[Weighed]
) -> list[str]:
    """What was looked at and is not suspected: changes of the last hour, and faults."""
    blamed = {id(each.touch.change) for each in named if each.touch is not None}
    near = _near(scene, incident)
    told: list[tuple[bool, float, str]] = []
    weighed = {each.target: each for each in others}
    for touch in changes.touches(scene):
        if id(touch.change) in blamed or touch.at < incident.onset - changes.LOOK_BACK:
            continue
        why = _why_not(touch, incident, weighed)
        if why:
            sentence = f"{changes.sentence(touch, incident.onset)}: {why}"
            told.append((not touch.hurts & near, abs(incident.onset - touch.at), sentence))
    faulty = [
        f"{each.target}: {each.fault.fault.sentence}: no symptom depends on it"
        for each in others
        if each.fault is not None
        and each.fault.fault.weight >= faults.LIKELY
        and each.touch is None
        and not any(each.explained)
    ]
    return [sentence for _, _, sentence in sorted(told)] + faulty


def _near(scene: Scene, incident: values.Incident) -> frozenset[model.Ref]:
    """What is sick, and what it calls: changes of these are asked for first."""
    sick = {place for each in incident.members for place in symptoms.places(scene, each.target)}
    return frozenset(sick | {each for ref in sick for each in scene.calls.get(ref, ())})


def _why_not(touch: Touch, incident: values.Incident, weighed: dict[model.Ref, Weighed]) -> str:
    if touch.danger <= fields.HARMLESS:
        return "" if touch.reason in (changes.TOGETHER, fields.NEW) else touch.reason
    if touch.at > incident.last + changes.SKEW:
        return "it came after the last symptom"
    found = weighed.get(touch.target)
    if found is None:
        return ""
    if not any(found.explained):
        return "no symptom depends on what it touches"
    if found.healthy:
        return "what it touches was measured and is as usual"
    return f"others are likelier ({found.probability:.2f})"
