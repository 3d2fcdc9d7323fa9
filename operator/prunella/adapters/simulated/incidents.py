"""The Incidents port in memory: an API server for Incidents, and clients of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.api import incident as incident_api
from prunella.core.incidents import values

_Key = tuple[str, str]


class IncidentServer:
    """What the API server keeps: it outlives every client. ``writes`` counts what it was sent."""

    def __init__(self) -> None:
        self.records: dict[_Key, values.Record] = {}
        self.writes = 0
        self._versions = itertools.count(1)

    def create(self, namespace: str, name: str, spec: incident_api.IncidentSpec) -> values.Record:
        """Take a name. Raises Conflict when it is taken."""
        if (namespace, name) in self.records:
            raise ports.Conflict(f'incidents "{name}" already exists', status=409)
        spec = incident_api.IncidentSpec.model_validate_json(spec.model_dump_json(by_alias=True))
        made = values.Record(name, namespace, spec, incident_api.IncidentStatus())
        version = str(next(self._versions))
        return self._keep(
            dataclasses.replace(made, uid=f"incident-{version}", resource_version=version)
        )

    def update(self, record: values.Record, status: incident_api.IncidentStatus) -> values.Record:
        """Replace the status. Raises Conflict when it was changed since it was read."""
        stored = self._find(record)
        if stored.resource_version != record.resource_version:
            raise ports.Conflict(f"{record.name} has been modified", status=409)
        text = status.model_dump_json(by_alias=True)
        status = incident_api.IncidentStatus.model_validate_json(text)
        return self._keep(self._next(stored, status=status))

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """What a person does by `kubectl annotate`."""
        stored = self.records[namespace, name]
        self._keep(self._next(stored, annotations={**stored.annotations, **annotations}))

    def delete(self, record: values.Record) -> None:
        """Delete one under its UID. Raises Conflict when another has its name."""
        if self._find(record).uid != record.uid:
            raise ports.Conflict(f"{record.name}: the precondition UID is another's", status=409)
        del self.records[record.namespace, record.name]

    def _next(self, stored: values.Record, **changes: object) -> values.Record:
        version = str(next(self._versions))
        return dataclasses.replace(
            stored,
            resource_version=version,
            **changes,  # type: ignore[arg-type]
        )

    def _find(self, record: values.Record) -> values.Record:
        try:
            return self.records[record.namespace, record.name]
        except KeyError:
            raise ports.ClusterError(f'incidents "{record.name}" not found', status=404) from None

    def _keep(self, record: values.Record) -> values.Record:
        self.writes += 1
        self.records[record.namespace, record.name] = record
        return record


class SimulatedIncidents:
    """One operator's client of the server."""

    def __init__(self, server: IncidentServer, switchboard: faults.Faults | None = None) -> None:
        self.faults = switchboard or faults.Faults()
        self._server = server

    def all(self) -> Collection[values.Record]:
        """All incidents, own writes included; costs no request."""
        return list(self._server.records.values())

    async def create(
        self, namespace: str, name: str, spec: incident_api.IncidentSpec
    ) -> values.Record:
        """Open one. Raises Conflict when the name is taken, OutcomeUnknown, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_CREATE_INCIDENT)
        record = self._server.create(namespace, name, spec)
        self.faults.reach(faults.Point.AFTER_CREATE_INCIDENT)
        return record

    async def update(
        self, record: values.Record, status: incident_api.IncidentStatus
    ) -> values.Record:
        """Write the status under the resourceVersion. Raises Conflict, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_UPDATE_INCIDENT)
        updated = self._server.update(record, status)
        self.faults.reach(faults.Point.AFTER_UPDATE_INCIDENT)
        return updated

    async def delete(self, record: values.Record) -> None:
        """Delete an old one, under its uid; one that is gone is no error. Raises ClusterError."""
        self.faults.reach(faults.Point.BEFORE_DELETE_INCIDENT)
        if (record.namespace, record.name) in self._server.records:
            self._server.delete(record)
        self.faults.reach(faults.Point.AFTER_DELETE_INCIDENT)
