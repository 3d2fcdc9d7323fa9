"""Remediation: one attempt of one step on one target.  Together they are the ledger.

The spec is written once, before anything is done, and never changes: what was seen, what
was decided, which effects follow.  The status tells what became of it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from prunella.api import approval as approval_api
from prunella.api import base, reasons, types
from prunella.api import policy as policy_api

ShortText = base.ShortText
LongText = base.LongText
MOST_PATCH_CHARACTERS = 65_536
Json = Annotated[str, pydantic.Field(max_length=MOST_PATCH_CHARACTERS)]


class PolicyReference(base.ApiModel):
    """The policy that decided. No owner reference: deleting it must not delete its record."""

    name: ShortText = pydantic.Field(description="Name of the policy.")
    namespace: ShortText = pydantic.Field(
        description="Namespace of the policy; empty of a ClusterRemediationPolicy."
    )
    uid: ShortText = pydantic.Field(description="UID of the policy.")
    generation: int = pydantic.Field(description="Generation of the policy's spec.")


class TargetReference(base.ApiModel):
    """The workload or node that was acted on."""

    kind: ShortText = pydantic.Field(description="Kind of the workload, or Node.")
    namespace: ShortText = pydantic.Field(description="Namespace of the workload; empty of a node.")
    name: ShortText = pydantic.Field(description="Name of the workload.")
    uid: ShortText = pydantic.Field(description="UID of the workload.")


class Evidence(base.ApiModel):
    """One signal's verdict that led to the decision."""

    signal: ShortText = pydantic.Field(description="Name of the signal.")
    verdict: Literal["Healthy", "Unhealthy", "Unknown"] = pydantic.Field(
        description="What was judged."
    )
    message: LongText = pydantic.Field(description="The values that were seen and the limit.")
    value: float | None = pydantic.Field(None, description="The value that was judged.")
    since: types.LocalTime | None = pydantic.Field(
        None, description="Since when the verdict has held."
    )
    query: Annotated[str, pydantic.Field(max_length=8192)] = pydantic.Field(
        "", description="The query as it was sent."
    )
    mapped_by: ShortText = pydantic.Field(
        "", description="The labels that tied the series to the target."
    )


class GuardResult(base.ApiModel):
    """One guard's answer at the time of the decision."""

    guard: ShortText = pydantic.Field(description="Name of the guard.")
    passed: bool = pydantic.Field(description="Whether it let the action pass.")
    message: LongText = pydantic.Field("", description="The numbers that it compared.")


class Precondition(base.ApiModel):
    """What must still hold at the API server for the effect to be carried out."""

    uid: ShortText = pydantic.Field(description="UID of the object.")
    generation: int | None = pydantic.Field(
        None, description="Generation of the object's spec; none for pods."
    )
    resource_version: ShortText = pydantic.Field(
        "", description="Version of an object whose kind has no generation."
    )


class GitChange(base.ApiModel):
    """A commit to revert, where nothing but the repository is written."""

    repository: LongText = pydantic.Field(description="URL of the repository, no credentials.")
    branch: ShortText = pydantic.Field(description="The branch that is deployed.")
    path: LongText = pydantic.Field("", description="The folder that is deployed; empty: all.")
    revert: ShortText = pydantic.Field(description="The commit to revert.")
    files: Annotated[
        list[Annotated[str, pydantic.Field(max_length=1024)]], pydantic.Field(max_length=64)
    ] = pydantic.Field(description="The files that are put back as before that commit.")
    expected_head: ShortText = pydantic.Field(
        description="The branch's head; with another one the push is refused."
    )
    applied: ShortText = pydantic.Field(description="The commit that was deployed at the decision.")
    request: bool = pydantic.Field(
        default=False, description="Whether a pull or merge request is opened, and nothing pushed."
    )
    message: LongText = pydantic.Field(
        description="The commit's message; a trailer with the Remediation's name follows it."
    )


