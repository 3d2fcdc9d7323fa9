"""An object that an incident suspects, looked at closely: what a restore is decided by."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import change as change_api
from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.core import model, objects
from prunella.core.changes import kinds, swaps, undo
from prunella.core.changes.values import Change
from prunella.core.decisions import certificates, ledger
from prunella.core.incidents import dependents, picture

RESTORE: Final = "restore"
"""The action that writes other objects than its target."""
CHANGES_FOR: Final = datetime.timedelta(days=1)
"""How far back the journal is asked about an object."""
LASTING: Final = frozenset({"Job", "PersistentVolumeClaim"})
"""Kinds whose creation no rollback takes back."""
Manifest = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """An object as the API server shows it now, with what the journal tells of it."""

    ref: model.Ref
    manifest: Manifest | None
    """None: it is not there."""
    change: Change | None = None
    """The suspected Change, with the object before it."""
    later: tuple[Change, ...] = ()
    """Newer Changes of the object by others than this operator, oldest first."""
    neighbours: Mapping[model.Ref, Manifest] = dataclasses.field(default_factory=dict)
    """The watched objects of its namespace."""
    problem: str = ""
    """Why it could not be looked at."""
    asked: str = ""
    """The Change that was asked for, by name; empty: the newest one."""

    @property
    def undo(self) -> undo.Undo | undo.Obstacle | None:
        """What takes the suspected Change back; None without one, or of an unknown kind."""
        kind = kinds.BY_NAME.get(self.ref.kind)
        if self.change is None or kind is None:
            return None
        return undo.of(kind, self.change, self.manifest, self.later)


@dataclasses.dataclass(frozen=True, slots=True)
class Recent:
    """What the journal tells of a target's namespace."""

    changes: tuple[Change, ...] = ()
    """All Changes of a day, oldest first; without the objects before them."""
    there: Mapping[model.Ref, Manifest] = dataclasses.field(default_factory=dict)
    """The Jobs and claims that are there, with the times of their creation."""


def readers(looked: Looked) -> dependents.Readers:
    """Who has read what the Change of a ConfigMap wrote.

    Of one that was deleted nobody holds other values than those before.
    """
    change = looked.change
    if change is None or looked.ref.kind != "ConfigMap":
        return dependents.Readers((), ())
    if change.spec.verb is not change_api.Verb.MODIFIED:
        return dependents.Readers((), ())
    found = looked.undo
    paths = found.paths if isinstance(found, undo.Undo) else ()
    keys = {str(path[1]) for path in paths if len(path) > 1}
    return dependents.readers(looked.ref, looked.neighbours, keys)


def restarted(looked: Looked, params: restore_api.Restore) -> tuple[model.Ref, ...]:
    """The workloads that a step restarts after an object, in the order of their names."""
    found = readers(looked)
    match params.restart_readers:
        case restore_api.RestartReaders.NEVER:
            return ()
        case restore_api.RestartReaders.AT_START:
            return found.at_start
        case _:
            return tuple(sorted((*found.at_start, *found.live)))


def suspected(name: str, changes: Sequence[Change]) -> Change | None:
    """The Change of a name; without a name the newest that somebody else wanted."""
    if name:
        return next((each for each in changes if each.name == name), None)
    others = [each for each in changes if not each.spec.by.own]
    wanted = [each for each in others if each.class_ is change_api.Class.CHANGE]
    return wanted[-1] if wanted else None


