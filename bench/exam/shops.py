"""Raise a fresh shop in a lab, wait until all of it is available, and remove it again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import yaml

from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import manifests

LABEL = "lab.prunella.dev/shop"
STEADY_SECONDS = 120.0
GONE_SECONDS = 120.0
POLL_SECONDS = 2.0
CLUSTER_SCOPED = "nodes,persistentvolumes,priorityclasses"


def namespaces(shop: str) -> list[str]:
    """The namespaces of a shop."""
    return [f"{shop}-{part}" for part in ("web", "core", "data")]


def raise_shop(lab: Lab, shop: str) -> None:
    """Apply a shop's objects and wait until every workload is available; LabError if not."""
    lab.apply(yaml.safe_dump_all(manifests.documents(shop)))
    _wait(lambda: _unavailable(lab, shop), STEADY_SECONDS, f"shop {shop} is not available")


def remove(lab: Lab, shop: str) -> None:
    """Delete a shop: first what is inside of its namespaces, then nodes and volumes."""
    chosen = ("--selector", f"{LABEL}={shop}", "--ignore-not-found")
    lab.kubectl("delete", "namespaces", *chosen, "--wait=false")
    _wait(lambda: _left(lab, shop), GONE_SECONDS, f"namespaces of shop {shop} do not go away")
    lab.kubectl("delete", CLUSTER_SCOPED, *chosen, "--wait=false")


def _unavailable(lab: Lab, shop: str) -> list[str]:
    """Workloads whose replicas are not all available."""
    found = []
    for namespace in namespaces(shop):
        listed = json.loads(
            lab.kubectl("get", "deployments,statefulsets", "-n", namespace, "-o", "json").stdout
        )
        for each in listed["items"]:
            status = each.get("status", {})
            seen = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
            if not seen or status.get("availableReplicas", 0) < each["spec"]["replicas"]:
                found.append(f"{namespace}/{each['metadata']['name']}")
    return found


def _left(lab: Lab, shop: str) -> list[str]:
    arguments = ("get", "namespaces", "--selector", f"{LABEL}={shop}", "-o", "name")
    return lab.kubectl(*arguments).stdout.split()


def _wait(ask: Callable[[], list[str]], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while missing := ask():
        if time.monotonic() > deadline:
            raise LabError(f"{what} after {within:.0f} s: {', '.join(missing[:5])}")
        time.sleep(POLL_SECONDS)
