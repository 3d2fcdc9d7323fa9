"""The part of the cluster that an incident may be about: what diagnosis looks at.

What is wanted of objects comes from the change journal, which watches them anyway; how they are -
pods, Events, claims, the statuses of workloads and autoscalers - is listed when an incident is
looked at.  Secrets are neither watched nor listed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, looks
from prunella.adapters.kubernetes.looks import Wanted
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents import anomalies, topology
from prunella.core.incidents.diagnosis import extent, nodes
from prunella.core.incidents.diagnosis.values import Usage, View

Links = tuple[topology.Links, topology.Links]
Topology = Callable[[datetime.datetime], Awaitable[Links]]
Told = TypeVar("Told")
_log = logging.getLogger(__name__)

STATES = (kinds.POD, kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.AUTOSCALER, kinds.CLAIM)
"""Kinds whose status is looked at: always listed."""
WISHES = (
    kinds.SERVICE,
    kinds.NETWORK_POLICY,
    kinds.QUOTA,
    kinds.LIMIT_RANGE,
    kinds.ACCOUNT,
    kinds.DAEMON_SET,
)
"""Kinds of which the journal knows enough: listed only where it does not watch them.

ConfigMaps are not among them: without the journal the operator reads none but its own.
"""
CLUSTER_WIDE = (kinds.NODE, kinds.NAMESPACE, kinds.STORAGE_CLASS, kinds.PRIORITY_CLASS)
EVENTS = ("type=Warning", "reason=Preempted")
"""Events that tell of something wrong; a preemption is Normal to the scheduler."""
HISTORY = datetime.timedelta(hours=6)
"""How far back changes are looked at."""
METRICS_SECONDS = 4.0
"""How long a look waits for metrics sources."""
TOPOLOGY_SECONDS = 30.0
FIRST_SECONDS = 3.0
"""How long the first look waits for the topology; later ones go on with what is known."""
SLOW_SECONDS = 20.0
"""How old a list may be of what seldom changes, or changes in the journal."""


class Measured(Protocol):
    """Measurements of the calls between workloads."""

    async def measurements(
        self, namespaces: Collection[str], now: datetime.datetime
    ) -> tuple[anomalies.Measurement, ...]:
        """Latency and error share of what is called in some namespaces; never raises."""


class Used(Protocol):
    """What pods use of their nodes."""

    async def usage(self, namespaces: Collection[str]) -> Mapping[model.Ref, Usage]:
        """The usage of the pods of some namespaces; never raises."""


@dataclasses.dataclass(frozen=True, slots=True)
class Telemetry:
    """What is asked of metrics sources; None where it is not."""

    measured: Measured | None = None
    used: Used | None = None


class LiveSurroundings:
    """Views of a real cluster."""

    def __init__(
        self,
        api: client.KubeApi,
        journal: ports.Journal | None,
        topology_of: Topology,
        telemetry: Telemetry | None = None,
        journalled: Callable[[], Collection[str]] = frozenset,
        clock: Callable[[], float] = time.monotonic,
        *,
        lists: bool = True,
    ) -> None:
        """``journalled`` gives the kinds whose objects the journal has all seen.

        Without ``lists`` nothing is asked of the API server: only what is watched is in a view.
        """
        self._api = api
        self._lists = lists
        self._looks = looks.Looks(api, clock)
        self._journal = journal
        self._topology_of = topology_of
        self._telemetry = telemetry or Telemetry()
        self._journalled = journalled
        self._clock = clock
        self._links: tuple[float, Links] | None = None
        self._wiring: asyncio.Task[Links] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    async def view(self, namespaces: Collection[str], now: datetime.datetime) -> View:
        """Look at namespaces, at those that they call or are called from, and at all nodes.

        Events there may name more namespaces, which are looked at then.
        """
        calls, places = await self._topology(now)
        wider = extent.widened(namespaces, calls, places)
        (objects, complete), measurements, usage = await asyncio.gather(
            self._objects(wider), self._measurements(wider, now), self._usage(wider)
        )
        if more := extent.named(objects, wider):
            others, whole = await self._objects(more)
            objects, complete, wider = objects | others, complete & whole, (*wider, *more)
        changes = await self._changes(wider, now)
        told = (tuple(changes), calls, places, measurements, usage)
        return View(now.timestamp(), objects, complete, *told)

    async def _changes(
        self, namespaces: Collection[str], now: datetime.datetime
    ) -> Sequence[Change]:
        if self._journal is None:
            return ()
        return await asyncio.to_thread(self._journal.changes, namespaces, now - HISTORY)

    async def _topology(self, now: datetime.datetime) -> Links:
        """What is known of calls and places; only the first look waits, and not for long."""
        stale = self._links is None or self._clock() - self._links[0] >= TOPOLOGY_SECONDS
        if stale and self._wiring is None:
            self._wiring = asyncio.ensure_future(self._topology_of(now))
        if self._links is None and self._wiring is not None:
            await asyncio.wait({self._wiring}, timeout=FIRST_SECONDS)
        if self._wiring is not None and self._wiring.done():
            self._rewire(self._wiring)
        return self._links[1] if self._links is not None else ({}, {})

    def _rewire(self, asked: asyncio.Task[Links]) -> None:
        """Take what was answered; a failure leaves what is known, and is asked again later."""
        self._wiring = None
        error = None if asked.cancelled() else asked.exception()
        if error is not None:
            _log.warning("diagnosis goes on with the calls that it knows: %r", error)
        known = self._links[1] if self._links is not None else ({}, {})
        found = known if error is not None or asked.cancelled() else asked.result()
        self._links = (self._clock(), found)

    async def _measurements(
        self, namespaces: Collection[str], now: datetime.datetime
    ) -> tuple[anomalies.Measurement, ...]:
        measured = self._telemetry.measured
        return () if measured is None else await _soon(measured.measurements(namespaces, now), ())

    async def _usage(self, namespaces: Collection[str]) -> Mapping[model.Ref, Usage]:
        used = self._telemetry.used
        return {} if used is None else await _soon(used.usage(namespaces), {})

    async def _objects(
        self, namespaces: Collection[str]
    ) -> tuple[dict[model.Ref, Mapping[str, Any]], frozenset[str]]:
        """Objects, and the kinds that were seen whole in all of the namespaces."""
        journalled = frozenset(self._journalled()) if self._journal else frozenset()
        wanted = _wanted(sorted(namespaces), journalled) if self._lists else []
        listed = await self._looks.all(wanted)
        objects: dict[model.Ref, Mapping[str, Any]] = {}
        if self._journal is not None:
            # They are unpacked one by one, which must not hold up the loop.
            objects.update(await asyncio.to_thread(self._journal.manifests, namespaces))
        known = {each.kind.name for each in wanted if not each.selector} | journalled
        for each, found in zip(wanted, listed, strict=True):
            if found.complete and each.kind in STATES:
                # The journal may still show what was deleted a moment ago, or the other way round.
                objects = _without(objects, each)
            objects.update(found.objects)
            if not found.complete and not each.selector:
                known.discard(each.kind.name)
        return objects, frozenset(known)


async def _soon(asked: Awaitable[Told], otherwise: Told) -> Told:
    """What is answered in time; a view does without the rest."""
    task = asyncio.ensure_future(asked)
    done, _ = await asyncio.wait({task}, timeout=METRICS_SECONDS)
    if done:
        return task.result()
    task.cancel()
    return otherwise


def _wanted(namespaces: Collection[str], journalled: Collection[str]) -> list[Wanted]:
    found = [
        Wanted(kind, None, seconds=SLOW_SECONDS if kind is not kinds.NODE else 4.0)
        for kind in CLUSTER_WIDE
    ]
    found.append(Wanted(kinds.LEASE, nodes.LEASES))
    for namespace in namespaces:
        found += [Wanted(kind, namespace) for kind in STATES]
        found += [Wanted(kind, namespace) for kind in WISHES if kind.name not in journalled]
        found += [Wanted(kinds.EVENT, namespace, selector) for selector in EVENTS]
    return found


def _without(
    objects: dict[model.Ref, Mapping[str, Any]], wanted: Wanted
) -> dict[model.Ref, Mapping[str, Any]]:
    gone = (wanted.kind.name, wanted.namespace)
    return {ref: raw for ref, raw in objects.items() if ref[:2] != gone}
