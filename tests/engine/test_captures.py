"""What was there before an action is kept, and never holds it up for longer than it may."""

from __future__ import annotations

from typing import Any

from prunella.core.outcomes import capturing
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

CAPTURE = {"logs": "Previous", "timeout": "10s", "keep": "1h"}


def leaking(story: Story, mode: str = "Live", **capture: Any) -> None:
    """Given a workload that is overloaded, and a policy that restarts it, after a capture."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=3.0)
    wanted = {**CAPTURE, **capture}
    document = harness.spec(
        {"restart": {}}, signals=[harness.saturation()], capture=wanted, mode=mode
    )
    story.apply(document)


async def test_it_is_kept_before_the_action(story: Story) -> None:
    """Given a policy that wants it, then logs and manifests are kept, and the record says so."""
    leaking(story)
    await story.until(lambda: bool(story.sent()))
    (record,) = story.records()
    (spec,) = story.world.captures.kept.values()
    texts = capturing.unpack(spec)
    assert record.name == spec.remediation
    assert "Deployment/checkout" in texts
    assert 2 == sum("previous log" in name for name in texts)
    assert record.status.capture.startswith("kept 3 parts")
    sent_at = record.sent_at
    assert sent_at is not None
    assert spec.taken_at <= sent_at


async def test_slow_pods_delay_it_by_the_timeout_at_most(story: Story) -> None:
    """Given pods that do not answer, then the action follows, with what was there till then."""
    story.world.captures.slow = 1000.0
    leaking(story)
    await story.until(lambda: bool(story.records()))
    decided = story.world.clock.now()
    await story.until(lambda: bool(story.sent()), 30)
    assert (story.world.clock.now() - decided).total_seconds() <= 11
    (spec,) = story.world.captures.kept.values()
    assert ["Deployment/checkout", "the rest"] == [part.name for part in spec.parts]
    assert spec.parts[-1].problem == "the time was over before all was looked at"


async def test_what_can_not_be_kept_blocks_nothing(story: Story) -> None:
    """Given no right to keep it, then the action follows, and the record says why."""
    story.world.captures.broken = "captures is forbidden"
    leaking(story)
    await story.until(lambda: bool(story.sent()))
    assert "nothing is kept: captures is forbidden" == story.records()[0].status.capture


async def test_it_is_deleted_when_its_time_is_over(story: Story) -> None:
    """Given an hour to keep it, then it is gone after that."""
    leaking(story)
    await story.until(lambda: bool(story.world.captures.kept))
    await story.run(3000)
    assert story.world.captures.kept
    await story.run(800)
    assert {} == story.world.captures.kept


async def test_advice_looks_at_nothing(story: Story) -> None:
    """Given mode Advise, then nothing is done and nothing kept."""
    leaking(story, "Advise")
    await story.until(lambda: story.phases() == [("restart", Phase.ADVISED)])
    assert {} == story.world.captures.kept


async def test_an_operator_that_dies_on_the_way_keeps_it_once(story: Story) -> None:
    """Given a death before the action is sent, when it is back, then it acts, and kept it once."""
    leaking(story)
    await story.until(lambda: bool(story.world.captures.kept))
    story.kill()
    story.start()
    await story.until(lambda: bool(story.sent()), 60)
    assert 1 == len(story.world.captures.kept)
