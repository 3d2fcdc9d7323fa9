"""The Ledger port in memory: an API server for Remediations, and clients of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults
from prunella.api import remediation as remediation_api
from prunella.core import objects
from prunella.core.outcomes import records as record_rules

_Key = tuple[str, str]


class LedgerServer:
    """What the API server keeps: it outlives every client."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self.records: dict[_Key, objects.Record] = {}
        self._clock = clock
        self._versions = itertools.count(1)

    def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take a name. Raises Conflict when it is taken."""
        if (namespace, name) in self.records:
            raise ports.Conflict(f'remediations "{name}" already exists', status=409)
        version = str(next(self._versions))
        return self._keep(
            objects.Record(
                name=name,
                namespace=namespace,
                spec=remediation_api.RemediationSpec.model_validate_json(_json(spec)),
                status=remediation_api.RemediationStatus(),
                uid=f"record-{version}",
                resource_version=version,
                created=self._clock.now().replace(microsecond=0),
                labels=record_rules.labels(spec, record_rules.first_phase(spec.mode, spec.action)),
            )
        )

    def update(
        self, record: objects.Record, status: remediation_api.RemediationStatus
    ) -> objects.Record:
        """Replace the status. Raises Conflict when the record was changed since it was read."""
        stored = self._unchanged(record)
        status = remediation_api.RemediationStatus.model_validate_json(_json(status))
        version = str(next(self._versions))
        return self._keep(dataclasses.replace(stored, status=status, resource_version=version))

    def label(self, record: objects.Record) -> objects.Record:
        """Set the labels of the stored phase. Raises Conflict when the record was changed."""
        stored = self._unchanged(record)
        labels = {**stored.labels, **record_rules.labels(record.spec, record.phase)}
        version = str(next(self._versions))
        return self._keep(dataclasses.replace(stored, labels=labels, resource_version=version))

    def delete(self, record: objects.Record) -> None:
        """Delete a record under its UID. Raises Conflict when another has its name."""
        stored = self._find(record)
        if stored.uid != record.uid:
            message = f"{record.name}: the precondition UID {record.uid} is not {stored.uid}"
            raise ports.Conflict(message, status=409)
        del self.records[record.namespace, record.name]

    def _unchanged(self, record: objects.Record) -> objects.Record:
        stored = self._find(record)
        if stored.resource_version != record.resource_version:
            raise ports.Conflict(
                f"{record.name} has been modified: resourceVersion {record.resource_version} is"
                f" not {stored.resource_version}",
                status=409,
            )
        return stored

    def _find(self, record: objects.Record) -> objects.Record:
        try:
            return self.records[record.namespace, record.name]
        except KeyError:
            message = f'remediations "{record.name}" not found'
            raise ports.ClusterError(message, status=404) from None

    def _keep(self, record: objects.Record) -> objects.Record:
        self.records[record.namespace, record.name] = record
        return record


def _json(
    content: remediation_api.RemediationSpec | remediation_api.RemediationStatus,
) -> str:
    """What goes over the wire: what JSON can't hold is lost here as it is there."""
    return content.model_dump_json(by_alias=True)


class SimulatedLedger:
    """One operator's client of the server, with a watched copy that can fall behind."""

    def __init__(self, server: LedgerServer, switchboard: faults.Faults | None = None) -> None:
        self.faults = switchboard or faults.Faults()
        self._server = server
        self._copy: dict[_Key, objects.Record] = {}
        self._watching = True

    def records(self) -> Collection[objects.Record]:
        """All records, own writes included; costs no request."""
        if self._watching:
            self._copy = dict(self._server.records)
        return list(self._copy.values())

    async def refresh(self, namespace: str) -> None:
        """Read a namespace's records anew. Raises ClusterError."""
        self.faults.reach(faults.Point.REFRESH)
        others = {key: r for key, r in self._copy.items() if r.namespace != namespace}
        fresh = {key: r for key, r in self._server.records.items() if r.namespace == namespace}
        self._copy = others | fresh

    async def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take the name. Raises Conflict when it is taken, OutcomeUnknown, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_CREATE)
        record = self._server.create(namespace, name, spec)
        self.faults.reach(faults.Point.AFTER_CREATE)
        self._copy[namespace, name] = record
        return record

    async def update(
        self, record: objects.Record, status: remediation_api.RemediationStatus
    ) -> objects.Record:
        """Write the status under the record's resourceVersion. Raises Conflict, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_UPDATE)
        updated = self._server.update(record, status)
        self.faults.reach(faults.Point.AFTER_UPDATE)
        self._copy[record.namespace, record.name] = updated
        return updated

    async def label(self, record: objects.Record) -> objects.Record:
        """Write the labels of the record's phase. Raises Conflict, OutcomeUnknown, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_LABEL)
        labelled = self._server.label(record)
        self.faults.reach(faults.Point.AFTER_LABEL)
        self._copy[record.namespace, record.name] = labelled
        return labelled

    async def delete(self, record: objects.Record) -> None:
        """Delete an old record, under its uid. Raises ClusterError."""
        self.faults.reach(faults.Point.BEFORE_DELETE)
        self._server.delete(record)
        self.faults.reach(faults.Point.AFTER_DELETE)
        self._copy.pop((record.namespace, record.name), None)

    def break_watch(self) -> None:
        """See nothing of what others write, until `mend_watch` or `refresh`."""
        self.records()
        self._watching = False

    def mend_watch(self) -> None:
        """Let the copy follow again."""
        self._watching = True

    def deny_create(self) -> None:
        """Refuse every new record with 403, as without rights."""
        denied = ports.ClusterError("remediations.prunella.dev is forbidden", status=403)
        self.faults.always(faults.Point.BEFORE_CREATE, denied)

    def conflict_once(self) -> None:
        """Lose the race of the next status write."""
        lost = ports.Conflict("the object has been modified", status=409)
        self.faults.once(faults.Point.BEFORE_UPDATE, lost)
