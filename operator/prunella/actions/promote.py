"""promote: let a Rollout that waits go on, as ``kubectl argo rollouts promote`` does.

The reasons to wait are taken out of the status, or with ``full`` the controller is told to go to
the end.  Only what waits at a step goes on: ``spec.paused`` is a person's, and so is the word on an
analysis that could not tell.  There is no inverse: what a release has begun is undone by
`abortRollout`.
Source: pkg/kubectl-argo-rollouts/cmd/promote/promote.go of argoproj/argo-rollouts.
"""

from __future__ import annotations

from prunella.actions import abort_rollout
from prunella.api import steps as steps_api
from prunella.api import trust
from prunella.core import model, progressive
from prunella.core.decisions import action

PAUSES = f"{progressive.STATUS}{progressive.PAUSES}"


class Promote:
    """Writes ``status.pauseConditions`` or ``status.promoteFull``."""

    name = "promote"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch of the status."""
        if not isinstance(request.params, steps_api.Promote):
            raise TypeError("promote is planned from the parameters of a promote step")
        workload, found = request.live_state.workload, abort_rollout.seen(request)
        if isinstance(found, model.Refusal):
            return found
        ref = workload.ref
        back = f"; give it up: kubectl argo rollouts abort {ref.name} -n {ref.namespace}"
        if found.promote_full:
            return abort_rollout.skipped(workload, f"{found}, and is on its way to the end")
        if found.doubts:
            return abort_rollout.skipped(workload, _undecided(ref, found))
        if request.params.full:
            summary = f"promote {ref} to the end: {found}; the steps left are skipped{back}"
            effect = abort_rollout.telling(workload, found, progressive.FULL, summary)
            return action.Plan((effect,))
        if not found.pauses:
            why = f"{found}, it waits for nobody; full: true would skip the rest"
            return abort_rollout.skipped(workload, why)
        test = {"op": "test", "path": PAUSES, "value": [dict(each) for each in found.pauses]}
        summary = f"promote {ref}: {found}{back}"
        patch = (test, {"op": "remove", "path": PAUSES})
        return action.Plan((abort_rollout.patching(workload, found, patch, summary),))


def _undecided(ref: model.Ref, found: progressive.Delivery) -> str:
    return (
        f"{found}, which is no pause of a step: what the controller could not tell a person "
        f"decides: kubectl argo rollouts promote {ref.name} -n {ref.namespace}"
    )
