"""Who calls whom and what stands on what, asked of the cluster and of a metrics source.

Measured calls are of the last quarter of an hour; places come from kube-state-metrics, or from the
pods themselves where it is not there.  What can't be asked is as it was last known.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from prunella import ports
from prunella.adapters.intake import objects
from prunella.adapters.kubernetes import client, kinds
from prunella.core import model
from prunella.core.incidents import links, topology
from prunella.core.incidents import picture as pictures

WINDOW: Final = "15m"
SERVICE_GRAPH: Final = "traces_service_graph_request_total"
MESH: Final = "istio_requests_total"
POD_INFO: Final = "kube_pod_info"
_PODS: Final = (
    "group by (namespace, exported_namespace, node, exported_node, created_by_kind, "
    f"created_by_name) ({POD_INFO})"
)
MOST_PODS: Final = 2000
"""Pods that are listed where kube-state-metrics does not tell of them."""
_CLIENT_AND_SERVER: Final = ", ".join(
    f"{end}{label}"
    for end in ("client", "server")
    for label in (
        "",
        "_k8s_namespace_name",
        "_k8s_deployment_name",
        "_k8s_statefulset_name",
        "_k8s_daemonset_name",
        "_service_namespace",
    )
)
_OF_MESH: Final = ", ".join(
    f"{end}_workload{label}" for end in ("source", "destination") for label in ("", "_namespace")
)
CALLS: Final = tuple(
    f"sum by ({by}) (rate({metric}[{WINDOW}]))"
    for metric, by in ((SERVICE_GRAPH, _CLIENT_AND_SERVER), (MESH, _OF_MESH))
)
"""The queries whose samples are calls."""
FRESH: Final = datetime.timedelta(seconds=15)
"""How long one answer serves all who ask: each of them does so twice a minute."""
_log = logging.getLogger(__name__)

Links = tuple[topology.Links, topology.Links]
Ask = Callable[[str], Awaitable[model.Answer]]
"""Asks a metrics source an instant query of the operator's own."""


class KnownTopology:
    """Calls and places, as they are known at a time."""

    def __init__(
        self,
        scene: objects.Scene,
        namespaces: Callable[[], Collection[str]],
        ask: Ask,
        api: client.KubeApi | None = None,
    ) -> None:
        """``namespaces`` gives those to look at, without a request.

        Without ``api`` no pods are listed.
        """
        self._scene = scene
        self._namespaces = namespaces
        self._ask_source = ask
        self._api = api
        self._last: dict[str, model.Vector] = {}

    async def current(self, now: datetime.datetime) -> Links:
        """The calls and the places; never raises."""
        found = await self.pair(now)
        return found.calls, found.places

    async def pair(self, now: datetime.datetime) -> links.Pair:
        """The calls and the places; never raises."""
        del now  # what is asked is of now; the simulation asks with its own clock
        namespaces = self._namespaces()
        manifests = await self._scene.manifests(namespaces)
        pods = await self._ask(_PODS)
        listed = {} if pods.samples else await self._pods(namespaces)
        whole: Mapping[model.Ref, Any] = {**listed, **manifests}
        picture = pictures.of(whole)
        measured = [each for query in CALLS for each in (await self._ask(query)).samples]
        calls = links.from_service_graph(measured, picture)
        places = links.from_pod_info(pods.samples)
        return links.joined(links.from_manifests(whole, picture), links.Pair(calls, places))

    async def _ask(self, query: str) -> model.Vector:
        """The answer, or else the last one: a source that is down does not undo the calls."""
        answer = await self._ask_source(query)
        if isinstance(answer, model.Failure):
            _log.warning("topology: %s", answer.message)
            return self._last.get(query, model.Vector(()))
        self._last[query] = answer
        return answer

    async def _pods(self, namespaces: Collection[str]) -> dict[model.Ref, Any]:
        found: dict[model.Ref, Any] = {}
        if self._api is None:
            return found
        for namespace in sorted(namespaces):
            try:
                async for page in self._api.pages(kinds.POD.path(namespace)):
                    for raw in page["items"]:
                        found[model.Ref("Pod", namespace, raw["metadata"]["name"])] = raw
                    if len(found) >= MOST_PODS:
                        return found
            except ports.ClusterError as error:
                _log.warning("topology: pods of %s: %s", namespace, error)
        return found


class SharedTopology:
    """One topology for all who ask: it is worked out once, however many do, and is the same."""

    def __init__(self, known: KnownTopology) -> None:
        self._known = known
        self._asked: tuple[datetime.datetime, asyncio.Task[Links]] | None = None

    async def current(self, now: datetime.datetime) -> Links:
        """The calls and the places, at most `FRESH` old."""
        if self._asked is None or self._is_old(*self._asked, now):
            self._asked = (now, asyncio.create_task(self._known.current(now)))
        # One who waits no longer must not take it from the others.
        return await asyncio.shield(self._asked[1])

    @staticmethod
    def _is_old(
        since: datetime.datetime, task: asyncio.Task[Links], now: datetime.datetime
    ) -> bool:
        """Whether it must be worked out anew; what is being worked out is waited for."""
        if not task.done():
            return False
        return now - since >= FRESH or task.cancelled() or task.exception() is not None
