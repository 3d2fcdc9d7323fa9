"""restart, rollback and the others on targets of kind Rollout: as Argo Rollouts has them done."""

from __future__ import annotations

import pytest

from prunella.api import reasons
from prunella.core import model
from tests.engine import rolling_out
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.rolling_out import BAD, GOOD, WEB

Refused = reasons.Refused
AT_ONCE = {"canary": {"steps": []}}


async def test_a_restart_replaces_all_pods_and_begins_no_release(story: Story) -> None:
    """Given a leak, when it is restarted, then by restartAt: pod by pod, and no new release."""
    story.world.cluster.create(rolling_out.manifest())
    before = {pod.uid for state in story.world.cluster.states(NAMESPACE) for pod in state.active}
    story.apply(rolling_out.policy({"restart": {}}, signals=[rolling_out.errors(-1)]), "web")
    await story.until(lambda: len(story.sent()) == 1)
    await story.run(5)
    assert story.workload(WEB).rolling, "the proof waits until all pods are new"
    await story.until(lambda: not story.workload(WEB).rolling)

    after = {pod.uid for state in story.world.cluster.states(NAMESPACE) for pod in state.active}
    assert (set(), 5, 1) == (before & after, len(after), story.revisions(WEB))
    (effect,) = story.records()[0].spec.effects
    assert '"path": "/spec/restartAt"' in effect.patch


async def test_more_replicas_that_do_not_help_are_taken_back(story: Story) -> None:
    """Given a Rollout that is scaled in vain, then it has as many pods as before."""
    step = {"scale": {"by": 2, "max": 8}}
    await rolling_out.given(story, step, image="", signals=[rolling_out.errors(-1)])
    await story.until(lambda: story.workload(WEB).replicas == 7)
    undone = [("scale", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    await story.run(30)
    assert {GOOD: 5} == rolling_out.images(story)


async def test_a_rollback_to_a_healthy_release_is_proved(story: Story) -> None:
    """Given a release that went to the end, then the template of the one before is written."""
    await rolling_out.given(story, {"rollback": {}}, strategy=AT_ONCE)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert (GOOD, {GOOD: 5}) == (story.image(WEB), rolling_out.images(story))
    (effect,) = story.records()[0].spec.effects
    assert "forward again: kubectl argo rollouts undo web -n shop --to-rev" in effect.summary
    assert "by the steps of its strategy unless that release is the stable one" in effect.summary


async def test_a_rollback_of_a_waiting_canary_skips_the_steps(story: Story) -> None:
    """Given a canary that waits, then the stable release is back at once, without its steps."""
    await rolling_out.given(story, {"rollback": {}})
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert (GOOD, {GOOD: 5}) == (story.image(WEB), rolling_out.images(story))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param({"rollback": {}}, (Refused.ROLLOUT_IN_PROGRESS, 0), id="rollback"),
        pytest.param({"abortRollout": {}}, ("", 1), id="abortRollout"),
    ],
)
async def test_a_canary_that_does_not_get_ready_is_aborted_at_once(
    story: Story, step: dict[str, object], expected: tuple[str, int]
) -> None:
    """Given pods of the canary that never come, then a rollback waits, and an abort does not."""
    await rolling_out.given(story, step, image="", mode="Advise")
    story.release(rolling_out.BROKEN, WEB)
    await story.run(10)
    story.apply(rolling_out.policy(step, signals=[rolling_out.errors(-1)]), "web")
    await story.run(30)
    assert expected == (story.sick("web").refused, len(story.sent()))


async def test_a_template_of_another_workload_is_left(story: Story) -> None:
    """Given workloadRef, then a rollback says whose the template is."""
    strategy = {**AT_ONCE}
    await rolling_out.given(story, {"rollback": {}}, strategy=strategy, mode="Advise")
    reference = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    story.world.cluster.edit(WEB, lambda each: each["spec"].update(workloadRef=reference))
    await story.run(30)
    story.apply(rolling_out.policy({"rollback": {}}), "web")
    await story.run(60)
    sick = story.sick("web")
    assert (Refused.NOT_WRITABLE, []) == (sick.refused, story.sent())
    assert "is that of Deployment/web (spec.workloadRef)" in sick.refusal


@pytest.mark.parametrize("step", [{"restart": {}}, {"rollback": {}}], ids=["restart", "rollback"])
async def test_a_person_who_paused_it_works_on_it(story: Story, step: dict[str, object]) -> None:
    """Given spec.paused, then nothing is written; the plugin's command ends it."""
    await rolling_out.given(story, step, image="", mode="Advise")
    story.world.cluster.edit(WEB, lambda each: each["spec"].update(paused=True))
    story.apply(rolling_out.policy(step, signals=[rolling_out.errors(-1)]), "web")
    await story.run(60)
    sick = story.sick("web")
    assert (Refused.ROLLOUT_PAUSED, []) == (sick.refused, story.sent())
    assert "kubectl argo rollouts promote web -n shop" in sick.refusal


async def test_signals_of_pods_find_the_rollout(story: Story) -> None:
    """Given series with a pod alone, then its owner is the Rollout, and that pod is evicted."""
    query = {"query": "sum by (namespace, pod) (app_up)"}
    signal = {"name": "up", "prometheus": query, "threshold": {"above": 0}, "for": "5s"}
    await rolling_out.given(story, {"evictPod": {}}, image="", signals=[signal])
    await story.until(lambda: bool(story.sent()))
    effect, _ = story.world.cluster.sent[0]
    assert effect.verb is model.Verb.EVICT
    assert effect.target.name.startswith("web-")


async def test_a_condemned_release_is_known_again(story: Story) -> None:
    """Given a release that was rolled back, when it comes again, then it is told at once."""
    await rolling_out.given(story, {"rollback": {}}, strategy=AT_ONCE)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    story.release(BAD, WEB)
    await story.until(
        lambda: "CondemnedRelease" in {each.type for each in story.status("web").conditions}
    )
