"""What health costs: nothing but the queries; and how soon sickness is acted on."""

from __future__ import annotations

import collections
import random

import pytest

from prunella.adapters.simulated import faults as faults_module
from prunella.engine import loop
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Point = faults_module.Point


async def test_a_healthy_policy_costs_no_request_to_the_api_server(story: Story) -> None:
    """Given healthy targets, when minutes pass, then nothing is read, looked at or written.

    But the switches: the pause once in 10 s for all, each namespace once in 30 s.
    """
    for name in ("checkout", "cart", "search"):
        story.world.cluster.add_deployment(NAMESPACE, name, harness.GOOD)
        story.apply(harness.spec(target={"name": name}), name)
    await story.run(60)
    before = len(story.faults.passed)
    await story.run(300)

    passed = collections.Counter(story.faults.passed[before:])
    assert {Point.PAUSED: 30, Point.FREEZE: 10} == passed


REFUSED = {
    "suspended": harness.spec(suspend=True),
    "no step left": harness.spec({"scale": {"to": 3}}),
    "advice was given": harness.spec({"restart": {}}, mode="Advise"),
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED.keys())
async def test_a_sick_target_that_is_left_alone_costs_no_write(
    story: Story, document: dict[str, object]
) -> None:
    """Given a target that stays sick and refused, when minutes pass, then nothing is written."""
    await harness.bad_release(story, document)
    await story.run(120)
    before = len(story.faults.passed)
    await story.run(180)

    writes = [point for point in story.faults.passed[before:] if point.startswith("before")]
    assert [point for point in writes if point is not Point.BEFORE_SEND] == []


async def test_each_distinct_query_is_asked_at_most_twice_a_round(story: Story) -> None:
    """Given two policies with the same ratio, then its two queries cost four requests a round."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    for name in ("one", "two"):
        story.apply(harness.spec(), name)
    await story.run(30)
    story.metrics.asked.clear()
    await story.run(60)

    rounds = collections.Counter(time for time, _ in story.metrics.asked)
    assert len(rounds) == 12, "aligned: both policies at the same moments, once each"
    assert {4} == set(rounds.values()), "two queries, each with one for its age"
    each = collections.Counter(story.metrics.asked)
    assert {1} == set(each.values())


async def test_other_namespaces_are_due_at_other_moments(story: Story) -> None:
    """Given policies in many namespaces, then their rounds are spread over the interval."""
    now = story.world.clock.now()
    moments = {loop.aligned(now, 30.0, f"team-{n}") for n in range(20)}

    assert len(moments) > 15
    assert all(0 < (moment - now).total_seconds() <= 30 for moment in moments)


@pytest.mark.parametrize("interval", [5.0, 7.0, 15.0, 30.0, 3600.0])
async def test_the_next_round_is_a_whole_interval_later(story: Story, interval: float) -> None:
    """Given an aligned moment, then the next one is exactly one interval later, never itself."""
    moment = loop.aligned(story.world.clock.now(), interval, "shop")
    for _ in range(50):
        following = loop.aligned(moment, interval, "shop")
        assert interval == (following - moment).total_seconds()
        moment = following


@pytest.mark.parametrize("seed", range(16))
async def test_from_the_first_bad_scrape_to_the_effect(seed: int) -> None:
    """Given a fault at any moment, then the effect comes within for + one interval + 1 s."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    hold, interval = chance.choice([5, 10, 15]), chance.choice([5, 6, 10])
    async with harness.telling() as story:
        story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
        signal = harness.saturation(hold=f"{hold}s")
        document = harness.spec({"restart": {}}, signals=[signal], interval=f"{interval}s")
        await story.run(chance.uniform(0, 5))
        story.apply(document)
        await story.run(20 + chance.uniform(0, 10))
        story.world.apps.surge(CHECKOUT, load=9.0)
        now = story.world.clock.now().timestamp()
        first_bad_scrape = now + 5 - (now % 5)
        await story.until(lambda: bool(story.sent()), 40)

        sent_at = story.records()[0].sent_at
        assert sent_at is not None
        took = sent_at.timestamp() - first_bad_scrape
        assert hold <= took <= hold + interval + 1


async def test_proof_needs_samples_of_different_scrapes(story: Story) -> None:
    """Given passes that follow each other at once, then they are one sample and prove nothing."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    while [record.phase for record in story.records()] == [Phase.VERIFYING]:
        story.notify()
        await story.run(0.5)
    verification = story.records()[0].status.verification
    finished = story.records()[0].status.finished_at
    assert verification is not None
    assert verification.counts_from is not None
    assert finished is not None
    assert (finished - verification.counts_from).total_seconds() >= 2.5