class EffectSpec(base.ApiModel):
    """One change, as data."""

    verb: Literal["Patch", "Evict", "Create", "Delete", "Call", "Push"] = pydantic.Field(
        description="How the object is changed; Call asks a system outside the cluster."
    )
    kind: ShortText = pydantic.Field(description="Kind of the object.")
    namespace: ShortText = pydantic.Field(description="Namespace of the object.")
    name: ShortText = pydantic.Field(description="Name of the object.")
    precondition: Precondition = pydantic.Field(
        description="What must still hold for the effect to be carried out."
    )
    patch: Json = pydantic.Field(
        "", description="JSON patch (RFC 6902); the preconditions are tested before it."
    )
    summary: LongText = pydantic.Field(description="The effect in one sentence.")
    inverse: Json = pydantic.Field(
        "", description="JSON patch that undoes the effect; empty when nothing does."
    )
    paced: bool = pydantic.Field(
        default=False,
        description=(
            "Sent only once the pods evicted before it have been replaced and are ready, and while "
            "its own pod is still sick."
        ),
    )
    forced: bool = pydantic.Field(
        default=False,
        description=(
            "Sent with a grace of 0 seconds: the pod of a node that does not answer is forgotten, "
            "and no kubelet is asked."
        ),
    )
    git: GitChange | None = pydantic.Field(
        None, description="Of a push: what is reverted, and where."
    )


class PodsBefore(base.ApiModel):
    """The target's pods at the time of the decision, to compare with after the action."""

    wanted: int = pydantic.Field(0, description="Pods that there should be.")
    available: int = pydantic.Field(0, description="Pods that were available.")
    lost: int = pydantic.Field(0, description="Pods whose node did not answer.")


class RemediationSpec(base.ApiModel):
    """What was seen, what was decided, which effects follow. Frozen."""

    policy: PolicyReference = pydantic.Field(description="The policy that decided.")
    target: TargetReference = pydantic.Field(description="The workload that was acted on.")
    attempt: int = pydantic.Field(ge=1, description="Number of this record among its target's.")
    mode: policy_api.Mode = pydantic.Field(description="Mode of the policy at the decision.")
    step: int = pydantic.Field(ge=0, description="Index of the step in the policy, from 0.")
    action: ShortText = pydantic.Field(description="Name of the action; `revert` undoes one.")
    follows: ShortText = pydantic.Field("", description="The record whose failure led to this one.")
    incident: ShortText = pydantic.Field(
        "", description="The incident that named the target, if that led to the decision."
    )
    decided_at: types.LocalTime = pydantic.Field(description="When it was decided.")
    reason: LongText = pydantic.Field(description="Why, in one sentence.")
    evidence: Annotated[list[Evidence], pydantic.Field(max_length=8)] = pydantic.Field(
        default_factory=list, description="The verdicts that led to the decision."
    )
    guards: Annotated[list[GuardResult], pydantic.Field(max_length=64)] = pydantic.Field(
        default_factory=list, description="All guards and what they compared."
    )
    effects: Annotated[list[EffectSpec], pydantic.Field(max_length=128)] = pydantic.Field(
        default_factory=list, description="The changes, in order."
    )
    plan_hash: ShortText = pydantic.Field(
        "", description="Hash of target, action and effects; a plan is made again before it runs."
    )
    leaves: ShortText = pydantic.Field(
        "",
        description=(
            "Hash of the release that a rollback leaves: the pod template without the annotation "
            "of a restart. Once the phase is Succeeded, that release is condemned for 30 days: "
            "nothing rolls back to it, and it is acted on sooner when it comes again."
        ),
    )
    before: PodsBefore | None = pydantic.Field(
        None, description="The target's pods when it was decided."
    )
    approval_expires_at: types.LocalTime | None = pydantic.Field(
        None, description="Of mode Approve: when it must have been approved, or is not done."
    )
    epoch: int | None = pydantic.Field(
        None,
        ge=1,
        description=(
            "Number of the leadership under which it was decided: how often the operator's Lease "
            "had been taken. None where replicas elect no leader."
        ),
    )


