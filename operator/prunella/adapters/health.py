"""Probes and metrics over HTTP, and the loop's own heartbeat.

Liveness fails only for what a restart would mend: a loop that hangs.  A Prometheus or an API
server that is down makes the operator unready at most, never dead.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable

from aiohttp import web

from prunella.adapters import telemetry

HEARTBEAT_SECONDS = 0.5
LATEST_HEARTBEAT_SECONDS = 5.0
RELISTS_BEFORE_UNREADY = 3


@dataclasses.dataclass(slots=True)
class Health:
    """What the probes look at; times are of the monotonic clock."""

    relist_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    heartbeat: float = 0.0
    listed: float | None = None
    worst_lag: float = 0.0
    warming: Callable[[], str | None] = lambda: None
    """What a replica has still to do before it could lead at once; None when nothing."""
    _warm: bool = False

    def alive(self) -> str | None:
        """None when alive, otherwise what is wrong."""
        late = self.monotonic() - self.heartbeat
        if late > LATEST_HEARTBEAT_SECONDS:
            return f"the event loop has not turned for {late:.1f} s"
        return None

    def ready(self) -> str | None:
        """None when ready, otherwise what is missing."""
        if self.listed is None:
            return "policies were not listed yet"
        age = self.monotonic() - self.listed
        limit = RELISTS_BEFORE_UNREADY * self.relist_seconds
        if age > limit:
            return f"the last complete list is {age:.0f} s old, the limit is {limit:.0f} s"
        if not self._warm and (missing := self.warming()) is not None:
            return missing
        self._warm = True
        return self.alive()

    async def beat(self) -> None:
        """Measure, until cancelled, how late the loop wakes up."""
        while True:
            before = self.monotonic()
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self.heartbeat = self.monotonic()
            self.worst_lag = max(self.worst_lag, self.heartbeat - before - HEARTBEAT_SECONDS)


async def serve(
    health: Health, metrics: telemetry.PrometheusTelemetry, host: str, port: int
) -> web.AppRunner:
    """Start to serve /healthz, /readyz and /metrics; `cleanup` of the result stops it."""

    async def probe(check: Callable[[], str | None]) -> web.Response:
        problem = check()
        return web.Response(text=problem or "ok", status=200 if problem is None else 503)

    async def healthz(_: web.Request) -> web.Response:
        return await probe(health.alive)

    async def readyz(_: web.Request) -> web.Response:
        return await probe(health.ready)

    async def show_metrics(_: web.Request) -> web.Response:
        if health.listed is not None:
            age = health.monotonic() - health.listed
            metrics.gauge("prunella_relist_age_seconds", {}, age)
        metrics.gauge("prunella_loop_lag_seconds", {}, health.worst_lag)
        health.worst_lag = 0.0
        return web.Response(body=metrics.render(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
