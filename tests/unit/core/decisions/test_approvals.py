"""A person's word on a plan: what becomes of a question, and what is said of an answer."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pydantic
import pytest

from prunella.api import approval as approval_api
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import approvals
from prunella.core.outcomes import records
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes

Phase = reasons.Phase
Refused = reasons.Refused
Mode = policy_api.Mode
Verdict = approval_api.Verdict
WAIT, APPROVED = approvals.Turn.WAIT, approvals.Turn.APPROVED


def question(phase: Phase = Phase.AWAITING_APPROVAL, **changes: Any) -> objects.Record:
    """A question that was asked 10 minutes ago, and waits 50 minutes yet."""
    record = builders.record("q", phase, mode=Mode.APPROVE, ago=minutes(10), **changes)
    spec = record.spec.model_copy(update={"approval_expires_at": NOW + minutes(50)})
    return dataclasses.replace(record, spec=spec)


def approval(verdict: Verdict = Verdict.APPROVE, **fields: Any) -> objects.Approval:
    """Ada's word on it, a minute ago; ``fields`` are those of the spec."""
    whole = {
        "remediation_uid": "q-uid",
        "plan_hash": "hash",
        "verdict": verdict,
        "decided_by": "ada",
        **fields,
    }
    return objects.Approval(
        name="q",
        namespace=builders.NAMESPACE,
        spec=approval_api.ApprovalSpec(**whole),
        status=approval_api.ApprovalStatus(),
        uid="approval-uid",
        resource_version="1",
        created=NOW - minutes(1),
    )


FOREMOST: dict[str, tuple[reasons.Refused, reasons.Refused | None, reasons.Refused]] = {
    "nothing stops it": (Refused.REJECTED, None, Refused.REJECTED),
    "a window closes": (Refused.REJECTED, Refused.WINDOW_CLOSED, Refused.REJECTED),
    "it latches": (Refused.REJECTED, Refused.LATCHED, Refused.REJECTED),
    "suspended": (Refused.REJECTED, Refused.SUSPENDED, Refused.SUSPENDED),
    "paused": (Refused.REJECTED, Refused.PAUSED, Refused.PAUSED),
    "frozen": (Refused.REJECTED, Refused.FROZEN, Refused.FROZEN),
    "nobody answered": (Refused.NOT_APPROVED, Refused.WINDOW_CLOSED, Refused.WINDOW_CLOSED),
    "no step is left": (Refused.NO_STEP_LEFT, Refused.LATCHED, Refused.LATCHED),
}


@pytest.mark.parametrize(("waits", "stops", "expected"), FOREMOST.values(), ids=FOREMOST)
def test_a_rejection_is_overruled_by_people_alone(
    waits: reasons.Refused, stops: reasons.Refused | None, expected: reasons.Refused
) -> None:
    """Nobody is called after a rejection, whatever stops the policy besides."""
    stopped = None if stops is None else model.Refusal(stops, "the whole policy")
    told = approvals.foremost(model.Refusal(waits, "the target"), stopped)
    assert expected == told.reason


def scene(**changes: Any) -> approvals.Scene:
    """A target that is still sick and unchanged, and no answer."""
    whole = approvals.Scene(
        policy=builders.policy(mode="Approve"),
        now=NOW,
        verdict=UNHEALTHY,
        workload=builders.workload(),
        approval=None,
    )
    return dataclasses.replace(whole, **changes)


def told(turn: approvals.Turn | approvals.End) -> str:
    """A turn in words that a table can hold."""
    if isinstance(turn, approvals.End):
        return f"{turn.phase} {turn.reason}"
    return str(turn.value)


