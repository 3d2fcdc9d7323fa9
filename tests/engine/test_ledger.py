"""The ledger as lock and memory: no action without a record, and none that is repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from prunella import ports, wiring
from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import ledger as ledger_module
from prunella.api import reasons
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story

Refused = reasons.Refused
Point = faults_module.Point


class StaleLedger(ledger_module.SimulatedLedger):
    """A reader that is always behind: it sees no record but its own."""

    async def refresh(self, namespace: str) -> None:
        """Answered by a cache that never changes."""
        del namespace


async def test_a_stale_reader_does_not_get_the_name(story: Story) -> None:
    """Given two operators of which one sees no records, then the name is the lock on the target."""
    await harness.bad_release(story)
    seen: Any = story._as_seen_by_the_operator()
    stale = StaleLedger(story.world.ledger_server)
    stale.break_watch()
    seen.ledger = stale
    second = wiring.simulated(seen)

    async def relist() -> None:
        return

    running = asyncio.create_task(second.run(relist, 60))
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    second.stop()
    await story.run(1)
    await running

    assert len(story.sent()) == 1


async def test_two_operators_at_once_do_one_thing(story: Story) -> None:
    """Given two whole operators, as in a rollout of the operator, then one effect is sent."""
    await harness.bad_release(story)
    seen: Any = story._as_seen_by_the_operator()
    seen.ledger = ledger_module.SimulatedLedger(story.world.ledger_server)
    second = wiring.simulated(seen)

    async def relist() -> None:
        return

    running = asyncio.create_task(second.run(relist, 60))
    await story.run(150)
    second.stop()
    await story.run(1)
    await running

    assert story.phases() == [("rollback", Phase.SUCCEEDED)]
    assert len(story.sent()) == 1


async def test_limits_count_what_a_broken_watch_does_not_show(story: Story) -> None:
    """Given an operator that saw no earlier record, then it reads them before it acts."""
    for name in ("a", "b"):
        story.world.cluster.add_deployment(NAMESPACE, name, harness.BAD, labels={"tier": "web"})
    target = {"selector": {"matchLabels": {"tier": "web"}}}
    guards = {"cooldown": "0s", "maxPerHour": 1, "maxUnavailable": 2, "stopWhenUnhealthy": 2}
    story.apply(harness.spec({"restart": {}}, target=target, guards=guards))
    behind = ledger_module.SimulatedLedger(story.world.ledger_server)
    behind.break_watch()
    await story.until(lambda: len(story.sent()) == 1)
    story.kill()
    seen: Any = story._as_seen_by_the_operator()
    seen.ledger = behind
    second = wiring.simulated(seen)

    async def relist() -> None:
        return

    running = asyncio.create_task(second.run(relist, 60))
    await story.run(120)
    second.stop()
    await story.run(1)
    await running

    assert len(story.sent()) == 1
    assert Refused.POLICY_HOURLY_LIMIT in {each.refused for each in story.status().sick}


async def test_no_record_no_action(story: Story) -> None:
    """Given no right to create records, then nothing is done, and that is the reason told."""
    story.world.ledger.deny_create()
    await harness.bad_release(story)
    await story.run(120)

    assert (story.sent(), story.phases()) == ([], [])
    assert story.sick().refused == Refused.LEDGER_UNAVAILABLE
    assert story.sick().refusal == "no record, no action: remediations.prunella.dev is forbidden"


WRITES = {
    "first status": 1,
    "sentAt": 2,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_lost_race_before_the_effect_means_no_effect(story: Story, write: int) -> None:
    """Given a conflict on a write before the effect, then it is not sent by that attempt."""
    await harness.bad_release(story)
    count = 0
    before: list[str] = []

    def watch(point: Point) -> None:
        nonlocal count
        count += point is Point.BEFORE_UPDATE
        if count == write:
            story.faults.watch = lambda _: None
            before.extend(story.sent())
            raise ports.Conflict("the object has been modified", status=409)

    story.faults.watch = watch
    await story.until(lambda: count == write)
    assert before == []
    await story.run(150)

    assert story.phases() == [("rollback", Phase.SUCCEEDED)], "taken up from the record"
    assert len(story.sent()) == 1


async def test_an_effect_whose_answer_was_lost_is_settled_by_looking(story: Story) -> None:
    """Given an effect that happened and whose answer was lost, then its mark settles it."""
    await harness.bad_release(story)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("rollback", Phase.ACTING)])
    assert len(story.sent()) == 1
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])

    assert (len(story.sent()), story.records()[0].status.effects[0].outcome) == (1, "Effective")


async def test_an_effect_that_never_arrived_is_closed_and_tried_by_a_new_record(
    story: Story,
) -> None:
    """Given a request that was lost on its way, then it is NotSent, and a new record heals."""
    await harness.bad_release(story)

    def watch(point: Point) -> None:
        acting = any(record.phase is Phase.ACTING for record in story.records())
        if point is Point.BEFORE_SEND and acting:
            story.faults.watch = lambda _: None
            raise ports.OutcomeUnknown("the connection broke")

    story.faults.watch = watch
    await story.run(180)

    expected = [("rollback", Phase.NOT_SENT), ("rollback", Phase.SUCCEEDED)]
    assert expected == story.phases()
    assert len(story.sent()) == 1


async def test_an_api_server_that_is_down_is_waited_for(story: Story) -> None:
    """Given no API server when the target is sick, then nothing is sent until it is back."""
    await harness.bad_release(story)
    story.faults.unreachable()
    await story.run(120)
    assert (story.sent(), story.phases()) == ([], [])
    story.faults.heal()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_an_onset_that_was_interrupted_does_not_live_on_through_errors(
    story: Story,
) -> None:
    """Given an API server that is down, when another target recovers meanwhile, it begins anew."""
    first = story.world.cluster.add_deployment(NAMESPACE, "a", harness.GOOD, labels={"t": "w"})
    second = story.world.cluster.add_deployment(NAMESPACE, "b", harness.GOOD, labels={"t": "w"})
    document = harness.spec(
        {"restart": {}},
        target={"selector": {"matchLabels": {"t": "w"}}},
        signals=[{**harness.saturation(hold="30s")}],
        guards={"cooldown": "0s", "maxUnavailable": 2, "stopWhenUnhealthy": 2},
    )
    story.apply(document)
    story.world.apps.surge(first, load=9)
    await story.run(20)
    story.world.apps.surge(second, load=9)
    await story.run(10)
    story.faults.unreachable()
    await story.run(15)
    story.world.apps.surge(second)
    await story.run(15)
    story.world.apps.surge(second, load=9)
    again = story.world.clock.now()
    await story.run(15)
    story.faults.heal()
    await story.run(60)

    decided = {r.target.name: r.spec.decided_at for r in story.records()}
    assert {"a", "b"} == set(decided)
    assert (decided["b"] - again).total_seconds() >= 30


async def test_retention_deletes_what_is_old_and_never_the_newest() -> None:
    """Given records older than any window, then all but the target's newest are deleted.

    The longest window is the day in which the same remedy is counted.
    """
    settings = settings_module.Settings(record_retention_seconds=60)
    async with harness.telling(settings) as story:
        await harness.bad_release(story, harness.spec(mode="Advise"))
        for image in (harness.GOOD, harness.BAD):
            await story.run(60)
            story.release(image)
        await story.run(60)
        assert [record.spec.attempt for record in story.records()] == [1, 2]
        story.apply(harness.spec(mode="Advise", interval="10m"))
        await story.run(85_000)
        assert [record.spec.attempt for record in story.records()] == [1, 2, 3]
        await story.run(2_000)
        assert [record.spec.attempt for record in story.records()] == [3]
