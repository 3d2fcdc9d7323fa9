"""One attempt from intent to proof: the only code that changes a cluster.

    create (the name is the lock) -> plan again, equal hash -> sentAt -> send -> outcome -> verify

Each arrow is a write that a crash may fall between; what was begun is taken up again from the
record alone, and what was sent is settled by looking, never by sending it again.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Mapping

from prunella import ports
from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import approvals, decide, ledger, restoring, undoing
from prunella.core.outcomes import escalation, pacing, records, settling, syncing, verification
from prunella.core.outcomes import runs as run_rules
from prunella.engine import draining, refusals, runs, sending
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
Phase = reasons.Phase
SETTLE_AFTER = datetime.timedelta(seconds=15)
"""A request whose answer was lost may still be under way: it waits 2 s for a thread, 3 s for a
connection, and the API server is given 10 s for it."""
PUSH_SEEN_WITHIN = datetime.timedelta(minutes=10)
"""How long a repository may be silent after a push whose answer was lost."""
_REFUSED = {
    403: reasons.Refused.FORBIDDEN,
    404: reasons.Refused.TARGET_GONE,
    409: reasons.Refused.PLAN_CHANGED,
    422: reasons.Refused.PLAN_CHANGED,
}
"""Why the API server refused an effect, by its HTTP status: a precondition that fails is a 422."""
_FOR_A_PERSON = {reasons.Refused.FORBIDDEN, reasons.Refused.REFUSED_BY_ADMISSION}
"""Refusals after a rehearsal that went well: planned again, they would only be repeated."""


class Executor:
    """Carries out commands and takes records forward."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._refusals = refusals.Refusals()

    async def begin(
        self, policy: objects.Policy, command: decide.Command, queries: Mapping[str, str]
    ) -> objects.Record | model.Refusal:
        """Take the lock for a command; a Refusal when the server or somebody else says no."""
        outcomes: list[str] = [""] * len(command.effects)
        if command.mode is not policy_api.Mode.ADVISE:
            refusal = await self._rehearse(policy.key, command)
            if refusal is not None:
                return refusal
            outcomes = [ports.Outcome.WOULD_SUCCEED.value] * len(command.effects)
        namespace = command.workload.ref.namespace or self._world.home
        spec = records.to_spec(command, policy, queries)
        try:
            record = await self._world.ledger.create(namespace, command.name, spec)
            told = approvals.question(spec, namespace, command.name) or command.summary
            status = _first_status(command, told, outcomes, self._world.clock.now())
            record = await self._world.ledger.update(record, status)
        except ports.Conflict as error:
            message = f"{command.name} was taken by somebody else: {error}"
            return model.Refusal(reasons.Refused.IN_FLIGHT, message)
        except ports.ClusterError as error:
            message = f"no record, no action: {error}"
            return model.Refusal(reasons.Refused.LEDGER_UNAVAILABLE, message)
        self._count(record, record.phase)
        await self._tell(record, ports.Severity.NORMAL, record.phase, told)
        return record

    async def _rehearse(self, policy: objects.Key, command: decide.Command) -> model.Refusal | None:
        """Ask the API server, with ``dryRun=All``, whether it would carry the effects out.

        What it has just refused it is not asked in every pass.
        """
        now = self._world.clock.now()
        standing = self._refusals.standing(policy, command, now)
        if standing is not None:
            return standing
        refusal = None
        for effect in draining.rehearsed(command):
            place = (command.workload.ref.namespace or self._world.home, command.name)
            receipt = await sending.send(self._world, effect, *place, dry_run=True)
            if receipt.outcome is not ports.Outcome.WOULD_SUCCEED:
                refusal = refusals.in_rehearsal(command, effect, receipt)
                break
        lasting = refusal is not None and refusal.reason is not reasons.Refused.FORBIDDEN
        self._refusals.note(policy, command, refusal if lasting else None, now)
        return refusal

    async def carry_out(
        self, record: objects.Record, *, next_is_due: bool = False
    ) -> objects.Record:
        """Send a Pending record's effects, each after its ``sentAt`` was written.

        The caller has planned again on fresh state and found the same plan.  Before an effect that
        waits for the ones before it the record is left Acting, unless ``next_is_due``.
        """
        for index, effect in enumerate(ledger.effects_of(record)):
            status = record.status.effects[index]
            if status.sent_at is not None or status.outcome:
                continue  # Sent before, or left out; the record was settled since.
            if effect.paced and not next_is_due:
                break
            next_is_due = False
            sent = record.status.effects[index].model_copy(
                update={"sent_at": self._world.clock.now(), "outcome": ""}
            )
            record = await self._write(record, _with_effect(record, index, sent, Phase.ACTING))
            place = (record.namespace, record.name)
            receipt = await sending.send(self._world, effect, *place, dry_run=False)
            done = sent.model_copy(update=sending.received(record, effect, receipt))
            record = await self._write(record, self._after(record, index, done, receipt, effect))
            needless = _needless(effect, index, receipt)
            if receipt.outcome is not ports.Outcome.EFFECTIVE and not needless:
                break
        self._count(record, record.phase)
        await self._tell_progress(record)
        return await self.label(record)

    def _after(
        self,
        record: objects.Record,
        index: int,
        done: remediation.EffectStatus,
        receipt: ports.Receipt,
        effect: model.Effect,
    ) -> remediation.RemediationStatus:
        last = index + 1 == len(record.spec.effects)
        if receipt.url:
            now = self._world.clock.now()
            return syncing.requested(_with_effect(record, index, done, Phase.ACTING), now)
        if receipt.outcome is ports.Outcome.EFFECTIVE or _needless(effect, index, receipt):
            status = _with_effect(record, index, done, Phase.VERIFYING if last else Phase.ACTING)
            return run_rules.with_started(status, record, receipt.run, self._world.clock.now())
        status = _with_effect(record, index, done, Phase.ACTING)
        if receipt.outcome is ports.Outcome.UNKNOWN:
            return status
        reason = _REFUSED.get(receipt.status or 0, reasons.Refused.REFUSED_BY_SERVER)
        if receipt.refused_by:
            reason = reasons.Refused.REFUSED_BY_ADMISSION
        called = record.spec.effects[index].verb == model.Verb.CALL.value
        if called:
            reason = reasons.Refused.REFUSED_BY_RECEIVER
        nothing_done = index == 0 and not called and reason not in _FOR_A_PERSON
        phase = Phase.NOT_SENT if nothing_done else Phase.FAILED
        ended = records.closed(record, phase, reason, "", self._world.clock.now())
        ended = ended.model_copy(update={"effects": status.effects})
        before = f"after {index} of {len(record.spec.effects)} effects: " if index else ""
        left = undoing.left(dataclasses.replace(record, status=ended))
        message = f"{before}{receipt.message}"[: records.MESSAGE - len(left)]
        return ended.model_copy(update={"message": message + left})

    async def settle(self, record: objects.Record, *, may_send: bool = False) -> objects.Record:
        """Settle a record that was sent and has no outcome, once its request must be over.

        Effects that were never sent follow the settled ones if they are still right and
        ``may_send``: a crash between the two must not leave half an action.
        """
        now = self._world.clock.now()
        if record.last_sent_at is not None and now - record.last_sent_at < SETTLE_AFTER:
            return record
        if (found := await sending.pushed(self._world, record)) is not None:
            return await self._settle_push(record, *found)
        live_state = await self._world.cluster.live_state(record.target)
        written = restoring.written(record)
        seen = {ref: await self._world.cluster.read_object(ref) for ref in written}
        run = await runs.look(self._world, record)
        status = settling.settle(record, live_state, now, seen, run)
        if may_send and settling.half_done(record, status, live_state):
            halves = zip(record.status.effects, status.effects, strict=True)
            effects = [old if old.sent_at is None else new for old, new in halves]
            going_on = {"phase": Phase.ACTING, "finished_at": None, "effects": effects}
            acting = status.model_copy(update=going_on)
            return await self.carry_out(await self._write(record, acting))
        return await self._settled(record, status)

    async def _settle_push(
        self, record: objects.Record, effect: model.Effect, receipt: ports.Receipt
    ) -> objects.Record:
        """Settle a push by what the repository shows; one that can't be read is waited for."""
        if receipt.outcome is ports.Outcome.UNKNOWN:
            sent_at = record.last_sent_or_decided_at
            if self._world.clock.now() - sent_at < PUSH_SEEN_WITHIN:
                return record
            message = f"nobody knows whether it was pushed: {receipt.message}"
            return await self.close(record, Phase.UNKNOWN, "NobodyKnows", message)
        done = record.status.effects[0].model_copy(update=sending.received(record, effect, receipt))
        return await self._settled(record, self._after(record, 0, done, receipt, effect))

    async def _settled(
        self, record: objects.Record, status: remediation.RemediationStatus
    ) -> objects.Record:
        record = await self._write(record, status)
        self._count(record, record.phase)
        await self._tell_progress(record)
        return await self.label(record)

    async def pace(self, record: objects.Record, scene: pacing.Scene) -> objects.Record:
        """Evict the next pod of a record in Acting if it is due.

        It is tried first, so that what a disruption budget refuses for now stays unsent.
        """
        if draining.is_drain(record):
            record, ended = await draining.go_on(self._world, record, scene)
            return record if ended is None else await self._settled(record, ended)
        live_state = await self._world.cluster.live_state(record.target)
        turn, why = pacing.turn(record, scene, live_state)
        if turn is pacing.Turn.SEND and pacing.passed_over(record, scene):
            return await self._write(record, pacing.without_next(record))
        if turn is pacing.Turn.SEND:
            if await self._has_room(record):
                return await self.carry_out(record, next_is_due=True)
            turn, why = pacing.turn(record, dataclasses.replace(scene, no_room=True), live_state)
        if turn is not pacing.Turn.STOP:
            return record
        return await self._settled(record, pacing.stopped(record, why))

    async def _has_room(self, record: objects.Record) -> bool:
        """Whether no disruption budget is in the way of the next eviction."""
        due = pacing.due(record)
        receipt = await self._world.cluster.send(due, record.name, dry_run=True)
        return receipt.status != refusals.BUDGET_IN_THE_WAY

    async def advance(
        self, record: objects.Record, scene: verification.Scene, healthy: int
    ) -> objects.Record:
        """Take a record in Verifying one sample further."""
        status = verification.progress(record, scene, healthy)
        if status == record.status:
            return record
        if status.phase.final:
            await self.give_back(record)
        record = await self._write(record, status)
        if record.phase.final:
            self._count(record, record.phase)
            await self._tell_progress(record)
        return await self.label(record)

    async def follow(self, record: objects.Record) -> None:
        """Look how far that has come which a record has started outside its target."""
        status = await runs.follow(self._world, record)
        if status == record.status:
            return
        record = await self._write(record, status)
        if record.phase.final:
            self._count(record, record.phase)
            await self._tell_progress(record)
        await self.label(record)

    async def give_back(self, record: objects.Record) -> None:
        """Leave the fields that a record's effects wrote to whoever writes them next.

        Before the record ends: what fails here is seen by the sweep, and tried again.
        """
        effects = filter(_fields, ledger.effects_of(record))
        written = {effect.target: effect.uid for effect in effects}
        for target, uid in written.items():
            try:
                await self._world.cluster.give_back(target, uid)
            except ports.ClusterError as error:
                LOG.warning("%s: its fields are not given back yet: %s", record.name, error)

    async def close(
        self, record: objects.Record, phase: Phase, reason: str, message: str
    ) -> objects.Record:
        """End a record."""
        now = self._world.clock.now()
        if record.sent_at is not None:
            await self.give_back(record)
        closed = records.closed(record, phase, reason, message, now)
        return await self._settled(record, closed)

    async def label(self, record: objects.Record) -> objects.Record:
        """Bring a record's labels in line with its phase; one that fails is left to the sweep.

        Labels are for people who look things up: nothing is decided by them.
        """
        if not records.mislabelled(record):
            return record
        try:
            return await self._world.ledger.label(record)
        except ports.ClusterError as error:
            LOG.warning("%s was not labelled %s: %s", record.name, record.phase, error)
            return record

    async def clear(self, record: objects.Record) -> None:
        """Note that the target was seen Healthy: the episode is over."""
        now = self._world.clock.now()
        # This pass may have written to it already, as when it called a person.
        record = next((r for r in self._world.ledger.records() if r.uid == record.uid), record)
        await self._write(record, record.status.model_copy(update={"cleared_at": now}))

    async def escalate(self, record: objects.Record) -> None:
        """Call a person; noted on the record once the alert has arrived."""
        summary, description = escalation.words(record)
        arrived = await self._world.notifier.escalate(
            ports.Escalation(
                policy=record.policy,
                target=record.target,
                record=record.name,
                summary=summary,
                description=description,
            )
        )
        labels = {"namespace": record.policy.namespace, "policy": record.policy.name}
        if not arrived:
            self._world.telemetry.count("prunella_escalation_failures_total", labels)
            return
        self._world.telemetry.count("prunella_escalations_total", labels)
        now = self._world.clock.now()
        await self._write(record, record.status.model_copy(update={"escalated_at": now}))
        await self._tell(record, ports.Severity.WARNING, "Escalated", description)

    async def _write(
        self, record: objects.Record, status: remediation.RemediationStatus
    ) -> objects.Record:
        return await self._world.ledger.update(record, status)

    def _count(self, record: objects.Record, phase: Phase) -> None:
        labels = {
            "namespace": record.policy.namespace,
            "policy": record.policy.name,
            "action": record.spec.action,
            "phase": phase.value,
        }
        self._world.telemetry.count("prunella_remediations_total", labels)

    async def _tell_progress(self, record: objects.Record) -> None:
        bad = record.phase in reasons.UNHELPFUL
        severity = ports.Severity.WARNING if bad else ports.Severity.NORMAL
        message = f"{record.spec.action} on {record.target}: {record.status.message}"
        await self._tell(record, severity, record.phase, message)

    async def _tell(
        self, record: objects.Record, severity: ports.Severity, reason: str, message: str
    ) -> None:
        LOG.info(
            "%s %s: %s",
            record.name,
            reason,
            message,
            extra={
                "remediation": record.name,
                "namespace": record.namespace,
                "policy": str(record.policy),
                "reason": reason,
            },
        )
        await self._world.notifier.event(ports.Notice(record, severity, reason, message))


