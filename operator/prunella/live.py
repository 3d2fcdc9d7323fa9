"""The operator on a real cluster: an engine, with what is started and stopped around it.

With an election every replica watches, journals in memory and evaluates; what only the leader does
waits in `when_leading`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Awaitable, Callable

from prunella import electing, handlers, ports
from prunella.adapters import heap, telemetry
from prunella.adapters import topology as topologies
from prunella.adapters.intake import wired as intakes
from prunella.adapters.kubernetes import client, kinds, relist, store, watch
from prunella.adapters.kubernetes import surroundings as surroundings_module
from prunella.adapters.kubernetes.journal import recorder
from prunella.adapters.outward import wired
from prunella.adapters.prometheus import alertmanager, metrics
from prunella.core import objects
from prunella.engine import election as elections
from prunella.engine import incident_traces, loop
from prunella.engine import incidents as incident_loop

LOG = logging.getLogger(__name__)
TAKE_OVER_RETRY = 1.0
EVALUATED_TICK = 0.1
WARM_UP = datetime.timedelta(seconds=10)
"""How long the first evaluation is waited for: a source that is down must not leave no leader."""
HAND_OVER_SECONDS = 15.0
"""How long the end of what was sent is waited for, before the Lease is left to end by itself."""

Chore = Callable[[], Awaitable[None]]
Relist = Chore


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """An engine on a real cluster, with what must be started and stopped around it."""

    engine: loop.Engine
    api: client.KubeApi
    watch: watch.Watch
    stores: store.Stores
    metrics: metrics.PrometheusMetrics
    alerts: alertmanager.Alertmanager
    outside: wired.Wired
    telemetry: telemetry.PrometheusTelemetry
    namespaces: tuple[str, ...]
    home: str
    intake: intakes.Wired
    topology: topologies.SharedTopology
    incidents: incident_loop.Incidents | None
    surroundings: surroundings_module.LiveSurroundings | None
    registry: handlers.Registry
    journal: recorder.Recorder | None
    traces: incident_traces.IncidentTraces | None
    elected: electing.Elected | None = None
    """What elects the leader; None: this is the only replica."""
    taken_over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    @property
    def election(self) -> elections.Election | None:
        """The election; None: this is the only replica."""
        return self.elected.election if self.elected is not None else None

    async def correlate(self) -> None:
        """Run the loop of incidents until cancelled; without one, wait."""
        if self.incidents is None:
            await asyncio.Event().wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self.incidents.run())
            if self.traces is not None:
                group.create_task(self.traces.run())
            if self._home_is_unwatched:
                # People may have said a word on the incidents there.
                group.create_task(
                    relist.keep_listing(self.api, self.stores, kinds.INCIDENT, self.home)
                )

    @property
    def _home_is_unwatched(self) -> bool:
        """Whether incidents of several namespaces are kept where nothing is watched."""
        return bool(self.namespaces) and self.home not in self.namespaces

    async def relist(self) -> None:
        """List everything anew. Raises ClusterError."""
        await relist.relist(self.api, self.stores, self.namespaces)
        if self.incidents is not None and self._home_is_unwatched:
            await relist.relist_kind(self.api, self.stores, kinds.INCIDENT, self.home)
        await heap.give_back()

    async def begin(self) -> None:
        """Read the journal; have its kinds and Rollouts watched if there. Raises ClusterError."""
        if await relist.relist_if_there(self.api, self.stores, kinds.ROLLOUT, self.namespaces):
            handlers.watch_kind(self.registry, kinds.ROLLOUT, self.stores.apply)
        if self.journal is not None:
            handlers.watch_changes(self.registry, await self.journal.begin(), self.journal.apply)
            await heap.give_back()

    async def keep_journal(self) -> None:
        """Write the journal, until cancelled."""
        if self.journal is not None:
            await self.journal.run()
        await asyncio.Event().wait()

    async def end_journal(self) -> None:
        """Write what still waits; what can't be written now is found at the next start."""
        if self.journal is not None:
            await self.journal.end()

    async def wake(self, changed: asyncio.Queue[objects.Key]) -> None:
        """Hand changes of policies from the watch's thread to the engine, until cancelled."""
        while True:
            self.engine.mark_dirty(await changed.get())

    async def elect(self) -> None:
        """Take part in the election until another replica leads instead of this one."""
        if self.election is None:
            await asyncio.Event().wait()
        else:
            await self.election.run()

    async def take_over(self) -> None:
        """Once elected, see what the leader before has done, and evaluate all at once."""
        if self.election is not None:
            await self._warm_up()
            self.election.willing = True
            await self.election.elected.wait()
            since = self.engine.world.clock.now()
            self.engine.lead()
            while not await self._caught_up():
                await self.engine.world.clock.sleep(TAKE_OVER_RETRY)
            self.taken_over.set()
            while self.engine.unjudged(since):
                await self.engine.world.clock.sleep(EVALUATED_TICK)
            took = (self.engine.world.clock.now() - since).total_seconds()
            LOG.info("all policies were evaluated %.1f s after this replica was elected", took)
            self.telemetry.observe("prunella_leader_evaluated_seconds", {}, took)
        else:
            self.telemetry.gauge("prunella_leader", {}, 1.0)
            self.taken_over.set()
        await asyncio.Event().wait()

    async def _warm_up(self) -> None:
        """Evaluate once before leading, so that who is warm already leads first."""
        until = self.engine.world.clock.now() + WARM_UP
        while self.engine.unjudged() and self.engine.world.clock.now() < until:
            await self.engine.world.clock.sleep(EVALUATED_TICK)

    async def _caught_up(self) -> bool:
        """Read the ledger and the journal anew; False when the API server did not answer."""
        try:
            for place in self.namespaces or (None,):
                await relist.relist_kind(self.api, self.stores, kinds.RECORD, place)
            if self.journal is not None:
                await self.journal.lead()
        except ports.ClusterError as error:
            LOG.warning("what was done before can't be read yet: %s", error)
            return False
        return True

    async def when_leading(self, chore: Chore) -> None:
        """Run a chore that only the leader does."""
        await self.taken_over.wait()
        await chore()

    async def hand_over(self) -> None:
        """Give the Lease back, so that another replica need not wait for its end."""
        if self.election is not None:
            await self.election.hand_over(HAND_OVER_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        self.metrics.close()
        self.alerts.close()
        self.outside.close()
        self.api.close()
        if self.surroundings is not None:
            self.surroundings.close()
        if self.elected is not None:
            self.elected.close()

    def warming(self) -> str | None:
        """What a replica has still to do before it could lead at once; None when nothing."""
        if self.election is None or not (left := self.engine.unjudged()):
            return None
        return f"{left} policies were not evaluated yet"
