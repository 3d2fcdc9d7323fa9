"""A pod's status, as its kubelet writes it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from lab.shop.containers import Container
from lab.shop.objects import Object, annotations_of
from lab.shop.pods import PodRecord, completed, restart_policy


def of(record: PodRecord, node: Object | None, now: float) -> dict[str, Any]:
    """The status of a pod, as its kubelet writes it."""
    pod, spec = record.pod, record.pod["spec"]
    initialized = all(completed(each) for each in record.inits.values())
    ready = initialized and all(each.ready for each in record.containers.values())
    phase = _phase(record, restart_policy(pod), initialized=initialized)
    done = phase in ("Succeeded", "Failed")
    states = {
        "PodReadyToStartContainers": (bool(record.address) and not done, ""),
        "Initialized": (initialized, "ContainersNotInitialized"),
        "Ready": (ready and _gates_open(pod), "PodCompleted" if done else "ContainersNotReady"),
        "ContainersReady": (ready, "PodCompleted" if done else "ContainersNotReady"),
    }
    conditions = [
        _condition(record, kind, reason, now, holds=holds)
        for kind, (holds, reason) in states.items()
    ]
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    status["containerStatuses"] = [
        _container_status(record.containers[each["name"]], each, initialized=initialized)
        for each in spec["containers"]
    ]
    if record.inits:
        status["initContainerStatuses"] = [
            _container_status(record.inits[each["name"]], each, initialized=True)
            for each in spec["initContainers"]
        ]
    if record.address:
        status["podIP"], status["podIPs"] = record.address, [{"ip": record.address}]
        status["startTime"] = timestamp(record.started_at)
        status["hostIP"] = node_address(node)
    return status


def _condition(
    record: PodRecord, kind: str, reason: str, now: float, *, holds: bool
) -> dict[str, Any]:
    text = "True" if holds else "False"
    before = record.conditions.get(kind)
    if before is None or before[0] != text:
        record.conditions[kind] = (text, now)
    found: dict[str, Any] = {"type": kind, "status": text}
    found["lastTransitionTime"] = timestamp(record.conditions[kind][1])
    if not holds and reason:
        found["reason"] = reason
        unready = [each.name for each in record.containers.values() if not each.ready]
        found["message"] = f"containers with unready status: [{' '.join(unready)}]"
        if kind == "Initialized":
            waiting = [each.name for each in record.inits.values() if not completed(each)]
            found["message"] = f"containers with incomplete status: [{' '.join(waiting)}]"
    return found


def _gates_open(pod: Object) -> bool:
    """Whether the conditions of all readiness gates are true."""
    held = pod.get("status", {}).get("conditions") or []
    true = {each["type"] for each in held if each["status"] == "True"}
    return all(g["conditionType"] in true for g in pod["spec"].get("readinessGates") or [])


def _phase(record: PodRecord, policy: str, *, initialized: bool) -> str:
    held = list(record.containers.values())
    if not initialized:
        failed = [c for c in record.inits.values() if c.state == "terminated" and c.code]
        return "Failed" if failed and policy == "Never" else "Pending"
    if all(each.state == "terminated" for each in held) and policy != "Always":
        codes = [each.code for each in held]
        if not any(codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    begun = any(each.running or each.last is not None for each in held)
    return "Running" if begun else "Pending"


def _container_status(
    container: Container, spec: Mapping[str, Any], *, initialized: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": container.name,
        "image": spec["image"],
        "imageID": f"{spec['image']}@sha256" if container.image else "",
        "ready": container.ready or completed(container),
        "started": container.started,
        "restartCount": container.restarts,
        "state": _state(container, initialized=initialized),
        "lastState": {},
    }
    if container.last is not None and container.state != "terminated":
        found["lastState"] = {"terminated": _terminated(container.last)}
    return found


def _state(container: Container, *, initialized: bool) -> dict[str, Any]:
    if container.running:
        return {"running": {"startedAt": timestamp(container.since)}}
    if container.state == "terminated" and container.last is not None:
        return {"terminated": _terminated(container.last)}
    if container.state == "terminated":
        return {"terminated": {"exitCode": container.code, "reason": container.reason}}
    reason = container.reason if initialized else "PodInitializing"
    waiting = {"reason": reason}
    if container.message:
        waiting["message"] = container.message
    return {"waiting": waiting}


def _terminated(last: Mapping[str, Any]) -> dict[str, Any]:
    times = {key: timestamp(last[key]) for key in ("startedAt", "finishedAt")}
    return {**last, **times}


def timestamp(moment: float) -> str:
    """Seconds since 1970 as the API writes times."""
    found = datetime.datetime.fromtimestamp(int(moment), tz=datetime.UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def node_address(node: Object | None) -> str:
    """A node's internal address, as its annotation gives it."""
    return annotations_of(node).get("lab.prunella.dev/address", "") if node else ""
