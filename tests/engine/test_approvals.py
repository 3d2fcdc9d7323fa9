"""Mode Approve in virtual time: what is asked, what an answer does, and what becomes of none."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Callable

import pytest

from prunella import ports
from prunella.adapters.simulated import faults as faults_module
from prunella.api import approval as approval_api
from prunella.core import model, objects
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Point = faults_module.Point
REJECT = approval_api.Verdict.REJECT
ASKED = [("rollback", Phase.AWAITING_APPROVAL)]
DONE = [("rollback", Phase.SUCCEEDED)]


def approving(*steps: dict[str, object], **changes: object) -> dict[str, object]:
    """A policy on checkout that asks first."""
    return harness.spec(*steps, **{"mode": "Approve", **changes})


async def asked(story: Story, document: dict[str, object] | None = None) -> objects.Record:
    """Given a bad release and a policy of mode Approve, when its question was asked."""
    await harness.bad_release(story, document or approving())
    await story.until(lambda: story.phases() == ASKED)
    return story.records()[0]


def decide(
    story: Story,
    record: objects.Record,
    verdict: approval_api.Verdict = approval_api.Verdict.APPROVE,
    **told: object,
) -> None:
    """`prunella approve` or `prunella reject`, and the watch event that follows."""
    story.world.approvals.decide(record, verdict, **told)  # type: ignore[arg-type]
    story.notify()


def accepted(story: Story, record: objects.Record) -> tuple[str, str]:
    """What the operator has said on the Approval: its condition's status and reason."""
    approval = story.world.approvals.stored[record.namespace, record.name]
    (found,) = approval.status.conditions
    return found.status, found.reason


def ended(record: objects.Record) -> tuple[Phase, str]:
    """Phase and reason of a record."""
    return record.phase, record.status.reason


def again(story: Story, record: objects.Record) -> objects.Record:
    """The same record as it is now."""
    return next(each for each in story.records() if each.name == record.name)


async def test_a_question_changes_nothing_and_is_asked_once(story: Story) -> None:
    """Given a sick target, when minutes pass without a word, then one question and no effect."""
    record = await asked(story)
    await story.run(120)

    assert story.phases() == ASKED
    assert story.sent() == []
    assert record.spec.mode == "Approve"
    assert record.spec.plan_hash
    expires = record.spec.decided_at + datetime.timedelta(hours=1)
    assert record.spec.approval_expires_at == expires


async def test_a_question_calls_a_person_with_the_command(story: Story) -> None:
    """Given a question, then an alert and an Event say how to answer it, once."""
    record = await asked(story)
    await story.run(60)

    command = f"prunella approve {NAMESPACE}/{record.name}"
    (alert,) = story.world.notifier.escalations
    assert command in alert.description
    told = [n for n in story.world.notifier.events if n.reason == "AwaitingApproval"]
    assert [command in each.message for each in told] == [True]
    assert story.condition("Escalated") == ("True", "AwaitingApproval")
    assert record.name in story.sick().advice


async def test_what_was_approved_is_done_once_and_proved(story: Story) -> None:
    """Given an approved plan, then it is sent once, verified, and says who approved it."""
    record = await asked(story)
    decide(story, record, by="ada", reason="seen in staging")
    await story.until(lambda: story.phases() == DONE)

    assert story.sent() == [record.name]
    assert story.image() == harness.GOOD
    said = again(story, record).status.approval
    assert said is not None
    assert (said.by, said.verdict, said.reason) == ("ada", "Approve", "seen in staging")
    assert accepted(story, record) == ("True", "Approved")
    await story.run(120)
    assert story.sent() == [record.name]


