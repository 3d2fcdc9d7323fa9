"""What would put an object back as it was before one Change, or why nothing can.

Only the fields of that Change are taken back.  A field that is no longer as the Change left it is
somebody's later decision: then nothing is.  Values that the journal keeps as hashes can't be
written again, and values that look like credentials must not get into the ledger.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from prunella.api import change as change_api
from prunella.api import reasons
from prunella.core.changes import diff, kinds, noise, packing, redact, swaps
from prunella.core.changes.values import Change

Manifest = Mapping[str, Any]
Refused = reasons.Refused
EVERYTHING: Final = noise.Noise(annotations=())
"""No annotation is noise where an object is made again."""
SCALED: Final = frozenset({"Deployment", "StatefulSet"})
WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
LABELLED: Final = ("metadata.labels", "metadata.annotations")
"""What a release writes beside the pod template, as its version: it is left as it is."""
_SET_BY_THE_SERVER: Final = ("clusterIP", "clusterIPs", "healthCheckNodePort")


@dataclasses.dataclass(frozen=True, slots=True)
class Undo:
    """What takes a Change back: a patch, or the whole object to create or to delete."""

    change: Change
    paths: tuple[diff.Path, ...] = ()
    swaps: swaps.Swaps | None = None
    whole: Manifest | None = None
    """The object to create; of one that is to be deleted, what would create it again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a Change can't be taken back."""

    reason: reasons.Refused
    message: str


def of(
    kind: kinds.Kind, change: Change, manifest: Manifest | None, later: Sequence[Change] = ()
) -> Undo | Obstacle:
    """What puts an object, shown by the API server as ``manifest``, back as before a change.

    ``later`` are newer Changes of the object by others than this operator.
    """
    if (again := _changed_again(change, later)) is not None:
        return again
    match change.spec.verb:
        case change_api.Verb.MODIFIED:
            return _modified(kind, change, manifest)
        case change_api.Verb.DELETED:
            return _deleted(kind, change, manifest)
        case _:
            return _created(kind, change, manifest)


def _changed_again(change: Change, later: Sequence[Change]) -> Obstacle | None:
    """A later change of the same fields; of a new object any later change counts."""
    own = {field.path for field in change.spec.fields}
    for each in later:
        same = own & {field.path for field in each.spec.fields}
        whole = change_api.Verb.MODIFIED not in {change.spec.verb, each.spec.verb}
        if same or whole or change.spec.verb is change_api.Verb.CREATED:
            who = f" by {each.spec.by.manager}" if each.spec.by.manager else ""
            after = (each.at - change.at).total_seconds()
            told = f"{change.object} was changed again{who} {after:.0f} s later: {each.name}"
            return Obstacle(Refused.CHANGED_SINCE, told)
    return None


def _modified(kind: kinds.Kind, change: Change, manifest: Manifest | None) -> Undo | Obstacle:
    gone = _gone(change, manifest)
    if gone is not None or manifest is None:
        return gone or _since(f"{change.object} is gone")
    before = _before(change)
    if isinstance(before, Obstacle):
        return before
    if any(field.redacted for field in change.spec.fields):
        return _redacted(change, [f.path for f in change.spec.fields if f.redacted])
    now = redact.redact(noise.content(kind, manifest, noise.Noise()), change.object_uid)
    wanted = _wanted(kind, change, diff.diff(before, now))
    if isinstance(wanted, Obstacle):
        return wanted
    hidden = [diff.path_text(e.path) for e in wanted if _hidden(e.old) or _hidden(e.new)]
    if hidden:
        return _redacted(change, hidden)
    try:
        made = swaps.take_back(wanted, before, manifest)
    except swaps.NotApplicableError as error:
        return _since(f"{change.object} can't be put back: {error}")
    return Undo(change, tuple(each.path for each in wanted), made)


def _wanted(
    kind: kinds.Kind, change: Change, found: Iterable[diff.Difference]
) -> list[diff.Difference] | Obstacle:
    """The differences that are the Change's own, each as it left it."""
    by_path = {diff.path_text(each.path): each for each in found}
    wanted = []
    for field in change.spec.fields:
        if kind.name in WORKLOADS and field.path.startswith(LABELLED):
            continue
        each = by_path.get(field.path)
        if each is None:
            return _since(f"{field.path} of {change.object} is no longer as the change left it")
        if diff.value_text(each.new) != field.new:
            told = f"{field.path} of {change.object} is {diff.value_text(each.new)} now"
            return _since(f"{told}, the change wrote {field.new}")
        wanted.append(each)
    if not wanted:
        told = f"{change.name} changed only labels or annotations of {change.object} itself"
        return Obstacle(Refused.NOT_ALLOWED, f"{told}: its pods do not depend on them")
    return wanted


