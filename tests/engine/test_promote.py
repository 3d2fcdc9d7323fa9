"""A Rollout that waits goes on: to the next step, to the end, and never against a person."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from tests.engine import rolling_out
from tests.engine.harness import Phase, Story
from tests.engine.rolling_out import WEB

Refused = reasons.Refused
OLD, FIX = "shop/web:v1-bad", "shop/web:v2"


async def fix(story: Story, *steps: dict[str, Any], **changes: Any) -> None:
    """Given a stable release that fails, when the canary that mends it waits at a step."""
    manifest = rolling_out.manifest(changes.pop("strategy", None))
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = OLD
    story.world.cluster.create(manifest)
    story.release(FIX, WEB)
    await story.run(30)
    assert rolling_out.delivery(story).waiting
    story.apply(rolling_out.policy(*steps, **changes), "web")


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(rolling_out.CANARY, id="canary"),
        pytest.param(rolling_out.BLUE_GREEN, id="blue/green"),
    ],
)
async def test_to_the_end_and_that_is_proved(story: Story, strategy: dict[str, object]) -> None:
    """Given full, then what is left is skipped, and the new release is the stable one."""
    await fix(story, {"promote": {"full": True}}, strategy=strategy)
    await story.until(lambda: story.phases() == [("promote", Phase.SUCCEEDED)])
    assert ({FIX: 5}, False) == (rolling_out.images(story), rolling_out.delivery(story).under_way)
    assert 1 == len(story.sent())


async def test_step_by_step(story: Story) -> None:
    """Given two pauses, then one promotion ends one of them; the next one takes another."""
    await fix(story, {"promote": {}}, {"promote": {}}, verify={"within": "5s", "samples": 2})
    await story.until(lambda: len(story.sent()) == 1)
    await story.run(15)
    assert (3, {OLD: 1, FIX: 4}) == (rolling_out.delivery(story).step, rolling_out.images(story))
    await story.until(
        lambda: story.phases() == [("promote", Phase.UNHELPFUL), ("promote", Phase.SUCCEEDED)]
    )
    assert {FIX: 5} == rolling_out.images(story)


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a promotion whose answer is lost, then what it took away is gone: it was done."""
    await fix(story, {"promote": {"full": True}})
    story.lose_answer_to_action()
    await story.until(lambda: len(story.sent()) == 1)
    await story.run(120)
    assert ({FIX: 5}, 1) == (rolling_out.images(story), len(story.sent()))
    assert [("promote", Phase.SUCCEEDED)] == story.phases()


@pytest.mark.parametrize("how", ["paused by a person", "aborted", "not waiting", "no right"])
async def test_it_is_refused(story: Story, how: str) -> None:
    """Given what is a person's, or nothing that waits, then it says so and nothing is sent."""
    cluster = story.world.cluster
    await fix(story, {"promote": {}}, mode="Advise")
    if how == "paused by a person":
        cluster.edit(WEB, lambda each: each["spec"].update(paused=True))
    elif how == "aborted":
        rolling_out.telling(story, abort=True)
    elif how == "not waiting":
        rolling_out.telling(story, promoteFull=True)
        cluster.set_image(WEB, "shop/web:v1-bad-again")
        await story.run(1)
        cluster.set_image(WEB, "shop/web:v3-broken")
    else:
        cluster.forbid("promote")
    story.apply(rolling_out.policy({"promote": {}}), "web")
    await story.run(60)
    refused = {
        "paused by a person": (Refused.ROLLOUT_PAUSED, "kubectl argo rollouts promote web -n shop"),
        "aborted": (Refused.AT_BOUND, "is aborted at step 0 of 4"),
        "not waiting": (Refused.AT_BOUND, "it waits for nobody; full: true would skip the rest"),
        "no right": (Refused.FORBIDDEN, "promote of Rollout/web is forbidden"),
    }
    reason, words = refused[how]
    sick = story.sick("web")
    assert (reason, []) == (sick.refused, story.sent()), sick
    assert words in sick.refusal
