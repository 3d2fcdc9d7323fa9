"""What pods, nodes and Events say of themselves, as symptoms of the workload or node.

Only what does not happen in a healthy rollout is a symptom: a container that is being created is
none, one that can't be is.  Sources: Kubernetes documentation, "Pod Lifecycle" and "Node Status";
kubelet's ``pkg/kubelet/container`` and ``images`` for the reasons of waiting containers; the
controllers' Event reasons.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from prunella.core import model
from prunella.core.incidents import picture as pictures

Manifest = pictures.Manifest

WAITING: Final = {
    "CrashLoopBackOff": "CrashLoopBackOff",
    "ImagePullBackOff": "ImagePullBackOff",
    "ErrImagePull": "ImagePullBackOff",
    "ErrImageNeverPull": "ImagePullBackOff",
    "InvalidImageName": "InvalidImageName",
    "CreateContainerConfigError": "CreateContainerConfigError",
    "CreateContainerError": "CreateContainerError",
    "RunContainerError": "RunContainerError",
    "PostStartHookError": "PostStartHookError",
}
"""Reasons of waiting containers, and the symptom that each is; two that alternate are one."""
EVENTS: Final = frozenset(
    {
        "BackOff",
        "Evicted",
        "FailedAttachVolume",
        "FailedBinding",
        "FailedComputeMetricsReplicas",
        "FailedCreate",
        "FailedCreatePodSandBox",
        "FailedMount",
        "FailedScheduling",
        "NetworkNotReady",
        "NodeNotReady",
        "Preempted",
        "ProvisioningFailed",
    }
)
"""Reasons of Warning Events that are symptoms; of ``Unhealthy`` there are some in any rollout."""
PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")

RECENT: Final = 300.0
"""Seconds for which an end of a container, or an Event, is of now."""
UNSCHEDULED: Final = 15.0
"""Seconds that a pod may wait for a node before it is a symptom."""
UNREADY: Final = 60.0
"""Seconds that a pod may be unready, after it was created or was ready, before it is a symptom."""
_LONGEST: Final = 300


class Symptom(NamedTuple):
    """Something that is wrong with an object now; ``since`` in seconds since the epoch."""

    target: model.Ref
    name: str
    since: float
    message: str


def of_pod(target: model.Ref, raw: Manifest, now: float) -> Iterator[Symptom]:
    """What is wrong with a pod of the target."""
    meta, status = raw["metadata"], raw.get("status") or {}
    if "deletionTimestamp" in meta or status.get("phase") == "Succeeded":
        return
    name, created = meta["name"], _seconds(meta.get("creationTimestamp"), now)
    if status.get("phase") == "Failed":
        if status.get("reason") == "Evicted":
            since = _seconds(status.get("startTime"), created)
            yield Symptom(target, "Evicted", since, _text(name, status.get("message")))
        return
    found = list(_containers(target, name, status, created, now))
    yield from found or _conditions(target, name, status, created, now)


def of_node(raw: Manifest, now: float) -> Iterator[Symptom]:
    """What is wrong with a node."""
    node = model.Ref("Node", "", raw["metadata"]["name"])
    for each in (raw.get("status") or {}).get("conditions") or ():
        kind, is_true = each.get("type"), each.get("status") == "True"
        since = _seconds(each.get("lastTransitionTime"), now)
        message = _text(node.name, each.get("message"))
        if kind == "Ready" and not is_true:
            yield Symptom(node, "NodeNotReady", since, message)
        elif kind in PRESSURES and is_true:
            yield Symptom(node, f"Node{kind}", since, message)


def of_event(target: model.Ref, raw: Manifest, now: float) -> Symptom | None:
    """A Warning Event about the target, as long as it is of now; the form is that of ``v1``."""
    reason = str(raw.get("reason", ""))
    series = raw.get("series") or {}
    first = _seconds(raw.get("firstTimestamp") or raw.get("eventTime"), now)
    last = _seconds(raw.get("lastTimestamp") or series.get("lastObservedTime"), first)
    if raw.get("type") != "Warning" or reason not in EVENTS or now - last > RECENT:
        return None
    name = (raw.get("involvedObject") or {}).get("name", "")
    return Symptom(target, reason, max(first, last - RECENT), _text(name, raw.get("message")))


def is_over(raw: Manifest, pod: Manifest) -> bool:
    """Whether an Event tells of what has passed: the pod that no node took has one by now."""
    return raw.get("reason") == "FailedScheduling" and bool((pod.get("spec") or {}).get("nodeName"))


def involved(raw: Manifest, picture: pictures.Picture) -> model.Ref | None:
    """The owner of what a ``v1`` Event is about; None when that is not known."""
    about = raw.get("involvedObject") or {}
    kind, name = str(about.get("kind", "")), str(about.get("name", ""))
    place = (str(about.get("namespace", "")), name)
    if kind == "Pod":
        return picture.pods.get(place)
    if kind == "ReplicaSet":
        owner = picture.workloads.get((place[0], name.rpartition("-")[0]))
        return owner if owner is not None and owner.kind == "Deployment" else None
    if kind == "PersistentVolumeClaim":
        return picture.claims.get(place) or model.Ref(kind, *place)
    if kind == "HorizontalPodAutoscaler":
        return picture.autoscalers.get(place)
    if kind == "Node":
        return picture.nodes.get(name, model.Ref("Node", "", name))
    return model.Ref(kind, *place) if kind in (*pictures.WORKLOADS, *pictures.BATCH) else None


def joined(symptoms: Iterable[Symptom]) -> list[Symptom]:
    """One symptom for each name and target: since the first, with the first's message."""
    found: dict[tuple[model.Ref, str], list[Symptom]] = {}
    for each in symptoms:
        found.setdefault((each.target, each.name), []).append(each)
    joined_up = []
    for group in found.values():
        first = min(group, key=lambda each: (each.since, each.message))
        more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
        joined_up.append(first._replace(message=first.message + more))
    return joined_up


