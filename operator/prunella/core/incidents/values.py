"""The values of correlation and diagnosis. Times are seconds since the epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prunella.api import incident as incident_api
from prunella.core import model


class Series(NamedTuple):
    """What an alert is about: the same series may fire, resolve and fire again."""

    target: model.Ref
    name: str
    labels: tuple[tuple[str, str], ...]


class Fingerprint(NamedTuple):
    """One firing of one series: repeats and the end of it carry the same fingerprint."""

    series: Series
    starts_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """One notification, of an alert or a finding, as it arrived."""

    received: float
    starts_at: float
    firing: bool
    name: str
    target: model.Ref
    """The owner at the top of the chain: the Deployment, not its pod."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
    source: str = ""
    """Who told it, as it is shown to people."""
    message: str = ""
    """What it says, for people: an annotation of the alert, the message of the finding."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What makes two notifications the same firing."""
        series = Series(self.target, self.name, tuple(sorted(self.labels.items())))
        return Fingerprint(series, self.starts_at)


State = incident_api.State


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a suspicion: what kind of observation, when, and a sentence with numbers."""

    kind: str
    """``change``, ``reference``, ``pod``, ``node``, ``anomaly``, ``topology``, ``alerts`` or
    ``history``."""
    sentence: str
    at: float | None = None
    weight: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Suspect:
    """An object that may be the cause, most suspicious first in a ranking."""

    target: model.Ref
    score: float
    evidence: tuple[Evidence, ...] = ()
    cause_kind: incident_api.CauseKind = incident_api.CauseKind.UNKNOWN
    confidence: incident_api.Confidence = incident_api.Confidence.LOW
    summary: str = ""
    """The suspicion in one sentence, with the field that differs and its values."""
    field: str = ""
    """Path of the field that is wrong, or that changed."""
    change: str = ""
    """Name of the Change that is suspected."""
    changed_at: float | None = None
    near: bool = False
    """It is High for no more than a change near in time of what is sick itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """The alerts of one name on one owner, joined: what a person counts as one symptom."""

    target: model.Ref
    name: str
    first: float
    count: int
    firing: int
    source: str = ""
    """Who told it first."""
    message: str = ""
    """What the first of them said."""
    fingerprint: Fingerprint | None = None
    """The first of them, to ask why it is in the incident; None when only its object tells."""

    @property
    def symptom(self) -> Symptom:
        """What of it stays the same over restarts."""
        return Symptom(self.target, self.name)


class Symptom(NamedTuple):
    """One name on one owner, however many series and firings it has."""

    target: model.Ref
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """An incident as its object tells it, for a correlator that starts anew."""

    name: str
    state: State
    members: tuple[Member, ...]
    last: float
    """When its newest symptom began: what began until then is counted."""
    alerts: int
    unlisted: frozenset[str] = frozenset()
    """Hashes of the symptoms that are not among the members, see `naming.symptom_hash`."""
    resolved_at: float | None = None
    flaps: int = 0
    reopened: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Incident:
    """What belongs together, as of now."""

    id: str
    state: State
    onset: float
    last: float
    members: tuple[Member, ...]
    suspects: tuple[Suspect, ...]
    flaps: int = 0
    reopened: int = 0
    merged_into: str = ""
    alerts: int = 0
    """All of them, also those of members that are not named."""
    objects: int = 0
    """Owners that are or were sick."""

    @property
    def firing(self) -> int:
        """Alerts of the named members that have not ended."""
        return sum(each.firing for each in self.members)


def sick(incidents: Iterable[Incident]) -> dict[model.Ref, float]:
    """All that is, or was, sick in some incidents, and since when."""
    found: dict[model.Ref, float] = {}
    for each in incidents:
        for member in each.members:
            known = found.get(member.target, member.first)
            found[member.target] = min(known, member.first)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """An Incident object as read."""

    name: str
    namespace: str
    spec: incident_api.IncidentSpec
    status: incident_api.IncidentStatus
    uid: str = ""
    resource_version: str = ""
    annotations: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
