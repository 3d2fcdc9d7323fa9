"""What an action has started outside its target: who is asked how far it has come."""

from __future__ import annotations

from prunella.core import objects
from prunella.core.decisions import ledger, started
from prunella.core.outcomes import runs
from prunella.engine import world as worlds


async def look(world: worlds.World, record: objects.Record) -> started.Run | None:
    """What the record has started; None: it is not there, or it starts nothing.

    Raises ClusterError.
    """
    if not runs.starts_run(record):
        return None
    return await world.cluster.job(ledger.effects_of(record)[0].target)
