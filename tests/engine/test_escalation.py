"""Sick and left alone: a person is called once, with the refusal; what helps too often stops."""

from __future__ import annotations

import datetime
from typing import Any

from prunella.api import reasons
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
SOON = {"escalateAfter": "2m"}


def escalations(story: Story) -> list[tuple[str, str]]:
    """Target and record of each call; the record is empty where there is none."""
    return [(each.target.name, each.record) for each in story.world.notifier.escalations]


def without_a_good_release(story: Story, **changes: Any) -> None:
    """Given a target that was never Healthy, under a policy that can only roll back."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    story.apply(harness.spec(**{**SOON, **changes}))


async def test_a_person_is_called_once_when_every_action_is_refused(story: Story) -> None:
    """Given nothing to roll back to, when two minutes pass, then one call says why."""
    without_a_good_release(story)
    await story.until(lambda: bool(story.status().sick and story.sick().refused))
    await story.run(110)
    assert [] == escalations(story)
    await story.run(300)

    assert [("checkout", "")] == escalations(story)
    (call,) = story.world.notifier.escalations
    assert f"{Refused.NO_KNOWN_GOOD_REVISION}: " in call.description
    assert "Deployment/checkout is Unhealthy and nothing has been done about it" in call.description
    assert ("False", Refused.NO_KNOWN_GOOD_REVISION) == story.condition("Ready")
    assert ("True", Refused.NO_KNOWN_GOOD_REVISION) == story.condition("Escalated")
    assert 1 == story.world.notifier.reasons.count("Escalated")
    assert 1 == story.world.telemetry.value("prunella_escalations_total")


async def test_an_operator_that_dies_calls_nobody_twice_and_waits_no_longer(story: Story) -> None:
    """Given restarts before and after the call, then there is one call, and it is in time."""
    without_a_good_release(story)
    await story.until(lambda: bool(story.status().unattended))
    since = story.status().unattended[0].since
    await story.run(60)
    story.kill()
    story.start()
    await story.until(lambda: bool(escalations(story)))
    waited = story.world.clock.now() - since
    assert waited <= datetime.timedelta(seconds=130)
    await story.run(10)
    for _ in range(3):
        story.kill()
        story.start()
        await story.run(200)

    assert [("checkout", "")] == escalations(story)
    assert since == story.status().unattended[0].since


async def test_it_ends_when_the_target_recovers_and_the_next_time_calls_again(
    story: Story,
) -> None:
    """Given a call, when a person mends the target, then all is well; a new fault calls anew."""
    without_a_good_release(story, steps=[{"rollback": {"whenChangedWithin": "10s"}}])
    await story.until(lambda: bool(escalations(story)))
    assert Refused.NOT_CHANGED_RECENTLY == story.sick().refused
    story.release(harness.GOOD)
    await story.until(lambda: story.condition("Ready") == ("True", "Healthy"))
    assert ([], ("False", "NothingToEscalate")) == (
        story.status().unattended,
        story.condition("Escalated"),
    )
    await story.run(60)
    story.world.apps.surge(CHECKOUT, errors=0.3)
    await story.until(lambda: len(escalations(story)) == 2)

    assert [] == story.sent()


async def test_a_call_that_does_not_arrive_is_made_again(story: Story) -> None:
    """Given an Alertmanager that is down, then each pass tries, and one call arrives."""
    without_a_good_release(story)
    story.world.notifier.broken = True
    await story.until(
        lambda: (story.world.telemetry.value("prunella_escalation_failures_total") or 0) >= 3
    )
    assert story.status().unattended[0].called_at is None
    assert ("True", Refused.NO_KNOWN_GOOD_REVISION) == story.condition("Escalated")
    story.world.notifier.broken = False
    await story.run(60)

    assert [("checkout", "")] == escalations(story)
    assert story.status().unattended[0].called_at is not None


async def test_what_a_person_has_stopped_calls_nobody(story: Story) -> None:
    """Given a pause, then a suspended policy, when the target stays sick, then nobody is called."""
    story.world.cluster.pause("freeze")
    without_a_good_release(story)
    await story.run(300)
    assert ([], []) == (escalations(story), story.status().unattended)
    story.world.cluster.resume()
    story.apply(harness.spec(suspend=True, **SOON))
    await story.run(300)
    assert ([], []) == (escalations(story), story.status().unattended)


async def test_what_a_machine_undoes_calls_a_person(story: Story) -> None:
    """Given a controller that writes its own template back, then the undone action is told."""
    await harness.bad_release(story, harness.spec(**SOON))
    await story.until(lambda: bool(story.sent()))
    await story.run(2)
    story.release("shop/checkout:v3-bad")
    await story.until(lambda: story.phases() == [("rollback", Phase.SUPERSEDED)])
    await story.until(lambda: bool(escalations(story)))

    assert [("checkout", "")] == escalations(story)
    assert Refused.CHANGED_BY_OTHERS == story.status().unattended[0].refused


async def test_attempts_that_are_never_sent_call_a_person(story: Story) -> None:
    """Given a dry run that passes and a patch that never does, then the loop does not hide it."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    story.apply(harness.spec({"restart": {}}, **SOON))

    def fight(point: harness.faults_module.Point) -> None:
        live = any(each.phase is Phase.PENDING for each in story.records())
        if live and point is harness.faults_module.Point.LIVE_STATE:
            story.world.cluster.scale(CHECKOUT, 4 + len(story.records()) % 2)

    story.faults.watch = fight
    await story.until(lambda: bool(escalations(story)), 900)

    assert [] == story.sent()
    assert {("restart", Phase.NOT_SENT)} == set(story.phases())
    assert 1 == len(escalations(story))


def leaking(story: Story, **changes: Any) -> None:
    """Given a leak that a restart helps against for a quarter of an hour."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    signals = [harness.memory()]
    story.apply(harness.spec({"restart": {}}, signals=signals, interval="30s", **changes))


async def test_the_fifth_restart_of_a_day_is_left_to_a_person(story: Story) -> None:
    """Given a leak that each restart helps, then after four a person is called, and once."""
    leaking(story)
    await story.until(lambda: bool(escalations(story)), 8000)
    assert [("restart", Phase.SUCCEEDED)] * 4 == story.phases()
    assert [("checkout", "")] == escalations(story)
    await story.run(2 * 86_400)

    assert 4 == len(story.sent())
    assert [("checkout", "")] == escalations(story)
    assert ("False", Refused.SAME_REMEDY_LIMIT) == story.condition("Ready")
    told = story.sick().refusal
    assert "restart was done 4 times to Deployment/checkout in 24 h, the limit is 4" in told


async def test_resume_lets_the_same_remedy_go_on(story: Story) -> None:
    """Given a stopped remedy, when a person resumes the policy, then it is done again, N times."""
    leaking(story, guards={"cooldown": "1m", "maxPerHour": 10, "maxSameRemedyPerDay": 2})
    await story.until(lambda: bool(escalations(story)), 5000)
    assert 2 == len(story.sent())
    story.resume()
    await story.until(lambda: len(story.sent()) == 3)
    await story.until(lambda: len(escalations(story)) == 2, 5000)

    assert 4 == len(story.sent())
