"""What an incident is called, and what people have said of it."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence

from prunella.api import incident as incident_api
from prunella.core import model

CONFIRMED = "prunella.dev/confirmed"
"""Annotation on an Incident: the suspect that was it, as ``KIND/NAMESPACE/NAME at TIME by WHO``."""
REJECTED = "prunella.dev/rejected"
"""Annotation on an Incident: suspects that were not it, with ``,`` between them."""
MOST_NAMES = 3


def object_name(ref: model.Ref) -> incident_api.ObjectName:
    """A Ref as it is written in an object."""
    return incident_api.ObjectName(
        kind=ref.kind[:253], namespace=ref.namespace[:253], name=ref.name[:253]
    )


def ref_of(name: incident_api.ObjectName) -> model.Ref:
    """The Ref that an object names."""
    return model.Ref(name.kind, name.namespace, name.name)


def written(ref: model.Ref) -> str:
    """A Ref as people write it in a command: ``Deployment/shop/checkout``, ``Node//n1``."""
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """What a person has said of the suspects of one incident."""

    confirmed: str = ""
    """The suspect that was it, as `written`."""
    rejected: frozenset[str] = frozenset()
    by: str = ""

    def of(self, ref: model.Ref) -> incident_api.Mark:
        """The mark of one suspect."""
        if written(ref) == self.confirmed:
            return incident_api.Mark.CONFIRMED
        if written(ref) in self.rejected:
            return incident_api.Mark.REJECTED
        return incident_api.Mark.SUSPECT

    def within(self, namespace: str) -> Word:
        """As much of it as somebody in a namespace may say."""
        mine = f"/{namespace}/"
        return Word(
            self.confirmed if mine in self.confirmed else "",
            frozenset(each for each in self.rejected if mine in each),
            self.by,
        )

    def joined(self, other: Word) -> Word:
        """Both; what this one says comes first."""
        confirmed = self.confirmed or other.confirmed
        rejected = (self.rejected | other.rejected) - {confirmed}
        return Word(confirmed, rejected, self.by or other.by)


def word(annotations: Mapping[str, str], since: datetime.datetime | None = None) -> Word:
    """What the annotations of an Incident say; what was said before ``since`` is left out."""
    confirmed, _, by = _said(annotations.get(CONFIRMED, ""), since).partition(" ")
    rejected, _, also = _said(annotations.get(REJECTED, ""), since).partition(" ")
    names = frozenset(each for each in rejected.split(",") if each)
    return Word(confirmed, names - {confirmed}, (by or also).rpartition("by ")[2])


def since(status: incident_api.IncidentStatus) -> datetime.datetime | None:
    """From when on words count: one that was opened again may have another cause than before."""
    return status.started_at if status.reopened else None


def _said(annotation: str, after: datetime.datetime | None) -> str:
    """An annotation that was not written too early; one without a time counts."""
    _, _, when = annotation.partition(" at ")
    try:
        at = datetime.datetime.fromisoformat(when.partition(" ")[0])
    except ValueError:
        return annotation
    is_early = after is not None and at.tzinfo is not None and at < after
    return "" if is_early else annotation


def short_field(path: str) -> str:
    """The part of a path that people look for: ``image`` of ``spec...[name=app].image``."""
    return re.split(r"[.\]]", path.rstrip("]"))[-1] or path


def suspect(items: Sequence[incident_api.SuspectItem]) -> str:
    """The first suspect that nobody has rejected, in a few words; empty without one."""
    for each in items:
        if each.mark is incident_api.Mark.REJECTED:
            continue
        name = f"{each.object.kind}/{each.object.name}" if each.object.kind else each.object.name
        return f"{name} {short_field(each.field)}"[:120].strip() if each.field else name
    return ""


def title(members: Iterable[incident_api.MemberItem], alerts: int, objects: int) -> str:
    """The incident in one line: what fires, on what, where."""
    listed = list(members)
    names = some(dict.fromkeys(each.name for each in listed))
    sick = [f"{each.object.kind}/{each.object.name}" for each in listed]
    places = dict.fromkeys(each.object.namespace for each in listed if each.object.namespace)
    where = f" in {some(places)}" if places else ""
    first = next(iter(dict.fromkeys(sick)), "nothing")
    more = f" and {objects - 1} more" if objects > 1 else ""
    count = f" ({alerts} alerts)" if alerts > 1 else ""
    return f"{names} on {first}{more}{where}{count}"[:2048]


def some(names: Iterable[str]) -> str:
    """The first few of some names, and how many more there are."""
    every = list(names)
    more = len(every) - MOST_NAMES
    return ", ".join(every[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
