"""Create and delete shops in a running lab."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import chaos, manifests
from lab.shop.objects import SHOP_LABEL, is_ready

CLUSTER_SCOPED = (
    "nodes,persistentvolumes,priorityclasses,clusterroles,clusterrolebindings,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations"
)
"""What a shop and its faults have beside namespaces; each carries the shop's label."""


def up(lab: Lab, shops: Sequence[str], *, within: float = 120.0) -> None:
    """Apply the manifests of every shop and wait until all pods are ready; LabError after that."""
    everything = [document for shop in shops for document in manifests.documents(shop)]
    lab.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": everything}))
    deadline = time.monotonic() + within
    while waiting := [name for shop in shops for name in unready(lab, shop)]:
        if time.monotonic() > deadline:
            raise LabError(
                f"these pods are not ready after {within:.0f} s: {', '.join(waiting[:8])}; "
                "is `python -m lab.shop serve` running?"
            )
        time.sleep(0.5)


def unready(lab: Lab, shop: str) -> list[str]:
    """What a shop still waits for: workloads with too few ready pods."""
    waiting = []
    for namespace in manifests.NAMESPACES:
        where = ("-n", f"{shop}-{namespace}")
        pods = [p for p in lab.get(*where, "pods")["items"] if is_ready(p)]
        wanted = sum(
            int(each["spec"]["replicas"])
            for each in lab.get(*where, "deployments,statefulsets")["items"]
        )
        if len(pods) < wanted:
            waiting.append(f"{shop}-{namespace} ({len(pods)} of {wanted})")
    return waiting


def down(lab: Lab, shops: Sequence[str]) -> None:
    """Delete everything of the shops; the namespaces go in the background."""
    for shop in shops:
        # A node without power would never say that its pods are gone.
        lab.kubectl(
            "annotate", "nodes", "--selector", f"{SHOP_LABEL}={shop}", f"{chaos.PREFIX}node-"
        )
        chosen = lab.get("namespaces", "--selector", f"{SHOP_LABEL}={shop}")["items"]
        names = [each["metadata"]["name"] for each in chosen]
        if names:
            lab.kubectl("delete", "namespace", *names, "--wait=false")
        _wait_gone(lab, names)
        lab.kubectl("delete", CLUSTER_SCOPED, "--selector", f"{SHOP_LABEL}={shop}")


def _wait_gone(lab: Lab, names: Sequence[str], within: float = 60.0) -> None:
    """Pods are deleted by their nodes' kubelet, so nodes must outlive them."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = lab.get("namespaces")["items"]
        if not {each["metadata"]["name"] for each in found} & set(names):
            return
        time.sleep(0.5)
    raise LabError(f"namespaces {', '.join(names)} are still there after {within:.0f} s")
