"""An incident as a trace: spans as OpenTelemetry has them, made of the objects alone.

Pure, and the same objects give the same spans with the same ids, so that a restarted operator goes
on with the trace that it began, and a backend that gets a span twice has it once.
https://opentelemetry.io/docs/specs/otel/trace/api/#span
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prunella.api import incident as incident_api
from prunella.api import reasons
from prunella.api import remediation as remediation_api
from prunella.core import objects
from prunella.core.incidents import values

Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value]
Moment = datetime.datetime
_OVER = (incident_api.State.RESOLVED, incident_api.State.MERGED)


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within a span."""

    at: Moment
    name: str
    attributes: Attributes = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Something that has ended."""

    trace: str
    """32 hexadecimal digits."""
    id: str
    """16 hexadecimal digits."""
    parent: str
    """The id of the span that it is part of; empty for the root."""
    name: str
    start: Moment
    end: Moment
    attributes: Attributes = dataclasses.field(default_factory=dict)
    events: tuple[Event, ...] = ()
    error: str = ""
    """What went wrong; empty when nothing did, or nobody can tell."""


def trace_id(record: values.Record) -> str:
    """The trace of an incident, by its name and the moment when it was opened.

    Not by its UID: the object of an incident that grows beyond its namespace is created anew in
    the operator's, and keeps both.
    """
    return _hash(record.name, record.spec.opened_at.isoformat())[:32]


def spans(record: values.Record, done: Iterable[objects.Record]) -> list[Span]:
    """The spans that have ended by now, oldest first; ``done`` is what was done about it.

    A symptom is a moment, when its first alert began: when it ended is not kept.
    """
    trace = _Trace(record)
    found = [*trace.symptoms(), *trace.diagnoses()]
    for each in done:
        found += trace.remediation(each)
    if record.status.state in _OVER:
        found.append(trace.root())
    return sorted(found, key=lambda each: (each.start, each.id))


@dataclasses.dataclass(frozen=True, slots=True)
class _Trace:
    """One incident's."""

    record: values.Record

    @property
    def status(self) -> incident_api.IncidentStatus:
        return self.record.status

    @property
    def start(self) -> Moment:
        """When its first symptom began: alerts need their time until they open an incident."""
        opened = self.record.spec.opened_at
        return min(opened, self.status.started_at or opened)

    def span(
        self,
        name: str,
        key: Sequence[str],
        start: Moment,
        end: Moment,
        attributes: Attributes,
        *,
        events: Iterable[Event] = (),
        error: str = "",
    ) -> Span:
        """A part of the whole; ``key`` is what makes it this one."""
        return Span(
            trace=trace_id(self.record),
            id=self.id(*key),
            parent=self.root_id(0),
            name=name,
            start=start,
            end=max(start, end),
            attributes=_told(attributes),
            events=tuple(events),
            error=error,
        )

    def id(self, *key: str) -> str:
        return _hash(trace_id(self.record), *key)[:16]

    def root_id(self, reopened: int) -> str:
        """The span of the whole; one that was opened again has another, within the first."""
        return self.id("incident", str(reopened))

    def root(self) -> Span:
        status, reopened = self.status, self.status.reopened
        states = [each.at for each in status.timeline if each.kind == "State"]
        start = states[-2] if reopened and len(states) > 1 else self.start
        return Span(
            trace=trace_id(self.record),
            id=self.root_id(reopened),
            parent=self.root_id(0) if reopened else "",
            name="incident",
            start=start,
            end=max(start, status.resolved_at or states[-1]),
            attributes=_incident(self.record),
            events=tuple(
                Event(each.at, each.kind.lower(), {"message": each.message})
                for each in status.timeline
            ),
        )

    def symptoms(self) -> Iterator[Span]:
        for each in self.status.members:
            attributes = {
                "prunella.object": _object(each.object),
                "prunella.symptom": each.name,
                "prunella.symptom.source": each.source,
                "prunella.symptom.message": each.message,
            }
            key = "symptom", each.name, _object(each.object)
            yield self.span(f"symptom {each.name}", key, each.first, each.first, attributes)

    def diagnoses(self) -> Iterator[Span]:
        """Each took from the one before it until another object was suspected first."""
        start = self.record.spec.opened_at
        for each in self.status.timeline:
            if each.kind == "Suspect":
                key = "diagnosis", each.at.isoformat(), each.message
                told = {"prunella.diagnosis": each.message}
                yield self.span("diagnosis", key, start, each.at, told)
                start = each.at

    def remediation(self, done: objects.Record) -> Iterator[Span]:
        """What was done, once that is over, and the proof that it helped, or did not."""
        spec, status = done.spec, done.status
        if status.finished_at is None:
            return
        key = "remediation", done.namespace, done.name
        action = self.span(
            f"remediation {spec.action}",
            key,
            spec.decided_at,
            status.finished_at,
            _remediation(done),
            events=_effects(done),
            error=status.message if status.phase in reasons.UNHELPFUL else "",
        )
        yield action
        sent = [each.sent_at for each in status.effects if each.sent_at is not None]
        if status.verification is not None and sent:
            proof = self.span(
                "verification",
                (*key, "verification"),
                max(sent),
                status.finished_at,
                {"prunella.verification": status.verification.message},
                events=_proof(status.verification),
                error=action.error,
            )
            yield dataclasses.replace(proof, parent=action.id)


