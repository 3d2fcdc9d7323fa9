"""Where an incident is kept, and what of it may be shown in a namespace.

Who may read a namespace's incidents may not read other namespaces.  So an incident is kept where
it is sick only if all that it says is about that namespace; else it is kept in the operator's,
with a short copy in each namespace that shows nothing of the others: neither names nor values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import words

OUTSIDE = "outside this namespace"
_WORD = re.compile(r"[A-Za-z0-9-]+")
Status = incident_api.IncidentStatus


class Foreign:
    """Tells texts that name what is in other namespaces than one."""

    def __init__(self, namespace: str, refs: Iterable[model.Ref]) -> None:
        """``refs`` are all objects that a text may be about."""
        own: set[str] = {namespace}
        others: set[str] = set()
        for ref in refs:
            mine = ref.namespace in {namespace, ""}
            (own if mine else others).update(_parts(ref.name), (ref.name.lower(),))
            if not mine:
                others.add(ref.namespace)
        self._words = frozenset(others - own)

    def __call__(self, text: str) -> bool:
        """Whether the text has a name of another namespace, or of a pod of such an object."""
        for word in _WORD.findall(text.lower()):
            at = len(word)
            while at > 0:
                if word[:at] in self._words:
                    return True
                at = word.rfind("-", 0, at)
        return False


def _parts(name: str) -> list[str]:
    return [name.lower()] if "." not in name else [*name.lower().split("."), name.lower()]


def home(status: Status, operator_namespace: str, refs: Iterable[model.Ref]) -> str:
    """The namespace that an incident is kept in."""
    places = {each.object.namespace for each in status.members}
    places |= {each.object.namespace for each in status.suspects}
    places |= set(status.namespaces)
    if len(places) != 1 or "" in places:
        return operator_namespace
    (place,) = places
    foreign = Foreign(place, refs)
    return operator_namespace if any(foreign(text) for text in _texts(status)) else place


def _texts(status: Status) -> Iterable[str]:
    yield status.title
    yield from status.ruled_out
    for member in status.members:
        yield member.why
    for suspect in status.suspects:
        yield suspect.summary
        for evidence in suspect.evidence:
            yield evidence.message
    for item in status.timeline:
        yield item.message


def mirror(status: Status, namespace: str, refs: Iterable[model.Ref]) -> Status:
    """As much of an incident as the readers of one namespace may see."""
    foreign = Foreign(namespace, refs)
    members = [_member(each, foreign) for each in status.members if _in(each.object, namespace)]
    suspects = [_suspect(each, namespace, foreign) for each in status.suspects]
    alerts, objects = sum(each.count for each in members), len({e.object.name for e in members})
    return status.model_copy(
        update={
            "title": words.title(members, alerts, objects),
            "started_at": min((each.first for each in members), default=status.started_at),
            "last_symptom_at": max((e.first for e in members), default=status.last_symptom_at),
            "flaps": 0,
            "alerts": alerts,
            "objects": objects,
            "namespaces": [namespace],
            "suspect": words.suspect(suspects),
            "suspects": suspects,
            "ruled_out": [each for each in status.ruled_out if not foreign(each)],
            "members": members,
            "unlisted": "",
            "timeline": [
                each
                for each in status.timeline
                if not foreign(each.message)
                and (each.kind == "State" or _about(each.message, members, suspects))
            ],
            "remediations": [e for e in status.remediations if e.startswith(f"{namespace}/")],
            "conditions": [
                each.model_copy(update={"message": ""})
                if _hidden(each, suspects, foreign)
                else each
                for each in status.conditions
            ],
        }
    )


def _in(name: incident_api.ObjectName, namespace: str) -> bool:
    return name.namespace == namespace


def _about(
    message: str,
    members: Iterable[incident_api.MemberItem],
    suspects: Iterable[incident_api.SuspectItem],
) -> bool:
    """Whether an item of the timeline names something that this namespace sees."""
    shown = {each.object.name for each in members} | {each.object.name for each in suspects}
    return any(name in message for name in shown)


def _hidden(condition: object, suspects: list[incident_api.SuspectItem], foreign: Foreign) -> bool:
    message = getattr(condition, "message", "")
    outside = bool(suspects) and suspects[0].object.name == OUTSIDE
    return outside or foreign(message)


def _member(each: incident_api.MemberItem, foreign: Foreign) -> incident_api.MemberItem:
    why = each.why if not foreign(each.why) else f"one cause, {OUTSIDE}, explains it and others"
    message = each.message if not foreign(each.message) else ""
    return each.model_copy(update={"why": why, "message": message})


def _suspect(
    each: incident_api.SuspectItem, namespace: str, foreign: Foreign
) -> incident_api.SuspectItem:
    if not _in(each.object, namespace):
        node = each.cause_kind is incident_api.CauseKind.NODE
        kind = each.cause_kind if node else incident_api.CauseKind.UNKNOWN
        return incident_api.SuspectItem(
            object=incident_api.ObjectName(kind="", name=OUTSIDE),
            cause_kind=kind,
            summary=f"a node, {OUTSIDE}" if node else f"an object {OUTSIDE}",
            score=each.score,
            confidence=each.confidence,
            mark=each.mark,
        )
    evidence = [one for one in each.evidence if not foreign(one.message)]
    summary = each.summary
    if foreign(summary):
        summary = f"{each.object.kind}/{each.object.name}, together with what is {OUTSIDE}"
    return each.model_copy(update={"evidence": evidence, "summary": summary})
