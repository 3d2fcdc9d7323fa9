"""What somebody else has changed back: a veto on doing the same again.

An action that helped has left fields as its effects wrote them.  When they are again as they were
before it, and no later record of the operator has written them, somebody did not want it.  Fields
that have yet another value are a new state that somebody has made, and no veto.

A release that was rolled back and is rolled out again is no veto: it is a release, and proved bad
(`releases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from prunella.api import reasons
from prunella.core import model, objects, pointers
from prunella.core.decisions import ledger, sides, undoing

Manifests = Mapping[model.Ref, Mapping[str, Any] | None]
"""Objects as they are now; None: it is not there."""
_NEVER: Final = frozenset({undoing.ROLLBACK, ledger.REVERT, sides.RETURN_TRAFFIC})
_ABSENT: Final = object()
_OF_WORKLOADS: Final = (
    "/spec/replicas",
    "/spec/template/",
    "/spec/suspend",
    "/metadata/labels/",
    "/metadata/annotations/",
)
"""Where a workload, as the core has it, tells what is there."""


def veto(
    policy: objects.Policy,
    workload: model.Workload,
    action: str,
    manifests: Manifests,
    records: Sequence[objects.Record],
) -> objects.Record | None:
    """The record whose effects somebody else has changed back; None without one.

    `prunella resume` and an edit of the policy lift it.
    """
    done = _last(policy, workload, action, records)
    if done is None or action in _NEVER:
        return None
    later = [
        record
        for record in records
        if record.name != done.name
        and (record.acted or record.in_flight)
        and record.spec.decided_at >= done.spec.decided_at
    ]
    effects = undoing.done(done)
    if any(_overlap(effect, record) for effect in effects for record in later):
        return None
    backs = [_is_back(effect, workload, manifests) for effect in effects]
    known = [back for back in backs if back is not None]
    return done if known and all(known) else None


def _last(
    policy: objects.Policy,
    workload: model.Workload,
    action: str,
    records: Iterable[objects.Record],
) -> objects.Record | None:
    """The last time that this policy did this to the target, if it helped and still binds."""
    own = [
        record
        for record in records
        if record.policy == policy.key
        and record.spec.target.uid == workload.uid
        and record.spec.action == action
        and record.acted
    ]
    last = max(own, key=lambda record: record.spec.attempt, default=None)
    if last is None or last.phase is not reasons.Phase.SUCCEEDED:
        return None
    resumed = ledger.resumed_at(policy)
    if resumed is not None and last.finished_or_decided_at <= resumed:
        return None
    same = (last.spec.policy.uid, last.spec.policy.generation) == (policy.uid, policy.generation)
    return last if same else None


def _overlap(effect: model.Effect, record: objects.Record) -> bool:
    """Whether a later record of the operator has written the same fields."""
    return any(
        other.target == effect.target
        and (_whole(other) or _whole(effect) or not _paths(other).isdisjoint(_paths(effect)))
        for other in ledger.effects_of(record)
    )


def _whole(effect: model.Effect) -> bool:
    return effect.verb in {model.Verb.CREATE, model.Verb.DELETE}


def _paths(effect: model.Effect) -> frozenset[str]:
    return frozenset(str(operation["path"]) for operation in _writing(effect.patch))


def _writing(patch: Iterable[model.PatchOperation]) -> list[model.PatchOperation]:
    return [operation for operation in patch if operation["op"] != "test"]


def _is_back(effect: model.Effect, workload: model.Workload, manifests: Manifests) -> bool | None:
    """Whether the fields of an effect are as before it; None where nothing tells."""
    target, inverse = effect.target, _writing(effect.inverse)
    if not inverse or (target not in manifests and target != workload.ref):
        return None
    manifest = manifests.get(target)
    if _whole(effect):
        there = target == workload.ref or manifest is not None
        return there is (effect.verb is model.Verb.DELETE)
    if target not in manifests:
        if not all(str(each["path"]).startswith(_OF_WORKLOADS) for each in inverse):
            return None
        manifest = as_manifest(workload)
    if manifest is None or effect.verb is not model.Verb.PATCH:
        return None
    return all(_found(manifest, str(each["path"])) == _wanted(each) for each in inverse)


def _wanted(operation: model.PatchOperation) -> object:
    return _ABSENT if operation["op"] == "remove" else operation["value"]


def _found(manifest: Mapping[str, Any], path: str) -> object:
    """The value at a pointer; `_ABSENT` where there is none."""
    here: Any = manifest
    for part in pointers.parts(path):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return _ABSENT
    return here


def as_manifest(workload: model.Workload) -> dict[str, Any]:
    """What is known of a workload, in the places where its object has it."""
    return {
        "metadata": {"labels": workload.labels, "annotations": workload.annotations},
        "spec": {
            "replicas": workload.replicas,
            "template": workload.template,
            "suspend": workload.suspended,
        },
    }
