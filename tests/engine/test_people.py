"""Policies that are edited, deleted, made again; two of them on one target; broken watches."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core import objects
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
Point = faults_module.Point
KEY = objects.Key(NAMESPACE, "checkout")


async def die_in(story: Story, phase: Phase, point: Point) -> None:
    """Given a bad release, when the operator reaches ``point`` in ``phase``, then it has died."""

    def watch(reached: Point) -> None:
        if reached is point and any(record.phase is phase for record in story.records()):
            story.faults.watch = lambda _: None
            story.faults.once(point, faults_module.Crash(f"in {phase}"))

    story.faults.watch = watch
    await harness.bad_release(story)
    await story.until(lambda: story.deaths == 1)


MOMENTS = {
    "PENDING": (Phase.PENDING, Point.LIVE_STATE, Phase.NOT_SENT, harness.BAD),
    "ACTING, not sent": (Phase.ACTING, Point.BEFORE_SEND, Phase.NOT_SENT, harness.BAD),
    "ACTING, sent": (Phase.ACTING, Point.AFTER_SEND, Phase.UNPROVEN, harness.GOOD),
    "VERIFYING": (Phase.VERIFYING, Point.BEFORE_POLICY_STATUS, Phase.UNPROVEN, harness.GOOD),
}


@pytest.mark.parametrize(
    ("phase", "point", "closed", "image"), MOMENTS.values(), ids=MOMENTS.keys()
)
async def test_a_policy_deleted_in_mid_flight_does_and_undoes_nothing_more(
    story: Story, phase: Phase, point: Point, closed: Phase, image: str
) -> None:
    """Given an unfinished record, when its policy is deleted, then it is closed and that is all."""
    await die_in(story, phase, point)
    assert [phase] == [record.phase for record in story.records()]
    story.delete()
    sent = len(story.sent())
    story.start()
    await story.run(150)

    assert [("rollback", closed)] == story.phases()
    assert (sent, image, []) == (len(story.sent()), story.image(), story.pages())


BROKEN = harness.spec(
    signals=[{**harness.errors(), "prometheus": {"query": "sum("}, "ratio": None}]
)
"""A policy whose query nobody can parse."""
UNJUDGED = {
    "PENDING": (Phase.PENDING, Point.LIVE_STATE, Phase.NOT_SENT, "PolicyInvalid"),
    "ACTING, not sent": (Phase.ACTING, Point.BEFORE_SEND, Phase.NOT_SENT, "NotSent"),
    "ACTING, sent": (Phase.ACTING, Point.AFTER_SEND, Phase.UNPROVEN, "PolicyInvalid"),
    "VERIFYING": (Phase.VERIFYING, Point.BEFORE_POLICY_STATUS, Phase.UNPROVEN, "PolicyInvalid"),
}


@pytest.mark.parametrize(("phase", "point", "closed", "reason"), UNJUDGED.values(), ids=UNJUDGED)
async def test_a_policy_that_cant_be_evaluated_any_more_leaves_no_record_unfinished(
    story: Story, phase: Phase, point: Point, closed: Phase, reason: str
) -> None:
    """Given an unfinished record, when its policy is broken, then it ends; unproven pages once."""
    await die_in(story, phase, point)
    assert [phase] == [record.phase for record in story.records()]
    story.apply(BROKEN)
    story.start()
    await story.run(1500)

    assert [("rollback", closed)] == story.phases()
    assert reason == story.records()[0].status.reason
    assert ("False", "InvalidSpec") == story.condition("Ready")
    assert (1 if closed is Phase.UNPROVEN else 0) == len(story.pages())


async def test_what_nobody_knows_calls_a_person_for_a_broken_policy_too(story: Story) -> None:
    """Given a lost answer and a target that was changed since, then no pass has to tell of it."""
    await die_in(story, Phase.ACTING, Point.AFTER_SEND)
    story.world.cluster.edit(
        CHECKOUT, lambda each: each["metadata"]["annotations"].pop(objects.MARK)
    )
    story.apply(BROKEN)
    story.start()
    await story.run(600)

    assert [("rollback", Phase.UNKNOWN)] == story.phases()
    assert harness.names(story.records()) == story.pages()


async def test_a_policy_that_is_mended_in_time_proves_what_it_has_done(story: Story) -> None:
    """Given a policy broken while it verifies, when it is mended, then its action is proved."""
    await harness.bad_release(story)
    await story.until(lambda: [Phase.VERIFYING] == [each.phase for each in story.records()])
    story.apply(BROKEN)
    await story.run(10)
    assert [("rollback", Phase.VERIFYING)] == story.phases()
    story.apply(harness.spec())
    await story.run(60)

    assert [("rollback", Phase.SUCCEEDED)] == story.phases()
    assert [] == story.pages()


async def test_a_policy_deleted_behind_a_broken_watch_is_read_before_an_action(
    story: Story,
) -> None:
    """Given a watch that still shows a deleted policy, then the live read stops the action."""
    await harness.bad_release(story)
    await story.run(harness.RELIST_SECONDS - harness.QUIET + 2)
    story.world.policies.break_watch()
    story.world.policies.delete(KEY)
    await story.run(40)

    assert (story.sent(), story.phases()) == ([], [])
    assert Point.READ_POLICY in story.faults.passed


async def test_a_deleted_policy_is_forgotten_after_one_re_list(story: Story) -> None:
    """Given a broken watch, when the re-list shows the deletion, then no pass is made any more."""
    await harness.bad_release(story)
    story.world.policies.break_watch()
    story.world.policies.delete(KEY)
    await story.run(harness.RELIST_SECONDS + 10)
    asked = len(story.metrics.asked)
    await story.run(60)

    assert (asked, []) == (len(story.metrics.asked), story.sent())


async def test_a_policy_created_behind_a_broken_watch_is_found_by_the_re_list(
    story: Story,
) -> None:
    """Given a watch that shows nothing, when the re-list finds a policy, then it is evaluated."""
    story.world.policies.break_watch()
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.policies.apply(NAMESPACE, "checkout", harness.spec())
    await story.run(2 * harness.RELIST_SECONDS + 10)

    assert story.condition("Ready") == ("True", "Healthy")


async def test_a_policy_edited_between_decision_and_action_is_not_carried_out(
    story: Story,
) -> None:
    """Given a decision, when the policy is edited before the intent is written, then it waits."""
    await harness.bad_release(story)
    edited = harness.spec({"restart": {}}, signals=[harness.errors(hold="2m")])

    def watch(point: Point) -> None:
        if point is Point.READ_POLICY:
            story.faults.watch = lambda _: None
            story.world.policies.apply(NAMESPACE, "checkout", edited)

    story.faults.watch = watch
    await story.run(90)
    assert (story.sent(), story.phases()) == ([], [])
    await story.until(lambda: bool(story.sent()))
    assert [record.spec.action for record in story.records()] == ["restart"]


async def test_a_pending_record_of_an_edited_policy_is_closed(story: Story) -> None:
    """Given an intent and no effect, when the policy is edited meanwhile, then it is not sent."""
    await die_in(story, Phase.PENDING, Point.LIVE_STATE)
    story.apply(harness.spec(suspend=True))
    story.start()
    await story.run(60)

    record = story.records()[0]
    assert (record.phase, record.status.reason) == (Phase.NOT_SENT, Refused.PLAN_CHANGED)
    assert story.sent() == []


async def test_a_pending_record_of_a_target_that_recovered_is_closed(story: Story) -> None:
    """Given an intent and no effect, when the target is well meanwhile, then it is not sent."""
    await die_in(story, Phase.PENDING, Point.LIVE_STATE)
    story.world.apps.surge(CHECKOUT, errors=0.0)
    await story.run(30)
    story.start()
    await story.run(60)

    assert [("rollback", Phase.NOT_SENT)] == story.phases()
    assert story.sent() == []


async def test_a_policy_made_again_is_not_judged_by_the_old_ones_queries(story: Story) -> None:
    """Given a policy made again with other queries between two passes, then those are asked."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    story.apply(harness.spec({"restart": {}}, signals=[harness.errors(above=0.9)]))
    await story.run(30)
    assert story.condition("Ready") == ("True", "Healthy")
    story.world.policies.delete(KEY)
    new = story.apply(harness.spec({"restart": {}}))
    assert new.generation == 1
    await story.until(lambda: bool(story.sent()), 60)

    assert new.uid == story.records()[0].spec.policy.uid


