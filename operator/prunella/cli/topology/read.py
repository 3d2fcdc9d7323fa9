"""What a user may read of a cluster and of a Prometheus, as a graph."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Iterable, Mapping
from typing import Any

from prunella import settings as settings_module
from prunella.adapters import clock as clocks
from prunella.adapters import topology as asked
from prunella.adapters.kubernetes import kinds
from prunella.adapters.prometheus import metrics
from prunella.cli import kube
from prunella.cli.topology import graph
from prunella.core import model
from prunella.core.incidents import links
from prunella.core.incidents import picture as pictures

KINDS = (
    *kinds.WORKLOADS.values(),
    kinds.SERVICE,
    kinds.ENDPOINT_SLICE,
    kinds.POD,
    kinds.CONFIG_MAP,
    kinds.INGRESS,
    kinds.HTTP_ROUTE,
)
_OPTIONAL = frozenset({"HTTPRoute"})


def read(
    cluster: kube.Cluster, namespace: str | None, source: settings_module.Source | None
) -> graph.Graph:
    """The graph of a namespace with its neighbours, or of all (None). Raises KubeError."""
    found, notes = manifests(cluster, namespace)
    picture = pictures.of(found)
    measured = {} if source is None else _measured(source, picture, notes)
    if source is None:
        notes.append("no --prometheus: only declared calls are shown")
    workloads = [ref for ref, _ in pictures.of_kind(found, *pictures.WORKLOADS)]
    declared = links.from_manifests(found, picture)
    return graph.of(declared, measured, workloads, namespace, notes)


def manifests(
    cluster: kube.Cluster, namespace: str | None
) -> tuple[Mapping[model.Ref, Any], list[str]]:
    """What names are led by, and what could not be read. Raises KubeError."""
    found: dict[model.Ref, Any] = {}
    notes: list[str] = []
    for kind in KINDS:
        found |= _listed(kind, _list(cluster, kind, namespace, notes))
    found |= _listed(kinds.NODE, _list(cluster, kinds.NODE, None, notes))
    return found, notes


def _listed(kind: kinds.Kind, items: Iterable[kube.Object]) -> dict[model.Ref, Any]:
    return {
        model.Ref(kind.name, raw["metadata"].get("namespace", ""), raw["metadata"]["name"]): raw
        for raw in items
    }


def _list(
    cluster: kube.Cluster, kind: kinds.Kind, namespace: str | None, notes: list[str]
) -> list[kube.Object]:
    """All objects of a kind, or those of the namespace where a user may read no others.

    ConfigMaps and pods of others are not needed to tell whom a namespace calls.
    """
    own_only = namespace is not None and kind in (kinds.CONFIG_MAP, kinds.POD)
    for place in (namespace,) if own_only else dict.fromkeys((None, namespace)):
        try:
            return cluster.items(kind.path(place))
        except kube.KubeError as error:
            if error.status == http.HTTPStatus.NOT_FOUND and kind.name in _OPTIONAL:
                return []
            if error.status != http.HTTPStatus.FORBIDDEN:
                raise
    notes.append(f"you may not list {kind.plural}: what they tell is missing")
    return []


def _measured(
    source: settings_module.Source, picture: pictures.Picture, notes: list[str]
) -> dict[model.Ref, set[model.Ref]]:
    """The calls of the last quarter of an hour."""
    samples: list[model.Sample] = []

    async def ask() -> None:
        asking = metrics.PrometheusMetrics({"default": source}, clocks.RealClock())
        try:
            for query in asked.CALLS:
                answer = await asking.query_whole("default", query)
                if isinstance(answer, model.Failure):
                    notes.append(f"measured calls are missing: {answer.message}")
                    return
                samples.extend(answer.samples)
        finally:
            asking.close()

    asyncio.run(ask())
    if not samples and not any(each.startswith("measured") for each in notes):
        notes.append(f"no calls were measured: the source has no {asked.SERVICE_GRAPH}")
    found = links.from_service_graph(samples, picture)
    return {ref: set(others) for ref, others in found.items()}
