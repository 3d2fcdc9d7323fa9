"""The stage that is real: an API server, and a Prometheus that scrapes the demo's pods."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from prunella import live as lives
from prunella import settings as settings_module
from prunella import trust_settings, wiring
from prunella.adapters.kubernetes import kinds
from prunella.core import model, objects
from prunella.demo import forward, ground, pods, story
from prunella.engine import world as worlds

RELIST_SECONDS = 30.0
_STRATEGIC = "application/strategic-merge-patch+json"


class RealStage:
    """Plays the story on a cluster, as a person with kubectl would."""

    title = "the real engine on a real API server and Prometheus"

    def __init__(self, live: lives.Live) -> None:
        self._live = live

    @property
    def world(self) -> worlds.World:
        """The ports that the engine uses."""
        return self._live.engine.world

    async def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Server-side apply; the story goes on when all pods are ready."""
        dressed = [pods.dressed(document) for document in documents]
        await ground.apply(self._live.api, dressed)
        for document in dressed:
            if document["kind"] == "Deployment":
                await ground.rolled_out(self._live.api, document["metadata"]["name"])
        await self._live.relist()

    async def release(self, deployment: str, tag: str) -> None:
        """Roll out another release, as `kubectl set env` does."""
        path = f"{ground.DEPLOYMENTS}/{deployment}"
        await self._patch(path, pods.release_patch(tag), _STRATEGIC)

    async def image(self, deployment: str) -> str:
        """The release in the pod template."""
        ref = model.Ref("Deployment", story.NAMESPACE, deployment)
        for workload in self.world.cluster.workloads(story.NAMESPACE):
            if workload.ref == ref:
                return pods.release_of(workload.template)
        return ""

    async def stop_metrics(self) -> None:
        """Let the pods report nothing more: end the demo's own Prometheus, or mute the lab's."""
        muted = {"metadata": {"annotations": {"lab.prunella.dev/metrics": "none"}}}
        for pod in await self._live.api.items(ground.PODS):
            await self._patch(f"{ground.PODS}/{pod['metadata']['name']}", muted)
        prometheus = f"{ground.DEPLOYMENTS}/prometheus"
        await self._live.api.exchange(
            "PATCH",
            prometheus,
            body={"spec": {"replicas": 0}},
            content_type="application/merge-patch+json",
            mutating=True,
        )

    async def _patch(
        self, path: str, change: dict[str, Any], kind: str = "application/merge-patch+json"
    ) -> None:
        await self._live.api.request("PATCH", path, body=change, content_type=kind, mutating=True)


async def play(
    fault: story.Fault,
    show: story.Show,
    prometheus: str | None = None,
    kubeconfig: pathlib.Path | None = None,
    context: str | None = None,
) -> bool:
    """Play the whole story on a real cluster; it is left as it was found.

    ``prometheus`` is the URL of one that reports the demo's pods, as the lab's does; without it
    the demo runs one of its own. Raises ClusterError.
    """
    port = forward.free_port()
    url = prometheus or f"http://{forward.LOCALHOST}:{port}"
    settings = settings_module.Settings(
        namespaces=(story.NAMESPACE,),
        sources={"default": settings_module.Source(url=url)},
        trust=trust_settings.AS_POLICIES_SAY,
    )
    loop = asyncio.get_running_loop()
    changed: asyncio.Queue[objects.Key] = asyncio.Queue()

    def on_change(kind: str, namespace: str, name: str) -> None:
        if kind == kinds.POLICY.name:
            loop.call_soon_threadsafe(changed.put_nowait, objects.Key(namespace, name))

    live = wiring.live(settings, on_change, kubeconfig, context, guards=story.guard_chain(fault))
    try:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(ground.prepared(live.api))
            await ground.apply(live.api, pods.support())
            if prometheus is None:
                await ground.apply(live.api, pods.prometheus())
                await ground.rolled_out(live.api, "prometheus")
                way = forward.to_prometheus(port, kubeconfig, context)
                await stack.enter_async_context(way)
            await stack.enter_async_context(_running(live, changed))
            return await story.Teller(RealStage(live), fault, show).tell()
    finally:
        live.metrics.close()
        live.alerts.close()
        live.outside.close()
        live.api.close()


@contextlib.asynccontextmanager
async def _running(live: lives.Live, changed: asyncio.Queue[objects.Key]) -> AsyncIterator[None]:
    """The engine and its watch, beside the story."""
    await live.relist()
    live.watch.start()
    running = asyncio.create_task(live.engine.run(live.relist, RELIST_SECONDS))
    waking = asyncio.create_task(live.wake(changed))
    try:
        yield
    finally:
        live.engine.stop()
        live.watch.stop()
        waking.cancel()
        await asyncio.gather(running, waking, return_exceptions=True)
