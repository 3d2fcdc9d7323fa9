"""abortRollout: give up a Rollout's release, as ``kubectl argo rollouts abort`` does.

The controller of Argo Rollouts is told by ``status.abort``: it leads all traffic to the stable
release, scales that up and the other one down.  The template stays, so nobody who deploys it is
fought.  There is no inverse: to begin a release again that was given up is for a person.
Source: pkg/kubectl-argo-rollouts/cmd/abort/abort.go of argoproj/argo-rollouts.
"""

from __future__ import annotations

from prunella.api import reasons, trust
from prunella.core import model, progressive
from prunella.core.decisions import action

Refused = reasons.Refused


class AbortRollout:
    """Writes ``status.abort``."""

    name = "abortRollout"
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One patch of the status, of the very release that was judged."""
        workload, found = request.live_state.workload, seen(request)
        if isinstance(found, model.Refusal):
            return found
        if found.promote_full:
            # Argo Rollouts takes an abort back while it promotes fully.
            why = f"{found}, on its way to the end by promote --full, which drops an abort"
            return skipped(workload, why)
        ref = workload.ref
        again = f"kubectl argo rollouts retry rollout {ref.name} -n {ref.namespace}"
        summary = (
            f"abort release {found.current} of {ref}: {found.stable} serves alone; "
            f"begin it again: {again}"
        )
        return action.Plan((telling(workload, found, progressive.ABORT, summary),))


def seen(request: action.Request) -> progressive.Delivery | model.Refusal:
    """How far the release is that is under way; a Refusal where there is none to be told of."""
    workload = request.live_state.workload
    found = workload.delivery
    if found is None:
        raise TypeError(f"{workload.ref} is planned as if it were a Rollout")
    if workload.observed_generation < workload.generation:
        message = (
            f"Argo Rollouts has seen generation {workload.observed_generation} of "
            f"{workload.generation} of {workload.ref}"
        )
        return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, message)
    if not found.under_way:
        return skipped(workload, f"{found}: nothing is being rolled out")
    if found.aborted:
        return skipped(workload, str(found))
    return found


def telling(
    workload: model.Workload, found: progressive.Delivery, field: str, summary: str
) -> model.Effect:
    """A patch that turns on a switch of the status that was seen off, for the release seen."""
    path = f"{progressive.STATUS}{field}"
    was = found.abort if field == progressive.ABORT else found.promote_full
    return patching(
        workload,
        found,
        ({"op": "test", "path": path, "value": was}, {"op": "add", "path": path, "value": True}),
        summary,
    )


def patching(
    workload: model.Workload,
    found: progressive.Delivery,
    patch: tuple[model.PatchOperation, ...],
    summary: str,
) -> model.Effect:
    """A patch of the status that the API server refuses for any other release, and refuses twice.

    The annotation of a record can't be written there, so the patch itself tests what it changes.
    """
    path = f"{progressive.STATUS}currentPodHash"
    return model.Effect(
        verb=model.Verb.PATCH,
        target=workload.ref,
        uid=workload.uid,
        generation=workload.generation,
        patch=({"op": "test", "path": path, "value": found.current}, *patch),
        summary=summary,
    )


def skipped(workload: model.Workload, why: str) -> model.Refusal:
    """There is nothing to tell the controller of this release: the next step may help."""
    return model.Refusal(Refused.AT_BOUND, f"{workload.ref}: {why}", skip_step=True)