REPLACED = builders.workload(uid="another")
SCALED = builders.workload(generation=builders.workload().generation + 1)
YES, NO = approval(), approval(Verdict.REJECT)
OTHER_UID, OTHER_PLAN = approval(remediation_uid="other"), approval(plan_hash="other")
LATE = NOW + minutes(50)
JUDGED: dict[str, tuple[dict[str, Any], str]] = {
    "no answer": ({}, "Wait"),
    "no answer, in doubt": ({"verdict": UNKNOWN}, "Wait"),
    "approved": ({"approval": YES}, "Approved"),
    "approved, in doubt": ({"approval": YES, "verdict": UNKNOWN}, "Wait"),
    "approved at the last moment": ({"approval": YES, "now": LATE - minutes(0.01)}, "Approved"),
    "approved too late": ({"approval": YES, "now": LATE}, "NotSent NotApprovedInTime"),
    "no answer in time": ({"now": LATE}, "Expired NotApprovedInTime"),
    "rejected": ({"approval": NO}, "Rejected Rejected"),
    "rejected of another plan": (
        {"approval": approval(Verdict.REJECT, plan_hash="other")},
        "NotSent ApprovalOfOtherPlan",
    ),
    "rejected and Healthy": ({"approval": NO, "verdict": HEALTHY}, "Rejected Rejected"),
    "another UID": ({"approval": OTHER_UID}, "NotSent ApprovalOfOtherPlan"),
    "another plan": ({"approval": OTHER_PLAN}, "NotSent ApprovalOfOtherPlan"),
    "void": ({"approval": approval(expires_at=NOW)}, "NotSent ApprovalExpired"),
    "not void yet": ({"approval": approval(expires_at=NOW + minutes(1))}, "Approved"),
    "Healthy": ({"verdict": HEALTHY}, "Expired RecoveredByItself"),
    "approved and Healthy": ({"approval": YES, "verdict": HEALTHY}, "Expired RecoveredByItself"),
    "policy edited": (
        {"approval": YES, "policy": builders.policy(mode="Approve", generation=2)},
        "Expired PolicyChanged",
    ),
    "policy made anew": (
        {"approval": YES, "policy": builders.policy(mode="Approve", uid="new")},
        "Expired PolicyChanged",
    ),
    "target gone": ({"approval": YES, "workload": None}, "Expired TargetGone"),
    "target made anew": ({"approval": YES, "workload": REPLACED}, "Expired TargetGone"),
    "target changed": ({"approval": YES, "workload": SCALED}, "NotSent PlanChanged"),
    "target changed, no answer": ({"workload": SCALED}, "NotSent PlanChanged"),
}


@pytest.mark.parametrize(("changes", "expected"), JUDGED.values(), ids=JUDGED.keys())
def test_what_becomes_of_a_question(changes: dict[str, Any], expected: str) -> None:
    """Each way in which it is answered, overtaken or left alone."""
    assert expected == told(approvals.judge(question(), scene(**changes)))


def test_a_question_without_a_time_is_over() -> None:
    """A record that does not say until when it waits is approved by nobody."""
    record = question()
    timeless = record.spec.model_copy(update={"approval_expires_at": None})
    turn = approvals.judge(dataclasses.replace(record, spec=timeless), scene(approval=YES))

    assert "NotSent NotApprovedInTime" == told(turn)


@pytest.mark.parametrize(
    "reason",
    [
        "Cooldown",
        "Backoff",
        "Storm",
        "NamespaceDisruptions",
        "ClusterDisruptions",
        "DisruptionsUnknown",
    ],
)
def test_what_was_approved_and_held_up_says_by_what(reason: str) -> None:
    """The end of an approved question tells which guard did not let it pass."""
    held_up = question(reason=reason, message="approved by ada, and waits: 60 s of 600 s")
    end = approvals.judge(held_up, scene(approval=YES, now=LATE))

    assert isinstance(end, approvals.End)
    assert "approved by ada, but not done until" in end.message
    assert end.message.endswith("waits: 60 s of 600 s")


