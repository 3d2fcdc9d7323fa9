"""restore: put an object back as it was before the Change that an incident suspects.

A safe experiment: only the fields of that Change are written, under a test of each of them, and the
inverse is on the record before anything is sent.  What the Change created is deleted, and what it
deleted is created again.  What gives rights is never restored: that is for a person to decide.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from prunella.actions import evict_pod, restart_readers, rights
from prunella.api import change as change_api
from prunella.api import reasons, trust
from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.changes import diff, swaps, undo
from prunella.core.changes.values import Change
from prunella.core.decisions import action, bounds, restoring
from prunella.core.decisions.rules import Rules
from prunella.core.incidents import dependents

Refused = reasons.Refused
MOST_PATHS: Final = 3
Planned = action.Plan | model.Refusal | tuple[model.Need, ...]


class Restore:
    """Takes one Change of one object back."""

    name = restoring.RESTORE
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> Planned:
        """One patch, creation or deletion of the suspected object, and what must follow it."""
        if not isinstance(request.params, restore_api.Restore):
            raise TypeError("restore is planned from the parameters of a restore step")
        looked = request.looked.get(request.suspect) if request.suspect is not None else None
        if looked is None:
            return _next(Refused.NOT_THE_CAUSE, "no incident suspects an object to restore")
        change = looked.change
        if change is None:
            message = f"the journal has no change of {looked.ref} within a day: none to take back"
            return _next(Refused.NO_CHANGE, message)
        refusal = _not_allowed(change, request.params, request.now)
        if refusal is not None:
            return refusal
        if looked.problem:
            return model.Refusal(Refused.FORBIDDEN, looked.problem)
        found = looked.undo
        if not isinstance(found, undo.Undo):
            return _obstacle(looked, found)
        beyond = _beyond(request.rules, looked, found)
        planned = beyond or _effect(looked, found, request.live_state)
        if isinstance(planned, model.Refusal):
            return planned
        return _with_restarts(planned, restart_readers.plan(request, looked, request.params))


def _with_restarts(
    planned: action.Plan,
    restarts: restart_readers.Effects | model.Refusal | tuple[model.Need, ...],
) -> Planned:
    if isinstance(restarts, model.Refusal):
        return restarts
    if needs := tuple(each for each in restarts if isinstance(each, model.Need)):
        return needs
    effects = (each for each in restarts if isinstance(each, model.Effect))
    return action.Plan((*planned.effects, *effects))


def _next(reason: reasons.Refused, message: str) -> model.Refusal:
    """A refusal after which the policy's next step may be tried."""
    return model.Refusal(reason, message, skip_step=True)


def _not_allowed(
    change: Change, params: restore_api.Restore, now: datetime.datetime
) -> model.Refusal | None:
    """Why the policy, or good sense, does not let this Change be taken back."""
    ref, verb = change.object, change.spec.verb
    paths = [field.path for field in change.spec.fields]
    given = rights.in_paths(paths)
    if ref.kind in rights.KINDS or given:
        return _widens(change, given)
    if ref.kind not in params.kinds:
        kinds = ", ".join(params.kinds)
        return _next(Refused.NOT_ALLOWED, f"{ref} is suspected, and kinds is {kinds}")
    if change.spec.by.own:
        return _next(Refused.NO_CHANGE, f"{change.name} is the operator's own change of {ref}")
    age, limit = (now - change.at).total_seconds(), params.change_within.total_seconds()
    if age > limit:
        message = f"{change.name} is {age:.0f} s old, changeWithin is {limit:.0f} s"
        return _next(Refused.NOT_CHANGED_RECENTLY, message)
    others = [p for p in paths if params.fields and not _within(p, params.fields)]
    if others:
        told = f"{', '.join(others[:MOST_PATHS])} of {ref} changed, and fields is"
        return _next(Refused.NOT_ALLOWED, f"{told} {', '.join(params.fields)}")
    scales = verb is change_api.Verb.CREATED and ref.kind in undo.SCALED
    whole = verb is not change_api.Verb.MODIFIED and not scales
    if whole and ref.kind in restore_api.FIELDS_ONLY:
        told = f"{ref} was {verb.value.lower()}: {ref.kind}s are not created or deleted"
        return _next(Refused.NOT_ALLOWED, told)
    if verb is change_api.Verb.CREATED and not params.undo_created:
        return _next(Refused.NOT_ALLOWED, f"{ref} was created, and undoCreated is false")
    return None


def _widens(change: Change, given: list[str]) -> model.Refusal:
    """What gives rights is for a person."""
    what = f"{', '.join(given[:MOST_PATHS])} of {change.object}" if given else str(change.object)
    message = f"{what} says who may do what: look at {change.name}, and restore it by hand"
    return _next(Refused.WIDENS_RIGHTS, message)


