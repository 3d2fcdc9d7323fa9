"""The Disruptions port does the same in the simulation as on a real API server."""

from __future__ import annotations

import datetime

import pytest

from prunella import ports
from prunella.core import model
from prunella.core.disruptions import Unit
from tests.contract.worlds import World

AT = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)


def _unit(world: World, name: str) -> Unit:
    return Unit(world.namespace, f"r-{name}", ("Deployment", world.namespace, name), AT)


async def test_of_two_that_read_the_same_one_takes(world: World) -> None:
    """Check and take are one write: the second writer has lost, and finds the first one's unit."""
    first, second = world.new_disruptions(), world.new_disruptions()
    target = model.Ref("Deployment", world.namespace, "a")
    seen, same = await first.look(target), await second.look(target)
    assert ("", (), seen.version) == (seen.problem, seen.taken, same.version)

    await first.take(seen.version, [_unit(world, "a")])
    with pytest.raises(ports.Conflict):
        await second.take(same.version, [_unit(world, "b")])

    again = await second.look(target)
    assert (_unit(world, "a"),) == again.taken
    await second.take(again.version, [*again.taken, _unit(world, "b")])
    assert 2 == len((await first.look(target)).taken)


async def test_a_budget_that_allows_nothing_is_no_disruption_while_all_is_well(
    world: World,
) -> None:
    """With all pods healthy it says nothing; the workload is counted for the share."""
    ref = model.Ref("Deployment", world.namespace, "web")
    await world.add(ref, 2)
    await world.add_budget("web", 2)
    port = world.new_disruptions()
    seen = await port.look(ref)
    assert ([], 1, None) == (list(seen.others), seen.workloads, seen.override)
