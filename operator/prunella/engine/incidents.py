"""The loop of incidents: alerts in, one object for what belongs together, its likely cause named.

Each round drains the sources, correlates, looks at the incidents that are open, and writes what
has changed.  Nothing but the objects outlives the process: after a start they are taken up again
before anything new is opened.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Collection, Sequence

from prunella.api import incident as incident_api
from prunella.core import model, objects
from prunella.core.incidents import correlate, values
from prunella.core.incidents import status as statuses
from prunella.core.incidents import topology as graphs
from prunella.engine import (
    guard,
    incident_diagnosis,
    incident_references,
    incident_writer,
    waiting,
)
from prunella.engine import incident_world as worlds

LOG = logging.getLogger(__name__)
RETAIN_EVERY = datetime.timedelta(minutes=1)
WIRING_SECONDS = 3.0
"""How long a round waits for the topology before it goes on with the last one."""
NO_LINKS: worlds.Links = ({}, {})
REMEDIATED_AFTER = datetime.timedelta(minutes=2)
"""What was done so long before the first symptom is no answer to it."""


class Incidents:
    """Runs rounds until it is stopped."""

    def __init__(self, world: worlds.World, options: worlds.Options | None = None) -> None:
        self._world = world
        self._options = options or worlds.Options()
        self._links = NO_LINKS
        self._graph = graphs.Topology(*NO_LINKS)
        self._wiring: asyncio.Task[worlds.Links] | None = None
        self._wired_at: datetime.datetime | None = None
        self._correlator = correlate.Correlator(self._graph, self._options.correlation)
        self._diagnoser = incident_diagnosis.Diagnoser(world)
        self._writer = incident_writer.Writer(world, self._options)
        self._references = incident_references.References(world.journal)
        self._retained: datetime.datetime | None = None
        self._taken_up = False
        self._stopping = asyncio.Event()

    def mains(self) -> dict[str, values.Record]:
        """The incidents that this operator answers for, by name, without mirrors."""
        return self._writer.mains()

    def stop(self) -> None:
        """Begin no more rounds."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`."""
        try:
            await self._rounds()
        finally:
            self._diagnoser.close()
            if self._wiring is not None:
                self._wiring.cancel()

    async def _rounds(self) -> None:
        while not self._stopping.is_set():
            began = self._world.clock.now()
            # After an error incidents are told of again in the next round.
            with guard.guarded(
                "a round of incidents failed",
                LOG,
                self._world.telemetry,
                incident_diagnosis.ERRORS,
            ):
                await self.round()
            took = (self._world.clock.now() - began).total_seconds()
            self._world.telemetry.observe("prunella_incident_round_seconds", {}, took)
            wait = max(0.0, self._options.interval - took)
            await waiting.until_set(self._world.clock, wait, self._stopping)

    async def round(self) -> None:
        """Drain, correlate, diagnose, write."""
        now = self._world.clock.now()
        await self._rewire(now)
        if not self._taken_up:
            self._correlator.take_up(incident_writer.known(self._writer.mains()), now.timestamp())
            self._taken_up = True
        drained = await asyncio.gather(*(source.drain() for source in self._world.sources))
        alerts = [alert for some in drained for alert in some if self._counts(alert)]
        self._correlator.observe(alerts, max(now, self._world.clock.now()).timestamp())
        found = self._correlator.incidents()
        mains = self._writer.mains()
        spaces = {each.id: self._spaces(each) for each in found}
        past = [each for each in mains.values() if incident_writer.judged(each)]

        def treated() -> set[str]:
            records, looked = self._world.ledger.records(), self._diagnoser.looked
            return incident_diagnosis.treated(found, records, now, looked)

        await self._diagnoser.look(found, past, spaces, now, treated)
        if alike := self._diagnoser.alike(found):
            for names in alike:
                self._correlator.join(names)
            found = self._correlator.incidents()
        self._writer.begin()
        await self._write(found, mains, now)
        await self._close(found, now)
        await self._references.keep(self._writer.mains().values(), self._diagnoser.looked)
        if self._retained is None or now - self._retained >= RETAIN_EVERY:
            self._retained = now
            await self._writer.retain(now)
        self._gauges()

    def _counts(self, alert: values.Alert) -> bool:
        """Whether an alert is about what this operator is responsible for."""
        wanted, place = self._options.namespaces, alert.target.namespace
        return not wanted or not place or place in wanted

    async def _rewire(self, now: datetime.datetime) -> None:
        """Take in a newer topology, every half minute."""
        every = datetime.timedelta(seconds=self._options.topology_seconds)
        if self._wired_at is not None and now - self._wired_at < every:
            return
        if self._wiring is None:
            self._wiring = asyncio.create_task(self._world.topology(now))
        await waiting.at_most(self._world.clock, WIRING_SECONDS, self._wiring)
        if not self._wiring.done():
            return
        links, self._wiring, self._wired_at = self._wiring.result(), None, now
        if links != self._links:
            self._links = links
            self._graph = graphs.Topology(*links)
            self._correlator.rewire(self._graph)

    def _spaces(self, incident: values.Incident) -> Collection[str]:
        """Namespaces to look at: of what is sick, of what that calls, of who is suspected."""
        calls = self._links[0]
        found = set(statuses.namespaces(incident))
        edge = {each.target for each in incident.members}
        found |= {each.name for each in edge if each.kind == "Namespace"}
        for _ in range(graphs.HOPS):
            edge = {callee for caller in edge for callee in calls.get(caller, ())}
            found |= {each.namespace for each in edge}
        found |= {each.target.namespace for each in incident.suspects}
        return found - {""}

    async def _write(
        self,
        found: Sequence[values.Incident],
        mains: dict[str, values.Record],
        now: datetime.datetime,
    ) -> None:
        """Write the open incidents, those that have no object yet first."""
        for incident in sorted(found, key=lambda each: (each.id in mains, -each.last)):
            if incident.id not in mains and self._diagnoser.unseen(incident, now):
                continue
            before = mains.get(incident.id)
            status = statuses.of_open(
                self._facts(incident, now), before.status if before is not None else None
            )
            await self._writer.write(incident.id, status, self._refs(incident))
            if status.named_at == now and status.started_at is not None:
                took = (now - status.started_at).total_seconds()
                self._world.telemetry.observe("prunella_incident_named_seconds", {}, took)

    def _facts(self, incident: values.Incident, now: datetime.datetime) -> statuses.Facts:
        looked = self._diagnoser.looked[incident.id]
        workloads = [
            workload
            for namespace in statuses.namespaces(incident)
            for workload in self._world.cluster.workloads(namespace)
        ]
        return statuses.Facts(
            incident=incident,
            now=now,
            diagnosis=looked.found,
            tiers=incident_diagnosis.tiers(incident, workloads, looked.view),
            records=self._records(incident, looked),
            releases=statuses.releases(looked.view.changes) if looked.view is not None else {},
            word=self._writer.word(incident.id),
            why=self._correlator.why,
        )

    def _records(
        self, incident: values.Incident, looked: incident_diagnosis.Looked
    ) -> tuple[objects.Record, ...]:
        """What was done about it: to what is sick or suspected, since it began."""
        about = {each.target for each in incident.members}
        if looked.found is not None:
            about |= {each.target for each in looked.found.suspects}
        since = datetime.datetime.fromtimestamp(incident.onset, datetime.UTC) - REMEDIATED_AFTER
        done = [
            record
            for record in self._world.ledger.records()
            if record.spec.decided_at >= since and record.target in about
        ]
        return tuple(sorted(done, key=lambda each: (each.spec.decided_at, each.name)))

    def _refs(self, incident: values.Incident) -> frozenset[model.Ref]:
        """All objects that a text about the incident may name."""
        looked = self._diagnoser.looked.get(incident.id)
        seen = looked.refs if looked is not None else frozenset()
        return seen | {each.target for each in incident.members} | frozenset(self._graph.refs)

    async def _close(self, found: Sequence[values.Incident], now: datetime.datetime) -> None:
        """Write what is no longer open as merged or resolved, and words said of it since."""
        names = {each.id for each in found}
        for name, record in self._writer.mains().items():
            status = record.status
            if name in names:
                continue
            if not status.title:
                await self._writer.drop(record)
                continue
            if status.state is incident_api.State.OPEN:
                status = self._last_status(name, status, now)
            word = self._writer.word(name)
            if any((word.confirmed, word.rejected)):
                status = statuses.marked(status, word, now)
            if status != record.status:
                await self._writer.close(record, status, frozenset(self._graph.refs))

    def _last_status(
        self, name: str, status: incident_api.IncidentStatus, now: datetime.datetime
    ) -> incident_api.IncidentStatus:
        if self._correlator.state(name) is values.State.MERGED:
            return statuses.of_merged(status, self._correlator.current(name), now)
        quiet = self._options.correlation.quiet
        told = f"resolved: nothing fires, and nothing new came for {quiet:.0f} s"
        return statuses.of_resolved(status, now, told)

    def _gauges(self) -> None:
        """How many incidents are open, by severity."""
        counts = dict.fromkeys(incident_api.Severity, 0)
        for record in self._writer.mains().values():
            if record.status.state is incident_api.State.OPEN:
                counts[record.status.severity] += 1
        for severity, count in counts.items():
            self._world.telemetry.gauge(
                "prunella_incidents_open", {"severity": severity.value}, count
            )
