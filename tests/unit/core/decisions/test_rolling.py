"""Rollouts, as the status of an object tells them."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core.decisions import rolling

KEPT = {"rollingUpdate": {"partition": 2}}
ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None, str]] = {
    "a Deployment at rest": ("Deployment", {}, {"updatedReplicas": 3, "replicas": 3}, ""),
    "its old pods are left": (
        "Deployment",
        {},
        {"updatedReplicas": 3, "replicas": 4},
        "3 of 3 replicas updated, 4 pods in all",
    ),
    "a StatefulSet of one revision": (
        "StatefulSet",
        {},
        {"updateRevision": "a", "currentRevision": "a"},
        "",
    ),
    "of two": (
        "StatefulSet",
        {},
        {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 1},
        "1 of 3 replicas updated, 1 pods in all",
    ),
    "of two, which a partition keeps": (
        "StatefulSet",
        {"updateStrategy": KEPT},
        {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 1},
        "",
    ),
    "a DaemonSet": (
        "DaemonSet",
        {},
        {"desiredNumberScheduled": 5, "updatedNumberScheduled": 4},
        "4 of 5 replicas updated, 4 pods in all",
    ),
    "without a status": ("Deployment", {}, None, ""),
}


@pytest.mark.parametrize(("kind", "spec", "status", "expected"), ROWS.values(), ids=ROWS)
def test_what_is_told(
    kind: str, spec: dict[str, Any], status: dict[str, Any] | None, expected: str
) -> None:
    """By each kind's own counts."""
    manifest: dict[str, Any] = {"metadata": {"generation": 2}, "spec": {"replicas": 3, **spec}}
    if status is not None:
        manifest["status"] = {"observedGeneration": 2, **status}
    assert expected == rolling.told(kind, manifest)
