"""Harm is bounded: cooldown, hourly limits, shares, switches; each refusal tells its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story

Refused = reasons.Refused
FLEET = {"selector": {"matchLabels": {"tier": "web"}}}
FREE = {"cooldown": "0s", "maxPerHour": 60, "maxUnavailable": "100%", "stopWhenUnhealthy": "100%"}


def fleet(story: Story, size: int, sick: int = 0) -> list[model.Ref]:
    """Deployments ``web-0`` and so on, the first ``sick`` of them bad from the start."""
    return [
        story.world.cluster.add_deployment(
            NAMESPACE,
            f"web-{n}",
            f"shop/web:{'v2-bad' if n < sick else 'v1'}",
            labels={"tier": "web"},
            replicas=2,
        )
        for n in range(size)
    ]


def fleet_spec(**guards: Any) -> dict[str, Any]:
    """Restarts, which do not help a bad release; ``guards`` are added to very free ones."""
    return harness.spec({"restart": {}}, target=FLEET, guards={**FREE, **guards})


def acted_on(story: Story) -> list[str]:
    """Names of the targets of all effects, sorted."""
    return sorted(effect.target.name for effect, _ in story.world.cluster.sent)


async def test_a_policy_cools_down_between_two_actions(story: Story) -> None:
    """Given two sick targets, when one was restarted, then the other waits for the cooldown."""
    fleet(story, 2, sick=2)
    story.apply(fleet_spec(cooldown="90s"))
    await story.until(lambda: len(story.sent()) == 1)
    await story.run(60)
    waiting = next(each for each in story.status().sick if each.refused == Refused.COOLDOWN)
    assert "the cooldown is 90 s" in waiting.refusal
    await story.until(lambda: len(story.sent()) == 2, 60)

    first, second = story.records()
    between = second.spec.decided_at - first.spec.decided_at
    assert between.total_seconds() >= 90


async def test_the_policys_hourly_limit_holds_for_an_hour(story: Story) -> None:
    """Given two sick targets and one action an hour, then the second waits for the next hour."""
    fleet(story, 2, sick=2)
    story.apply({**fleet_spec(maxPerHour=1), "interval": "1m"})
    await story.until(lambda: len(story.sent()) == 1)
    await story.run(120)
    refused = {each.refused: each.refusal for each in story.status().sick}
    assert (
        refused.get(Refused.POLICY_HOURLY_LIMIT)
        == "1 actions of the policy in the last hour, the limit is 1"
    )
    story.resume()
    await story.run(3300)
    assert len(story.sent()) == 1
    await story.run(300)
    first, second = story.records()
    assert (second.spec.decided_at - first.spec.decided_at).total_seconds() >= 3600


LIMITS = {
    "namespace": (
        settings_module.Limits(actions_per_namespace_per_hour=2, unhelpful_before_latch=99),
        Refused.NAMESPACE_HOURLY_LIMIT,
        "2 actions in namespace shop in the last hour, the limit is 2",
    ),
    "cluster": (
        settings_module.Limits(actions_per_cluster_per_hour=2, unhelpful_before_latch=99),
        Refused.CLUSTER_HOURLY_LIMIT,
        "2 actions in the cluster in the last hour, the limit is 2",
    ),
}


@pytest.mark.parametrize(("limits", "refused", "message"), LIMITS.values(), ids=LIMITS.keys())
async def test_limits_above_policies_hold_over_all_of_them(
    limits: settings_module.Limits, refused: Refused, message: str
) -> None:
    """Given three policies that each may act, then all of them together act twice an hour."""
    async with harness.telling(settings_module.Settings(limits=limits)) as story:
        for ref in fleet(story, 3, sick=3):
            document = {**fleet_spec(), "target": {"name": ref.name}}
            story.apply(document, ref.name)
        await story.run(120)

        assert len(story.sent()) == 2
        told = {s.refused: s.refusal for n in range(3) for s in story.status(f"web-{n}").sick}
        assert message == told.get(refused)


async def test_a_cluster_limit_counts_other_namespaces() -> None:
    """Given an action in another namespace, then it counts for the cluster, not for this one."""
    limits = settings_module.Limits(actions_per_cluster_per_hour=1)
    async with harness.telling(settings_module.Settings(limits=limits)) as story:
        story.world.cluster.add_deployment("other", "checkout", harness.BAD)
        story.world.policies.apply("other", "checkout", harness.spec({"restart": {}}))
        await story.until(lambda: len(story.sent()) == 1)
        await harness.bad_release(story)
        await story.run(60)

        assert (len(story.sent()), story.sick().refused) == (1, Refused.CLUSTER_HOURLY_LIMIT)


async def test_only_so_many_targets_are_worked_on_at_once(story: Story) -> None:
    """Given eight sick targets of twenty and 10 %, then never more than two are in flight."""
    fleet(story, 20, sick=8)
    story.apply(fleet_spec(maxUnavailable="10%"))
    most, told = 0, ""
    for _ in range(60):
        await story.run(2)
        most = max(most, sum(record.in_flight for record in story.records()))
        waiting = [s.refusal for s in story.status().sick if s.refused == Refused.MAX_UNAVAILABLE]
        told = told or next(iter(waiting), "")

    assert (most, told) == (2, "2 of 20 targets in flight, 2 allowed (10%)")


async def test_nothing_is_done_when_most_are_sick_at_once(story: Story) -> None:
    """Given ten targets, when six fail at once, then the cause is elsewhere and none is touched."""
    refs = fleet(story, 10)
    story.apply(fleet_spec(stopWhenUnhealthy="20%"))
    await story.run(harness.QUIET)
    for ref in refs[:6]:
        story.world.apps.surge(ref, errors=0.3)
    await story.run(120)

    assert story.sent() == []
    refused = {each.refused for each in story.status().sick}
    assert {Refused.TOO_MANY_UNHEALTHY} == refused
    assert story.sick().refusal == "6 of 10 targets of this policy sick, 2 allowed (20%)"


async def test_nothing_is_done_when_half_can_not_be_seen(story: Story) -> None:
    """Given ten targets of which six fall silent, when one is sick, then it is left alone."""
    refs = fleet(story, 10)
    story.apply(fleet_spec())
    await story.run(harness.QUIET)
    for ref in refs[1:7]:
        story.release("shop/web:v2-mute", ref)
    await story.run(60)
    story.world.apps.surge(refs[0], errors=0.3)
    await story.run(60)

    assert story.sent() == []
    assert story.sick().refused == Refused.TOO_MANY_UNKNOWN
    assert story.sick().refusal == "6 of 10 targets are Unknown, half are allowed"


async def test_those_that_can_not_be_healed_do_not_stand_before_those_that_can(
    story: Story,
) -> None:
    """Given four sick targets without a known good release, then the fifth is still healed."""
    refs = fleet(story, 6, sick=4)
    for number in (3, 4, 5):
        for ref in refs[:4]:
            story.release(f"shop/web:v{number}-bad", ref)
        await story.run(15)
    story.apply({**fleet_spec(), "steps": [{"rollback": {}}]})
    await story.run(harness.QUIET)
    story.release("shop/web:v2-bad", refs[4])
    await story.until(lambda: bool(story.sent()))

    assert acted_on(story) == ["web-4"]
    told = {each.refused for each in story.status().sick}
    assert {"", Refused.NO_KNOWN_GOOD_REVISION} >= told


async def test_a_suspended_policy_only_looks(story: Story) -> None:
    """Given ``suspend: true``, when a bad release is made, then it is told and left alone."""
    await harness.bad_release(story, harness.spec(suspend=True))
    await story.run(120)
    assert (story.sent(), story.sick().refused) == ([], Refused.SUSPENDED)
    assert story.condition("Ready") == ("True", "Suspended")

    story.apply(harness.spec(suspend=False))
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_a_paused_operator_only_looks(story: Story) -> None:
    """Given the pause switch, when a bad release is made, then nothing is done until it is off."""
    story.world.cluster.pause("freeze for the sale")
    await harness.bad_release(story)
    await story.run(120)
    assert (story.sent(), story.sick().refused) == ([], Refused.PAUSED)
    assert story.sick().refusal == "freeze for the sale"

    story.world.cluster.resume()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_a_rollout_of_somebody_else_is_waited_for(story: Story) -> None:
    """Given a rollout under way that makes the target sick, then nothing is mixed into it."""
    ref = story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, startup_seconds=60
    )
    story.apply(harness.spec({"restart": {}}, signals=[harness.errors(hold="5s")]))
    await story.run(30)
    story.release(harness.BAD, ref)
    await story.run(100)

    assert (story.sent(), story.sick().refused) == ([], Refused.ROLLOUT_IN_PROGRESS)
    assert "replicas updated" in story.sick().refusal


async def test_a_budget_is_asked_before_an_eviction(story: Story) -> None:
    """Given a budget that allows no disruption, then no pod is evicted and its numbers are told."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=3)
    signal = harness.errors()
    for role, query in signal["ratio"].items():
        signal["ratio"][role] = query.replace("deployment", "pod")
    story.apply(harness.spec({"evictPod": {}}, signals=[signal]))
    await story.run(60)

    assert (story.sent(), story.sick().refused) == ([], Refused.DISRUPTION_BUDGET)
    numbers, _, server_said = story.sick().refusal.partition(": ")
    assert numbers == "PodDisruptionBudget checkout allows 0 disruptions (3 healthy, 3 needed)"
    assert server_said == "the disruption budget checkout needs 3 healthy pods and has 3"


