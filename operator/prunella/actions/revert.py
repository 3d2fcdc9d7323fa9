"""revert: undo the effects of an action that did not help, where they have an inverse."""

from __future__ import annotations

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import action


class Revert:
    """Sends the inverse that was recorded when the effect was planned."""

    name = "revert"
    owned_field = "spec.replicas"

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """The inverses of the followed record's effects, newest first."""
        if request.follows is None:
            raise TypeError("revert is planned from the record that it undoes")
        workload = request.live_state.workload
        effects = tuple(
            model.Effect(
                verb=model.Verb.PATCH,
                target=workload.ref,
                uid=workload.uid,
                generation=workload.generation,
                patch=effect.inverse,
                inverse=(),
                summary=f"undo: {effect.summary}",
            )
            for effect in map(objects.effect_from_spec, reversed(request.follows.spec.effects))
            if effect.inverse
        )
        if not effects:
            message = f"{request.follows.name} has no effect that can be undone"
            return model.Refusal(reasons.Refused.NO_STEP_LEFT, message)
        return action.Plan(effects)
