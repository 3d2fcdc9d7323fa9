"""The Incidents port on Incident objects of a real API server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, own_objects, parse, parse_incident
from prunella.adapters.kubernetes import store as store_module
from prunella.api import incident as incident_api
from prunella.core.incidents import values


class KubernetesIncidents:
    """Incidents (`ports.Incidents`). Own writes are in the store when a call returns."""

    def __init__(self, api: client.KubeApi, stores: store_module.Stores) -> None:
        self._stores = stores
        self._objects = own_objects.OwnObjects(api, kinds.INCIDENT)

    def all(self) -> Collection[values.Record]:
        """All incidents, own writes included; costs no request."""
        return self._stores.incidents.all()

    async def create(
        self, namespace: str, name: str, spec: incident_api.IncidentSpec
    ) -> values.Record:
        """Open one. Raises Conflict when the name is taken, OutcomeUnknown, ClusterError."""
        written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        return self._keep(await self._objects.create(namespace, name, written))

    async def update(
        self, record: values.Record, status: incident_api.IncidentStatus
    ) -> values.Record:
        """Write the status under the resourceVersion.

        Raises Conflict when the incident has changed, OutcomeUnknown, ClusterError.
        """
        spec = record.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        return self._keep(await self._objects.write_status(record, spec, written))

    async def delete(self, record: values.Record) -> None:
        """Delete one under its UID; one that is gone already is no error.

        Raises ClusterError.
        """
        await self._objects.delete(record)
        self._stores.incidents.remove(record.namespace, record.name, record.uid)

    def _keep(self, raw: dict[str, Any]) -> values.Record:
        self._stores.incidents.put(raw)
        try:
            return parse_incident.incident(raw)
        except parse.Unreadable as error:
            raise ports.OutcomeUnknown(f"the API server's answer can't be read: {error}") from error
