"""Everything outside the operator, simulated together: for the demo and the engine's tests."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prunella.adapters.simulated import (
    approvals,
    captures,
    cluster,
    faults,
    incidents,
    journal,
    ledger,
    metrics,
    notifier,
    outward,
    policies,
    repositories,
    telemetry,
)
from prunella.adapters.simulated import apps as simulated_apps
from prunella.adapters.simulated import clock as clocks
from prunella.core import objects
from prunella.promql import series_store

START: Final = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
_AGE: Final = datetime.timedelta(hours=1)


@dataclasses.dataclass(slots=True)
class World:
    """The twins of all ports, sharing one clock and one switchboard of faults."""

    clock: clocks.VirtualClock
    faults: faults.Faults
    cluster: cluster.SimulatedCluster
    store: series_store.SeriesStore
    apps: simulated_apps.Apps
    metrics: metrics.SimulatedMetrics
    ledger_server: ledger.LedgerServer
    ledger: ledger.SimulatedLedger
    policies: policies.SimulatedPolicies
    notifier: notifier.RecordingNotifier
    telemetry: telemetry.RecordingTelemetry
    outward: outward.SimulatedOutward
    captures: captures.SimulatedCaptures
    incident_server: incidents.IncidentServer
    incidents: incidents.SimulatedIncidents
    journal: journal.SimulatedJournal
    repositories: repositories.SimulatedRepositories
    approvals: approvals.SimulatedApprovals

    @classmethod
    def create(
        cls,
        start: datetime.datetime = START,
        documents: Iterable[Mapping[str, Any]] = (),
        *,
        pace: float = 0.0,
    ) -> World:
        """A world at ``start`` with what the documents describe, see `apply`."""
        clock = clocks.VirtualClock(start, pace=pace)
        switchboard = faults.Faults()
        simulated = cluster.SimulatedCluster(clock, switchboard)
        store = series_store.SeriesStore()
        server = ledger.LedgerServer(clock)
        incident_server = incidents.IncidentServer()
        world = cls(
            clock=clock,
            faults=switchboard,
            cluster=simulated,
            store=store,
            apps=simulated_apps.Apps(clock, simulated, store),
            metrics=metrics.SimulatedMetrics(store, clock),
            ledger_server=server,
            ledger=ledger.SimulatedLedger(server, switchboard),
            policies=policies.SimulatedPolicies(switchboard),
            notifier=notifier.RecordingNotifier(),
            telemetry=telemetry.RecordingTelemetry(),
            outward=outward.SimulatedOutward(clock, switchboard),
            captures=captures.SimulatedCaptures(clock, simulated),
            incident_server=incident_server,
            incidents=incidents.SimulatedIncidents(incident_server, switchboard),
            journal=journal.SimulatedJournal(),
            repositories=repositories.SimulatedRepositories(clock, simulated, switchboard),
            approvals=approvals.SimulatedApprovals(clock, switchboard),
        )
        for document in documents:
            world.apply(document)
        return world

    def apply(self, document: Mapping[str, Any]) -> None:
        """Create an object from its manifest, the same that a real cluster would be given.

        Workloads are an hour old and rolled out.  Budgets need whole numbers.  Raises ValueError
        for a kind that is not simulated.
        """
        kind, metadata = document["kind"], document["metadata"]
        spec = document.get("spec", {})
        match kind:
            case "Namespace":
                return
            case "Deployment" | "StatefulSet" | "DaemonSet" | "Rollout":
                self.cluster.create(dict(document), age=_AGE)
            case "RemediationPolicy":
                self.policies.apply(metadata["namespace"], metadata["name"], spec)
            case "PodDisruptionBudget":
                self.cluster.add_budget(
                    metadata["namespace"],
                    metadata["name"],
                    spec["selector"]["matchLabels"],
                    min_available=spec.get("minAvailable"),
                    max_unavailable=spec.get("maxUnavailable"),
                )
            case _:
                raise ValueError(f"{kind}/{metadata['name']}: the kind {kind} is not simulated")

    async def run(self, seconds: float) -> None:
        """Let so much time pass, and everybody do what they do in it."""
        await self.clock.advance(seconds)

    def restart_operator(self) -> None:
        """Give the next operator a ledger client that remembers nothing of the last one's."""
        self.ledger = ledger.SimulatedLedger(self.ledger_server, self.faults)

    def records(self) -> list[objects.Record]:
        """All Remediations that the API server has, oldest first."""
        found = self.ledger_server.records.values()
        return sorted(found, key=lambda each: int(each.uid.removeprefix("record-")))
