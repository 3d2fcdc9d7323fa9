"""Taking a unit of the disruption budgets before a record is carried out.

Check and take are one write under the version that was read.  Who loses the race reads again, and
is refused when nothing is left.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from prunella import ports
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import budgets
from prunella.core.decisions.rules import Rules
from prunella.engine import approvals, attempt
from prunella.engine import world as worlds

MOST_TRIES: Final = 5


async def with_seen(world: worlds.World, looked: model.LiveState | None) -> model.LiveState | None:
    """A close look with what is being disrupted beside it."""
    if looked is None or world.disruptions is None:
        return looked
    seen = await world.disruptions.look(looked.workload.ref)
    return dataclasses.replace(looked, disrupted=seen)


class Budgeted:
    """Carries out records that have got their unit."""

    def __init__(self, world: worlds.World, executor: attempt.Executor, rules: Rules) -> None:
        self._world = world
        self._executor = executor
        self._rules = rules

    async def carry_out(self, record: objects.Record) -> objects.Record:
        """Take a unit and send the effects; without one nothing is sent.

        The record ends then; one that a person has approved waits until there is room.
        """
        refusal = await self._take(record)
        if refusal is None:
            return await self._executor.carry_out(record)
        if refusal.reason is reasons.Refused.DISRUPTIONS_UNKNOWN:
            # What can't be written would be tried in each pass for as long as the answer is good.
            ended = reasons.Phase.NOT_SENT
            return await self._executor.close(record, ended, refusal.reason, refusal.message)
        return await approvals.Questions(self._world, self._executor).turn_away(record, refusal)

    async def _take(self, record: objects.Record) -> model.Refusal | None:
        port = self._world.disruptions
        if port is None or record.spec.action in budgets.TAKES_BACK:
            return None
        for _ in range(MOST_TRIES):
            seen, now = await port.look(record.target), self._world.clock.now()
            records = tuple(self._world.ledger.records())
            given = (seen, record.target, records, self._rules, now, record.name)
            answer = budgets.judge(*given)
            if isinstance(answer, model.Refusal):
                return answer
            try:
                await port.take(seen.version, budgets.with_unit(seen, record, records, now))
            except ports.Conflict:
                continue
            except ports.ClusterError as error:
                message = f"no unit of the disruption budgets could be taken: {error}"
                return model.Refusal(reasons.Refused.DISRUPTIONS_UNKNOWN, message)
            return None
        message = f"{MOST_TRIES} times somebody else was first to take a unit"
        return model.Refusal(reasons.Refused.DISRUPTIONS_UNKNOWN, message)
