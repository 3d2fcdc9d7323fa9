"""The Leases port does the same in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses

import pytest

from prunella import leadership, ports
from prunella.adapters.kubernetes import leases as kubernetes_leases
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import leases as simulated_leases
from prunella.core.election.lease import Lease
from tests.contract import worlds

AT, LATER = "2026-03-01T12:30:15.250000Z", "2026-03-01T12:30:16.750000Z"
FIRST = Lease("pod-a", 1, AT, 10.0, taken=True)


@pytest.fixture(params=["simulated", "lab"])
def lease(request: pytest.FixtureRequest) -> leadership.Leases:
    """A Lease that is not there yet."""
    if request.param == "simulated":
        server = simulated_leases.LeaseServer()
        at_once = simulated_leases.Way(0.0, 0.0)
        clock = clocks.VirtualClock(worlds.START)
        return simulated_leases.SimulatedLeases(server, clock, lambda: at_once)
    found: worlds.LabWorld = request.getfixturevalue("lab_world")
    return kubernetes_leases.KubernetesLeases(found.api, found.namespace, "prunella")


def told(found: Lease | None) -> Lease | None:
    """What of a Lease is the same everywhere."""
    return dataclasses.replace(found, version="", taken=False) if found is not None else None


async def test_a_lease_is_made_renewed_given_back_and_taken(lease: leadership.Leases) -> None:
    """It is read as it was written; the mark of giving back ends when it is taken."""
    assert await lease.read() is None
    steps = [
        FIRST,
        Lease("pod-a", 1, LATER, 10.0),
        Lease("", 1, LATER, 1.0, released=1),
        Lease("pod-b", 2, AT, 10.0, taken=True),
    ]
    version = ""
    for step in steps:
        written = await lease.write(dataclasses.replace(step, version=version))
        assert told(written) == told(step)
        assert await lease.read() == written
        assert written.version not in {"", version}
        version = written.version


async def test_of_two_writes_under_one_version_one_is_refused(lease: leadership.Leases) -> None:
    """Also of two that make it."""
    first = await lease.write(FIRST)
    await lease.write(Lease("pod-a", 1, LATER, 10.0, version=first.version))
    for late in (Lease("pod-b", 2, LATER, 10.0, taken=True, version=first.version), FIRST):
        with pytest.raises(ports.Conflict):
            await lease.write(late)
    assert told(await lease.read()) == Lease("pod-a", 1, LATER, 10.0)