def writes_fields(record: objects.Record) -> bool:
    """Whether a record's effects write fields of its target, which others may want to write."""
    effects = ledger.effects_of(record)
    return any(_fields(effect) and effect.target == record.target for effect in effects)


def _fields(effect: model.Effect) -> bool:
    """Whether an effect writes fields of an object that stays; nobody writes those of a Job."""
    return effect.verb in {model.Verb.PATCH, model.Verb.CREATE} and effect.target.kind != "Job"


def _first_status(
    command: decide.Command, told: str, outcomes: list[str], now: datetime.datetime
) -> remediation.RemediationStatus:
    phase = records.first_phase(command.mode, command.action)
    status = records.first_status(phase, told, now, len(command.effects))
    if phase is not Phase.DRY_RUN:
        return status
    effects = [
        effect.model_copy(update={"outcome": outcome})
        for effect, outcome in zip(status.effects, outcomes, strict=True)
    ]
    return status.model_copy(update={"effects": effects})


def _with_effect(
    record: objects.Record, index: int, effect: remediation.EffectStatus, phase: Phase
) -> remediation.RemediationStatus:
    effects = list(record.status.effects)
    effects[index] = effect
    return record.status.model_copy(
        update={"effects": effects, "phase": phase, "reason": phase.value}
    )


def _needless(effect: model.Effect, index: int, receipt: ports.Receipt) -> bool:
    """Whether a later eviction was refused because its pod has gone by itself (404, 409)."""
    refused = receipt.outcome is ports.Outcome.REFUSED and receipt.status in {404, 409}
    return refused and index > 0 and effect.verb is model.Verb.EVICT
