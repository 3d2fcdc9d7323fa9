"""What an action has started outside its target: who is asked how far it has come."""

from __future__ import annotations

from prunella import ports
from prunella.api import remediation
from prunella.core import model, objects
from prunella.core.decisions import ledger, started
from prunella.core.outcomes import runs
from prunella.engine import world as worlds


async def look(world: worlds.World, record: objects.Record) -> started.Run | None:
    """What the record has started; None: it is not there, or it starts nothing.

    Raises ClusterError.
    """
    if not runs.starts_run(record):
        return None
    effect = ledger.effects_of(record)[0]
    if effect.verb is model.Verb.CALL:
        known = record.status.run.id if record.status.run is not None else ""
        return await world.outward.look(effect, record.name, known)
    return await world.cluster.job(effect.target)


async def follow(world: worlds.World, record: objects.Record) -> remediation.RemediationStatus:
    """The record's status after a look; what can't be asked is taken to run, while it may."""
    try:
        run = await look(world, record)
    except ports.ClusterError as error:
        run = started.Run(started.RunState.RUNNING, f"it can't be asked: {error}")
    called = any(each.verb is model.Verb.CALL for each in ledger.effects_of(record))
    if run is None and called and not (record.status.run and record.status.run.id):
        # It takes a moment until a system lists what it was asked for.
        run = started.Run(started.RunState.RUNNING, "it is not listed there yet")
    return runs.followed(record, run, world.clock.now())
