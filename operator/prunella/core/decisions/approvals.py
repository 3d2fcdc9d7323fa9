"""A person's word on a plan: what is asked, and what becomes of the question.

    asked --Approve--> plan again, all guards --equal--> sent as in mode Live
      |                        |
      |                        +-- refused --> NotSent, or it waits where the refusal will pass
      +-- Reject --> Rejected
      +-- no answer, recovered, target gone, policy edited --> Expired
      +-- target changed, or approved and held up for too long --> NotSent, and asked anew

Nothing here trusts what it finds: an Approval counts only for the UID and the plan that it names,
and what it approves is planned anew (`engine/approvals.py`).
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import TYPE_CHECKING, Final

from prunella.api import approval as approval_api
from prunella.api import conditions, reasons, remediation
from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.decisions import halts, ledger

if TYPE_CHECKING:
    from prunella.core.decisions import decide

Phase = reasons.Phase
Refused = reasons.Refused
PASSING: Final = frozenset(
    {
        Refused.NOT_HELD,
        Refused.IN_FLIGHT,
        Refused.COOLDOWN,
        Refused.BACKOFF,
        Refused.STORM,
        Refused.MAX_UNAVAILABLE,
        Refused.ROLLOUT_IN_PROGRESS,
        Refused.DISRUPTION_BUDGET,
        Refused.NAMESPACE_DISRUPTIONS,
        Refused.CLUSTER_DISRUPTIONS,
        Refused.DISRUPTIONS_UNKNOWN,
        Refused.WINDOW_CLOSED,
    }
)
"""Refusals that end by themselves: what was approved waits for that until it expires."""
BY_PEOPLE: Final = frozenset({Refused.SUSPENDED, Refused.PAUSED, Refused.FROZEN})
"""Refusals that are a person's will, as a rejection is."""
RECOVERED: Final = "RecoveredByItself"
POLICY_CHANGED: Final = "PolicyChanged"
_NO_RECORD: Final = "NoSuchRemediation"
_NOT_WAITING: Final = "NotWaiting"


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a question is judged by, as one pass sees it."""

    policy: objects.Policy
    now: datetime.datetime
    verdict: model.Verdict | None
    """None: the policy has no such target any more."""
    workload: model.Workload | None
    approval: objects.Approval | None
    """The Approval of the record's name, as the API server has it now."""


class Turn(enum.StrEnum):
    """What comes next for a question that is not ended."""

    WAIT = "Wait"
    APPROVED = "Approved"


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """The question is over, and nothing was sent."""

    phase: reasons.Phase
    reason: str
    message: str
    decided: remediation.Decided | None = None


def asks(mode: policy_api.Mode, action: str) -> bool:
    """Whether an action of a mode waits for a person's word.

    What takes an action back was shown with the question of that action: it is part of the answer.
    """
    return mode is policy_api.Mode.APPROVE and action not in ledger.TAKES_BACK


def asked(record: objects.Record) -> bool:
    """Whether a record is one that a person is asked for."""
    return asks(record.spec.mode, record.spec.action)


def expiry(command: decide.Command, policy: objects.Policy) -> datetime.datetime | None:
    """When a question that is asked now is void; None where nobody is asked."""
    if policy.spec is None or not asks(command.mode, command.action):
        return None
    seconds = policy.spec.approval_expires_after.total_seconds()
    return command.decided_at + datetime.timedelta(seconds=seconds)


def question(spec: remediation.RemediationSpec, namespace: str, name: str) -> str:
    """What people are told of a question; empty where nobody is asked."""
    if spec.approval_expires_at is None:
        return ""
    until = halts.moment(spec.approval_expires_at)
    done = "; ".join(effect.summary for effect in spec.effects)
    return f"waits until {until} for `prunella approve {namespace}/{name}` or reject: {done}"


def words(record: objects.Record) -> tuple[str, str]:
    """The call for a person to decide: in one line, and at length."""
    summary = f"{record.spec.action} on {record.target} waits for your approval"
    told = question(record.spec, record.namespace, record.name)
    return summary, f"{record.spec.action} on {record.target} {told}. Why: {record.spec.reason}"


def judge(record: objects.Record, scene: Scene) -> Turn | End:
    """What becomes of a question now. That it was approved is not yet that it is done."""
    approval = scene.approval
    if approval is not None and (refusal := _of_another(record, approval)) is not None:
        return End(Phase.NOT_SENT, refusal.reason, refusal.message)
    if approval is not None and approval.spec.verdict is approval_api.Verdict.REJECT:
        message = f"rejected by {approval.spec.decided_by}{_because(approval)}"
        return End(Phase.REJECTED, Refused.REJECTED, message, decided(approval))
    if (end := _overtaken(record, scene)) is not None:
        return end
    if approval is None:
        return Turn.WAIT
    void = approval.spec.expires_at
    if void is not None and scene.now >= void:
        message = f"the Approval of {approval.spec.decided_by} was good until {halts.moment(void)}"
        return End(Phase.NOT_SENT, Refused.APPROVAL_EXPIRED, message, decided(approval))
    return Turn.APPROVED if scene.verdict is model.Verdict.UNHEALTHY else Turn.WAIT


