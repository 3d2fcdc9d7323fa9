"""The Ledger port on Remediation objects of a real API server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, own_objects, parse, relist
from prunella.adapters.kubernetes import store as store_module
from prunella.api import remediation as remediation_api
from prunella.core import objects
from prunella.core.outcomes import records


class KubernetesLedger:
    """Remediations (`ports.Ledger`). Own writes are in the store when a call returns."""

    def __init__(self, api: client.KubeApi, stores: store_module.Stores) -> None:
        self._api = api
        self._stores = stores
        self._objects = own_objects.OwnObjects(api, kinds.RECORD)

    def records(self) -> Collection[objects.Record]:
        """All records, own writes included; costs no request."""
        return self._stores.records.all()

    async def refresh(self, namespace: str) -> None:
        """Read a namespace's records anew. Raises ClusterError."""
        await relist.relist_kind(self._api, self._stores, kinds.RECORD, namespace)

    async def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take the name, with its labels.

        Raises Conflict when it is taken, OutcomeUnknown, ClusterError.
        """
        labels = records.labels(spec, records.first_phase(spec.mode, spec.action))
        written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        return self._keep(await self._objects.create(namespace, name, written, labels))

    async def update(
        self, record: objects.Record, status: remediation_api.RemediationStatus
    ) -> objects.Record:
        """Write the status under the record's resourceVersion.

        Raises Conflict when the record has changed, OutcomeUnknown, ClusterError.
        """
        spec = record.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        return self._keep(await self._objects.write_status(record, spec, written))

    async def label(self, record: objects.Record) -> objects.Record:
        """Write the labels of the record's phase; other labels stay as they are.

        Raises Conflict when the record has changed, OutcomeUnknown, ClusterError.
        """
        metadata = {
            "uid": record.uid,
            "resourceVersion": record.resource_version,
            "labels": records.labels(record.spec, record.phase),
        }
        path = kinds.RECORD.path(record.namespace, record.name)
        _, raw = await self._api.request(
            "PATCH",
            path,
            own_objects.AS_OPERATOR,
            {"metadata": metadata},
            client.MERGE_PATCH,
            mutating=True,
        )
        return self._keep(raw)

    async def delete(self, record: objects.Record) -> None:
        """Delete a record under its UID; one that is gone already is no error.

        Raises ClusterError.
        """
        await self._objects.delete(record)
        self._stores.records.remove(record.namespace, record.name, record.uid)

    def _keep(self, raw: dict[str, Any]) -> objects.Record:
        self._stores.records.put(raw)
        try:
            return parse.record(raw)
        except parse.Unreadable as error:
            raise ports.OutcomeUnknown(f"the API server's answer can't be read: {error}") from error
