"""The ledger under an election: each record tells which leadership wrote it last.

A leader that was overtaken without noticing, as after a long pause of its machine, finds a higher
number than its own on what its successor has touched, and writes and sends nothing more for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from prunella import leadership as leaderships
from prunella import ports
from prunella.api import remediation as remediation_api
from prunella.core import objects


class EpochLedger:
    """A ledger (`ports.Ledger`) that numbers what it writes, and gives way to a higher number."""

    def __init__(self, ledger: ports.Ledger, leadership: leaderships.Leadership) -> None:
        self._ledger = ledger
        self._leadership = leadership

    def records(self) -> Collection[objects.Record]:
        """All records, own writes included; costs no request."""
        return self._ledger.records()

    async def refresh(self, namespace: str) -> None:
        """Read a namespace's records anew. Raises ClusterError."""
        await self._ledger.refresh(namespace)

    async def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take the name. Raises NotLeading, and as the ledger does."""
        epoch = self._epoch()
        return await self._ledger.create(namespace, name, spec.model_copy(update={"epoch": epoch}))

    async def update(
        self, record: objects.Record, status: remediation_api.RemediationStatus
    ) -> objects.Record:
        """Write the status. Raises NotLeading, and as the ledger does."""
        epoch = self._epoch(record)
        return await self._ledger.update(record, status.model_copy(update={"epoch": epoch}))

    async def label(self, record: objects.Record) -> objects.Record:
        """Write the labels of the phase. Raises NotLeading, and as the ledger does."""
        self._epoch(record)
        return await self._ledger.label(record)

    async def delete(self, record: objects.Record) -> None:
        """Delete an old record. Raises NotLeading, and as the ledger does."""
        self._epoch(record)
        await self._ledger.delete(record)

    def _epoch(self, record: objects.Record | None = None) -> int:
        """The number to write. Raises NotLeading when the record has a higher one."""
        if refusal := self._leadership.refusal():
            raise leaderships.NotLeading(refusal)
        own, known = self._leadership.epoch, highest([record] if record is not None else [])
        if known > own:
            told = record.name if record is not None else ""
            message = f"{told} was written by leadership {known}, and this one is {own}"
            raise leaderships.NotLeading(message)
        return own


def of(ledger: ports.Ledger, leadership: leaderships.Leadership) -> ports.Ledger:
    """The ledger, with numbers where a leader is elected."""
    return ledger if leadership is leaderships.ALONE else EpochLedger(ledger, leadership)


def highest(records: Iterable[objects.Record]) -> int:
    """The highest number in the ledger; 0 where none is known."""
    return max((max(each.spec.epoch or 0, each.status.epoch or 0) for each in records), default=0)
