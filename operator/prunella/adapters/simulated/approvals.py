"""The Approvals port in memory: an API server for Approvals, and people who write them."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults
from prunella.api import approval as approval_api
from prunella.api import conditions
from prunella.core import objects


class SimulatedApprovals:
    """Approvals (`outside_ports.Approvals`); what people write is there at once."""

    def __init__(
        self, clock: clocks.VirtualClock, switchboard: faults.Faults | None = None
    ) -> None:
        self.faults = switchboard or faults.Faults()
        self.stored: dict[tuple[str, str], objects.Approval] = {}
        self._clock = clock
        self._versions = itertools.count(1)

    def decide(
        self,
        record: objects.Record,
        verdict: approval_api.Verdict = approval_api.Verdict.APPROVE,
        *,
        by: str = "ada",
        uid: str = "",
        plan_hash: str = "",
        reason: str = "",
        expires_at: datetime.datetime | None = None,
    ) -> objects.Approval:
        """What a person does by `prunella approve`. Raises Conflict when it was decided before.

        ``uid`` and ``plan_hash`` are those of the record unless they are told.
        """
        place = (record.namespace, record.name)
        if place in self.stored:
            raise ports.Conflict(f'approvals "{record.name}" already exists', status=409)
        version = str(next(self._versions))
        self.stored[place] = objects.Approval(
            name=record.name,
            namespace=record.namespace,
            spec=approval_api.ApprovalSpec(
                remediation_uid=uid or record.uid,
                plan_hash=plan_hash or record.spec.plan_hash,
                verdict=verdict,
                decided_by=by,
                reason=reason,
                expires_at=expires_at,
            ),
            status=approval_api.ApprovalStatus(),
            uid=f"approval-{version}",
            resource_version=version,
            created=self._clock.now().replace(microsecond=0),
        )
        return self.stored[place]

    def withdraw(self, record: objects.Record) -> None:
        """What an administrator does by `kubectl delete`."""
        self.stored.pop((record.namespace, record.name))

    def all(self, namespace: str | None = None) -> Collection[objects.Approval]:
        """The Approvals of a namespace, or of all; costs no request."""
        found = self.stored.values()
        return [each for each in found if namespace in {None, each.namespace}]

    async def read(self, namespace: str, name: str) -> objects.Approval | None:
        """One as it is now; None when there is none. Raises ClusterError."""
        self.faults.reach(faults.Point.READ_APPROVAL)
        return self.stored.get((namespace, name))

    async def answer(self, approval: objects.Approval, condition: conditions.Condition) -> None:
        """Write what became of one. Raises Conflict, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_ANSWER)
        place = (approval.namespace, approval.name)
        stored = self.stored.get(place)
        if stored is None or stored.uid != approval.uid:
            return
        if stored.resource_version != approval.resource_version:
            raise ports.Conflict(f"{approval.name} has been modified", status=409)
        merged = conditions.merge(stored.status.conditions, [condition])
        self.stored[place] = dataclasses.replace(
            stored,
            status=approval_api.ApprovalStatus(conditions=merged),
            resource_version=str(next(self._versions)),
        )
        self.faults.reach(faults.Point.AFTER_ANSWER)
