"""Incidents that were there before the operator was started, until the sources confirm them.

A correlator starts with nothing, and its sources tell it again what fires now.  What an Incident
object names as its symptom belongs to that incident, without any guess: so a restart in the
middle of a storm doubles nothing.  For each symptom that is not told again yet, something stands
in for it in the open incident; it ends when nobody confirms it.
"""

from __future__ import annotations

from collections.abc import Iterable

from prunella.core.incidents import naming, values
from prunella.core.incidents.group import Firing, Group


class TakenUp:
    """What the objects of incidents say of symptoms, by symptom."""

    def __init__(self) -> None:
        self._known: dict[str, values.Known] = {}
        self._symptoms: dict[values.Symptom, str] = {}
        self._unlisted: dict[str, str] = {}
        self._stand_ins: dict[values.Symptom, Firing] = {}

    def add(self, known: values.Known) -> None:
        """Remember an incident; of two that name the same symptom, the newer one has it."""
        self._known[known.name] = known
        for member in known.members:
            self._symptoms[member.symptom] = known.name
        for each in known.unlisted:
            self._unlisted[each] = known.name

    def of(self, symptom: values.Symptom) -> values.Known | None:
        """The incident that had a symptom when the operator was started."""
        name = self._symptoms.get(symptom)
        if name is None and self._unlisted:
            name = self._unlisted.get(naming.symptom_hash(symptom))
        return None if name is None else self._known[name]

    def forget(self, symptom: values.Symptom) -> None:
        """It has been told of since: from now on the correlator knows better."""
        self._symptoms.pop(symptom, None)

    def stand_in(self, symptom: values.Symptom, firing: Firing) -> None:
        """Remember what stands in for a symptom."""
        self._stand_ins[symptom] = firing

    def confirm(self, symptom: values.Symptom) -> Firing | None:
        """What stood in for a symptom that is told again; None if nothing does any more."""
        return self._stand_ins.pop(symptom, None)

    def unconfirmed(self) -> Iterable[Firing]:
        """What still stands in, for the last time."""
        left, self._stand_ins = list(self._stand_ins.values()), {}
        return left


def stand_ins(known: values.Known, entities: Iterable[int]) -> list[tuple[values.Symptom, Firing]]:
    """A firing for each symptom of an open incident, ended when the symptom has."""
    made = []
    for member, entity in zip(known.members, entities, strict=True):
        series = values.Series(member.target, member.name, ())
        firing = Firing(
            values.Fingerprint(series, member.first), entity, member.first, known.last, counts=0
        )
        firing.settled = True
        firing.ended = None if member.firing else known.last
        firing.source, firing.message = member.source, member.message
        made.append((member.symptom, firing))
    return made


def count(group: Group, known: values.Known) -> None:
    """Let the group count what its object has counted, named or not."""
    for member in known.members:
        group.counted[member.symptom] += member.count
    rest = known.alerts - sum(member.count for member in known.members)
    if rest > 0 and known.members:
        group.counted[values.Symptom(known.members[0].target, "")] += rest