def later_than(change: Change, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes of the object after one of them, but for this operator's own."""
    return tuple(each for each in changes if _age(each) > _age(change) and not each.spec.by.own)


def _age(change: Change) -> tuple[datetime.datetime, int]:
    """By time, whose seconds are whole, and then by the object's version after it."""
    version = change.spec.resource_version
    return change.at, int(version) if version.isdecimal() else 0


def runs_pods(effect: model.Effect) -> bool:
    """Whether an effect is on a workload, whose pods read other objects as they start."""
    return effect.target.kind in picture.WORKLOADS


def written(record: objects.Record) -> tuple[model.Ref, ...]:
    """The objects that a record's effects restore or put back."""
    return tuple(each.target for each in ledger.effects_of(record) if each.tested)


def as_written(effect: model.Effect, manifest: Manifest | None) -> bool | None:
    """Whether an object is as a tested effect leaves it (True), as before it, or neither (None)."""
    if effect.target.kind == certificates.CERTIFICATE:
        return certificates.as_asked(effect, manifest)
    match effect.verb:
        case model.Verb.CREATE:
            if manifest is None:
                return False
            same = swaps.holds(effect.manifest, manifest) and _nothing_added(effect, manifest)
            return True if same and not _others_wrote(manifest) else None
        case model.Verb.DELETE:
            if manifest is None or "deletionTimestamp" in manifest["metadata"]:
                return True
            return False if manifest["metadata"].get("uid") == effect.uid else None
        case _:
            if manifest is None or manifest["metadata"].get("uid") != effect.uid:
                return None
            inverse = effect.inverse or _left_by(effect.patch)
            return swaps.written(effect.patch, inverse, manifest)


def _left_by(patch: Sequence[model.PatchOperation]) -> list[model.PatchOperation]:
    """What tells that a patch was made which nothing undoes: tests of all that it leaves.

    These are the values that it writes, nothing where it removes, and what it has tested elsewhere.
    """
    changes = [each for each in patch if each["op"] != "test"]
    changed = [str(each["path"]) for each in changes]
    tests = [each for each in patch if each["op"] == "test"]
    kept = [
        each for each in tests if not any(_overlap(str(each["path"]), path) for path in changed)
    ]
    left = [{"op": "test", "path": each["path"], "value": each.get("value")} for each in changes]
    return [*kept, *left]


def _overlap(one: str, other: str) -> bool:
    """Whether one of two JSON pointers is the other, or within it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _nothing_added(effect: model.Effect, manifest: Manifest) -> bool:
    """Whether maps that the API server adds nothing to are as they were made."""
    wanted, there = effect.manifest, manifest
    spec, own = there.get("spec") or {}, wanted.get("spec") or {}
    return all(there.get(key) == wanted.get(key) for key in ("data", "binaryData")) and all(
        spec.get(key) == own.get(key) for key in ("selector", "hard")
    )


def _others_wrote(manifest: Manifest) -> bool:
    """Whether somebody else has written an object that the operator has made, by managedFields.

    What he has added would be deleted with it.  Statuses, finalizers and marks are not meant:
    controllers write them.  Once the operator has given its fields back, the API server notes
    nobody any more: until then it tells.
    """
    return any(
        entry.get("manager") != objects.FIELD_MANAGER
        and not entry.get("subresource")
        and set(entry.get("fieldsV1") or {"f:spec": {}}) - {"f:metadata", "f:status"}
        for entry in manifest["metadata"].get("managedFields") or ()
    )


def beside(record: objects.Record) -> tuple[model.Ref, ...]:
    """The objects beside its target that a record has written, and that tell of later edits."""
    return tuple(dict.fromkeys(effect.target for effect in _done_beside(record)))


def edited(record: objects.Record, seen: Mapping[model.Ref, Looked]) -> model.Refusal | None:
    """What somebody else has changed since of the objects that a record wrote beside its target."""
    for effect in _done_beside(record):
        looked = seen.get(effect.target)
        if looked is None:
            continue
        if looked.problem:
            return model.Refusal(reasons.Refused.FORBIDDEN, looked.problem)
        if _pod_is_gone(effect, looked.manifest) or as_written(effect, looked.manifest):
            continue
        message = f"{effect.target} was changed by somebody else after {record.name}"
        return model.Refusal(reasons.Refused.CHANGED_BY_OTHERS, message)
    return None


def _done_beside(record: objects.Record) -> list[model.Effect]:
    pairs = zip(ledger.effects_of(record), record.status.effects, strict=False)
    sent = [effect for effect, status in pairs if status.outcome not in {"NotSent", "Refused"}]
    # cert-manager goes on to write the status that has asked it: that is nobody's edit.
    others = [each for each in sent if each.target.kind != certificates.CERTIFICATE]
    return [each for each in others if each.tested and each.target != record.target]


def _pod_is_gone(effect: model.Effect, manifest: Manifest | None) -> bool:
    """Whether another pod, or none, has taken the place of one: that is nobody's edit."""
    gone = manifest is None or manifest["metadata"].get("uid") != effect.uid
    return effect.target.kind == "Pod" and gone
