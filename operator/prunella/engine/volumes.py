"""A look at the claims that a record has raised, for how large their volumes are now."""

from __future__ import annotations

from prunella.core import objects
from prunella.core.outcomes import expanding
from prunella.engine import world as worlds


async def expanded(world: worlds.World, record: objects.Record) -> expanding.Expanded | None:
    """How far the claims are; None where nothing is waited for. Raises ClusterError."""
    waited = expanding.awaits(record)
    if not waited:
        return None
    return expanding.judged(record, {ref: await world.cluster.read_object(ref) for ref in waited})
