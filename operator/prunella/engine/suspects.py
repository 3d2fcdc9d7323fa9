"""A close look at an object that an incident suspects: as it is now, and what changed it."""

from __future__ import annotations

import dataclasses
import datetime

from prunella import ports
from prunella.core import model, objects
from prunella.core.decisions import ledger, restoring
from prunella.engine import world as worlds


async def look(world: worlds.World, need: model.Need, now: datetime.datetime) -> restoring.Looked:
    """The object of a need. What can't be read is its problem: never raises ClusterError."""
    ref = need.target
    looked = restoring.Looked(ref, None, asked=need.change)
    try:
        if world.journal is not None:
            looked = await _with_changes(world.journal, looked, need.change, now)
        return dataclasses.replace(looked, manifest=await world.cluster.read_object(ref))
    except ports.ClusterError as error:
        return dataclasses.replace(looked, problem=f"can't look at {ref}: {error}")


def recent(world: worlds.World, namespace: str, now: datetime.datetime) -> restoring.Recent:
    """What the journal tells of a namespace; nothing without one."""
    if world.journal is None:
        return restoring.Recent()
    changes = tuple(world.journal.changes({namespace}, now - restoring.CHANGES_FOR))
    return restoring.Recent(changes, world.journal.manifests({namespace}, restoring.LASTING))


async def edited(world: worlds.World, record: objects.Record) -> str:
    """What somebody else has changed since of what a record wrote beside its target.

    Nothing of an undoing: it is over once it is done.  What can't be read tells nothing: never
    raises ClusterError.
    """
    if record.spec.action == ledger.REVERT:
        return ""
    seen = {}
    for ref in restoring.beside(record):
        try:
            seen[ref] = restoring.Looked(ref, await world.cluster.read_object(ref))
        except ports.ClusterError:
            continue
    found = restoring.edited(record, seen)
    return found.message if found is not None else ""


async def _with_changes(
    journal: ports.Journal, looked: restoring.Looked, name: str, now: datetime.datetime
) -> restoring.Looked:
    ref = looked.ref
    known = journal.changes({ref.namespace}, now - restoring.CHANGES_FOR)
    own = [each for each in known if each.object == ref]
    change = restoring.suspected(name, own)
    if change is None:
        return looked
    return dataclasses.replace(
        looked,
        change=await journal.whole(change),
        later=restoring.later_than(change, own),
        neighbours=journal.manifests({ref.namespace}),
    )
