"""helmRollback: return to what a Helm release was before, by Helm itself.

A Job of the administrators' runs Helm in the release's namespace, with a ServiceAccount of that
namespace; the operator reads no Secret and writes no object of the release.  What only Helm's own
storage tells the Job judges before it writes anything.  The way forward again is another Job, which
names the revision that was made: any later one is a refusal.
"""

from __future__ import annotations

import copy
import datetime
import itertools
from typing import Any

from prunella.actions import offers, run_job
from prunella.api import offered, reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action, helm, releases

Refused = reasons.Refused
MOMENT_BEFORE = datetime.timedelta(seconds=1)
EXPECT, TO = "EXPECT", "TO"
"""Parameters of the way forward: the newest revision, and the one to return to."""


class HelmRollback:
    """Creates a Job that runs ``helm rollback``."""

    name = helm.HELM_ROLLBACK
    owned_field = None
    risk = trust.Risk.HIGH

    def __init__(self, template: offered.JobTemplate | None) -> None:
        self._template = template

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One Job, once the release is known to be young and to have followed a healthy one."""
        params, workload = request.params, request.live_state.workload
        if not isinstance(params, steps_api.HelmRollback):
            raise TypeError("helmRollback is planned from the parameters of such a step")
        release = _release(workload)
        if isinstance(release, model.Refusal):
            return release
        current = _current(request)
        if isinstance(current, model.Refusal):
            return current
        given = {
            "RELEASE": release,
            "CHANGED": str(int(_changed_at(request, current).timestamp())),
            "HOOKS": "Run" if params.allow_hooks else "Refuse",
        }
        template = self._taken(workload.ref.namespace, given)
        if isinstance(template, model.Refusal):
            return template
        changed = _changed_at(request, current)
        judged = _judged(request, params, changed)
        if judged is not None:
            return judged
        effect = _effect(request, template, given, changed)
        return action.Plan((effect,), leaves=releases.release_hash(current.template))

    def _taken(self, namespace: str, given: dict[str, str]) -> offered.JobTemplate | model.Refusal:
        """The Job's template, if it is for the namespace."""
        known = {} if self._template is None else {offered.HELM_ROLLBACK: self._template}
        return offers.taken("Job template", offered.HELM_ROLLBACK, known, namespace, given)


def _release(workload: model.Workload) -> str | model.Refusal:
    """The release of a workload, by Helm's annotations and by who has written it."""
    ref, release = workload.ref, helm.release_of(workload)
    if isinstance(release, model.Ref):
        message = (
            f"{ref} belongs to release {release.name} of namespace {release.namespace}: a policy "
            f"acts in its own, {ref.namespace}"
        )
        return model.Refusal(Refused.NOT_FROM_HELM, message, skip_step=True)
    managers = workload.field_owners.get("spec.template", frozenset())
    if not release or not managers & helm.MANAGERS:
        told = ", ".join(sorted(managers)) or "nobody that is known"
        message = (
            f"{ref} has no annotation {helm.RELEASE}"
            if not release
            else f"spec.template of {ref} was written by {told}, not by Helm"
        )
        return model.Refusal(Refused.NOT_FROM_HELM, message, skip_step=True)
    return release


def _current(request: action.Request) -> model.Revision | model.Refusal:
    """The revision of the workload's template as it is now."""
    revisions = request.live_state.revisions
    found = next((revision for revision in revisions if revision.current), None)
    if found is not None:
        return found
    ref = request.live_state.workload.ref
    message = f"{ref} has no current revision among the {len(revisions)} known"
    return model.Refusal(Refused.NO_KNOWN_GOOD_REVISION, message)


def _changed_at(request: action.Request, current: model.Revision) -> datetime.datetime:
    """When what runs now was rolled out; its restarts do not make it younger."""
    revisions = sorted(request.live_state.revisions, key=lambda revision: -revision.number)
    earlier = itertools.dropwhile(lambda each: each.number >= current.number, revisions)
    release = releases.release(current.template)
    same = itertools.takewhile(lambda each: releases.release(each.template) == release, earlier)
    return min(each.released or each.created for each in (current, *same))


def _judged(
    request: action.Request, params: steps_api.HelmRollback, changed: datetime.datetime
) -> model.Refusal | tuple[model.Need, ...] | None:
    """Why this release is not the cause as far as is known, or what must be asked first."""
    ref, limit = request.live_state.workload.ref, params.change_within.total_seconds()
    age = (request.now - changed).total_seconds()
    if age > limit:
        message = f"the release of {ref} is {age:.0f} s old, changeWithin is {limit:.0f} s"
        return model.Refusal(Refused.NOT_CHANGED_RECENTLY, message, skip_step=True)
    before = changed - MOMENT_BEFORE
    if before not in request.verdicts_at:
        return (model.Need(model.NeedKind.VERDICT_AT, ref, before),)
    seen = request.verdicts_at[before]
    if seen is model.Verdict.HEALTHY:
        return None
    message = (
        f"{ref} was {seen} at {before:%Y-%m-%dT%H:%M:%SZ}, just before its release: nothing says "
        "that it is the cause"
    )
    return model.Refusal(Refused.NO_KNOWN_GOOD_REVISION, message, skip_step=True)


def _effect(
    request: action.Request,
    template: offered.JobTemplate,
    given: dict[str, str],
    changed: datetime.datetime,
) -> model.Effect:
    """The Job, and as its inverse the one that goes forward again."""
    target, release = request.live_state.workload.ref, given["RELEASE"]
    manifest = _job(template, given, target, request.record)
    forward = {**given, EXPECT: "0", TO: "0"}
    inverse = _job(template, forward, target, request.record)
    return model.Effect(
        verb=model.Verb.CREATE,
        target=model.Ref("Job", target.namespace, manifest["metadata"]["name"]),
        uid="",
        patch=({"op": "add", "path": "", "value": manifest},),
        inverse=({"op": "add", "path": "", "value": inverse},),
        summary=(
            f"roll Helm release {release} back to what was deployed before the revision of "
            f"{changed:%Y-%m-%dT%H:%M:%SZ}; forward again: helm rollback {release} REVISION -n "
            f"{target.namespace}"
        ),
    )


def _job(
    template: offered.JobTemplate, given: dict[str, str], target: model.Ref, record: str
) -> dict[str, Any]:
    params = steps_api.RunJob(template=offered.HELM_ROLLBACK, parameters=given)
    return run_job.job_of(template, params, target, record)


def forward_again(request: action.Request, effect: model.Effect) -> model.Effect | model.Refusal:
    """The Job that undoes one of Helm: it names the revision that was made, and the one before."""
    record = request.follows
    if record is None:
        raise TypeError("a Job of Helm is undone for the record that has made it")
    found = helm.made(record)
    if found is None:
        message = (
            f"the log of {effect.target} does not say which revision it has made: a person must "
            "look at the release's history"
        )
        return model.Refusal(Refused.NO_STEP_LEFT, message)
    manifest: dict[str, Any] = copy.deepcopy(dict(effect.inverse[0]["value"]))  # type: ignore[call-overload]
    name = run_job.job_name(offered.HELM_ROLLBACK, request.record)
    manifest["metadata"]["name"] = name
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    numbers = {EXPECT: found.revision, TO: found.after}
    for each in container["env"]:
        if each["name"] in numbers:
            each["value"] = str(numbers[each["name"]])
    return model.Effect(
        verb=model.Verb.CREATE,
        target=effect.target._replace(name=name),
        uid="",
        patch=({"op": "add", "path": "", "value": manifest},),
        summary=f"undo: go forward to revision {found.after} again, if {found.revision} is newest",
    )
