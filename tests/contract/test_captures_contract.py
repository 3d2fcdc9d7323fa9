"""The Captures port on the simulator and on a real API server."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella import outside_ports, ports
from prunella.adapters.kubernetes import captures as kubernetes_captures
from prunella.adapters.simulated import captures as simulated_captures
from prunella.adapters.simulated import clock as clocks
from prunella.api import capture
from prunella.core import model, objects
from prunella.core.outcomes import capturing
from tests.contract import worlds
from tests.unit.core import builders

LIMITS = capture.CapturePolicy.model_validate({"logs": "Previous", "pods": 1})


def port_of(world: worlds.World) -> outside_ports.Captures:
    """What keeps things there."""
    if isinstance(world, worlds.LabWorld):
        return kubernetes_captures.KubernetesCaptures(world.api, [world.namespace])
    assert isinstance(world, worlds.SimulatedWorld)
    return simulated_captures.SimulatedCaptures(clocks.VirtualClock(worlds.START), world.cluster)


async def record_of(world: worlds.World) -> objects.Record:
    """A record on a workload that runs."""
    ref = model.Ref("Deployment", world.namespace, "web")
    await world.add(ref, 2)
    spec = builders.record("R").spec
    target = spec.target.model_copy(update={"namespace": world.namespace, "name": "web"})
    spec = spec.model_copy(update={"target": target})
    return await world.new_ledger().create(world.namespace, "deployment-web-1", spec)


async def test_it_looks_at_the_target_and_its_worst_pods(world: worlds.World) -> None:
    """Each thing is a part; what can't be had, as the log of a first run, is one with a reason."""
    record = await record_of(world)
    found: list[capturing.Part] = []
    await port_of(world).look(record, LIMITS, found)
    names = [part.name for part in found]
    assert "Deployment/web" == names[0]
    assert 1 == len(
        {name.split("/")[1].split()[0] for name in names if name.startswith("Pod/web-")}
    )
    logs = [part for part in found if part.name.endswith("app previous log")]
    assert 1 == len(logs)
    assert logs[0].text or logs[0].problem


async def test_it_is_kept_once_until_its_time_is_over(world: worlds.World) -> None:
    """The name of the record has room for one; what has expired is deleted."""
    record, port = await record_of(world), port_of(world)
    now = builders.NOW
    spec = capturing.pack(record, [capturing.Part("a", "x")], LIMITS, now)
    await port.keep(record, spec)
    with pytest.raises(ports.Conflict):
        await port.keep(record, spec)
    await port.expire(now + LIMITS.keep - datetime.timedelta(seconds=1))
    with pytest.raises(ports.Conflict):
        await port.keep(record, spec)
    await port.expire(now + LIMITS.keep)
    await port.keep(dataclasses.replace(record), spec)
