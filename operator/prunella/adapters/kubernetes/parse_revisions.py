"""ReplicaSets and ControllerRevisions to the revisions of their owner. Pure, as `parse`."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

from prunella.adapters.kubernetes import parse
from prunella.core import model, progressive

Raw = parse.Raw
REVISIONS = {
    "Deployment": "deployment.kubernetes.io/revision",
    progressive.KIND: progressive.REVISION,
}
"""Annotation of a ReplicaSet: its number among those of its owner."""
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
"""Earlier numbers of a ReplicaSet that was returned to."""
_HASHES = frozenset(parse.TEMPLATE_HASHES.values())


def deployment_revisions(
    sets: Iterable[Raw], deployment: model.Workload
) -> tuple[model.Revision, ...]:
    """The revisions of a Deployment or Rollout, newest first: its ReplicaSets."""
    key = REVISIONS[deployment.ref.kind]
    found: list[model.Revision] = []
    returned: set[int] = set()
    for raw in sets:
        number = (raw["metadata"].get("annotations") or {}).get(key, "")
        if parse.controller_uid(raw) == deployment.uid and number.isdecimal():
            found.append(_revision(raw, int(number), _without_hash(raw["spec"]["template"])))
            if (raw["metadata"].get("annotations") or {}).get(REVISION_HISTORY):
                returned.add(int(number))
    return _mark_current(_released(found, returned, deployment), deployment)


def _released(
    found: list[model.Revision], returned: set[int], deployment: model.Workload
) -> list[model.Revision]:
    """The revisions, those that were returned to with the latest time at which that can have been.

    A ReplicaSet that comes back keeps its age.  The newest one came no later than the Deployment's
    rollout last made progress, any other no later than the one after it.
    """
    found.sort(key=lambda revision: -revision.number)
    dated: list[model.Revision] = []
    latest = deployment.progressed_at
    for revision in found:
        released = latest if revision.number in returned else None
        dated.append(dataclasses.replace(revision, released=released))
        latest = released or revision.created
    return dated


def controller_revisions(
    revisions: Iterable[Raw], owner: model.Workload
) -> tuple[model.Revision, ...]:
    """The revisions of a StatefulSet or DaemonSet, newest first."""
    found = []
    for raw in revisions:
        if parse.controller_uid(raw) == owner.uid:
            template = dict(raw["data"]["spec"]["template"])
            template.pop("$patch", None)
            revision = _revision(raw, raw["revision"], template)
            found.append(dataclasses.replace(revision, released=_renumbered_at(raw)))
    return _mark_current(found, owner)


def _renumbered_at(raw: Raw) -> datetime.datetime | None:
    """When a ControllerRevision got its number: nothing else of it ever changes."""
    times = [
        datetime.datetime.fromisoformat(entry["time"])
        for entry in raw["metadata"].get("managedFields") or ()
        if "f:revision" in (entry.get("fieldsV1") or {}) and entry.get("time")
    ]
    return max(times, default=None)


def _revision(raw: Raw, number: int, template: Mapping[str, object]) -> model.Revision:
    meta = raw["metadata"]
    created = datetime.datetime.fromisoformat(meta["creationTimestamp"])
    return model.Revision(number, meta["name"], created, template)


def _without_hash(template: Raw) -> dict[str, object]:
    """The template as the Deployment has it; the hash label is its ReplicaSet's own."""
    meta = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in _HASHES}
    return {**template, "metadata": {**meta, "labels": labels}}


def _mark_current(found: list[model.Revision], owner: model.Workload) -> tuple[model.Revision, ...]:
    """Mark the newest revision with the owner's template.

    An old record may lack fields that the server fills in today: then, once the controller has
    seen the newest spec, the highest number is the current one.
    """
    found.sort(key=lambda revision: -revision.number)
    same = [r.number for r in found if comparable(r.template) == comparable(owner.template)]
    if not same and found and owner.observed_generation >= owner.generation:
        same = [found[0].number]
    if not same:
        return tuple(found)
    return tuple(dataclasses.replace(r, current=r.number == same[0]) for r in found)


def comparable(template: Mapping[str, object]) -> dict[str, object]:
    """A template without what says nothing: empty values of its metadata."""
    meta = template.get("metadata")
    told = {k: v for k, v in meta.items() if v} if isinstance(meta, Mapping) else {}
    return {**template, "metadata": told}