async def test_re_creating_a_policy_clears_no_limit(story: Story) -> None:
    """Given a policy that has acted, when it is made again, then its cooldown and limits go on."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    document = harness.spec({"restart": {}}, guards={"cooldown": "1m", "maxPerHour": 1})
    story.apply(document)
    await story.until(lambda: bool(story.sent()))
    story.delete()
    await story.run(65)
    story.apply(document)
    await story.run(120)

    assert (len(story.sent()), story.sick().refused) == (1, Refused.POLICY_HOURLY_LIMIT)
    assert story.sick().refusal == "1 actions of the policy in the last hour, the limit is 1"


async def test_two_policies_on_one_target_act_one_at_a_time(story: Story) -> None:
    """Given two policies that want to act on one target at once, then one does, the other waits."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    document = harness.spec({"restart": {}}, verify={"within": "30s", "otherwise": "Escalate"})
    for name in ("one", "two"):
        story.apply(document, name)
    await story.until(lambda: bool(story.sent()))
    await story.run(5)

    assert len(story.sent()) == 1
    refused = {each.refused for name in ("one", "two") for each in story.status(name).sick}
    assert {Refused.IN_FLIGHT, Refused.NOT_HELD} & refused
    for _ in range(30):
        await story.run(2)
        assert sum(record.in_flight for record in story.records()) <= 1


