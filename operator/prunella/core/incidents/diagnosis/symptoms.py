"""What is sick, since when, and how well a fault somewhere explains it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from prunella.core import model
from prunella.core.incidents import anomalies, suspects, values
from prunella.core.incidents.diagnosis import measurements, relations
from prunella.core.incidents.diagnosis.scene import WORKLOADS, Scene

HOPS = 5
"""How far up the callers a fault is followed."""
PASSED = 0.8
"""How much of a fault's explanation is left with each call up."""
CALLED = 0.4
"""How well a fault explains trouble of those that the faulty object calls: load, refused logins."""
PLACE = 0.9
"""How surely a workload with pods on a sick node is sick."""
MOST = 50
"""Sick objects whose dependencies are searched for the deepest abnormal one."""
WHOLE = model.Ref("Incident", "", "")
"""Who calls all that is sick: what is below it is what the incident may be about."""

Reach = Mapping[model.Ref, float]
Measurements = tuple[anomalies.Measurement, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Symptom:
    """One sick object as alerts tell it, and the workloads and nodes that it stands for."""

    target: model.Ref
    name: str
    at: float
    places: frozenset[model.Ref]


@dataclasses.dataclass(frozen=True, slots=True)
class Sick:
    """All that is sick: by alerts, and by measurements."""

    symptoms: tuple[Symptom, ...]
    abnormal: Mapping[model.Ref, anomalies.Anomaly]
    """The strongest anomaly of each object that is abnormal."""
    healthy: frozenset[model.Ref]
    """Objects that were measured and are as usual."""
    ranked: Mapping[model.Ref, values.Suspect]
    """By harm of their own, among what the sick objects depend on."""

    @property
    def direct(self) -> frozenset[model.Ref]:
        """Workloads and nodes that alerts are about."""
        return frozenset(place for each in self.symptoms for place in each.places)


def of(scene: Scene, incident: values.Incident) -> Sick:
    """Take stock of what is sick."""
    symptoms = tuple(_symptom(scene, each) for each in incident.members)
    measured = measurements.before(scene, incident.onset)
    judged = _judge(measured)
    abnormal = {ref: each for ref, each in judged.items() if each.strength >= suspects.AGREED}
    healthy = frozenset(judged) - abnormal.keys()
    places = [place for each in symptoms for place in sorted(each.places)]
    return Sick(
        symptoms, abnormal, healthy, _ranked(scene, measured, list(dict.fromkeys(places))[:MOST])
    )


def _symptom(scene: Scene, member: values.Member) -> Symptom:
    return Symptom(member.target, member.name, member.first, places(scene, member.target))


def places(scene: Scene, target: model.Ref) -> frozenset[model.Ref]:
    """The workloads and nodes that an alert's object stands for; itself when it is neither."""
    found = scene.workloads_of(target)
    if not found and target.kind != "Node":
        found = relations.related(scene, target)
    if not found:
        same = {each for each in scene.workloads if each[1:] == target[1:]}
        found = frozenset(same)
    return found or frozenset({target})


def _judge(measured: Measurements) -> dict[model.Ref, anomalies.Anomaly]:
    """The strongest anomaly of each object that is measured of late."""
    found: dict[model.Ref, anomalies.Anomaly] = {}
    for each in measured:
        if np.isfinite(each.recent).mean() < 0.5:
            continue
        anomaly = anomalies.judge(each)
        known = found.get(each.target)
        if anomaly is not None and (known is None or anomaly.strength > known.strength):
            found[each.target] = anomaly
    return found


def _ranked(
    scene: Scene, measured: Measurements, sick: list[model.Ref]
) -> dict[model.Ref, values.Suspect]:
    """By shares of the harm below all that is sick, of errors or of latency, which is larger."""
    calls = {**scene.calls, WHOLE: frozenset(sick)}
    found: dict[model.Ref, values.Suspect] = {}
    for quantity in (anomalies.Quantity.ERRORS, anomalies.Quantity.LATENCY):
        for each in suspects.rank(measured, calls, WHOLE, quantity):
            known = found.get(each.target)
            if known is None or each.score > known.score:
                found[each.target] = each
    return found


def reach(scene: Scene, hurts: frozenset[model.Ref]) -> Reach:
    """How well a fault that makes some objects sick explains that others are."""
    found = dict.fromkeys(hurts, 1.0)
    for node in [each for each in hurts if each.kind == "Node"]:
        for each in scene.on_node(node):
            found.setdefault(each, PLACE)
    edge, strength = set(found), 1.0
    called = {each for caller in hurts for each in scene.calls.get(caller, ())}
    for _ in range(HOPS):
        strength *= PASSED
        edge = {each for callee in edge for each in scene.callers.get(callee, ())} - found.keys()
        found.update(dict.fromkeys(edge, strength))
    return {**dict.fromkeys(called, CALLED), **found}


def explained(symptom: Symptom, target: model.Ref, reached: Reach) -> float:
    """How well a cause explains one symptom, 0 to 1."""
    if symptom.target == target or target in symptom.places:
        return 1.0
    best = max((reached.get(each, 0.0) for each in symptom.places), default=0.0)
    if not best and symptom.target.kind == "Namespace":
        name = symptom.target.name
        inside = (each for each in reached if each.kind in WORKLOADS)
        return 0.5 if any(each.namespace == name for each in inside) else 0.0
    return best
