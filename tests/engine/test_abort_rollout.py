"""A Rollout's release is given up: proved, left to people's hands, and refused with reasons."""

from __future__ import annotations

import pytest

from prunella.api import reasons
from tests.engine import rolling_out
from tests.engine.harness import Phase, Story
from tests.engine.rolling_out import BAD, GOOD, WEB

Refused = reasons.Refused
ABORT = {"abortRollout": {}}


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(rolling_out.CANARY, id="canary"),
        pytest.param(rolling_out.BLUE_GREEN, id="blue/green"),
    ],
)
async def test_the_stable_release_serves_again_and_that_is_proved(
    story: Story, strategy: dict[str, object]
) -> None:
    """Given a bad canary that waits at a step, when it is given up, then all pods are as before."""
    await rolling_out.given(story, ABORT, strategy=strategy)
    await story.until(lambda: story.phases() == [("abortRollout", Phase.SUCCEEDED)])

    assert ({GOOD: 5}, True) == (rolling_out.images(story), rolling_out.delivery(story).aborted)
    assert BAD == story.image(WEB), "the template is left to those who deploy it"
    (effect,) = story.records()[0].spec.effects
    release, stable = rolling_out.delivery(story).current, rolling_out.delivery(story).stable
    assert (
        f"abort release {release} of Rollout/web: {stable} serves alone; begin it again: "
        "kubectl argo rollouts retry rollout web -n shop"
    ) == effect.summary
    assert 1 == len(story.sent())


async def test_it_is_not_undone_when_it_does_not_help(story: Story) -> None:
    """Given errors of all pods, when giving up does not help, then no bad release begins again."""
    await rolling_out.given(story, ABORT, signals=[rolling_out.errors(above=-1)])
    await story.until(lambda: story.phases() == [("abortRollout", Phase.UNHELPFUL)])
    await story.run(60)
    assert (1, True) == (len(story.sent()), rolling_out.delivery(story).aborted)
    assert 1 == len(story.pages())


async def test_a_person_who_begins_it_again_is_not_fought(story: Story) -> None:
    """Given a person who retries the release, then it is theirs: the proof ends."""
    await rolling_out.given(story, ABORT, guards={"cooldown": "1h"})
    await story.until(lambda: rolling_out.delivery(story).aborted)
    rolling_out.telling(story, abort=False, abortedAt=None)
    await story.until(lambda: story.phases() == [("abortRollout", Phase.SUPERSEDED)])
    await story.run(120)
    assert (1, False) == (len(story.sent()), rolling_out.delivery(story).aborted)


async def test_a_repaired_release_ends_the_proof(story: Story) -> None:
    """Given a fix that is released meanwhile, then it is the fix that heals, and not the abort."""
    await rolling_out.given(story, ABORT)
    await story.until(lambda: rolling_out.delivery(story).aborted)
    story.release("shop/web:v3", WEB)
    await story.until(lambda: story.phases() == [("abortRollout", Phase.SUPERSEDED)])
    assert 1 == len(story.sent())


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given an abort whose answer is lost, then the Rollout's own status tells."""
    await rolling_out.given(story, ABORT)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("abortRollout", Phase.SUCCEEDED)])
    assert 1 == len(story.sent())


async def test_it_is_aborted_though_git_owns_the_template(story: Story) -> None:
    """Given a Rollout that Argo CD deploys, then its status is nobody's: nothing is fought."""
    await rolling_out.given(story, ABORT, image="")
    story.world.cluster.set_image(WEB, BAD, manager="argocd-controller")
    await story.until(lambda: story.phases() == [("abortRollout", Phase.SUCCEEDED)])
    assert {GOOD: 5} == rolling_out.images(story)


async def test_the_next_step_comes_where_nothing_is_rolled_out(story: Story) -> None:
    """Given a release that went through to the end, then it is rolled back instead."""
    steps = (ABORT, {"rollback": {}})
    await rolling_out.given(story, *steps, strategy={"canary": {"steps": []}})
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert ({GOOD: 5}, GOOD) == (rolling_out.images(story), story.image(WEB))
    summary = story.records()[0].spec.effects[0].summary
    assert "kubectl argo rollouts undo web -n shop --to-revision=2" in summary


@pytest.mark.parametrize("how", ["nothing under way", "aborted before", "no right"])
async def test_it_is_refused(story: Story, how: str) -> None:
    """Given nothing to give up, or no right to, then it says so and nothing is sent."""
    under_way = how != "nothing under way"
    always = {"signals": [rolling_out.errors(above=-1)]}
    if how == "no right":
        story.world.cluster.forbid("abortRollout")
    await rolling_out.given(story, ABORT, image=BAD if under_way else "", mode="Advise", **always)
    await story.run(10)
    if how == "aborted before":
        rolling_out.telling(story, abort=True)
    story.apply(rolling_out.policy(ABORT, **always), "web")
    await story.run(60)
    refused = {
        "nothing under way": (Refused.AT_BOUND, "is the stable one: nothing is being rolled out"),
        "aborted before": (Refused.AT_BOUND, "is aborted at step 0 of 4"),
        "no right": (Refused.FORBIDDEN, "abortRollout of Rollout/web is forbidden"),
    }
    reason, words = refused[how]
    sick = story.sick("web")
    assert (reason, []) == (sick.refused, story.sent())
    assert words in sick.refusal
