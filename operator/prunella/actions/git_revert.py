"""gitRevert: revert the commit that Flux or Argo CD has applied last, where it is kept.

The newest applied commit that touches what the workload is deployed from is put back, whole.  A
later commit on the same files ends it: then a person must merge the two.  Nothing is forced, and
nothing in the cluster is written: the tool that deploys brings the revert there, as any commit.
"""

from __future__ import annotations

import datetime
import itertools

from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model, pushes
from prunella.core.decisions import action, gitops

Refused = reasons.Refused
MOMENT_BEFORE = datetime.timedelta(seconds=1)
MOST_FILES = 64
"""Files of a commit that a record can hold."""
SHORT = 10
"""Digits of a commit that people read."""


class GitRevert:
    """Pushes a revert commit, or opens a request for one."""

    name = gitops.GIT_REVERT
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One push, once the deployment and its commits were looked at."""
        if not isinstance(request.params, steps_api.GitRevert):
            raise TypeError("gitRevert is planned from the parameters of a gitRevert step")
        ref, looked = request.live_state.workload.ref, request.deployed
        if looked is None:
            return (model.Need(model.NeedKind.DEPLOYMENT, ref),)
        if looked.refusal is not None:
            return looked.refusal
        if looked.deployment is None or looked.history is None:
            raise ValueError(f"the deployment of {ref} was looked at without an answer")
        deployment, history = looked.deployment, looked.history
        chosen = _suspect(deployment, history)
        if isinstance(chosen, model.Refusal):
            return chosen
        refusal = _not_allowed(chosen, deployment, history, request)
        if refusal is not None:
            return refusal
        before = chosen.at - MOMENT_BEFORE
        if before not in request.verdicts_at:
            return (model.Need(model.NeedKind.VERDICT_AT, ref, before),)
        seen = request.verdicts_at[before]
        if seen is not model.Verdict.HEALTHY:
            message = (
                f"{ref} was {seen} just before {_told(chosen)}: nothing says that it is the cause"
            )
            return model.Refusal(Refused.NO_KNOWN_GOOD_REVISION, message, skip_step=True)
        return action.Plan((_effect(chosen, deployment, history, request),))


def _suspect(
    deployment: gitops.Deployment, history: gitops.History
) -> gitops.Commit | model.Refusal:
    """The newest applied commit that touches what is deployed."""
    until = itertools.dropwhile(lambda each: each.id != deployment.applied, history.commits)
    applied = tuple(until)
    if not applied:
        message = (
            f"{deployment.owner} has applied {deployment.applied[:SHORT]}, which is not among the "
            f"newest {len(history.commits)} commits of {history.branch}"
        )
        return model.Refusal(Refused.REPOSITORY_UNAVAILABLE, message)
    for commit in applied:
        if any(gitops.within(file, history.built_from) for file in commit.files):
            return commit
    where = deployment.path or "the repository"
    message = f"none of the newest {len(applied)} applied commits touches {where}"
    return model.Refusal(Refused.NOT_CHANGED_RECENTLY, message, skip_step=True)


def _not_allowed(
    commit: gitops.Commit,
    deployment: gitops.Deployment,
    history: gitops.History,
    request: action.Request,
) -> model.Refusal | None:
    """Why this commit is not reverted, whatever was before it."""
    if not isinstance(request.params, steps_api.GitRevert):
        raise TypeError("a revert has the parameters of a gitRevert step")
    if commit.remediation:
        message = f"{_told(commit)} is the revert by Remediation {commit.remediation}"
        return model.Refusal(Refused.NO_STEP_LEFT, message)
    if url := gitops.open_request(history.requested, commit.id, commit.subject):
        message = f"a request to revert {_told(commit)} is open: {url}"
        return model.Refusal(Refused.REQUEST_OPEN, message)
    age = (request.now - commit.at).total_seconds()
    limit = request.params.change_within.total_seconds()
    if age > limit:
        message = f"{_told(commit)} is {age:.0f} s old, changeWithin is {limit:.0f} s"
        return model.Refusal(Refused.NOT_CHANGED_RECENTLY, message, skip_step=True)
    beside = [file for file in commit.files if not gitops.within(file, (deployment.path,))]
    if beside:
        message = (
            f"{_told(commit)} touches {len(beside)} files outside of {deployment.path}, "
            f"{beside[0]} first: more than this workload depends on them"
        )
        return model.Refusal(Refused.NOT_ALLOWED, message)
    if len(commit.files) > MOST_FILES:
        message = f"{_told(commit)} changes {len(commit.files)} files, at most {MOST_FILES} may be"
        return model.Refusal(Refused.PLAN_TOO_LARGE, message)
    return _later(commit, history)


def _later(commit: gitops.Commit, history: gitops.History) -> model.Refusal | None:
    """A later commit on the same files: what a person has built on it is not taken away."""
    for other in itertools.takewhile(lambda each: each.id != commit.id, history.commits):
        both = sorted({*commit.files} & {*other.files})
        if both:
            message = (
                f"{_told(other)} of {other.author} has changed {both[0]} after "
                f"{_told(commit)}: a person must merge the two"
            )
            return model.Refusal(Refused.LATER_COMMIT, message)
    return None


def _effect(
    commit: gitops.Commit,
    deployment: gitops.Deployment,
    history: gitops.History,
    request: action.Request,
) -> model.Effect:
    branch = history.branch
    how = f"request a merge into {branch}" if history.request else f"push to {branch}"
    why = "; ".join(f"{each.signal}: {each.message}" for each in request.findings)
    target = request.live_state.workload.ref
    message = (
        f'Revert "{commit.subject}"\n\n{gitops.REVERTS} {commit.id}.\n\n'
        f"{target} in {target.namespace} became Unhealthy: {why}"
    )
    return model.Effect(
        verb=model.Verb.PUSH,
        target=deployment.owner,
        uid=deployment.uid,
        generation=deployment.generation,
        summary=(
            f"revert {_told(commit)} of {commit.author} in {deployment.repository}: {how}, which "
            f"is at {history.head[:SHORT]}"
        ),
        git=pushes.GitChange(
            repository=deployment.repository,
            branch=branch,
            path=deployment.path,
            revert=commit.id,
            files=commit.files,
            expected_head=history.head,
            applied=deployment.applied,
            message=message[:2000],
            request=history.request,
        ),
    )


def _told(commit: gitops.Commit) -> str:
    return f'{commit.id[:SHORT]} "{commit.subject[:80]}"'
