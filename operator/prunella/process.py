"""The operator's process: what is started in which order, and how it ends.

It ends by itself when the watch ends: without a watch it would decide on a view that no longer
changes.  The kubelet starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from prunella import live as lives
from prunella import ports, wiring
from prunella import settings as settings_module
from prunella.adapters import health as health_module
from prunella.adapters import heap
from prunella.adapters.kubernetes import kinds
from prunella.core import objects

LOG = logging.getLogger(__name__)
FIRST_LIST_RETRY_SECONDS = 5.0
HAND_OVER_SECONDS = 1.0
"""Time for passes to end where another replica goes on with them; sends are waited for."""
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
    health = health_module.Health(settings.relist_seconds, warming=live.warming)
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
        live.close()


async def _operate(
    live: lives.Live,
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
    electing = asyncio.create_task(live.elect())
    taking_over = asyncio.create_task(live.take_over())
    telling = asyncio.create_task(live.when_leading(live.intake.run))
    correlating = asyncio.create_task(live.when_leading(live.correlate))
    journalling = asyncio.create_task(live.keep_journal())
    settling = asyncio.create_task(heap.keep_settled())
    watching = asyncio.create_task(live.watch.wait())
    asked = asyncio.create_task(stopping.wait())
    needed = {engine, electing, taking_over, watching, telling, journalling, correlating, asked}
    await asyncio.wait(needed, return_when=asyncio.FIRST_COMPLETED)
    code = 0 if asked.done() else 1
    if code:
        _say_what_ended(
            {
                "the journal": journalling,
                "the watch": watching,
                "the intake": telling,
                "the loop of incidents": correlating,
                "the election": electing,
            }
        )
    chores = (waking, telling, correlating, journalling, settling, watching, asked)
    error = await _stop(live, engine, chores, (electing, taking_over))
    if error is not None:
        LOG.error("the engine ended with an error", exc_info=error)
        return 1
    return code


def _say_what_ended(parts: Mapping[str, asyncio.Task[None]]) -> None:
    for name, part in parts.items():
        if part.done():
            LOG.error("%s has ended", name, exc_info=part.exception())


async def _stop(
    live: lives.Live,
    engine: asyncio.Task[None],
    chores: Sequence[asyncio.Task[Any]],
    electing: Sequence[asyncio.Task[None]],
) -> Exception | None:
    """End all, and leave the Lease to another replica; returns what the engine died of."""
    LOG.info("stopping: no new action is begun")
    live.engine.stop()
    live.watch.stop()
    limit = STOP_SECONDS if live.election is None else HAND_OVER_SECONDS
    _, late = await asyncio.wait({engine}, timeout=limit)
    for task in chores:
        task.cancel()
    await live.end_journal()
    await live.hand_over()
    # Not before: what is late may wait for an answer, which giving the Lease back waits for, too.
    for task in (*late, *electing):
        task.cancel()
    results = await asyncio.gather(engine, *chores, *electing, return_exceptions=True)
    return results[0] if isinstance(results[0], Exception) else None


async def _until_answered(read: lives.Chore, stopping: asyncio.Event) -> bool:
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
