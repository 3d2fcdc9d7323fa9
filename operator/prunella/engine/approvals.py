"""Taking questions to people to their end: read the answer, plan again, let go or end it.

    AwaitingApproval --(approved, planned again alike)--> Pending --> as every other record
            ^------(refused at the last moment, for a while)--'

The write of Pending, with who approved it, is the one moment at which a question becomes an action:
it goes under the record's resourceVersion.  A crash before it leaves a question, one after it a
Pending record that is planned again like any other.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable

from prunella import ports
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import approvals, decide, step
from prunella.core.outcomes import records
from prunella.engine import attempt
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
Phase = reasons.Phase
Again = Callable[[], Awaitable[decide.Command | model.Refusal]]
"""Plans the record again on fresh state, with all guards; equal plans only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Questions:
    """The records that wait for a person's word, and the Approvals that answer them."""

    world: worlds.World
    executor: attempt.Executor

    async def look(
        self, record: objects.Record, policy: objects.Policy, outcome: step.Outcome, again: Again
    ) -> objects.Record:
        """The record after a look at its answer; it is Pending if it may be carried out now."""
        if record.phase not in {Phase.AWAITING_APPROVAL, Phase.PENDING}:
            return record
        if not approvals.asked(record):
            return record
        if record.phase is Phase.PENDING:
            return await self._begun(record)
        scene = approvals.Scene(
            policy=policy,
            now=self.world.clock.now(),
            verdict=outcome.verdicts.get(record.target),
            workload=outcome.workloads.get(record.target),
            approval=await self._read(record),
        )
        turn = approvals.judge(record, scene)
        if isinstance(turn, approvals.End):
            return await self._end(record, turn)
        if turn is approvals.Turn.WAIT or scene.approval is None:
            return record
        return await self._let_go(record, approvals.decided(scene.approval), again)

    async def answer(self, policy: objects.Key | None = None) -> None:
        """Say on Approvals what became of them; of one policy's records, or of all and none."""
        port = self.world.approvals
        if port is None:
            return
        namespace = policy.namespace or self.world.home if policy is not None else None
        waiting = [each for each in port.all(namespace) if not each.answered]
        known = {(r.namespace, r.name): r for r in self.world.ledger.records()} if waiting else {}
        for each in waiting:
            record = known.get((each.namespace, each.name))
            if policy is not None and (record is None or record.policy != policy):
                continue
            condition = approvals.answer(each, record, self.world.clock.now())
            if condition is None:
                continue
            try:
                await port.answer(each, condition)
            except ports.ClusterError as error:
                LOG.warning("Approval %s is not answered yet: %s", each.name, error)

    async def turn_away(self, record: objects.Record, refusal: model.Refusal) -> objects.Record:
        """End a Pending record that is refused; an approved one waits where that will pass."""
        word = record.status.approval
        if word is None or refusal.reason not in approvals.PASSING:
            return await self.executor.close(
                record, Phase.NOT_SENT, refusal.reason, refusal.message
            )
        back = record.status.model_copy(
            update={"phase": Phase.AWAITING_APPROVAL, "approval": None, **_waits(word, refusal)}
        )
        return await self._write(record, back)

    async def _begun(self, record: objects.Record) -> objects.Record:
        """A record that a crash left Pending: not asked yet, or approved and not sent."""
        now = self.world.clock.now()
        if record.status.approval is None:
            told = approvals.question(record.spec, record.namespace, record.name)
            effects = len(record.spec.effects)
            status = records.first_status(Phase.AWAITING_APPROVAL, told, now, effects)
            return await self._write(record, status)
        if approvals.overdue(record, now):
            message = f"approved by {record.status.approval.by}, and too late to be done"
            refused = reasons.Refused.NOT_APPROVED
            return await self.executor.close(record, Phase.NOT_SENT, refused, message)
        return record

    async def _read(self, record: objects.Record) -> objects.Approval | None:
        """The Approval as the API server has it now: one that was withdrawn does not count."""
        port = self.world.approvals
        if port is None or record.name not in {each.name for each in port.all(record.namespace)}:
            return None
        try:
            return await port.read(record.namespace, record.name)
        except ports.ClusterError as error:
            LOG.warning("Approval %s can't be read: %s", record.name, error)
            return None

    async def _let_go(
        self, record: objects.Record, decided: remediation.Decided, again: Again
    ) -> objects.Record:
        """Make it Pending if all guards let it pass now and the plan is the one approved."""
        planned = await again()
        by = f"approved by {decided.by}"
        if not isinstance(planned, model.Refusal):
            told = {"phase": Phase.PENDING, "reason": Phase.PENDING.value, "message": by}
            # A person who is called afterwards is called for what became of it.
            answered = {"approval": decided, "escalated_at": None}
            status = record.status.model_copy(update={**told, **answered})
            return await self._write(record, status)
        if planned.reason not in approvals.PASSING:
            message = f"{by}, and refused: {planned.message}"
            end = approvals.End(Phase.NOT_SENT, planned.reason, message, decided)
            return await self._end(record, end)
        if record.status.reason != planned.reason:
            told = _waits(decided, planned)
            return await self._write(record, record.status.model_copy(update=told))
        return record

    async def _end(self, record: objects.Record, end: approvals.End) -> objects.Record:
        """Close the question. One that was rejected calls nobody any more."""
        told: dict[str, object] = {"approval": end.decided}
        if end.phase is Phase.REJECTED:
            told["escalated_at"] = None
        if end.reason == approvals.RECOVERED:
            # It was seen Healthy in this pass; in the next one it may be sick anew.
            told["cleared_at"] = self.world.clock.now()
        asked = dataclasses.replace(record, status=record.status.model_copy(update=told))
        return await self.executor.close(asked, end.phase, end.reason, end.message)

    async def _write(
        self, record: objects.Record, status: remediation.RemediationStatus
    ) -> objects.Record:
        """Write and tell. Raises Conflict when somebody else was faster, ClusterError."""
        record = await self.world.ledger.update(record, status)
        LOG.info("%s %s: %s", record.name, status.reason, status.message)
        severity = ports.Severity.NORMAL
        await self.world.notifier.event(
            ports.Notice(record, severity, status.reason, status.message)
        )
        return await self.executor.label(record)


def _waits(word: remediation.Decided, refusal: model.Refusal) -> dict[str, str]:
    message = f"approved by {word.by}, and waits: {refusal.message}"
    return {"reason": refusal.reason.value, "message": message[: records.MESSAGE]}
