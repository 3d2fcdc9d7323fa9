"""The stage that is real: an API server, and a Prometheus that scrapes the demo's pods."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from prunella import ports, wiring
from prunella import settings as settings_module
from prunella.adapters.kubernetes import client, kinds
from prunella.api import crdgen, resources
from prunella.core import model, objects
from prunella.demo import simulated, story
from prunella.engine import world as worlds

RELIST_SECONDS = 30.0
GONE_SECONDS = 60.0
_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Deployment": f"/apis/apps/v1/namespaces/{story.NAMESPACE}/deployments",
    "RemediationPolicy": (
        f"/apis/prunella.dev/v1alpha1/namespaces/{story.NAMESPACE}/remediationpolicies"
    ),
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}
_APPLY = {"fieldManager": "prunella-demo", "force": "true"}


class RealStage:
    """Plays the story on a cluster, as a person with kubectl would."""

    title = "the real engine on a real API server and Prometheus"

    def __init__(self, live: wiring.Live) -> None:
        self._live = live

    @property
    def world(self) -> worlds.World:
        """The ports that the engine uses."""
        return self._live.engine.world

    async def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Server-side apply."""
        for document in documents:
            await _apply(self._live.api, document)
        await self._live.relist()

    async def release(self, deployment: str, tag: str) -> None:
        """Set another image, as `kubectl set image` does."""
        container = {"name": "app", "image": f"shop.example/{deployment}:{tag}"}
        await self._live.api.request(
            "PATCH",
            f"{_PATHS['Deployment']}/{deployment}",
            body={"spec": {"template": {"spec": {"containers": [container]}}}},
            content_type="application/strategic-merge-patch+json",
            mutating=True,
        )

    async def image(self, deployment: str) -> str:
        """The image in the pod template."""
        ref = model.Ref("Deployment", story.NAMESPACE, deployment)
        for workload in self.world.cluster.workloads(story.NAMESPACE):
            if workload.ref == ref:
                return simulated.template_image(workload.template)
        return ""

    async def stop_metrics(self) -> None:
        """Let the pods report nothing more."""
        template = {"metadata": {"annotations": {"lab.prunella.dev/metrics": "none"}}}
        pods = f"/api/v1/namespaces/{story.NAMESPACE}/pods"
        for pod in await self._live.api.items(pods):
            await self._live.api.request(
                "PATCH",
                f"{pods}/{pod['metadata']['name']}",
                body=template,
                content_type="application/merge-patch+json",
                mutating=True,
            )


async def _apply(api: client.KubeApi, document: Mapping[str, Any]) -> None:
    path = f"{_PATHS[document['kind']]}/{document['metadata']['name']}"
    await api.request(
        "PATCH",
        path,
        query=_APPLY,
        body=dict(document),
        content_type="application/apply-patch+yaml",
        mutating=True,
    )


async def play(
    fault: story.Fault,
    show: story.Show,
    prometheus: str,
    kubeconfig: pathlib.Path | None = None,
    context: str | None = None,
) -> bool:
    """Play the whole story on a real cluster; it is left as it was found."""
    settings = settings_module.Settings(sources={"default": settings_module.Source(url=prometheus)})
    loop = asyncio.get_running_loop()
    changed: asyncio.Queue[objects.Key] = asyncio.Queue()

    def on_change(kind: str, namespace: str, name: str) -> None:
        if kind == kinds.POLICY.name:
            loop.call_soon_threadsafe(changed.put_nowait, objects.Key(namespace, name))

    live = wiring.live(settings, on_change, kubeconfig, context, guards=story.guard_chain(fault))
    try:
        for resource in resources.ALL:
            await _apply(live.api, crdgen.manifest(resource))
        await _delete_namespace(live.api)
        async with _running(live, changed):
            return await story.Teller(RealStage(live), fault, show).tell()
    finally:
        await _delete_namespace(live.api)
        live.metrics.close()
        live.api.close()


@contextlib.asynccontextmanager
async def _running(live: wiring.Live, changed: asyncio.Queue[objects.Key]) -> AsyncIterator[None]:
    """The engine and its watch, beside the story."""

    async def wake() -> None:
        while True:
            live.engine.mark_dirty(await changed.get())

    await live.relist()
    live.watch.start()
    running = asyncio.create_task(live.engine.run(live.relist, RELIST_SECONDS))
    waking = asyncio.create_task(wake())
    try:
        yield
    finally:
        live.engine.stop()
        live.watch.stop()
        waking.cancel()
        await asyncio.gather(running, waking, return_exceptions=True)


async def _delete_namespace(api: client.KubeApi) -> None:
    """Delete the demo's namespace and wait until it is gone."""
    path = f"{_PATHS['Namespace']}/{story.NAMESPACE}"
    reply = await api.exchange("DELETE", path, mutating=True)
    if reply.status == 404:
        return
    for _ in range(int(GONE_SECONDS)):
        if (await api.exchange("GET", path, mutating=False)).status == 404:
            return
        await asyncio.sleep(1)
    raise ports.ClusterError(f"namespace {story.NAMESPACE} is not gone after {GONE_SECONDS:.0f} s")