async def test_what_was_rejected_is_not_asked_again_in_this_illness(story: Story) -> None:
    """Given a rejection, when it stays sick, then nothing is asked, done, or called for."""
    record = await asked(story)
    decide(story, record, REJECT, reason="a load test")
    await story.run(1800)

    assert [ended(each) for each in story.records()] == [(Phase.REJECTED, "Rejected")]
    assert story.sent() == []
    assert accepted(story, record) == ("True", "Rejected")
    assert story.sick().refused == "Rejected"
    assert "rejected by ada: a load test" in story.sick().refusal
    assert len(story.pages()) == 1, "the question, and nothing after it"


async def test_the_next_illness_is_asked_about_anew(story: Story) -> None:
    """Given a rejection, when it was Healthy since and falls ill again, then it is asked anew."""
    record = await asked(story)
    decide(story, record, REJECT)
    await story.run(30)
    story.release(harness.GOOD)
    await story.run(120)
    story.release(harness.BAD)
    await story.until(lambda: len(story.records()) == 2)

    assert [each.phase for each in story.records()] == [Phase.REJECTED, Phase.AWAITING_APPROVAL]


async def test_resume_asks_anew_after_a_rejection(story: Story) -> None:
    """Given a rejection, when a person resumes the policy, then it is asked anew."""
    record = await asked(story)
    decide(story, record, REJECT)
    await story.run(30)
    story.resume()
    await story.until(lambda: len(story.records()) == 2)

    assert story.records()[1].phase is Phase.AWAITING_APPROVAL


async def test_no_answer_expires(story: Story) -> None:
    """Given no answer, when the time is over, then it expires, and is not asked every hour."""
    record = await asked(story, approving(approvalExpiresAfter="2m"))
    await story.run(600)

    assert [ended(each) for each in story.records()] == [(Phase.EXPIRED, "NotApprovedInTime")]
    assert story.sick().refused == "NotApprovedInTime"
    decide(story, record)
    await story.run(120)
    assert story.sent() == []
    assert accepted(story, record) == ("False", "NotWaiting")


async def test_what_recovers_by_itself_needs_no_answer(story: Story) -> None:
    """Given a question, when a person rolls back by hand, then it expires and says why."""
    record = await asked(story)
    story.release(harness.GOOD)
    await story.run(120)
    decide(story, record)
    await story.run(120)

    assert story.sent() == []
    (told,) = story.records()
    # The rollout that made it Healthy has changed the target as well: either is a good reason.
    assert ended(told) in {
        (Phase.EXPIRED, "RecoveredByItself"),
        (Phase.NOT_SENT, "PlanChanged"),
    }


