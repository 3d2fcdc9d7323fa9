"""The Journal port does the same in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella import ports
from prunella.api import change as change_api
from prunella.core.changes.values import Change
from tests.contract.worlds import World

AT = datetime.datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=datetime.UTC)
BEGINNING = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def made(
    world: World, name: str = "service-catalogue-1", *, seconds: float = 0.0, kind: str = "Service"
) -> Change:
    """A change of a Service, or of another kind."""
    spec = change_api.ChangeSpec.model_validate(
        {
            "object": {
                "apiVersion": "v1",
                "kind": kind,
                "namespace": world.namespace,
                "name": "catalogue",
                "uid": "u-1",
            },
            "verb": "Modified",
            "class": "Change",
            "at": AT + datetime.timedelta(seconds=seconds),
            "by": {"manager": "kubectl-patch"},
            "summary": "Service catalogue: spec.ports[http].targetPort 8080 -> 9999",
            "fields": [
                {"path": "spec.ports[name=http].targetPort", "old": "8080", "new": "9999"},
                {"path": "metadata.labels.team", "old": None, "new": '"blue"'},
            ],
            "resourceVersion": "7",
            "generation": 3,
            "before": "eJyrVgIAAWAAmA==",
        }
    )
    return Change(name=name, namespace=world.namespace, spec=spec)


async def test_what_is_recorded_is_read_as_it_was_meant(world: World) -> None:
    """A Change is in the journal when the call returns, without the object before it."""
    journal, change = world.new_journal(), made(world)

    assert await journal.record(change)

    [found] = journal.changes([world.namespace], BEGINNING)
    assert change.spec.model_copy(update={"before": ""}) == found.spec
    assert (change.name, change.namespace) == (found.name, found.namespace)
    whole = await journal.whole(found)
    assert whole is not None
    assert change.spec == whole.spec


async def test_routes_are_remembered_as_they_were(world: World) -> None:
    """Whom one led to before is asked for in each diagnosis."""
    journal, change = world.new_journal(), made(world, kind="Ingress")
    await journal.record(change)

    [found] = journal.changes([world.namespace], BEGINNING)
    assert change.spec.before == found.spec.before


async def test_a_name_is_written_once(world: World) -> None:
    """A second operator, or the same after a crash, changes nothing by telling it again."""
    first, second, change = world.new_journal(), world.new_journal(), made(world)
    await first.record(change)
    other = change.spec.model_copy(update={"summary": "told otherwise"})

    assert not await second.record(dataclasses.replace(change, spec=other))

    whole = await second.whole(change)
    assert whole is not None
    assert change.spec.summary == whole.spec.summary


async def test_changes_are_ordered_and_chosen_by_time_and_namespace(world: World) -> None:
    """Oldest first, from a moment on, and none of another namespace."""
    journal = world.new_journal()
    for name, seconds in (("c", 20), ("a", 0), ("b", 10)):
        await journal.record(made(world, name, seconds=seconds))

    names = [each.name for each in journal.changes([world.namespace], BEGINNING)]
    later = journal.changes([world.namespace], AT + datetime.timedelta(seconds=10))

    assert ["a", "b", "c"] == names
    assert ["b", "c"] == [each.name for each in later]
    assert [] == list(journal.changes(["elsewhere"], BEGINNING))


async def test_incidents_refer_to_a_change(world: World) -> None:
    """References are replaced as a whole; nothing else of the Change is touched."""
    journal = world.new_journal()
    await journal.record(made(world))
    [change] = journal.changes([world.namespace], BEGINNING)

    await journal.refer(change, ["shop/inc-1", "shop/inc-2"])
    [referred] = journal.changes([world.namespace], BEGINNING)
    await journal.refer(referred, [])
    [released] = journal.changes([world.namespace], BEGINNING)

    assert ("shop/inc-1", "shop/inc-2") == referred.incidents
    assert () == released.incidents
    whole = await journal.whole(released)
    assert whole is not None
    assert made(world).spec == whole.spec


async def test_a_change_is_deleted_under_its_uid(world: World) -> None:
    """One that is gone is no error; one that has its name by now is not touched."""
    journal = world.new_journal()
    await journal.record(made(world))
    [change] = journal.changes([world.namespace], BEGINNING)

    with pytest.raises(ports.Conflict):
        await journal.delete(dataclasses.replace(change, uid="another"))
    await journal.delete(change)
    await journal.delete(change)
    await journal.refer(change, ["shop/inc-1"])

    assert [] == list(journal.changes([world.namespace], BEGINNING))
    assert await journal.whole(change) is None
