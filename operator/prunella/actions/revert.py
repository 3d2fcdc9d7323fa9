"""revert: undo the effects of an action that did not help, where they have an inverse."""

from __future__ import annotations

from prunella.actions import helm_rollback, restore
from prunella.api import reasons, trust
from prunella.core import model, objects
from prunella.core.changes import swaps
from prunella.core.decisions import action, ledger, restoring, undoing

Refused = reasons.Refused


class Revert:
    """Sends the inverse that was recorded when the effect was planned.

    A revert that stopped half way is followed by another one, which sends the rest of it.
    """

    name = ledger.REVERT
    owned_field = "spec.replicas"
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """The inverses of what was done of the followed record, newest first."""
        if request.follows is None:
            raise TypeError("revert is planned from the record that it undoes")
        unfinished = request.follows.spec.action == self.name
        effects = []
        for effect in _to_send(request.follows, unfinished=unfinished):
            sent = _sent(request, effect, again=unfinished)
            if isinstance(sent, model.Refusal):
                return sent
            effects.append(sent)
        # What is restarted reads the object as it was put back.
        effects.sort(key=restoring.runs_pods)
        if not effects:
            message = f"{request.follows.name} has no effect that can be undone"
            return model.Refusal(Refused.NO_STEP_LEFT, message)
        return action.Plan(tuple(effects))


def _to_send(follows: objects.Record, *, unfinished: bool) -> list[model.Effect]:
    """What is undone, newest first; of a revert that stopped half way what it has not done."""
    if unfinished:
        return [each for each in undoing.rest(follows) if each.tested]
    return [each for each in reversed(undoing.done(follows)) if each.inverse]


def _sent(
    request: action.Request, effect: model.Effect, *, again: bool
) -> model.Effect | model.Refusal:
    """What takes one effect back, or does it ``again``."""
    if effect.target.kind == "Job":
        return helm_rollback.forward_again(request, effect)
    return _put_back(request, effect, again=again) if effect.tested else _undo(request, effect)


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


def _put_back(
    request: action.Request, effect: model.Effect, *, again: bool
) -> model.Effect | model.Refusal:
    """The inverse of a tested effect, or the effect ``again``, if nobody has changed the object."""
    looked = request.looked.get(effect.target)
    if looked is None:
        raise ValueError(f"{effect.target} is put back without a look at it")
    if looked.problem:
        return model.Refusal(Refused.FORBIDDEN, looked.problem)
    if restoring.as_written(effect, looked.manifest) is not (not again):
        was = "found before" if again else "left by"
        message = f"{effect.target} is not as it was {was}: {effect.summary}"
        return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
    return _planned(effect, looked, again=again)


def _planned(effect: model.Effect, looked: restoring.Looked, *, again: bool) -> model.Effect:
    """The inverse of an effect, or the effect again, on its object as it is now."""
    ref = effect.target
    summary = effect.summary if again else f"undo: {effect.summary}"
    if effect.verb is model.Verb.PATCH and looked.manifest is not None:
        there, back = effect.patch, effect.inverse
        made = swaps.Swaps(there, back) if again else swaps.Swaps(back, there)
        return restore.patching(ref, looked.manifest, made, summary)
    created = effect.verb is model.Verb.CREATE
    whole = effect.manifest if created else effect.inverse[0]["value"]
    if created is again:
        return restore.creating(ref, whole, summary)
    if looked.manifest is None:
        raise ValueError(f"{ref} is gone, and counts as written")
    return restore.deleting(ref, looked.manifest, whole, summary)
