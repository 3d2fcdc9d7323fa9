"""rollback: return to the newest earlier revision that was seen Healthy.

"Healthy" is not assumed: the policy's own signals are asked of the moment before each revision's
successor was created.  A rollback is never undone by itself; the message says how to go forward.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Sequence

from prunella.actions import evict_pod, with_release
from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model, progressive
from prunella.core.decisions import action, releases, strategies

MOMENT_BEFORE = datetime.timedelta(seconds=1)
MOST_REVISIONS_ASKED = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """The revision to return to, and why."""

    revision: model.Revision
    why: str


Found = Chosen | model.Refusal | tuple[model.Need, ...]


class Rollback:
    """Writes ``spec.template`` as it was in an earlier revision."""

    name = "rollback"
    owned_field = "spec.template"
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of the pod template, once a healthy revision is known.

        Pods that would hold it up are evicted after it.
        """
        if not isinstance(request.params, steps_api.Rollback):
            raise TypeError("rollback is planned from the parameters of a rollback step")
        revisions = sorted(request.live_state.revisions, key=lambda revision: -revision.number)
        current = next((revision for revision in revisions if revision.current), None)
        ref = request.live_state.workload.ref
        if current is None:
            message = f"{ref} has no current revision among the {len(revisions)} known"
            return model.Refusal(reasons.Refused.NO_KNOWN_GOOD_REVISION, message)
        earlier = [r for r in revisions if r.number < current.number]
        if refusal := _kept_elsewhere(request.live_state.workload):
            return refusal
        if refusal := _too_old(current, earlier, request.params, request.now):
            return refusal
        if request.params.to is steps_api.RollbackTo.PREVIOUS:
            found: Found = _previous(request, current, earlier)
        else:
            found = _last_healthy(request, current, earlier)
        if not isinstance(found, Chosen):
            return found
        later = (r for r in revisions if r.number > found.revision.number)
        began = min(later, key=lambda revision: revision.number)
        around = with_release.plan(request, request.params, found.revision, began)
        if isinstance(around, with_release.Along):
            return _effect(request, current, found, around)
        return around


def _kept_elsewhere(workload: model.Workload) -> model.Refusal | None:
    """A Rollout may take its template from another workload: there it is somebody's."""
    found = workload.delivery
    if found is None or not found.template_of:
        return None
    message = f"the template of {workload.ref} is that of {found.template_of} (spec.workloadRef)"
    return model.Refusal(reasons.Refused.NOT_WRITABLE, f"{message}: abortRollout", skip_step=True)


def _too_old(
    current: model.Revision,
    earlier: Sequence[model.Revision],
    params: steps_api.Rollback,
    now: datetime.datetime,
) -> model.Refusal | None:
    """Refuse a release that is older than the step allows.

    It is as old as its newest rollout: its restarts do not make it younger, and one that came back
    is not as old as the object that Kubernetes kept of it.
    """
    if params.when_changed_within is None:
        return None
    limit = params.when_changed_within.total_seconds()
    same = itertools.takewhile(lambda each: _release(each) == _release(current), earlier)
    changed = min(each.released or each.created for each in (current, *same))
    age = (now - changed).total_seconds()
    if age <= limit:
        return None
    message = f"revision {current.number} is {age:.0f} s old, the limit is {limit:.0f} s"
    return model.Refusal(reasons.Refused.NOT_CHANGED_RECENTLY, message, skip_step=True)


def _previous(
    request: action.Request, current: model.Revision, earlier: Sequence[model.Revision]
) -> Chosen | model.Refusal:
    """The newest other release, unseen, but for those that were proved bad."""
    others = [r for r in earlier if _release(r) != _release(current)]
    chosen = next((r for r in others if not _condemned(request, r)), None)
    if others and chosen is None:
        message = "; ".join(f"revision {r.number} {_condemned(request, r)}" for r in others)
        return model.Refusal(reasons.Refused.NO_KNOWN_GOOD_REVISION, message)
    if chosen is None:
        message = f"{request.live_state.workload.ref} has no earlier revision with another template"
        return model.Refusal(reasons.Refused.NO_KNOWN_GOOD_REVISION, message)
    return Chosen(chosen, "unseen, as the policy asks")


def _release(revision: model.Revision) -> dict[str, object]:
    return releases.release(revision.template)


def _condemned(request: action.Request, revision: model.Revision) -> str:
    """How a release was proved bad, or nothing."""
    record = request.condemned.get(releases.release_hash(revision.template))
    return f"was proved bad by {record}" if record is not None else ""


def _last_healthy(
    request: action.Request, current: model.Revision, earlier: Sequence[model.Revision]
) -> Found:
    """Ask about one revision after the other, newest first, until one was Healthy."""
    seen: list[str] = []
    successor = current
    for revision in earlier[:MOST_REVISIONS_ASKED]:
        at = successor.created - MOMENT_BEFORE
        why = _not_judged(revision, successor, current)
        successor = revision
        if proved := _condemned(request, revision):
            seen.append(f"revision {revision.number} {proved}")
            continue
        if why:
            seen.append(f"revision {revision.number} is not judged: {why}")
            continue
        if at not in request.verdicts_at:
            return (model.Need(model.NeedKind.VERDICT_AT, request.live_state.workload.ref, at),)
        verdict = request.verdicts_at[at]
        if verdict is model.Verdict.HEALTHY:
            return Chosen(revision, f"Healthy at {at:%Y-%m-%dT%H:%M:%SZ}")
        seen.append(f"revision {revision.number} was {verdict} at {at:%Y-%m-%dT%H:%M:%SZ}")
    message = "; ".join(seen) or "there is no earlier revision"
    return model.Refusal(reasons.Refused.NO_KNOWN_GOOD_REVISION, message)


def _not_judged(
    revision: model.Revision, successor: model.Revision, current: model.Revision
) -> str:
    """Why nothing can be said of a revision by the moment before its successor, if so.

    A revision that is returned to keeps its creation time and gets a new number, so both tell:
    a successor older than itself, and a number missing between the two.
    """
    if _release(revision) == _release(current):
        return "the same template"
    if successor.created <= revision.created:
        return "its successor is older than itself"
    if successor.number != revision.number + 1:
        return f"what came between it and revision {successor.number} is not known"
    return ""


def _undo(ref: model.Ref) -> str:
    if ref.kind == progressive.KIND:
        return f"kubectl argo rollouts undo {ref.name}"
    return f"kubectl rollout undo {ref.kind.lower()}/{ref.name}"


def _effect(
    request: action.Request, current: model.Revision, chosen: Chosen, around: with_release.Along
) -> action.Plan:
    workload, number = request.live_state.workload, chosen.revision.number
    how = "" if strategies.pod_by_pod(workload) else f", {strategies.in_words(workload)}"
    if workload.delivery is not None:
        how = ", by the steps of its strategy unless that release is the stable one"
    effect = model.Effect(
        verb=model.Verb.PATCH,
        target=workload.ref,
        uid=workload.uid,
        generation=workload.generation,
        patch=(
            {"op": "replace", "path": "/spec/template", "value": dict(chosen.revision.template)},
        ),
        summary=(
            f"roll {workload.ref} back from revision {current.number} to {number} "
            f"({chosen.why}){how}{around.left}; forward again: {_undo(workload.ref)} "
            f"-n {workload.ref.namespace} --to-revision={current.number}"
        ),
    )
    unblocked = evict_pod.unblock(request.live_state, chosen.revision.name)
    leaves = releases.release_hash(current.template)
    return action.Plan((*around.effects, effect, *unblocked), leaves=leaves)
