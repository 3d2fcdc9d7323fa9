"""The Disruptions port on a real API server: who disrupts, and the Lease that holds our units."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from typing import Any, Final

from prunella import disruption_settings, ports
from prunella import settings as settings_module
from prunella.adapters.kubernetes import client, kinds, own_objects, parse, selectors
from prunella.adapters.kubernetes import store as store_module
from prunella.core import disruptions, model
from prunella.core.decisions import lasting, others_at_work
from prunella.core.signals import onsets

FRESH: Final = datetime.timedelta(seconds=5)
"""What others do may be so old; a decision looks two or three times in a row."""
PATIENCE: Final = datetime.timedelta(seconds=onsets.ROLLOUT_SECONDS)
"""What has not moved for longer is no disruption any more, but a state."""
_Around = tuple[tuple[disruptions.Disruption, ...], str | None]


class KubernetesDisruptions:
    """What is being disrupted in a real cluster (`outside_ports.Disruptions`)."""

    def __init__(
        self,
        api: client.KubeApi,
        stores: store_module.Stores,
        clock: ports.Clock,
        operator_namespace: str,
        settings: disruption_settings.Disruption,
        patience: datetime.timedelta = PATIENCE,
    ) -> None:
        self._api = api
        self._stores = stores
        self._clock = clock
        self._home = operator_namespace
        self._settings = settings
        self._patience = patience
        self._memory = lasting.Memory()
        self._kept: dict[str, tuple[datetime.datetime, _Around]] = {}

    async def look(self, target: model.Ref) -> disruptions.Seen:
        """What is being disrupted around a target; never raises."""
        try:
            others, override = await self._around(target.namespace)
            lease = await self._lease()
            units = others_at_work.read_units(_annotations(lease).get(disruptions.TAKEN, ""))
        except ports.ClusterError as error:
            return disruptions.Seen(problem=str(error))
        except ValueError as error:
            told = f"the annotation {disruptions.TAKEN} of {self._named} can't be read: {error}"
            return disruptions.Seen(problem=told)
        workloads = tuple(each for each in self._stores.all_workloads() if each.replicas)
        around = lasting.Around(target.namespace, workloads, others)
        at = (self._clock.now(), self._patience)
        self._memory = lasting.remember(self._memory, around, *at)
        here = [each for each in workloads if each.ref.namespace == target.namespace]
        return disruptions.Seen(
            others=lasting.told(self._memory, around, *at),
            taken=units,
            version=lease["metadata"]["resourceVersion"],
            workloads=len(here),
            workloads_of_all=len(workloads),
            override=override,
        )

    async def take(self, version: str, units: Sequence[disruptions.Unit]) -> None:
        """Write all units under the version. Raises Conflict, OutcomeUnknown, ClusterError."""
        metadata = {
            "resourceVersion": version,
            "annotations": {disruptions.TAKEN: others_at_work.write_units(units)},
        }
        await self._api.request(
            "PATCH",
            self._path,
            own_objects.AS_OPERATOR,
            {"metadata": metadata},
            client.MERGE_PATCH,
            mutating=True,
        )

    @property
    def _path(self) -> str:
        return kinds.LEASE.path(self._home, disruptions.LEASE)

    @property
    def _named(self) -> str:
        return f"Lease {self._home}/{disruptions.LEASE}"

    async def _lease(self) -> Any:
        """The Lease of our units, made if it is not there. Raises ClusterError."""
        reply = await self._api.exchange("GET", self._path, mutating=False)
        if reply.ok:
            return reply.body
        if reply.status != 404:
            raise client.refusal(reply, mutating=False)
        body = {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.name,
            "metadata": {"name": disruptions.LEASE, "namespace": self._home},
        }
        path = kinds.LEASE.path(self._home)
        made = await self._api.exchange("POST", path, own_objects.AS_OPERATOR, body, mutating=True)
        if not made.ok:
            message = (
                f"{self._named} is not there, and can't be made: {made.message}; the chart makes "
                f"it, or `kubectl create namespace {self._home}` where there is no chart"
            )
            raise ports.ClusterError(message, status=made.status)
        return made.body

    async def _around(self, namespace: str) -> _Around:
        """What others do, and the Namespace's own budget. Raises ClusterError."""
        now = self._clock.now()
        kept = self._kept.get(namespace)
        if kept is not None and now - kept[0] < FRESH:
            return kept[1]
        override, budgets, nodes, leases = await asyncio.gather(
            self._override(namespace),
            self._budgets_at_zero(namespace),
            self._cordoned_nodes(),
            self._held_leases(now),
        )
        found = (*budgets, *nodes, *leases), override
        self._kept = {name: each for name, each in self._kept.items() if now - each[0] < FRESH} | {
            namespace: (now, found)
        }
        return found

    async def _override(self, namespace: str) -> str | None:
        if not namespace:
            return None  # Of a node.
        path = kinds.NAMESPACE.path(None, namespace)
        _, raw = await self._api.request("GET", path, mutating=False)
        return _annotations(raw).get(disruptions.OVERRIDE)

    async def _budgets_at_zero(self, namespace: str) -> list[disruptions.Disruption]:
        found: list[disruptions.Disruption | None] = []
        if not namespace:
            return []  # A node is in none.
        for raw in await self._api.items(kinds.BUDGET.path(namespace)):
            covers = [
                each.ref
                for each in self._stores.all_workloads()
                if each.ref.namespace == namespace
                and selectors.matches(raw["spec"].get("selector"), _pod_labels(each))
            ]
            found.append(others_at_work.budget_at_zero(namespace, parse.budget(raw), covers))
        return [each for each in found if each is not None]

    async def _cordoned_nodes(self) -> list[disruptions.Disruption]:
        if not self._settings.nodes:
            return []
        only = {"fieldSelector": "spec.unschedulable=true"}
        nodes = await self._api.items(kinds.NODE.path(None), only)
        found = (others_at_work.cordoned(node) for node in nodes)
        return [each for each in found if each is not None]

    async def _held_leases(self, now: datetime.datetime) -> list[disruptions.Disruption]:
        lists = await asyncio.gather(
            *(self._api.items(kinds.LEASE.path(place)) for place in self._settings.lease_namespaces)
        )
        found = (others_at_work.held(lease, now) for leases in lists for lease in leases)
        return [each for each in found if each is not None]


def _annotations(raw: Any) -> dict[str, str]:
    return raw["metadata"].get("annotations") or {}


def _pod_labels(workload: model.Workload) -> dict[str, str]:
    metadata = workload.template.get("metadata")
    return (metadata.get("labels") or {}) if isinstance(metadata, dict) else {}


def wire(
    settings: settings_module.Settings,
    api: client.KubeApi,
    stores: store_module.Stores,
    clock: ports.Clock,
) -> KubernetesDisruptions:
    """The port as the settings want it."""
    home, chosen = settings.operator_namespace, settings.disruption
    patience = datetime.timedelta(seconds=settings.limits.rollout_seconds)
    return KubernetesDisruptions(api, stores, clock, home, chosen, patience)