class EffectStatus(base.ApiModel):
    """What became of one effect."""

    sent_at: types.LocalTime | None = pydantic.Field(
        None, description="Written before the effect is sent: it is sent at most once."
    )
    outcome: Literal["", "Effective", "NotSent", "Refused", "Unknown", "WouldSucceed"] = (
        pydantic.Field("", description="What became of it.")
    )
    message: LongText = pydantic.Field("", description="The API server's answer.")
    generation: int | None = pydantic.Field(
        None, description="Generation of the object after the effect."
    )
    fingerprint: ShortText = pydantic.Field(
        "", description="Hash of what the effect wrote, to see later edits by others."
    )
    commit: ShortText = pydantic.Field("", description="The commit that a push has made.")
    url: LongText = pydantic.Field("", description="Where the opened request is.")


class Verification(base.ApiModel):
    """The proof, as far as it has come."""

    synced_at: types.LocalTime | None = pydantic.Field(
        None,
        description=(
            "When the tool that deploys was seen to have applied a pushed commit, or volumes to be "
            "as large as was asked for."
        ),
    )
    rollout_complete_at: types.LocalTime | None = pydantic.Field(
        None, description="When all replicas were updated and available."
    )
    counts_from: types.LocalTime | None = pydantic.Field(
        None, description="Samples before this are not counted: they still see the time before."
    )
    deadline: types.LocalTime | None = pydantic.Field(
        None, description="When the signal must have been Healthy."
    )
    healthy_samples: int = pydantic.Field(0, description="Healthy samples in a row at the end.")
    message: LongText = pydantic.Field("", description="The last values seen.")


class RunStatus(base.ApiModel):
    """What was started outside the target, and how far it has come."""

    state: Literal["Running", "Waiting", "Succeeded", "Failed", "Unknown"] = pydantic.Field(
        description=(
            "How far it has come; Waiting: it goes on when a person says so there; Unknown: it is "
            "over, and nobody can tell how."
        )
    )
    id: ShortText = pydantic.Field("", description="What the other system calls it.")
    url: LongText = pydantic.Field("", description="Where people can look at it.")
    message: LongText = pydantic.Field("", description="Its own words.")
    log: Annotated[str, pydantic.Field(max_length=4096)] = pydantic.Field(
        "", description="The end of what it has written, without what looks like a credential."
    )
    ended_at: types.LocalTime | None = pydantic.Field(
        None, description="When its end was seen; the proof begins then."
    )


class Decided(base.ApiModel):
    """What a person has said to the plan."""

    by: ShortText = pydantic.Field(description="The user, as the API server has named it.")
    at: types.LocalTime = pydantic.Field(description="When the Approval was created.")
    verdict: approval_api.Verdict = pydantic.Field(description="Approve, or Reject.")
    reason: LongText = pydantic.Field("", description="Why, in the person's own words.")


class RemediationStatus(base.ApiModel):
    """What became of the attempt."""

    phase: reasons.Phase = pydantic.Field(
        reasons.Phase.PENDING, description="Where the attempt stands."
    )
    reason: ShortText = pydantic.Field("", description="One word that says why.")
    message: LongText = pydantic.Field("", description="What happened, for people.")
    effects: Annotated[list[EffectStatus], pydantic.Field(max_length=128)] = pydantic.Field(
        default_factory=list, description="What became of each effect, in the spec's order."
    )
    verification: Verification | None = pydantic.Field(
        None, description="The proof, as far as it has come."
    )
    capture: LongText = pydantic.Field(
        "", description="What was kept before the action, in the Capture of the same name."
    )
    run: RunStatus | None = pydantic.Field(
        None, description="What was started outside the target, such as a Job."
    )
    approval: Decided | None = pydantic.Field(
        None, description="Of mode Approve: who has decided, and how."
    )
    finished_at: types.LocalTime | None = pydantic.Field(
        None, description="When the phase became final."
    )
    cleared_at: types.LocalTime | None = pydantic.Field(
        None,
        description=(
            "When the target was seen Healthy again: when it is sick the next time, the first step "
            "is tried first."
        ),
    )
    counted_for: ShortText = pydantic.Field(
        "", description="UID of the policy in whose scoreboard (`prunella trust`) this is counted."
    )
    escalated_at: types.LocalTime | None = pydantic.Field(
        None, description="When a person was called."
    )
    epoch: int | None = pydantic.Field(
        None,
        ge=1,
        description="Number of the leadership that wrote last: one before it writes no more.",
    )
