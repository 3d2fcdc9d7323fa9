"""Records whose policy was deleted while they were unfinished."""

from __future__ import annotations

from collections.abc import Iterable

from prunella import ports
from prunella.api import reasons
from prunella.core import objects
from prunella.engine import attempt
from prunella.engine import world as worlds

Phase = reasons.Phase


async def close_orphans(
    world: worlds.World, executor: attempt.Executor, alive: Iterable[objects.Key]
) -> None:
    """End the unfinished records of deleted policies: nothing more is done or undone."""
    known = set(alive)
    for record in tuple(world.ledger.records()):
        if record.phase.final or record.policy in known:
            continue
        if await world.policies.read(record.policy) is not None:
            continue
        message = "the policy was deleted; nothing more is done, nothing is undone"
        try:
            if record.phase is Phase.ACTING:
                record = await executor.settle(record)  # noqa: PLW2901 - the record as settled
            if record.phase in {Phase.PENDING, Phase.VERIFYING}:
                sent = record.phase is Phase.VERIFYING
                phase = Phase.UNPROVEN if sent else Phase.NOT_SENT
                await executor.close(record, phase, "PolicyDeleted", message)
        except ports.ClusterError:
            continue