async def test_a_resumed_policy_has_its_status_written_although_a_write_was_lost(
    story: Story,
) -> None:
    """Given a status write that lost a race with an annotation, then it is written again."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())

    def watch(point: Point) -> None:
        now = story.world.clock.now()
        if point is Point.BEFORE_POLICY_STATUS:
            story.world.policies.annotate(KEY, "example.com/note", f"by a person at {now}")

    story.faults.watch = watch
    await story.run(30)
    assert story.status().conditions == []
    story.faults.watch = lambda _: None
    await story.run(10)

    assert story.condition("Ready") == ("True", "Healthy")


async def test_an_invalid_policy_is_told_and_left(story: Story) -> None:
    """Given a query that can't be parsed, then the policy is Stalled until it is mended."""
    bad: dict[str, Any] = {**harness.memory(), "prometheus": {"query": "sum by ("}}
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec(signals=[bad]))
    await story.run(10)
    assert story.condition("Ready") == ("False", "InvalidSpec")
    assert story.condition("Stalled") == ("True", "InvalidSpec")

    story.apply(harness.spec())
    await story.run(20)
    assert story.condition("Ready") == ("True", "Healthy")
    assert story.condition("Stalled") == ("False", "NotLatched")


async def test_deleted_and_forgotten_policies_leave_no_series(story: Story) -> None:
    """Given a deleted policy, then the operator's own metrics do not speak of it any more."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    await story.run(20)
    telemetry = story.world.telemetry
    assert telemetry.value("prunella_targets", policy="checkout", verdict="Healthy") == 1
    story.delete()
    await story.run(10)

    assert telemetry.value("prunella_targets", policy="checkout", verdict="Healthy") == 0


async def test_a_replaced_target_is_another_target(story: Story) -> None:
    """Given an action under proof, when the target is deleted and made again, then it is ended."""
    await harness.bad_release(story, harness.spec({"restart": {}}))
    await story.until(lambda: bool(story.sent()))
    story.world.cluster.delete(CHECKOUT)
    await story.run(2)
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(minutes=1)
    )
    await story.run(120)

    assert story.phases() == [("restart", Phase.SUPERSEDED)]
    assert story.condition("Ready") == ("True", "Healthy")
