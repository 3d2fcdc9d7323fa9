"""What the loop of incidents works with, and what it is told once."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from prunella import ports
from prunella.core.incidents import limits, topology, values
from prunella.core.incidents.diagnosis import values as diagnosis

Links = tuple[topology.Links, topology.Links]
"""Who calls whom, and what stands on what."""
Topology = Callable[[datetime.datetime], Coroutine[Any, Any, Links]]
"""The topology as it is known at a time; never raises."""
Diagnose = Callable[[diagnosis.View, values.Incident, Sequence[values.Record]], diagnosis.Diagnosis]
"""The suspects of an incident in a view; the records are incidents that people have judged."""


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """The ports of incidents. Without surroundings nothing is diagnosed but by topology."""

    clock: ports.Clock
    incidents: ports.Incidents
    sources: Sequence[ports.Source]
    ledger: ports.Ledger
    cluster: ports.Cluster
    telemetry: ports.Telemetry
    topology: Topology
    surroundings: ports.Surroundings | None = None
    diagnose: Diagnose | None = None
    journal: ports.Journal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Periods in seconds."""

    operator_namespace: str = "prunella-system"
    namespaces: frozenset[str] = frozenset()
    """Those whose alerts count; empty means all. Alerts of no namespace always count."""
    interval: float = 2.0
    """Time between two rounds."""
    topology_seconds: float = 30.0
    correlation: limits.Settings = dataclasses.field(default_factory=limits.Settings)
    retention: datetime.timedelta = datetime.timedelta(days=30)
    judged_retention: datetime.timedelta = datetime.timedelta(days=365)
    """How long those are kept of which a person has judged a suspect: later ones learn of them."""
    most_kept: int = 500
    """Resolved incidents that are kept in one namespace, judged ones not counted."""
    most_writes: int = 10
    """Objects that one round may write; the rest is written in the next ones."""
