"""Captures, simulated: each pod of the target has a log of its own."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.api import capture as api
from prunella.core import model, objects
from prunella.core.outcomes import capturing


class SimulatedCaptures:
    """Captures in memory."""

    def __init__(self, clock: clocks.VirtualClock, cluster: clusters.SimulatedCluster) -> None:
        self._clock = clock
        self._cluster = cluster
        self.kept: dict[model.Ref, api.CaptureSpec] = {}
        self.log = "one line\n"
        self.slow = 0.0
        """Seconds that each pod takes to answer."""
        self.broken = ""
        """Why nothing can be written; empty: it can."""

    async def look(
        self, record: objects.Record, limits: api.CapturePolicy, found: list[capturing.Part]
    ) -> None:
        """Add each part as it is read. Never raises."""
        if limits.describe:
            found.append(capturing.Part(str(record.target), "kind: Deployment\n"))
        live_state = self._cluster.read(record.target)
        evicted = [each.name for each in record.spec.effects if each.verb == "Evict"]
        pods = live_state.pods if live_state is not None else ()
        for name in capturing.worst(pods, evicted, limits.pods):
            await self._clock.sleep(self.slow)
            if limits.logs is not None:
                told = f"Pod/{name}/app {limits.logs.value.lower()} log"
                found.append(capturing.Part(told, self.log))

    async def pack(
        self,
        record: objects.Record,
        parts: Sequence[capturing.Part],
        limits: api.CapturePolicy,
        now: datetime.datetime,
    ) -> api.CaptureSpec:
        """At once: the clock stands still."""
        return capturing.pack(record, parts, limits, now)

    async def keep(self, record: objects.Record, spec: api.CaptureSpec) -> None:
        """Write it. Raises Conflict when it is there, ClusterError."""
        if self.broken:
            raise ports.ClusterError(self.broken, status=403)
        ref = model.Ref("Capture", record.namespace, record.name)
        if ref in self.kept:
            raise ports.Conflict(f"captures {record.name!r} already exists", status=409)
        self.kept[ref] = spec

    async def expire(self, now: datetime.datetime) -> None:
        """Delete those whose time is over."""
        self.kept = {ref: spec for ref, spec in self.kept.items() if spec.expires_at > now}
