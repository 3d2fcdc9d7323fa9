"""Scoped pauses and freezes: nothing is sent, each status tells why, and it goes on afterwards."""

from __future__ import annotations

import datetime

import pytest

from prunella import ports
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core.decisions import halts
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused, Point = reasons.Refused, faults_module.Point
ON, OFF = halts.Freeze(label="true"), halts.NOT_FROZEN


def mark(story: Story, value: str | None) -> None:
    """Freeze or release the target, as a person does."""

    def change(manifest: dict) -> None:  # type: ignore[type-arg]
        notes = manifest["metadata"].setdefault("annotations", {})
        notes.pop(halts.FREEZE, None)
        if value is not None:
            notes[halts.FREEZE] = value

    story.world.cluster.edit(CHECKOUT, change)


HOW = {
    "the namespace is paused": (
        lambda story: story.world.cluster.pause("sale", halts.scope(NAMESPACE)),
        lambda story: story.world.cluster.resume(),
        Refused.PAUSED,
    ),
    "the policy is paused": (
        lambda story: story.world.cluster.pause("sale", halts.scope(NAMESPACE, "checkout")),
        lambda story: story.world.cluster.resume(),
        Refused.PAUSED,
    ),
    "the namespace is frozen": (
        lambda story: story.world.cluster.freezes.update({NAMESPACE: ON}),
        lambda story: story.world.cluster.freezes.update({NAMESPACE: OFF}),
        Refused.FROZEN,
    ),
    "the target is frozen": (
        lambda story: mark(story, "true"),
        lambda story: mark(story, None),
        Refused.FROZEN,
    ),
    "the value is malformed": (
        lambda story: mark(story, "yes"),
        lambda story: mark(story, "false"),
        Refused.FROZEN,
    ),
}


@pytest.mark.parametrize(("stop", "go", "reason"), HOW.values(), ids=HOW)
async def test_nothing_is_done_until_it_is_lifted(
    story: Story, stop: object, go: object, reason: Refused
) -> None:
    """Given a stop, then a bad release is told and left alone, nobody is called; then it heals."""
    await harness.bad_release(story, harness.spec(escalateAfter="1m"))
    stop(story)  # type: ignore[operator]
    await story.run(120)
    assert ([], reason) == (story.sent(), story.sick().refused)
    assert ("True", reason) == story.condition("Paused")
    assert [] == story.world.notifier.escalations

    go(story)  # type: ignore[operator]
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    await story.run(60)
    assert "Paused" not in {each.type for each in story.status().conditions}


async def test_each_status_tells_of_a_pause_healthy_or_not(story: Story) -> None:
    """Given a healthy target, when its namespace is paused, then the status says so and why."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    await story.run(30)
    story.world.cluster.pause("sale", halts.scope(NAMESPACE))
    await story.run(20)

    told = {each.type: (each.reason, each.message) for each in story.status().conditions}
    assert ("Paused", "namespace shop is paused: sale") == told["Paused"]
    assert "Healthy" == told["Ready"][0]


async def test_another_scope_stops_nothing(story: Story) -> None:
    """Given a pause of another policy and another namespace, then this one heals."""
    for scope in (halts.scope("cart"), halts.scope(NAMESPACE, "other")):
        story.world.cluster.pause("not you", scope)
    story.world.cluster.freezes["cart"] = ON
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_a_freeze_ends_by_itself(story: Story) -> None:
    """Given a freeze until a time, then the policy acts after it and not before."""
    await harness.bad_release(story)
    end = story.world.clock.now() + datetime.timedelta(minutes=2)
    mark(story, halts.moment(end))
    await story.until(lambda: bool(story.sent()))

    assert 0 <= (story.world.clock.now() - end).total_seconds() <= 10


async def test_an_unreadable_namespace_counts_as_frozen(story: Story) -> None:
    """Given an API server that does not show the namespace, then nothing is done, and why."""
    story.faults.always(Point.FREEZE, ports.ClusterError("status 500"))
    await harness.bad_release(story)
    await story.run(120)

    assert ([], Refused.FROZEN) == (story.sent(), story.sick().refused)
    assert "can't read whether namespace shop is frozen: status 500" == story.sick().refusal


@pytest.mark.parametrize("how", ["pause", "freeze"])
async def test_what_is_stopped_while_it_is_planned_is_not_sent(story: Story, how: str) -> None:
    """Given a stop after the record was made and the world was read anew, then nothing is sent."""
    looks = 0

    def watch(point: Point) -> None:
        nonlocal looks
        made = any(record.phase is Phase.PENDING for record in story.records())
        # The last look of the second planning: the switches were read before it.
        if made and point is Point.LIVE_STATE:
            story.faults.watch = lambda _: None
            if how == "pause":
                story.world.cluster.pause("stop")
            else:
                story.world.cluster.freezes[NAMESPACE] = ON

    story.faults.watch = watch
    await harness.bad_release(story)
    await story.until(lambda: bool(story.records()) and story.records()[0].phase.final)

    reason = Refused.PAUSED if how == "pause" else Refused.FROZEN
    assert [("rollback", Phase.NOT_SENT)] == story.phases()
    assert (reason, []) == (story.records()[0].status.reason, story.sent())
