"""The election as settings want it."""

from __future__ import annotations

import dataclasses
import os
import random
import socket
import uuid
from collections.abc import Callable

from prunella import election_settings, ports
from prunella.adapters import clock as clocks
from prunella.adapters import watchdog
from prunella.adapters.kubernetes import credentials, leases, store
from prunella.core.election import elector as electors
from prunella.engine import election as elections
from prunella.engine import epochs

IDENTITY = "PRUNELLA_IDENTITY"
"""The environment's name of this process, as the chart gives it: the pod's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Elected:
    """An election, with what must be closed after it."""

    election: elections.Election
    identity: str
    close: Callable[[], None]


def wire(
    wanted: election_settings.LeaderElection,
    access: credentials.Credentials,
    place: tuple[str, str],
    stores: store.Stores,
    clock: ports.Clock,
    telemetry: ports.Telemetry,
) -> Elected | None:
    """The election for the Lease at ``place`` (namespace, name); None where there is none.

    Nobody takes part yet.  Raises ClusterError without access.
    """
    if not wanted.enabled:
        return None
    lease = leases.connect(access, *place)
    around = elections.Around(
        clock=clock,
        monotonic=clocks.monotonic,
        telemetry=telemetry,
        floor=lambda: epochs.highest(stores.records.all()),
        jitter=random.random,
    )
    name = identity(wanted)
    elector = electors.Elector(name, wanted.times)
    election = elections.Election(elector, lease, around)

    def late() -> float:
        return clocks.monotonic() - election.turned_at if election.leading else 0.0

    watchdog.watch(late, wanted.times.duration)
    return Elected(election, name, lease.close)


def identity(wanted: election_settings.LeaderElection) -> str:
    """The name of this process.

    A given one is of at most one process at a time, as the name of a pod is: under it a restarted
    container need not wait for the end of its own Lease.
    """
    given = wanted.identity or os.environ.get(IDENTITY, "")
    return given or f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
