"""Calling a person for targets that are sick while every action is refused."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Collection

from prunella import ports
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.outcomes import escalation
from prunella.engine import memory as memories
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Watcher:
    """Keeps a policy's unattended targets up to date, and calls for each of them once."""

    world: worlds.World

    async def look(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        outcome: step.Outcome,
        spoken_for: Collection[model.Ref],
        now: datetime.datetime,
    ) -> None:
        """Bring ``memory.unattended`` up to now; the report writes it to the status.

        After a restart it begins with what the status tells, so that nobody is called twice.
        """
        before = memory.unattended
        if before is None:
            same = policy.status.observed_generation == policy.generation
            before = policy.status.unattended if same else []
        records = tuple(self.world.ledger.records())
        entries = escalation.unattended(policy, outcome, records, before, now)
        overdue = {
            each.name
            for each in escalation.overdue(policy, entries, records, spoken_for, now)
            if await self._call(policy, each, now)
        }
        memory.unattended = [
            each.model_copy(update={"called_at": now}) if each.name in overdue else each
            for each in entries
        ]

    async def _call(
        self, policy: objects.Policy, entry: escalation.Unattended, now: datetime.datetime
    ) -> bool:
        """Post the alert; False when it did not arrive, so that the next pass tries again."""
        key, kind = policy.key, step.valid_spec(policy).target.kind
        target = model.Ref(kind.value, key.namespace, entry.name)
        named = f"policy/{key.argument}" if key.namespace else key.argument
        minutes = (now - entry.since).total_seconds() / 60
        description = (
            f"{target} is Unhealthy and nothing has been done about it for {minutes:.0f} min: "
            f"{entry.refused}: {entry.refusal}. "
            f"See: prunella explain {named}"
        )
        arrived = await self.world.notifier.escalate(
            ports.Escalation(
                policy=key,
                target=target,
                record="",
                summary=f"{target} is sick, and policy {key} does nothing about it",
                description=description,
            )
        )
        labels = {"namespace": key.namespace, "policy": key.name}
        if not arrived:
            self.world.telemetry.count("prunella_escalation_failures_total", labels)
            return False
        self.world.telemetry.count("prunella_escalations_total", labels)
        LOG.warning("%s: a person was called: %s", key, description, extra={"policy": str(key)})
        notice = ports.Notice(policy, ports.Severity.WARNING, "Escalated", description)
        await self.world.notifier.event(notice)
        return True
