"""The ports that an engine works with, bundled; only the wiring knows who is behind them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from prunella import leadership as leaderships
from prunella import outside_ports, ports
from prunella.core.decisions import action, guards
from prunella.core.decisions.rules import Rules
from prunella.core.signals import compiled, detect
from prunella.engine import incident_world


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """One implementation of each port."""

    clock: ports.Clock
    metrics: ports.Metrics
    cluster: ports.Cluster
    policies: ports.Policies
    ledger: ports.Ledger
    notifier: ports.Notifier
    telemetry: ports.Telemetry
    outward: outside_ports.Outward
    home: str = ""
    """The operator's own namespace: records about nodes are kept there."""
    incidents: ports.Incidents | None = None
    """What policies with a trigger act on; None: there are no incidents."""
    findings: ports.Findings | None = None
    """Who is told what the passes find; None: nobody."""
    verdicts: outside_ports.Verdicts | None = None
    """Who may be asked what the last passes found; None: nobody."""
    namespaces: outside_ports.Namespaces | None = None
    """What administrators have labelled; None: there are no administrators, as in a recording."""
    captures: outside_ports.Captures | None = None
    """What keeps what was there before an action; None: nothing is kept."""
    journal: ports.Journal | None = None
    """What a restore takes back; None: nothing is known of changes."""
    topology: incident_world.Topology | None = None
    """Who calls whom, as measured; None: as the journal's objects declare it."""
    repositories: ports.Repositories | None = None
    """Where commits are reverted; None: nowhere."""
    approvals: outside_ports.Approvals | None = None
    """What people have said to plans; None: nothing, and what waits expires."""
    leadership: leaderships.Leadership = leaderships.ALONE
    """Whether this replica decides and writes; the others only evaluate."""

    @property
    def follows(self) -> bool:
        """Whether it may not decide or write now."""
        return bool(self.leadership.refusal())


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the engine is told once: rules, plug-ins, periods."""

    rules: Rules
    actions: Mapping[str, action.Action]
    detectors: detect.Detectors
    confinements: Mapping[str, compiled.Confinement] = dataclasses.field(default_factory=dict)
    """What confines queries to a namespace, by source."""
    retention: datetime.timedelta = datetime.timedelta(days=7)
    guards: Sequence[guards.Guard] = guards.GUARDS
    concurrency: int = 32
    """Policies that are evaluated at the same time."""
