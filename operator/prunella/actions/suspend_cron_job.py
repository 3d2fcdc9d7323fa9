"""suspendCronJob: let a CronJob start no more Jobs, as ``kubectl patch`` of ``spec.suspend`` does.

Jobs that run go on.  The inverse lets it start them again; after a suspension that has helped that
is for a person, who has mended what the Jobs did.
"""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action

PATH = "/spec/suspend"


class SuspendCronJob:
    """Writes ``spec.suspend``."""

    name = "suspendCronJob"
    owned_field = "spec.suspend"
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch that suspends it, with the one that ends that."""
        workload = request.live_state.workload
        ref = workload.ref
        if workload.suspended:
            message = f"{ref} is suspended already"
            return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
        again = f"kubectl patch cronjob {ref.name} -n {ref.namespace} -p"
        effect = model.Effect(
            verb=model.Verb.PATCH,
            target=ref,
            uid=workload.uid,
            generation=workload.generation,
            patch=({"op": "add", "path": PATH, "value": True},),
            inverse=({"op": "add", "path": PATH, "value": False},),
            summary=f'suspend {ref}; on again: {again} \'{{"spec":{{"suspend":false}}}}\'',
        )
        return action.Plan((effect,))
