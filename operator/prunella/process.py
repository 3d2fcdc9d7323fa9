"""The operator's process: what is started in which order, and how it ends.

It ends by itself when the watch ends: without a watch it would decide on a view that no longer
changes.  The kubelet starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
import signal

from prunella import ports, wiring
from prunella import settings as settings_module
from prunella.adapters import health as health_module
from prunella.adapters import heap
from prunella.adapters.kubernetes import kinds
from prunella.core import objects

LOG = logging.getLogger(__name__)
FIRST_LIST_RETRY_SECONDS = 5.0
STOP_SECONDS = 20.0
"""Time for passes under way to end; below the pod's termination grace period of 30 s."""


async def run(
    settings: settings_module.Settings,
    kubeconfig: pathlib.Path | None = None,
    context: str | None = None,
) -> int:
    """Run the operator until a signal or until its watch ends; returns the exit code."""
    loop = asyncio.get_running_loop()
    changed: asyncio.Queue[objects.Key] = asyncio.Queue()

    def on_change(kind: str, namespace: str, name: str) -> None:
        key = objects.Key(namespace, name)
        if kind == kinds.APPROVAL.name:
            # It bears the name of the record that waits for it.
            record = live.stores.records.get(namespace, name)
            if record is not None:
                loop.call_soon_threadsafe(changed.put_nowait, record.policy)
        elif kind in {kinds.POLICY.name, kinds.CLUSTER_POLICY.name}:
            loop.call_soon_threadsafe(changed.put_nowait, key)

    live = wiring.live(settings, on_change, kubeconfig, context)
    health = health_module.Health(settings.relist_seconds)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    beating = asyncio.create_task(health.beat())
    server = await health_module.serve(
        health, live.telemetry, settings.http_host, settings.http_port
    )
    try:
        await live.intake.start()
        return await _operate(live, health, changed, stopping, settings.relist_seconds)
    finally:
        beating.cancel()
        await server.cleanup()
        await live.intake.stop()
        live.metrics.close()
        live.alerts.close()
        live.outside.close()
        live.api.close()
        if live.surroundings is not None:
            live.surroundings.close()


async def _operate(
    live: wiring.Live,
    health: health_module.Health,
    changed: asyncio.Queue[objects.Key],
    stopping: asyncio.Event,
    relist_seconds: float,
) -> int:
    async def relist() -> None:
        await live.relist()
        health.listed = health.monotonic()

    if not await _until_answered(relist, stopping):
        return 0
    if not await _until_answered(live.begin, stopping):
        return 0
    live.watch.start()
    LOG.info("watching %s", ", ".join(live.namespaces) or "all namespaces")
    engine = asyncio.create_task(live.engine.run(relist, relist_seconds))
    waking = asyncio.create_task(live.wake(changed))
    telling = asyncio.create_task(live.intake.run())
    correlating = asyncio.create_task(live.correlate())
    journalling = asyncio.create_task(live.keep_journal())
    settling = asyncio.create_task(heap.keep_settled())
    watching = asyncio.create_task(live.watch.wait())
    asked = asyncio.create_task(stopping.wait())
    lives = {engine, watching, telling, journalling, correlating, asked}
    await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
    code = 0 if asked.done() else 1
    if journalling.done() and code:
        LOG.error("the journal has ended with an error", exc_info=journalling.exception())
    if watching.done() and code:
        LOG.error("the watch has ended: %s", watching.exception() or "without an error")
    for name, chore in (("the intake", telling), ("the loop of incidents", correlating)):
        if chore.done() and code:
            LOG.error("%s has ended", name, exc_info=chore.exception())
    LOG.info("stopping: no new action is begun")
    live.engine.stop()
    live.watch.stop()
    _, late = await asyncio.wait({engine}, timeout=STOP_SECONDS)
    chores = (waking, telling, correlating, journalling, settling, watching, asked)
    for task in (*late, *chores):
        task.cancel()
    await live.end_journal()
    results = await asyncio.gather(engine, *chores, return_exceptions=True)
    if isinstance(results[0], Exception):
        LOG.error("the engine ended with an error", exc_info=results[0])
        return 1
    return code


async def _until_answered(read: wiring.Relist, stopping: asyncio.Event) -> bool:
    """List until it works once; False when the process was asked to stop meanwhile."""
    while not stopping.is_set():
        try:
            await read()
        except ports.ClusterError as error:
            LOG.warning("can't list yet: %s", error)
            try:
                await asyncio.wait_for(stopping.wait(), FIRST_LIST_RETRY_SECONDS)
            except TimeoutError:
                continue
        else:
            return True
    return False