SAID = approvals.decided(approval())
ANSWERS: dict[str, tuple[objects.Record | None, objects.Approval, str]] = {
    "nothing of the name": (None, YES, "False NoSuchRemediation"),
    "another UID": (question(), OTHER_UID, "False ApprovalOfOtherPlan"),
    "another plan": (question(Phase.NOT_SENT), OTHER_PLAN, "False ApprovalOfOtherPlan"),
    "waiting": (question(), YES, "none"),
    "about to be sent": (question(Phase.PENDING, approval=SAID), YES, "none"),
    "sent": (question(Phase.ACTING, approval=SAID), YES, "True Approved"),
    "proved": (question(Phase.SUCCEEDED, approval=SAID), YES, "True Approved"),
    "rejected": (
        question(Phase.REJECTED, approval=approvals.decided(NO)),
        NO,
        "True Rejected",
    ),
    "refused": (
        question(Phase.NOT_SENT, approval=SAID, reason="Paused"),
        YES,
        "False Paused",
    ),
    "held up until it expired": (
        question(Phase.NOT_SENT, approval=SAID, reason="NotApprovedInTime"),
        YES,
        "False NotApprovedInTime",
    ),
    "expired before": (question(Phase.EXPIRED), YES, "False NotWaiting"),
    "never asked": (builders.record("q", Phase.ADVISED), YES, "False NotWaiting"),
    "decided by somebody else": (
        question(Phase.SUCCEEDED, approval=SAID),
        approval(decided_by="eve"),
        "False NotWaiting",
    ),
}


@pytest.mark.parametrize(("record", "said", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_is_said_of_an_approval(
    record: objects.Record | None, said: objects.Approval, expected: str
) -> None:
    """The condition tells what became of it, and nothing while that is open."""
    condition = approvals.answer(said, record, NOW)
    found = f"{condition.status} {condition.reason}" if condition is not None else "none"
    assert expected == found


FIRST = [
    pytest.param(Mode.ADVISE, "restart", Phase.ADVISED, id="advise"),
    pytest.param(Mode.DRY_RUN, "restart", Phase.DRY_RUN, id="dry run"),
    pytest.param(Mode.APPROVE, "restart", Phase.AWAITING_APPROVAL, id="approve"),
    pytest.param(Mode.APPROVE, "revert", Phase.PENDING, id="approve, undoing"),
    pytest.param(Mode.APPROVE, "returnTraffic", Phase.PENDING, id="approve, traffic back"),
    pytest.param(Mode.LIVE, "restart", Phase.PENDING, id="live"),
]


@pytest.mark.parametrize(("mode", "action", "phase"), FIRST)
def test_the_phase_that_a_record_begins_with(mode: Mode, action: str, phase: Phase) -> None:
    """Only mode Approve asks, and only for what does not undo."""
    assert phase is records.first_phase(mode, action)


def test_a_question_says_until_when_and_how() -> None:
    """What people are told names the command and the effects."""
    record = question()
    expected = (
        f"waits until {NOW + minutes(50):%Y-%m-%dT%H:%M:%SZ} for `prunella approve shop/q` "
        "or reject: restart Deployment/checkout"
    )

    assert expected == approvals.question(record.spec, "shop", "q")
    assert expected in approvals.words(record)[1]


@pytest.mark.parametrize("text", ["1m", "90m", "1h", "1h30m", "23h59m", "24h", "1d"])
def test_how_long_a_question_may_wait(text: str) -> None:
    """From a minute to a day."""
    assert text == str(builders.spec(approvalExpiresAfter=text).approval_expires_after)


@pytest.mark.parametrize("text", ["0s", "30s", "59s", "0m", "0h5m", "25h", "1d1m", "2d", "1w"])
def test_no_question_waits_for_ever_or_for_no_time(text: str) -> None:
    """Else the user is told what would do."""
    with pytest.raises(pydantic.ValidationError, match="must be from 1m to 24h"):
        builders.spec(approvalExpiresAfter=text)


def test_a_question_waits_an_hour_by_default() -> None:
    """A short policy needs no field for it."""
    assert datetime.timedelta(hours=1) == builders.spec(mode="Approve").approval_expires_after


def test_what_waits_is_not_in_flight() -> None:
    """It takes no place of an action, and is not final either."""
    record = question()

    assert (True, False, False, False) == (
        record.awaiting,
        record.in_flight,
        record.acted,
        record.phase.final,
    )


def test_unknown_is_no_verdict_to_act_on() -> None:
    """No verdict but Unhealthy lets an approved plan go."""
    turns = {
        verdict: told(approvals.judge(question(), scene(approval=YES, verdict=verdict)))
        for verdict in (*model.Verdict, None)
    }
    assert ["Approved"] == [turn for turn in turns.values() if turn == "Approved"]
    assert "Approved" == turns[UNHEALTHY]