async def test_measured_healthy_expires_a_question(story: Story) -> None:
    """Given a question, when the signal is Healthy again and nobody touched it, it expires."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    document = approving({"restart": {}}, signals=[harness.saturation()])
    story.apply(document)
    await story.until(lambda: bool(story.records()))
    story.world.apps.surge(CHECKOUT, load=0.0)
    await story.run(60)

    assert [ended(each) for each in story.records()] == [(Phase.EXPIRED, "RecoveredByItself")]
    assert story.records()[0].status.cleared_at is not None
    assert story.sent() == []


Change = Callable[[Story, objects.Record], None]


def edit_policy(story: Story, _: objects.Record) -> None:
    """Another threshold."""
    story.apply(approving(signals=[harness.errors(above=0.04)]))


def suspend(story: Story, _: objects.Record) -> None:
    """`suspend: true`."""
    story.apply(approving(suspend=True))


def pause(story: Story, _: objects.Record) -> None:
    """`prunella pause`."""
    story.world.cluster.pause("a change freeze")


def change_target(story: Story, _: objects.Record) -> None:
    """A person scales the workload: another generation."""
    story.world.cluster.scale(CHECKOUT, 4)


def delete_policy(story: Story, _: objects.Record) -> None:
    """The policy is deleted."""
    story.delete()


CHANGED: dict[str, tuple[Change, set[tuple[Phase, str]]]] = {
    "policy edited": (edit_policy, {(Phase.EXPIRED, "PolicyChanged")}),
    "suspended": (suspend, {(Phase.EXPIRED, "PolicyChanged")}),
    "paused": (pause, {(Phase.NOT_SENT, "Paused")}),
    "target changed": (change_target, {(Phase.NOT_SENT, "PlanChanged")}),
    "policy deleted": (delete_policy, {(Phase.EXPIRED, "PolicyDeleted")}),
}


@pytest.mark.parametrize(("change", "wanted"), CHANGED.values(), ids=CHANGED.keys())
async def test_what_was_approved_too_late_is_not_done(
    story: Story, change: Change, wanted: set[tuple[Phase, str]]
) -> None:
    """Given a change while it waits, when it is approved at the same moment, nothing is sent."""
    record = await asked(story)
    change(story, record)
    decide(story, record)
    await story.run(100)

    assert story.sent() == []
    assert ended(again(story, record)) in wanted
    assert accepted(story, record)[0] == "False"


OTHERS = {
    "another UID": {"uid": "another"},
    "another plan": {"plan_hash": "another"},
}


@pytest.mark.parametrize("told", OTHERS.values(), ids=OTHERS.keys())
async def test_an_approval_of_something_else_approves_nothing(
    story: Story, told: dict[str, str]
) -> None:
    """Given an Approval of another plan, then it is refused, and the question asked anew."""
    record = await asked(story)
    decide(story, record, **told)
    await story.until(lambda: len(story.records()) == 2)

    assert story.sent() == []
    assert ended(again(story, record)) == (Phase.NOT_SENT, "ApprovalOfOtherPlan")
    assert accepted(story, record) == ("False", "ApprovalOfOtherPlan")
    assert story.records()[1].phase is Phase.AWAITING_APPROVAL


async def test_an_approval_that_has_ended_approves_nothing(story: Story) -> None:
    """Given an Approval past its own expiresAt, then nothing is sent."""
    record = await asked(story)
    decide(story, record, expires_at=story.world.clock.now())
    await story.run(30)

    assert story.sent() == []
    assert accepted(story, record) == ("False", "ApprovalExpired")


async def test_a_second_decision_is_refused(story: Story) -> None:
    """Given a rejection, when somebody approves as well, then the name is taken."""
    record = await asked(story)
    decide(story, record, REJECT)
    with pytest.raises(ports.Conflict, match="already exists"):
        decide(story, record, by="eve")
    await story.run(60)

    assert story.sent() == []


async def test_a_withdrawn_approval_approves_nothing(story: Story) -> None:
    """Given an Approval that was deleted before it was read, then the question still waits."""
    record = await asked(story)
    story.world.approvals.decide(record)
    story.world.approvals.withdraw(record)
    await story.run(60)

    assert story.phases() == ASKED
    assert story.sent() == []


async def test_an_unreadable_approval_approves_nothing(story: Story) -> None:
    """Given an API server that does not answer the last look, then nothing is sent."""
    record = await asked(story)
    story.faults.always(Point.READ_APPROVAL, ports.ClusterError("no answer"))
    decide(story, record)
    await story.run(60)
    assert story.sent() == []
    story.faults.heal()
    await story.until(lambda: story.phases() == DONE)
    assert story.sent() == [record.name]


async def test_what_was_approved_waits_for_a_guard_that_will_pass(story: Story) -> None:
    """Given two approved targets and a cooldown, then the second follows when it has passed."""
    other = model.Ref("Deployment", NAMESPACE, "cart")
    names = (CHECKOUT, other)
    for ref in names:
        story.world.cluster.add_deployment(NAMESPACE, ref.name, harness.GOOD)
        story.apply(approving(target={"name": ref.name}), ref.name)
    await story.run(harness.QUIET)
    for ref in names:
        story.release(harness.BAD, ref)
    await story.until(lambda: len(story.records()) == 2)
    first, second = story.records()
    story.world.approvals.decide(first)
    story.world.approvals.decide(second)
    await story.until(lambda: len(story.sent()) == 2)

    assert sorted(story.sent()) == sorted([first.name, second.name])


async def test_what_was_approved_and_held_up_by_a_window_is_asked_anew(story: Story) -> None:
    """Given a window that closes before the yes and opens too late, then it is asked once more."""
    shuts = (story.world.clock.now() + datetime.timedelta(minutes=4)).replace(
        second=0, microsecond=0
    )
    closed = [{"cron": f"{shuts.minute} {shuts.hour} * * *", "duration": "20m"}]
    record = await asked(story, approving(approvalExpiresAfter="10m", windows={"deny": closed}))
    await story.run((shuts - story.world.clock.now()).total_seconds() + 1)
    decide(story, record)
    await story.until(lambda: len(story.records()) == 2, 1500)

    assert ended(again(story, record)) == (Phase.NOT_SENT, "NotApprovedInTime")
    assert "closed by spec.windows.deny[0]" in again(story, record).status.message
    assert story.records()[1].phase is Phase.AWAITING_APPROVAL
    board = story.status().trust
    assert board is None or [0] == [each.expired for each in board.scores]
    decide(story, story.records()[1])
    await story.until(lambda: len(story.sent()) == 1)


@pytest.mark.parametrize(
    ("load", "end"),
    [
        pytest.param(100.0, (Phase.AWAITING_APPROVAL, "WindowClosed"), id="the window has closed"),
        pytest.param(0.0, (Phase.EXPIRED, "RecoveredByItself"), id="and it is well again"),
    ],
)
async def test_what_waits_long_for_its_turn_is_judged_by_fresh_readings(
    story: Story, load: float, end: tuple[Phase, str]
) -> None:
    """Given a record that is approved, when others decide for long first, then it is judged anew.

    All that its pass has read is older than that.
    """
    shuts = (story.world.clock.now() + datetime.timedelta(minutes=3)).replace(
        second=0, microsecond=0
    )
    closed = [{"cron": f"{shuts.minute} {shuts.hour} * * *", "duration": "3h"}]
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    signals = [harness.saturation()]
    story.apply(approving({"restart": {}}, signals=signals, windows={"deny": closed}))
    await story.until(lambda: len(story.records()) == 1)
    await story.run((shuts - story.world.clock.now()).total_seconds() - 8)
    assert story.engine is not None
    async with story.engine._passes._deciding:
        decide(story, story.records()[0])
        await story.until(lambda: story.phases() == [("restart", Phase.PENDING)], 8)
        story.world.apps.surge(CHECKOUT, load=load)
        await story.run(45)
        assert story.phases() == [("restart", Phase.PENDING)]
    await story.run(30)

    assert story.sent() == []
    assert ended(story.records()[0]) == end


async def test_each_step_is_asked_and_an_undoing_is_not(story: Story) -> None:
    """Given a step in vain, then it is undone without a question, and the next step is asked."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    verify = {"within": "5s", "samples": 1}
    steps: list[dict[str, object]] = [{"scale": {"by": 1}}, {"restart": {}}]
    story.apply(approving(*steps, signals=[harness.saturation()], verify=verify))
    await story.until(lambda: bool(story.records()))
    decide(story, story.records()[0])
    await story.until(lambda: len(story.records()) == 3)

    assert story.phases() == [
        ("scale", Phase.UNHELPFUL),
        ("revert", Phase.SUCCEEDED),
        ("restart", Phase.AWAITING_APPROVAL),
    ]
    assert len(story.sent()) == 2