def decided(approval: objects.Approval) -> remediation.Decided:
    """What the ledger keeps of an Approval."""
    spec = approval.spec
    return remediation.Decided(
        by=spec.decided_by, at=approval.created, verdict=spec.verdict, reason=spec.reason
    )


def overdue(record: objects.Record, now: datetime.datetime) -> bool:
    """Whether it was too late for a question by now; without a time it always is."""
    until = record.spec.approval_expires_at
    return until is None or now >= until


def unwanted(last: objects.Record) -> model.Refusal:
    """Why a target is not asked about again after a question that led to nothing."""
    goes_on = (
        f"it is asked again when {last.target} was Healthy once, or after "
        f"`prunella resume {last.policy.argument}`"
    )
    reason = Refused.REJECTED if last.phase is Phase.REJECTED else Refused.NOT_APPROVED
    return model.Refusal(reason, f"{last.name}: {last.status.message}; {goes_on}")


def foremost(waits: model.Refusal, stopped: model.Refusal | None) -> model.Refusal:
    """What is told of a target that waits for a person while something stops the whole policy.

    A rejection stays told when a window closes or the policy latches: nobody is called about it.
    """
    if stopped is None or (waits.reason is Refused.REJECTED and stopped.reason not in BY_PEOPLE):
        return waits
    return stopped


def answer(
    approval: objects.Approval, record: objects.Record | None, now: datetime.datetime
) -> conditions.Condition | None:
    """What the operator says of an Approval; None while nothing is decided."""
    if record is None:
        message = f"there is no Remediation {approval.name} in namespace {approval.namespace}"
        return _accepted(_NO_RECORD, message, now, status=False)
    refusal = _of_another(record, approval)
    if refusal is not None:
        return _accepted(refusal.reason, refusal.message, now, status=False)
    if record.phase in {Phase.AWAITING_APPROVAL, Phase.PENDING}:
        return None
    told = f"{record.name} is {record.phase}: {record.status.message}"
    if record.status.approval != decided(approval):
        message = f"it waits for no decision, {told}"
        return _accepted(_NOT_WAITING, message, now, status=False)
    if record.phase in {Phase.NOT_SENT, Phase.EXPIRED}:
        return _accepted(record.status.reason, told, now, status=False)
    done = approval.spec.verdict is approval_api.Verdict.APPROVE
    return _accepted("Approved" if done else "Rejected", told, now, status=True)


def _accepted(
    reason: str, message: str, now: datetime.datetime, *, status: bool
) -> conditions.Condition:
    return conditions.condition(
        approval_api.ACCEPTED, status=status, reason=reason, message=message, generation=1, now=now
    )


def _of_another(record: objects.Record, approval: objects.Approval) -> model.Refusal | None:
    """Why an Approval is of something else than this record's plan."""
    spec = approval.spec
    if spec.remediation_uid != record.uid:
        what = f"the Remediation with UID {spec.remediation_uid}, this one has {record.uid}"
    elif spec.plan_hash != record.spec.plan_hash:
        what = f"the plan {spec.plan_hash}, this one is {record.spec.plan_hash}"
    else:
        return None
    return model.Refusal(Refused.OTHER_PLAN, f"the Approval of {spec.decided_by} is of {what}")


def _overtaken(record: objects.Record, scene: Scene) -> End | None:
    """Why a question makes no sense any more."""
    policy, was = scene.policy, record.spec.policy
    if (was.uid, was.generation) != (policy.uid, policy.generation):
        message = f"the policy has generation {policy.generation}, it was asked by {was.generation}"
        return End(Phase.EXPIRED, POLICY_CHANGED, message)
    if scene.workload is None or scene.workload.uid != record.spec.target.uid:
        return End(Phase.EXPIRED, Refused.TARGET_GONE, f"{record.target} is gone")
    if scene.verdict is model.Verdict.HEALTHY:
        return End(Phase.EXPIRED, RECOVERED, "recovered by itself before it was decided")
    if overdue(record, scene.now):
        return _late(record, scene)
    for effect in record.spec.effects:
        own = model.Ref(effect.kind, effect.namespace, effect.name) == record.target
        made_for = effect.precondition.generation
        if own and made_for is not None and made_for != scene.workload.generation:
            message = (
                f"{record.target} has generation {scene.workload.generation}, "
                f"the plan was made for {made_for}"
            )
            return End(Phase.NOT_SENT, Refused.PLAN_CHANGED, message)
    return None


def _late(record: objects.Record, scene: Scene) -> End:
    expires_at = record.spec.approval_expires_at
    until = halts.moment(expires_at) if expires_at is not None else "a time that is not told"
    if scene.approval is None:
        return End(Phase.EXPIRED, Refused.NOT_APPROVED, f"nobody has decided until {until}")
    message = f"approved by {scene.approval.spec.decided_by}, but not done until {until}"
    if record.status.reason in PASSING:
        message += f": {record.status.message}"
    # Somebody wants it: only a question that nobody has answered is not asked again.
    return End(Phase.NOT_SENT, Refused.NOT_APPROVED, message, decided(scene.approval))


def _because(approval: objects.Approval) -> str:
    return f": {approval.spec.reason}" if approval.spec.reason else ""
