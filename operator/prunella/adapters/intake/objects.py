"""The objects that names are led by: workloads, Services, nodes, as manifests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from prunella import ports
from prunella.adapters.kubernetes import client, kinds
from prunella.core import model
from prunella.core.incidents import picture as pictures

_LISTED = (kinds.SERVICE, kinds.ENDPOINT_SLICE, kinds.AUTOSCALER)
_log = logging.getLogger(__name__)


class Scene(Protocol):
    """Manifests, wherever they come from."""

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """Workloads and Services of namespaces, and nodes; never raises."""


class ListedScene:
    """Watched workloads, and lists of what is not watched; what can't be listed is left out."""

    def __init__(self, api: client.KubeApi, cluster: ports.Cluster) -> None:
        self._api = api
        self._cluster = cluster

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """The objects as they are now."""
        found: dict[model.Ref, Any] = {}
        for namespace in sorted(namespaces):
            found |= _workloads(self._cluster.workloads(namespace))
            for kind in _LISTED:
                found |= await self.list(kind, namespace)
        return found | await self.list(kinds.NODE, None)

    async def list(self, kind: kinds.Kind, namespace: str | None) -> dict[model.Ref, Any]:
        """The objects of one kind, of a namespace or of none; never raises."""
        found: dict[model.Ref, Any] = {}
        try:
            async for page in self._api.pages(kind.path(namespace)):
                for raw in page["items"]:
                    meta = raw["metadata"]
                    found[model.Ref(kind.name, meta.get("namespace", ""), meta["name"])] = raw
        except ports.ClusterError as error:
            _log.warning("%s can't be listed: %s", kind.plural, error)
        return found


class JournalScene:
    """The objects that the change journal watches anyway; only what it does not is listed."""

    def __init__(
        self, journal: ports.Journal, journalled: Collection[str], listed: ListedScene
    ) -> None:
        """``journalled``: names of the kinds that the journal watches."""
        self._journal = journal
        self._listed = listed
        self._missing = tuple(
            each for each in (kinds.SERVICE, kinds.AUTOSCALER) if each.name not in journalled
        )
        self._lists_nodes = kinds.NODE.name not in journalled

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """The watched objects as last seen: they are unpacked in a thread, by the thousand."""
        found = dict(await asyncio.to_thread(self._journal.manifests, namespaces))
        for namespace in sorted(namespaces):
            for kind in self._missing:
                found |= await self._listed.list(kind, namespace)
        for namespace in sorted(_without_selector(found)):
            found |= await self._listed.list(kinds.ENDPOINT_SLICE, namespace)
        return found | (await self._listed.list(kinds.NODE, None) if self._lists_nodes else {})


def _without_selector(manifests: pictures.Manifests) -> set[str]:
    """Namespaces with a Service that only its EndpointSlices tell of."""
    return {
        ref.namespace
        for ref, raw in pictures.of_kind(manifests, kinds.SERVICE.name)
        if not (raw.get("spec") or {}).get("selector")
    }


def _workloads(workloads: Iterable[model.Workload]) -> dict[model.Ref, Any]:
    """Workloads as their manifests, as far as they are kept."""
    return {
        each.ref: {
            "metadata": {
                "name": each.ref.name,
                "namespace": each.ref.namespace,
                "labels": each.labels,
                "annotations": each.annotations,
            },
            "spec": {"replicas": each.replicas, "template": each.template},
        }
        for each in workloads
        if each.ref.kind in kinds.WORKLOADS
    }
