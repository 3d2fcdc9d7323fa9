"""revert: undo the effects of an action that did not help, where they have an inverse."""

from __future__ import annotations

from prunella.actions import restore
from prunella.api import reasons
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, ledger, restoring, undoing

Refused = reasons.Refused


class Revert:
    """Sends the inverse that was recorded when the effect was planned."""

    name = ledger.REVERT
    owned_field = "spec.replicas"

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """The inverses of what was done of the followed record, newest first."""
        if request.follows is None:
            raise TypeError("revert is planned from the record that it undoes")
        effects = []
        for effect in reversed(undoing.done(request.follows)):
            if not effect.inverse:
                continue
            undone = _undo_restore(request, effect) if effect.tested else _undo(request, effect)
            if isinstance(undone, model.Refusal):
                return undone
            effects.append(undone)
        # What is restarted reads the object as it was put back.
        effects.sort(key=restoring.runs_pods)
        if not effects:
            message = f"{request.follows.name} has no effect that can be undone"
            return model.Refusal(Refused.NO_STEP_LEFT, message)
        return action.Plan(tuple(effects))


def _undo(request: action.Request, effect: model.Effect) -> model.Effect:
    """The inverse of an effect on the target as it is now."""
    workload = request.live_state.workload
    return model.Effect(
        verb=model.Verb.PATCH,
        target=workload.ref,
        uid=workload.uid,
        generation=workload.generation,
        patch=effect.inverse,
        inverse=(),
        summary=f"undo: {effect.summary}",
    )


def _undo_restore(request: action.Request, effect: model.Effect) -> model.Effect | model.Refusal:
    """The inverse of a restore, if nobody has changed the object since."""
    looked = request.looked.get(effect.target)
    if looked is None:
        raise ValueError(f"{effect.target} is put back without a look at it")
    if looked.problem:
        return model.Refusal(Refused.FORBIDDEN, looked.problem)
    if restoring.as_written(effect, looked.manifest) is not True:
        message = f"{effect.target} is not as it was left by: {effect.summary}"
        return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
    summary = f"undo: {effect.summary}"
    if effect.verb is model.Verb.DELETE:
        return restore.creating(effect.target, effect.inverse[0]["value"], summary)
    if looked.manifest is None:
        raise ValueError(f"{effect.target} is gone, and counts as written")
    if effect.verb is model.Verb.CREATE:
        return restore.deleting(effect.target, looked.manifest, effect.manifest, summary)
    made = swaps.Swaps(effect.inverse, effect.patch)
    return restore.patching(effect.target, looked.manifest, made, summary)
