"""The stage for stories of incidents: alerts that fire and end, an operator that can die.

What the sources and the surroundings say is the story's; the objects are kept by a server that
outlives the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import incidents as simulated
from prunella.adapters.simulated import ledger as ledgers
from prunella.adapters.simulated import telemetry as telemetries
from prunella.adapters.simulated import world as simulated_world
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import values as diagnosis
from prunella.engine import incident_world, incidents

HOME = "prunella-system"
CART = model.Ref("Deployment", "core", "cart")
CHECKOUT = model.Ref("Deployment", "core", "checkout")
FRONT = model.Ref("Deployment", "web", "frontend")
DB = model.Ref("StatefulSet", "data", "postgres")
MAIL = model.Ref("Deployment", "mail", "sender")
CALLS = {FRONT: [CHECKOUT, CART], CHECKOUT: [CART], CART: [DB]}


class Alerts:
    """A source: what fires is told when it begins and ends, and all of it after a start."""

    name = "alertmanager"

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self._clock = clock
        self._active: dict[values.Fingerprint, values.Alert] = {}
        self._new: list[values.Alert] = []

    def fire(self, target: model.Ref, name: str = "HighErrorRate", **labels: str) -> values.Alert:
        """An alert begins now."""
        now = self._clock.now().timestamp()
        told = f"{name} on {target}"
        made = values.Alert(now, now, True, name, target, labels, self.name, told)
        self._active[made.fingerprint] = made
        self._new.append(made)
        return made

    def end(self, *alerts: values.Alert) -> None:
        """Alerts end now."""
        for each in alerts or list(self._active.values()):
            del self._active[each.fingerprint]
            now = self._clock.now().timestamp()
            self._new.append(dataclasses.replace(each, received=now, firing=False))

    def restart(self) -> None:
        """The operator's client starts anew: it reads all that is active."""
        now = self._clock.now().timestamp()
        active = [dataclasses.replace(each, received=now) for each in self._active.values()]
        self._new = active

    async def drain(self) -> Sequence[values.Alert]:
        """What has come since the last call."""
        new, self._new = self._new, []
        return new


class Around:
    """Surroundings and diagnosis in one: it says what the story wants it to say."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self._clock = clock
        self.seconds = 0.0
        """How long a look takes."""
        self.suspects: tuple[values.Suspect, ...] = ()
        self.ruled_out: tuple[str, ...] = ()
        self.about: Collection[model.Ref] | None = None
        """What an incident must have for the suspects to be of it; None: all have them."""
        self.looks = 0
        self.viewed: set[str] = set()
        """The namespaces that were looked at."""

    async def view(self, namespaces: Collection[str], now: Any) -> diagnosis.View:
        """All objects of the story, with nothing in them."""
        self.viewed |= set(namespaces)
        await self._clock.sleep(self.seconds)
        every = (CART, CHECKOUT, FRONT, DB, MAIL)
        return diagnosis.View(now.timestamp(), {each: {} for each in every})

    def diagnose(
        self, _view: diagnosis.View, incident: values.Incident, *_: Any
    ) -> diagnosis.Diagnosis:
        """What the story says of incidents that it is about."""
        self.looks += 1
        about = self.about is None or any(each.target in self.about for each in incident.members)
        return diagnosis.Diagnosis(self.suspects if about else (), self.ruled_out)


def suspect(
    target: model.Ref, field: str = "spec.template.image", **changes: Any
) -> values.Suspect:
    """A release that is suspected."""
    made = values.Suspect(
        target,
        0.9,
        (values.Evidence("change", f"{target} was changed 40 s before the first symptom"),),
        incident_api.CauseKind.RELEASE,
        incident_api.Confidence.HIGH,
        f"{target}: image v1 -> v2",
        field,
    )
    return dataclasses.replace(made, **changes)


class Stage:
    """A world with a running operator in it."""

    def __init__(self, options: incident_world.Options | None = None) -> None:
        self.clock = clocks.VirtualClock(simulated_world.START)
        self.server = simulated.IncidentServer()
        self.alerts = Alerts(self.clock)
        self.around = Around(self.clock)
        self.faults = faults_module.Faults()
        self.cluster = clusters.SimulatedCluster(self.clock)
        self.ledger_server = ledgers.LedgerServer(self.clock)
        self.telemetry = telemetries.RecordingTelemetry()
        self.options = options or incident_world.Options()
        self._task: asyncio.Task[None] | None = None
        self._engine: incidents.Incidents | None = None

    async def _links(self, _: Any) -> incident_world.Links:
        return CALLS, {}

    def start(self) -> None:
        """Start an operator; it remembers nothing."""
        self.alerts.restart()
        world = incident_world.World(
            clock=self.clock,
            incidents=simulated.SimulatedIncidents(self.server, self.faults),
            sources=(self.alerts,),
            ledger=ledgers.SimulatedLedger(self.ledger_server),
            cluster=self.cluster,
            telemetry=self.telemetry,
            topology=self._links,
            surroundings=self.around,
            diagnose=self.around.diagnose,
        )
        self._engine = incidents.Incidents(world, self.options)
        self._task = asyncio.create_task(self._engine.run())

    def kill(self) -> None:
        """SIGKILL."""
        if self._task is not None:
            self._task.cancel()
            self._task.add_done_callback(lambda each: each.cancelled() or each.exception())
            self._task = None

    async def run(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance(seconds)

    def objects(self, *, mirrors: bool = False) -> list[values.Record]:
        """The incidents that the API server has."""
        found = self.server.records.values()
        return [each for each in found if each.spec.mirror is mirrors]

    def only(self, *, mirrors: bool = False) -> values.Record:
        """The one incident that the API server has."""
        (found,) = self.objects(mirrors=mirrors)
        return found

    def mirror(self, namespace: str) -> values.Record:
        """The copy in a namespace."""
        (found,) = [each for each in self.objects(mirrors=True) if each.namespace == namespace]
        return found


@contextlib.asynccontextmanager
async def telling(options: incident_world.Options | None = None) -> AsyncIterator[Stage]:
    """A stage with an operator that is stopped at the end."""
    stage = Stage(options)
    stage.start()
    try:
        yield stage
    finally:
        stage.kill()