def _containers(
    target: model.Ref, pod: str, status: Manifest, created: float, now: float
) -> Iterator[Symptom]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(field) or ():
            what = f"{pod}, {'init ' if field.startswith('init') else ''}container {each['name']}"
            symptom = _container(target, what, each, created, now)
            if symptom is not None:
                yield symptom


def _container(
    target: model.Ref, what: str, status: Manifest, created: float, now: float
) -> Symptom | None:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    since = _seconds(ended.get("finishedAt"), created)
    is_recent = bool(ended) and now - since <= RECENT and ended.get("exitCode", 0) != 0
    if is_recent and ended.get("reason") == "OOMKilled":
        return Symptom(target, "OOMKilled", since, _text(what, _exit(ended)))
    name = WAITING.get(str(waiting.get("reason", "")))
    if name is not None:
        return Symptom(target, name, since, _text(what, waiting.get("message") or _exit(ended)))
    if is_recent and status.get("restartCount", 0) >= 1:
        return Symptom(target, "ContainerCrashed", since, _text(what, _exit(ended)))
    return None


def _conditions(
    target: model.Ref, pod: str, status: Manifest, created: float, now: float
) -> Iterator[Symptom]:
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    scheduled, ready = conditions.get("PodScheduled") or {}, conditions.get("Ready") or {}
    since = _seconds(scheduled.get("lastTransitionTime"), created)
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        if now - since > UNSCHEDULED:
            message = _text(pod, scheduled.get("message"))
            yield Symptom(target, "FailedScheduling", since, message)
        return
    since = max(created, _seconds(ready.get("lastTransitionTime"), created))
    if ready.get("status") == "False" and now - since > UNREADY:
        message = ready.get("message") or f"not ready for {now - since:.0f} s"
        yield Symptom(target, "PodNotReady", since, _text(pod, message))


def _exit(ended: Mapping[str, Any]) -> str:
    if not ended:
        return ""
    reason, message = ended.get("reason") or "ended", ended.get("message") or ""
    return f"{reason}, exit code {ended.get('exitCode')}{': ' if message else ''}{message}"


def _text(what: str, message: str | None) -> str:
    words = " ".join((message or "").split())
    return f"{what}: {words}"[:_LONGEST] if words else what


def _seconds(text: str | None, default: float) -> float:
    return datetime.datetime.fromisoformat(text).timestamp() if text else default
