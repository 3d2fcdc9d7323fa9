"""The Ledger port over a long history: old records are put by, so that a pass stays cheap."""

from __future__ import annotations

import datetime

from prunella.adapters.simulated import ledger as ledgers
from prunella.api import remediation as remediation_api
from prunella.core import objects
from prunella.core.decisions import ledger
from prunella.core.decisions.guards import timing


class RecordedLedger(ledgers.SimulatedLedger):
    """A ledger that can put by what no decision rests on any more, and still counts on."""

    def __init__(self, server: ledgers.LedgerServer) -> None:
        super().__init__(server)
        self.put_by: list[objects.Record] = []
        self._attempts: dict[str, int] = {}

    async def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take the name, or the one that follows from what was put by."""
        attempt = spec.attempt + self._attempts.get(spec.target.uid, 0)
        if attempt != spec.attempt:
            spec = spec.model_copy(update={"attempt": attempt})
            target = objects.Record(name, namespace, spec, remediation_api.RemediationStatus())
            name = ledger.record_name(target.target, spec.target.uid, attempt)
        return await super().create(namespace, name, spec)

    def tidy(
        self,
        policy: objects.Policy,
        now: datetime.datetime,
        window: datetime.timedelta,
    ) -> None:
        """Put by the oldest records, up to the first one that may still matter.

        That is one that is unfinished, not cleared, within the ``window`` that limits count, or
        of a streak that may latch the policy.
        """
        records = sorted(
            self._server.records.values(), key=lambda each: each.finished_or_decided_at
        )
        streak = ledger.unhelpful_streak(records, policy.key, ledger.resumed_at(policy))
        holding = {record.name for record in streak}
        keep_from = now - max(window, ledger.LONGEST_WINDOW, timing.VERIFICATION_LASTS)
        for record in records:
            open_yet = not record.phase.final or record.status.cleared_at is None
            if open_yet or record.name in holding or record.finished_or_decided_at >= keep_from:
                return
            uid = record.spec.target.uid
            others = [r for r in self._server.records.values() if r.spec.target.uid == uid]
            if record.spec.attempt == max(each.spec.attempt for each in others):
                # Numbers are counted from the highest that is seen: the next one starts at 1.
                self._attempts[uid] = record.spec.attempt
            self._server.delete(record)
            self.put_by.append(record)
