"""Events of the view, by the workload that they are about."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from prunella.core import model
from prunella.core.incidents.diagnosis import read
from prunella.core.incidents.diagnosis.scene import Scene

WINDOW = 1800.0
"""Seconds after which an Event tells nothing of now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One Event, joined by the API server with its repeats."""

    about: model.Ref
    workload: model.Ref | None
    reason: str
    message: str
    first: float | None
    last: float | None
    count: int
    source: model.Ref | None
    """Another object that it names (``related``)."""


def recent(scene: Scene) -> Iterator[Event]:
    """The Events that are not old, as they come."""
    for raw in scene.of("Event").values():
        event = _event(scene, raw)
        if event.last is None or event.last > scene.view.at - WINDOW:
            yield event


def _event(scene: Scene, raw: read.Raw) -> Event:
    about = _ref(read.mapping(raw, "involvedObject") or read.mapping(raw, "regarding"))
    related = read.mapping(raw, "related")
    stamps = [
        read.time(read.value(raw, *path))
        for path in (
            ("firstTimestamp",),
            ("deprecatedFirstTimestamp",),
            ("eventTime",),
            ("metadata", "creationTimestamp"),
            ("series", "lastObservedTime"),
            ("lastTimestamp",),
            ("deprecatedLastTimestamp",),
        )
    ]
    known = [each for each in stamps if each is not None]
    return Event(
        about,
        _workload(scene, about),
        read.text(raw, "reason"),
        read.text(raw, "message") or read.text(raw, "note"),
        min(known, default=None),
        max(known, default=None),
        read.whole(raw, "series", "count")
        or read.whole(raw, "count")
        or read.whole(raw, "deprecatedCount")
        or 1,
        _ref(related) if related else None,
    )


def _ref(raw: read.Raw) -> model.Ref:
    kind = read.text(raw, "kind")
    namespace = "" if kind in ("Node", "PersistentVolume") else read.text(raw, "namespace")
    return model.Ref(kind, namespace, read.text(raw, "name"))


def _workload(scene: Scene, about: model.Ref) -> model.Ref | None:
    """The workload that an Event is about; also of pods and ReplicaSets that are gone."""
    found = scene.workloads_of(about)
    if found:
        return min(found)
    if about.kind == "ReplicaSet":
        name = about.name.rpartition("-")[0]
        return _known(scene, ("Deployment", "Rollout"), about.namespace, name)
    if about.kind == "Pod":
        name = about.name.rpartition("-")[0]
        own = _known(scene, ("StatefulSet", "DaemonSet", "Job"), about.namespace, name)
        return own or _known(
            scene, ("Deployment", "Rollout"), about.namespace, name.rpartition("-")[0]
        )
    return None


def _known(scene: Scene, kinds: tuple[str, ...], namespace: str, name: str) -> model.Ref | None:
    refs = (model.Ref(kind, namespace, name) for kind in kinds)
    return next((each for each in refs if each in scene.workloads), None)
