"""Whether a workload that was looked at as an object is being rolled out, by its own status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Status = Mapping[str, Any]


def told(kind: str, manifest: Mapping[str, Any]) -> str:
    """How far a rollout under way has come; empty when there is none, or none that moves."""
    status = manifest.get("status")
    if status is None or _stuck(status):
        return ""
    generation = manifest["metadata"].get("generation", 0)
    observed = status.get("observedGeneration", 0)
    if observed < generation:
        return f"generation {observed} of {generation} seen"
    updated, wanted, total = _COUNTS[kind](manifest["spec"], status)
    if updated >= wanted and total <= updated:
        return ""
    return f"{updated} of {wanted} replicas updated, {total} pods in all"


def _stuck(status: Status) -> bool:
    """A Deployment that has given up; its pods may wait for the very object that is put back."""
    return any(
        each.get("type") == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded"
        for each in status.get("conditions") or ()
    )


def _deployment(spec: Status, status: Status) -> tuple[int, int, int]:
    return status.get("updatedReplicas", 0), spec.get("replicas", 1), status.get("replicas", 0)


def _stateful_set(spec: Status, status: Status) -> tuple[int, int, int]:
    """Pods below a partition are meant to stay old; with one revision only, none is old."""
    if status.get("updateRevision") == status.get("currentRevision"):
        return 0, 0, 0
    strategy = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    wanted = max(spec.get("replicas", 1) - strategy.get("partition", 0), 0)
    updated = status.get("updatedReplicas", 0)
    return updated, wanted, updated


def _daemon_set(_: Status, status: Status) -> tuple[int, int, int]:
    wanted, updated = (
        status.get("desiredNumberScheduled", 0),
        status.get("updatedNumberScheduled", 0),
    )
    return updated, wanted, updated


_COUNTS = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}