def _incident(record: values.Record) -> Attributes:
    status = record.status
    attributes: dict[str, Value] = {
        "prunella.incident": record.name,
        "k8s.namespace.name": record.namespace,
        "prunella.incident.title": status.title,
        "prunella.incident.state": status.state.value,
        "prunella.incident.severity": status.severity.value,
        "prunella.incident.namespaces": list(status.namespaces),
        "prunella.incident.alerts": status.alerts,
        "prunella.incident.objects": status.objects,
        "prunella.incident.flaps": status.flaps,
        "prunella.incident.reopened": status.reopened,
        "prunella.incident.merged_into": status.merged_into,
        "prunella.incident.ruled_out": list(status.ruled_out),
    }
    for place, each in enumerate(status.suspects, start=1):
        attributes |= _suspect(f"prunella.suspect.{place}", each)
    return _told(attributes)


def _suspect(prefix: str, suspect: incident_api.SuspectItem) -> Attributes:
    at = suspect.changed_at
    return {
        f"{prefix}.object": _object(suspect.object),
        f"{prefix}.cause_kind": suspect.cause_kind.value,
        f"{prefix}.confidence": suspect.confidence.value,
        f"{prefix}.score": suspect.score,
        f"{prefix}.mark": suspect.mark.value,
        f"{prefix}.summary": suspect.summary,
        f"{prefix}.field": suspect.field,
        f"{prefix}.change": suspect.change,
        f"{prefix}.changed_at": at.isoformat() if at is not None else "",
        f"{prefix}.evidence": [each.message for each in suspect.evidence],
    }


def _remediation(done: objects.Record) -> Attributes:
    spec, status = done.spec, done.status
    target = f"{spec.target.kind} {spec.target.namespace}/{spec.target.name}"
    return {
        "prunella.remediation": done.name,
        "prunella.policy": f"{spec.policy.namespace}/{spec.policy.name}",
        "prunella.object": target,
        "prunella.action": spec.action,
        "prunella.mode": str(spec.mode),
        "prunella.phase": str(status.phase),
        "prunella.reason": status.reason,
        "prunella.message": status.message,
    }


def _effects(done: objects.Record) -> Iterator[Event]:
    for planned, each in zip(done.spec.effects, done.status.effects, strict=False):
        if each.sent_at is not None:
            told = {"message": planned.summary, "outcome": each.outcome, "answer": each.message}
            yield Event(each.sent_at, "effect", _told(told))


def _proof(found: remediation_api.Verification) -> Iterator[Event]:
    if found.rollout_complete_at is not None:
        yield Event(found.rollout_complete_at, "rollout complete")
    if found.counts_from is not None:
        yield Event(found.counts_from, "samples count")


def _object(found: incident_api.ObjectName) -> str:
    name = f"{found.namespace}/{found.name}" if found.namespace else found.name
    return f"{found.kind} {name}".strip()


def _told(attributes: Attributes) -> Attributes:
    """Without those that say nothing."""
    return {key: value for key, value in attributes.items() if value not in ("", [])}


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
