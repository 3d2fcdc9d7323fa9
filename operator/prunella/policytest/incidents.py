"""Incidents that a story states: what a policy on causes acts on, and symptoms wait for."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Final

import pydantic

from prunella.adapters.simulated import world as worlds
from prunella.api import base, types
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import words
from prunella.policytest import fields

_OBJECT: Final = re.compile(r"(?:[A-Z][A-Za-z0-9]*/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_NOWHERE: Final = ("Node", "Rack", "Zone")
"""Kinds without a namespace."""


def _object(value: object) -> Any:
    if not isinstance(value, str) or not _OBJECT.fullmatch(value):
        raise ValueError(f"must be an object such as ConfigMap/settings, found {value!r}")
    return value


ObjectName = Annotated[str, pydantic.BeforeValidator(_object)]
"""``Kind/name`` of any object; ``name`` alone is a Deployment's."""


class Incident(base.ApiModel):
    """An incident with its first suspect, open for a time."""

    suspect: ObjectName
    cause_kind: incident_api.CauseKind
    confidence: incident_api.Confidence = incident_api.Confidence.HIGH
    mark: incident_api.Mark = incident_api.Mark.SUSPECT
    """What a person has said of the suspect."""
    changed: types.Duration | None = None
    """How long before the incident the suspected change was; without it no change is."""
    symptoms: tuple[ObjectName, ...] = ()
    """What else is sick because of the suspect."""
    from_: fields.Offset = pydantic.Field(0.0, alias="from")
    """When it is opened and names its suspect."""
    until: fields.Offset | None = None
    """When it is resolved."""

    @pydantic.model_validator(mode="after")
    def _ends_later(self) -> Incident:
        if self.until is not None and self.until <= self.from_:
            raise ValueError("until must be after from")
        return self


class Told:
    """One stated incident on the simulated API server."""

    def __init__(self, stated: Incident, name: str, namespace: str, world: worlds.World) -> None:
        self._stated, self._name, self._namespace = stated, name, namespace
        self._server, self._clock = world.incident_server, world.clock

    def open(self) -> None:
        """Write what the operator would have found."""
        now = self._clock.now()
        spec = incident_api.IncidentSpec(opened_at=now)
        made = self._server.create(self._namespace, self._name, spec)
        self._server.update(made, self._status(now))

    def resolve(self) -> None:
        """Let it be over."""
        record = self._server.records[self._namespace, self._name]
        over = {"state": incident_api.State.RESOLVED, "resolved_at": self._clock.now()}
        self._server.update(record, record.status.model_copy(update=over))

    def _status(self, now: datetime.datetime) -> incident_api.IncidentStatus:
        stated = self._stated
        sick = [words.object_name(self._ref(each)) for each in stated.symptoms]
        suspect = incident_api.SuspectItem(
            object=words.object_name(self._ref(stated.suspect)),
            cause_kind=stated.cause_kind,
            changed_at=now - stated.changed if stated.changed is not None else None,
            summary=f"{stated.suspect}: the test says so",
            score=1.0,
            confidence=stated.confidence,
            mark=stated.mark,
        )
        return incident_api.IncidentStatus(
            title="stated by the test",
            started_at=now,
            last_symptom_at=now,
            named_at=now,
            alerts=len(sick),
            objects=len(sick),
            namespaces=[self._namespace],
            suspects=[suspect],
            members=[
                incident_api.MemberItem(object=each, name="Stated", first=now) for each in sick
            ],
        )

    def _ref(self, name: str) -> model.Ref:
        found = fields.ref(name, self._namespace)
        return found._replace(namespace="") if found.kind in _NOWHERE else found
