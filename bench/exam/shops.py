"""Raise a fresh shop in a lab, wait until all of it is available, and remove it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import lifecycle, manifests

LABEL = "lab.prunella.dev/shop"
STEADY_SECONDS = 120.0
GONE_SECONDS = 120.0
POLL_SECONDS = 1.0
Items = Callable[[str], Iterable[Mapping[str, Any]]]
"""The objects of a list, by its path at the API server: a kubectl each second would cost more."""


def namespaces(shop: str) -> list[str]:
    """The namespaces of a shop."""
    return [f"{shop}-{part}" for part in ("web", "core", "data")]


def raise_shop(lab: Lab, items: Items, shop: str) -> None:
    """Apply a shop's objects and wait until every workload is available; LabError if not."""
    lab.apply(yaml.safe_dump_all(manifests.documents(shop)))
    _wait(lambda: _unavailable(items, shop), STEADY_SECONDS, f"shop {shop} is not available")


def remove(lab: Lab, items: Items, shop: str) -> None:
    """Delete a shop: first what is inside of its namespaces, then nodes and volumes."""
    chosen = ("--selector", f"{LABEL}={shop}", "--ignore-not-found", "--wait=false")
    lab.kubectl("delete", "namespaces", *chosen)
    _wait(lambda: _left(items, shop), GONE_SECONDS, f"namespaces of shop {shop} do not go away")
    lab.kubectl("delete", lifecycle.CLUSTER_SCOPED, *chosen)


def _unavailable(items: Items, shop: str) -> list[str]:
    """Workloads whose replicas are not all available."""
    return [
        f"{namespace}/{each['metadata']['name']}"
        for namespace in namespaces(shop)
        for kind in ("deployments", "statefulsets")
        for each in items(f"/apis/apps/v1/namespaces/{namespace}/{kind}")
        if not _available(each)
    ]


def _available(workload: Mapping[str, Any]) -> bool:
    status = workload.get("status", {})
    seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    return bool(seen and status.get("availableReplicas", 0) >= workload["spec"]["replicas"])


def _left(items: Items, shop: str) -> list[str]:
    """Namespaces of the shop that are still there, those that a fault made too."""
    return [
        each["metadata"]["name"]
        for each in items("/api/v1/namespaces")
        if (each["metadata"].get("labels") or {}).get(LABEL) == shop
    ]


def _wait(ask: Callable[[], list[str]], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while missing := ask():
        if time.monotonic() > deadline:
            raise LabError(f"{what} after {within:.0f} s: {', '.join(missing[:5])}")
        time.sleep(POLL_SECONDS)
