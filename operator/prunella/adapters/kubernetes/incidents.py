"""The Incidents port on Incident objects of a real API server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, parse, parse_incident
from prunella.adapters.kubernetes import store as store_module
from prunella.api import incident as incident_api
from prunella.core import objects
from prunella.core.incidents import values

FIELD_MANAGER = {"fieldManager": objects.FIELD_MANAGER}


class KubernetesIncidents:
    """Incidents (`ports.Incidents`). Own writes are in the store when a call returns."""

    def __init__(self, api: client.KubeApi, stores: store_module.Stores) -> None:
        self._api = api
        self._stores = stores

    def all(self) -> Collection[values.Record]:
        """All incidents, own writes included; costs no request."""
        return self._stores.incidents.all()

    async def create(
        self, namespace: str, name: str, spec: incident_api.IncidentSpec
    ) -> values.Record:
        """Open one. Raises Conflict when the name is taken, OutcomeUnknown, ClusterError."""
        body = {
            "apiVersion": kinds.INCIDENT.api_version,
            "kind": kinds.INCIDENT.name,
            "metadata": {"namespace": namespace, "name": name},
            "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        _, raw = await self._api.request(
            "POST", kinds.INCIDENT.path(namespace), FIELD_MANAGER, body, mutating=True
        )
        return self._keep(raw)

    async def update(
        self, record: values.Record, status: incident_api.IncidentStatus
    ) -> values.Record:
        """Write the status under the resourceVersion.

        Raises Conflict when the incident has changed, OutcomeUnknown, ClusterError.
        """
        body = {
            "apiVersion": kinds.INCIDENT.api_version,
            "kind": kinds.INCIDENT.name,
            "metadata": {
                "namespace": record.namespace,
                "name": record.name,
                "uid": record.uid,
                "resourceVersion": record.resource_version,
            },
            "spec": record.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        path = kinds.INCIDENT.path(record.namespace, record.name, "status")
        _, raw = await self._api.request("PUT", path, FIELD_MANAGER, body, mutating=True)
        return self._keep(raw)

    async def delete(self, record: values.Record) -> None:
        """Delete one under its UID; one that is gone already is no error.

        Raises ClusterError.
        """
        path = kinds.INCIDENT.path(record.namespace, record.name)
        body = {"preconditions": {"uid": record.uid}}
        reply = await self._api.exchange("DELETE", path, body=body, mutating=True)
        if not reply.ok and reply.status != 404:
            raise client.refusal(reply, mutating=True)
        self._stores.incidents.remove(record.namespace, record.name, record.uid)

    def _keep(self, raw: dict[str, Any]) -> values.Record:
        self._stores.incidents.put(raw)
        try:
            return parse_incident.incident(raw)
        except parse.Unreadable as error:
            raise ports.OutcomeUnknown(f"the API server's answer can't be read: {error}") from error