REQUESTS = "sum(increase(app_http_requests_total{}[$window]))"
SHARE = {"bad": REQUESTS.replace("{}", '{code=~"5.."}'), "total": REQUESTS.replace("{}", "")}


async def test_who_has_no_error_budget_left_takes_no_risk(story: Story) -> None:
    """Given a bad release that has used the budget up, then only a lower objective lets it act."""
    stated = {"ratio": SHARE, "objective": 99.9, "window": "1m"}
    free = {"cooldown": "1m", "maxPerHour": 10}
    await harness.bad_release(story, harness.spec(guards={**free, "errorBudget": stated}))
    await story.until(lambda: [each.refused for each in story.status().sick] == ["ErrorBudget"])
    assert "% of the error budget are left" in story.sick().refusal
    assert story.sent() == []

    story.apply(harness.spec(guards={**free, "errorBudget": {**stated, "objective": 10}}))
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_an_error_budget_that_nobody_knows_is_none(story: Story) -> None:
    """Given a query without data, then nothing is done, and it is said why."""
    stated = {"query": "sum(there_is_none)", "objective": 99}
    await harness.bad_release(story, harness.spec(guards={"errorBudget": stated}))
    await story.until(lambda: [each.refused for each in story.status().sick] == ["ErrorBudget"])
    assert story.sick().refusal == "nobody knows what is left of the error budget: no data"
    assert story.sent() == []
