"""What a shop's objects say, to see to the byte which of them were changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.exam import shops
from lab.shop.faults import Ref

KINDS: Mapping[str, str] = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "Service": "/api/v1/namespaces/{}/services",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
}
BY_THE_SERVER = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
ADDRESSES = ("clusterIP", "clusterIPs")
REVISION = "deployment.kubernetes.io/revision"
Picture = Mapping[Ref, str]


def picture(items: shops.Items, shop: str) -> Picture:
    """All that people write of the shop's objects, as text."""
    return {
        Ref(kind, namespace, each["metadata"]["name"]): _written(each)
        for namespace in shops.namespaces(shop)
        for kind, path in KINDS.items()
        for each in items(path.format(namespace))
    }


def changed(before: Picture, after: Picture) -> frozenset[Ref]:
    """Objects that were made, deleted, or say something else."""
    every = before.keys() | after.keys()
    return frozenset(ref for ref in every if before.get(ref) != after.get(ref))


def _written(manifest: Mapping[str, Any]) -> str:
    """An object without its status and what the API server and controllers set."""
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in BY_THE_SERVER}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != REVISION}
    kept = {k: v for k, v in manifest.items() if k not in ("status", "apiVersion", "kind")}
    spec = manifest.get("spec")
    if isinstance(spec, dict):
        kept["spec"] = {key: value for key, value in spec.items() if key not in ADDRESSES}
    return json.dumps(
        {**kept, "metadata": {**metadata, "annotations": annotations}}, sort_keys=True
    )