async def tell_with_a_death(at: int) -> tuple[faults_module.Point | None, Story]:
    """A question that is approved at once, with one death at a request."""
    async with harness.telling() as story:
        await asked(story)
        story.world.approvals.decide(story.records()[0])
        story.faults.crash_at(at)
        died_at = None
        for _ in range(80):
            story.notify()
            await story.run(5)
            counts = collections.Counter(story.sent())
            assert all(count == 1 for count in counts.values()), (at, died_at, counts)
            if not story.alive:
                died_at = story.faults.passed[-1]
                story.start()
            for record in story.records():
                place = (record.namespace, record.name)
                if record.awaiting and place not in story.world.approvals.stored:
                    story.world.approvals.decide(record)
            if any(record.phase is Phase.SUCCEEDED for record in story.records()):
                break
        return died_at, story


async def test_a_death_at_any_request_after_the_approval_leads_to_one_effect() -> None:
    """Given a death at request 1, 2, 3, ... after the approval, then it is done exactly once."""
    table: collections.Counter[str] = collections.Counter()
    for at in range(1, 60):
        died_at, story = await tell_with_a_death(at)
        where = f"death {at} at {died_at}: {story.phases()}"
        assert len(story.sent()) == 1, where
        assert story.image() == harness.GOOD, where
        said = [r.status.approval for r in story.records() if r.name in story.sent()]
        assert [each.by for each in said if each is not None] == ["ada"], where
        if died_at is None:
            break
        table[died_at] += 1
    wanted = {"read approval", "before update", "after update", "before send", "after send"}
    assert wanted | {"before answer", "after answer"} <= table.keys(), table


