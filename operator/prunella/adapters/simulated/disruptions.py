"""The Disruptions port in memory: what others disrupt, and units under a version."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.adapters.simulated import faults
from prunella.core import disruptions, model
from prunella.core.decisions import lasting, others_at_work
from prunella.core.signals import onsets

PATIENCE: Final = datetime.timedelta(seconds=onsets.ROLLOUT_SECONDS)


class DisruptionServer:
    """What the API server keeps: it outlives every operator."""

    def __init__(self) -> None:
        self.units: tuple[disruptions.Unit, ...] = ()
        self.version = 1
        self.overrides: dict[str, str] = {}
        """Namespaces' own budgets."""
        self.cordoned: list[str] = []
        self.leases: dict[str, tuple[str, datetime.datetime]] = {}
        """Leases of other remediators by name: who holds it, and until when."""

    def replace(self, version: str, units: Sequence[disruptions.Unit]) -> None:
        """Write the units. Raises Conflict when the version is not the newest."""
        if version != str(self.version):
            raise ports.Conflict("the object has been modified", status=409)
        self.units = tuple(units)
        self.version += 1


class SimulatedDisruptions:
    """One operator's client."""

    def __init__(
        self,
        server: DisruptionServer,
        cluster: clusters.SimulatedCluster,
        clock: clocks.VirtualClock,
        switchboard: faults.Faults | None = None,
    ) -> None:
        self.faults = switchboard or faults.Faults()
        self._server = server
        self._cluster = cluster
        self._clock = clock
        self._memory = lasting.Memory()

    async def look(self, target: model.Ref) -> disruptions.Seen:
        """What is being disrupted around a target; never raises."""
        try:
            self.faults.reach(faults.Point.LOOK_AT_DISRUPTIONS)
        except ports.ClusterError as error:
            return disruptions.Seen(problem=str(error))
        workloads = [each.view() for each in self._cluster.states()]
        wanted = tuple(each for each in workloads if each.replicas)
        around = lasting.Around(target.namespace, wanted, tuple(self._others(target.namespace)))
        at = (self._clock.now(), PATIENCE)
        self._memory = lasting.remember(self._memory, around, *at)
        here = [each for each in wanted if each.ref.namespace == target.namespace]
        return disruptions.Seen(
            others=lasting.told(self._memory, around, *at),
            taken=self._server.units,
            version=str(self._server.version),
            workloads=len(here),
            workloads_of_all=len(wanted),
            override=self._server.overrides.get(target.namespace),
        )

    async def take(self, version: str, units: Sequence[disruptions.Unit]) -> None:
        """Write all units under the version. Raises Conflict, OutcomeUnknown, ClusterError."""
        self.faults.reach(faults.Point.BEFORE_TAKE)
        self._server.replace(version, units)
        self.faults.reach(faults.Point.AFTER_TAKE)

    def _others(self, namespace: str) -> list[disruptions.Disruption]:
        now = self._clock.now()
        nodes = [
            others_at_work.cordoned({"metadata": {"name": name}, "spec": {"unschedulable": True}})
            for name in self._server.cordoned
        ]
        leases = [
            others_at_work.held(_lease(name, holder, until), now)
            for name, (holder, until) in self._server.leases.items()
        ]
        budgets = [
            others_at_work.budget_at_zero(namespace, budget, covers)
            for budget, covers in self._cluster.budgets(namespace)
        ]
        return [each for each in (*nodes, *leases, *budgets) if each is not None]


def _lease(name: str, holder: str, until: datetime.datetime) -> others_at_work.Raw:
    spec = {
        "holderIdentity": holder,
        "renewTime": until.isoformat(),
        "leaseDurationSeconds": 0,
    }
    return {"metadata": {"namespace": "medik8s-leases", "name": name}, "spec": spec}