def _beyond(rules: Rules, looked: restoring.Looked, found: undo.Undo) -> model.Refusal | None:
    """Why the values that would be written are not the operator's to write."""
    deleted = found.change.spec.verb is change_api.Verb.DELETED
    if given := rights.in_values(found, deleted=deleted):
        return _widens(found.change, given)
    broken = bounds.broken(rules, looked.ref, *before_and_after(looked, found))
    return _next(Refused.AT_BOUND, broken) if broken else None


def _within(path: str, fields: list[str]) -> bool:
    """Whether a path is one of some fields, or within one."""
    return any(path == f or path.startswith((f"{f}.", f"{f}[")) for f in fields)


def _obstacle(looked: restoring.Looked, found: undo.Obstacle | None) -> model.Refusal:
    if found is None:
        return _next(Refused.NOT_ALLOWED, f"{looked.ref} is of a kind that is not restored")
    return _next(found.reason, found.message)


def _effect(
    looked: restoring.Looked, found: undo.Undo, live_state: model.LiveState
) -> action.Plan | model.Refusal:
    ref, change = looked.ref, found.change
    told = f"as before {change.name} of {change.at:%Y-%m-%dT%H:%M:%SZ}"
    if found.swaps is not None and looked.manifest is not None:
        paths = [diff.path_text(path) for path in found.paths]
        more = f" and {len(paths) - MOST_PATHS} more" if len(paths) > MOST_PATHS else ""
        fields = ", ".join(paths[:MOST_PATHS]) + more
        summary = f"restore {fields} of {ref} {told}"
        effect = patching(ref, looked.manifest, found.swaps, summary)
        return action.Plan((effect, *_unblocked(effect, live_state)))
    if change.spec.verb is change_api.Verb.DELETED:
        return action.Plan((creating(ref, found.whole, f"create {ref} again, {told}"),))
    known = dict(looked.neighbours)
    using = [each for each in dependents.referrers(ref, known) if each != ref]
    if using:
        names = ", ".join(map(str, using[:MOST_PATHS]))
        message = f"{ref} was created, and {len(using)} objects refer to it: {names}"
        return _next(Refused.STILL_REFERRED_TO, message)
    summary = f"delete {ref}, {told}"
    return action.Plan((deleting(ref, looked.manifest, found.whole, summary),))


def before_and_after(
    looked: restoring.Looked, found: undo.Undo
) -> tuple[restoring.Manifest | None, restoring.Manifest | None]:
    """An object as it is and as it would be; None where it is not there."""
    if found.swaps is not None:
        return looked.manifest, swaps.apply(found.swaps.patch, looked.manifest)
    deleted = found.change.spec.verb is change_api.Verb.DELETED
    return (None, found.whole) if deleted else (looked.manifest, None)


def _unblocked(effect: model.Effect, live_state: model.LiveState) -> tuple[model.Effect, ...]:
    """Evictions of pods that would hold up the rollout of the target's own template."""
    own = effect.target == live_state.workload.ref
    rolls_out = any(str(each["path"]).startswith("/spec/template") for each in effect.patch)
    return evict_pod.unblock(live_state) if own and rolls_out else ()


def patching(
    ref: model.Ref, manifest: restoring.Manifest, made: swaps.Swaps, summary: str
) -> model.Effect:
    """A patch of an object as it is now. Its generation, or else its version, is tested, too."""
    metadata = manifest["metadata"]
    generation = metadata.get("generation")
    # A pod's status is written all the time: its UID and the values that are replaced tell enough.
    versioned = ref.kind != "Pod"
    version = "" if generation or not versioned else str(metadata.get("resourceVersion") or "")
    return model.Effect(
        verb=model.Verb.PATCH,
        target=ref,
        uid=metadata["uid"],
        generation=generation if versioned else None,
        resource_version=version,
        patch=made.patch,
        inverse=made.inverse,
        summary=summary,
    )


def creating(ref: model.Ref, whole: Any, summary: str) -> model.Effect:
    """The creation of an object that is not there; its inverse deletes it."""
    return model.Effect(
        verb=model.Verb.CREATE,
        target=ref,
        uid="",
        patch=({"op": "add", "path": swaps.WHOLE, "value": whole},),
        inverse=({"op": "remove", "path": swaps.WHOLE},),
        summary=summary,
    )


def deleting(ref: model.Ref, manifest: Any, whole: Any, summary: str) -> model.Effect:
    """The deletion of an object as it is now; its inverse creates it again."""
    metadata = manifest["metadata"]
    return model.Effect(
        verb=model.Verb.DELETE,
        target=ref,
        uid=metadata["uid"],
        resource_version=str(metadata.get("resourceVersion") or ""),
        patch=({"op": "remove", "path": swaps.WHOLE},),
        inverse=({"op": "add", "path": swaps.WHOLE, "value": whole},),
        summary=summary,
    )
