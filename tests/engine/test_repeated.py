"""What is repeated is slowed down, stopped, or a person's to allow: told by whole stories."""

from __future__ import annotations

import pytest

from prunella import settings as settings_module
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
FREE = {"cooldown": "0s", "maxPerHour": 60, "maxUnavailable": "100%", "stopWhenUnhealthy": "100%"}


def _fleet(story: Story, size: int) -> list[model.Ref]:
    """Deployments that are sick from the start, each with a policy that restarts it in vain."""
    refs = []
    for n in range(size):
        name = f"web-{n}"
        refs.append(story.world.cluster.add_deployment(NAMESPACE, name, "shop/web:v2-bad"))
        story.apply(harness.spec({"restart": {}}, target={"name": name}, guards=FREE), name)
    return refs


def _refused(story: Story) -> str:
    """Why nothing is done to checkout; empty while it is not sick."""
    return next((each.refused for each in story.status().sick), "")


async def test_after_a_storm_nothing_new_is_begun_until_it_was_calm() -> None:
    """Given ten sick targets, when three were acted on at once, then the rest wait for the calm."""
    limits = settings_module.Limits(
        storm_percent=50, storm_calm_seconds=120, unhelpful_before_latch=99,
        actions_per_namespace_per_hour=6,
    )  # fmt: skip
    async with harness.telling(settings_module.Settings(limits=limits)) as story:
        _fleet(story, 10)
        await story.until(lambda: len(story.sent()) == 3)
        began = max(record.spec.decided_at for record in story.records())
        await story.run(100)
        told = [s.refusal for n in range(10) for s in story.status(f"web-{n}").sick]
        stopped = [each for each in told if "were a storm" in each]
        assert (3, True) == (len(story.sent()), bool(stopped))
        assert stopped[0].startswith("3 actions in namespace shop within 600 s were a storm")
        await story.until(lambda: len(story.sent()) > 3, 60)
        first = min(r.spec.decided_at for r in story.records() if r.spec.decided_at > began)
        assert (first - began).total_seconds() >= 120


async def test_what_did_not_help_waits_twice_as_long(story: Story) -> None:
    """Given a restart in vain, when the target is sick again, then the cooldown is doubled."""
    await harness.bad_release(story)
    limits = {"cooldown": "1m", "maxPerHour": 60}
    story.apply(harness.spec({"restart": {}}, guards=limits, verify={"within": "10s"}))
    await story.until(lambda: story.phases() == [("restart", Phase.UNHELPFUL)])
    story.apply(harness.spec({"restart": {}}, guards=limits, verify={"within": "11s"}))
    await story.until(lambda: _refused(story) == Refused.BACKOFF)
    assert "the cooldown of 60 s has grown to 120 s" in story.sick().refusal
    await story.until(lambda: len(story.sent()) == 2)

    first, second = story.records()
    assert (second.spec.decided_at - first.spec.decided_at).total_seconds() >= 120


async def test_a_persons_undo_is_a_veto(story: Story) -> None:
    """Given a scale that helped, when a person takes it back, then it is not done again."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD, replicas=2)
    policy = harness.spec(
        {"scale": {"by": 2, "max": 8}}, signals=[harness.saturation()], guards=FREE
    )
    story.apply(policy)
    await story.run(harness.QUIET)
    story.world.apps.surge(CHECKOUT, load=1.8)
    await story.until(lambda: story.phases() == [("scale", Phase.SUCCEEDED)])
    story.world.cluster.scale(CHECKOUT, 2)
    await story.until(lambda: _refused(story) == Refused.UNDONE_BY_OTHERS)
    assert "`prunella resume checkout -n shop` clears it" in story.sick().refusal
    await story.run(300)
    assert len(story.sent()) == 1

    story.resume()
    await story.until(lambda: len(story.sent()) == 2)


@pytest.mark.parametrize("switch", ["the operator", "the policy"])
async def test_after_a_pause_the_time_counts_anew(story: Story, switch: str) -> None:
    """Given a fault that was seen during a pause, then it must hold for ``for`` after its end."""
    await harness.bad_release(story)
    story.world.cluster.pause("a person is at it")
    story.apply(harness.spec(signals=[harness.errors(hold="30s")]))
    await story.run(120)
    assert (story.sent(), story.sick().refused) == ([], Refused.PAUSED)

    story.world.cluster.resume()
    if switch == "the policy":
        story.resume()
    ended = story.world.clock.now()
    await story.run(10)
    assert (story.sent(), story.sick().refused) == ([], Refused.NOT_HELD)
    assert f"counted anew since {switch} was resumed" in story.sick().refusal
    await story.until(lambda: len(story.sent()) == 1, 60)
    (record,) = story.records()
    assert (record.spec.decided_at - ended).total_seconds() >= 25