def _deleted(kind: kinds.Kind, change: Change, manifest: Manifest | None) -> Undo | Obstacle:
    if manifest is not None:
        return _since(f"{change.object} is there again")
    before = _before(change)
    if isinstance(before, Obstacle):
        return before
    if _hidden(before):
        return _redacted(change, [])
    return Undo(change, whole=_whole(kind, change, _without_server_set(kind, before)))


def _created(kind: kinds.Kind, change: Change, manifest: Manifest | None) -> Undo | Obstacle:
    gone = _gone(change, manifest)
    if gone is not None or manifest is None:
        return gone or _since(f"{change.object} is gone")
    if kind.name in SCALED:
        return _scaled_to_nothing(change, manifest)
    content = noise.content(kind, manifest, EVERYTHING)
    if redact.redact(content, change.object_uid) != content:
        return _redacted(change, [])
    return Undo(change, whole=_whole(kind, change, content))


def _scaled_to_nothing(change: Change, manifest: Manifest) -> Undo | Obstacle:
    """A new workload is not deleted: without replicas it serves nobody, as before it was there."""
    path: diff.Path = ("spec", "replicas")
    replicas = (manifest.get("spec") or {}).get("replicas", 1)
    if replicas == 0:
        return _since(f"{change.object} has no replicas already")
    before = {**manifest, "spec": {**manifest["spec"], "replicas": 0}}
    difference = diff.Difference(path, 0, replicas)
    return Undo(change, (path,), swaps.take_back([difference], before, manifest))


def _whole(kind: kinds.Kind, change: Change, content: Manifest) -> dict[str, Any]:
    """A manifest to create the object from, without what the API server sets."""
    name, namespace = change.object.name, change.object.namespace
    written = content.get("metadata") or {}
    metadata = {key: written[key] for key in ("labels", "annotations") if written.get(key)}
    metadata |= {"name": name, "namespace": namespace}
    kept = {key: value for key, value in content.items() if key != "status"}
    return {**kept, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def _without_server_set(kind: kinds.Kind, content: Manifest) -> dict[str, Any]:
    """An object that was deleted, without the addresses and ports that others may have by now."""
    if kind.name != "Service":
        return dict(content)
    spec = dict(content.get("spec") or {})
    headless = spec.get("clusterIP") == "None"
    for field in _SET_BY_THE_SERVER:
        if not headless:
            spec.pop(field, None)
    ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec.get("ports", ())]
    return {**content, "spec": {**spec, **({"ports": ports} if ports else {})}}


def _before(change: Change) -> Any:
    """The object before the change, as the journal keeps it."""
    if change.spec.fields_omitted:
        more = change.spec.fields_omitted
        told = f"{change.name} has {more} changed fields more than the journal keeps"
        return Obstacle(Refused.NO_CHANGE, told)
    if not change.spec.before:
        why = change.spec.before_omitted or "it was not recorded"
        return Obstacle(Refused.NO_CHANGE, f"{change.name} has no object before it: {why}")
    try:
        return packing.unpack(packing.from_text(change.spec.before))
    except ValueError as error:
        return Obstacle(Refused.NO_CHANGE, f"{change.name}: the object before it: {error}")


def _gone(change: Change, manifest: Manifest | None) -> Obstacle | None:
    if manifest is not None and manifest["metadata"].get("uid") != change.object_uid:
        return _since(f"{change.object} was replaced by another of the same name")
    return None


def _since(message: str) -> Obstacle:
    return Obstacle(Refused.CHANGED_SINCE, message)


def _redacted(change: Change, paths: Sequence[str]) -> Obstacle:
    where = f" in {', '.join(paths)}" if paths else ""
    told = f"{change.name}: values{where} look like credentials: they are kept as hashes only"
    return Obstacle(Refused.REDACTED, told)


def _hidden(value: Any) -> bool:
    return value is not diff.ABSENT and redact.is_redacted(diff.value_json(value))