async def tell_with_a_death_before(at: int) -> tuple[faults_module.Point | None, Story]:
    """A question with one death at a request before it is asked; nobody ever approves it."""
    async with harness.telling() as story:
        await harness.bad_release(story, approving())
        story.faults.crash_at(at)
        died_at = None
        for _ in range(20):
            await story.run(5)
            if not story.alive:
                died_at = story.faults.passed[-1]
                story.start()
        return died_at, story


async def test_a_death_while_it_is_asked_leads_to_a_question_and_no_effect() -> None:
    """Given a death at request 1, 2, 3, ... of asking, then nothing is ever sent unapproved."""
    seen: set[str] = set()
    for at in range(1, 40):
        died_at, story = await tell_with_a_death_before(at)
        where = f"death {at} at {died_at}: {story.phases()}"
        assert story.sent() == [], where
        waiting = [each for each in story.records() if each.awaiting]
        assert len(waiting) == 1, where
        if died_at is None:
            break
        seen.add(died_at)
    assert {"before create", "after create", "before update", "after update"} <= seen


@pytest.mark.parametrize("error", [ports.ClusterError("no answer"), ports.Conflict("modified")])
async def test_a_question_whose_status_was_not_written_is_still_a_question(
    story: Story, error: ports.ClusterError
) -> None:
    """Given a record whose first status was lost, when the operator goes on, then it only asks.

    The default of a new record's phase is Pending: it must not be taken for an approved one.
    """
    story.faults.once(Point.BEFORE_UPDATE, error)
    record = await asked(story)
    await story.run(60)

    assert story.sent() == []
    assert story.phases() == ASKED
    decide(story, record)
    await story.until(lambda: story.phases() == DONE)
    assert story.sent() == [record.name]


async def test_a_plan_that_is_made_otherwise_now_is_not_done(story: Story) -> None:
    """Given an approved eviction of a pod, when that pod is gone, then no other one is evicted."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    (found,) = story.world.cluster.states(NAMESPACE)
    found.pods[0].created -= datetime.timedelta(hours=2)
    found.pods[1].created -= datetime.timedelta(hours=1)
    signal = {**harness.memory(), "prometheus": {"query": "app_memory_bytes"}}
    story.apply(approving({"evictPod": {}}, signals=[signal]))
    await story.until(lambda: bool(story.records()))
    (record,) = story.records()
    story.world.cluster.delete_pod(NAMESPACE, record.spec.effects[0].name)
    decide(story, record)
    await story.until(lambda: len(story.records()) == 2)

    assert story.sent() == []
    assert ended(again(story, record)) == (Phase.NOT_SENT, "PlanChanged")
    assert story.records()[1].spec.effects[0].name != record.spec.effects[0].name
