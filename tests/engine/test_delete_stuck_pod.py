"""A StatefulSet is freed from the pod that it waits for: of an older template, of a lost node."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from tests.engine import harness, test_rollouts
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.test_rollouts import BROKEN, DB, GOOD, PATIENCE

Refused = reasons.Refused
STEP = {"deleteStuckPod": {"lostNodeAfter": "2m"}}


@pytest.fixture
async def impatient() -> AsyncIterator[Story]:
    """An operator that takes a rollout for stuck after a minute without progress."""
    limits = settings_module.Limits(rollout_seconds=PATIENCE)
    async with harness.telling(settings_module.Settings(limits=limits)) as told:
        yield told


def effects(story: Story) -> list[tuple[str, str, bool]]:
    """What was sent."""
    return [(e.verb.value, e.target.name, e.forced) for e, _ in story.world.cluster.sent]


async def repaired(story: Story) -> None:
    """Given a release that is never ready, when a person puts the old image back."""
    story.world.cluster.add_workload(DB, GOOD)
    story.apply(test_rollouts.policy(DB, STEP), "db")
    await story.run(harness.QUIET)
    story.release(BROKEN, DB)
    await story.run(20)
    story.release("shop/db:v3", DB)


async def test_a_repaired_rollout_is_freed_from_its_broken_pod(impatient: Story) -> None:
    """Given a rollout that a person repaired, when it hangs, then the old broken pod is evicted."""
    await repaired(impatient)
    await impatient.run(PATIENCE)
    assert impatient.phases() == [], "it has had a minute to make progress"
    await impatient.until(lambda: impatient.phases() == [("deleteStuckPod", Phase.SUCCEEDED)])

    assert [("Evict", "db-2", False)] == effects(impatient)
    assert ("shop/db:v3", 3) == (impatient.image(DB), impatient.workload(DB).available)
    pods = impatient.world.cluster.states(NAMESPACE)[0].pods
    assert {"shop/db:v3"} == {pod.image for pod in pods}


async def test_a_template_that_nobody_repaired_is_another_steps(impatient: Story) -> None:
    """Given a broken template, when it hangs, then the pod is not evicted in vain."""
    steps = (STEP, {"rollback": {}})
    impatient.world.cluster.add_workload(DB, GOOD)
    impatient.apply(test_rollouts.policy(DB, *steps), "db")
    await impatient.run(harness.QUIET)
    impatient.release(BROKEN, DB)
    await impatient.until(lambda: impatient.phases() == [("rollback", Phase.SUCCEEDED)])
    assert 1 == impatient.records()[0].spec.step


async def lose_one(story: Story) -> str:
    """Given a pod whose node is silent, when its deletion has begun; returns its name."""
    story.world.cluster.add_workload(DB, GOOD)
    story.apply(test_rollouts.policy(DB, STEP), "db")
    await story.run(harness.QUIET)
    pod = story.world.cluster.states(NAMESPACE)[0].pods[1]
    story.world.cluster.lose_node(pod.node)
    story.world.cluster.delete_pod(NAMESPACE, pod.name)
    return pod.name


async def test_a_pod_of_a_lost_node_is_removed_after_its_grace(impatient: Story) -> None:
    """Given a pod in deletion on a silent node, when two minutes are over, then it is made anew."""
    name = await lose_one(impatient)
    await impatient.run(PATIENCE - 10)
    assert impatient.sick("db").refused == Refused.ROLLOUT_IN_PROGRESS
    await impatient.run(40)
    assert (impatient.sick("db").refused, effects(impatient)) == (Refused.NO_PODS, [])
    assert "lostNodeAfter is 120 s" in impatient.sick("db").refusal
    await impatient.until(lambda: impatient.phases() == [("deleteStuckPod", Phase.SUCCEEDED)])

    assert [("Evict", name, True)] == effects(impatient)
    assert 3 == impatient.workload(DB).available


async def test_a_lost_answer_is_settled_by_looking(impatient: Story) -> None:
    """Given a removal whose answer is lost, when it is settled, then it was done, once."""
    name = await lose_one(impatient)
    impatient.lose_answer_to_action()
    await impatient.until(lambda: impatient.phases() == [("deleteStuckPod", Phase.SUCCEEDED)])
    assert [("Evict", name, True)] == effects(impatient)
    assert "Effective" == impatient.records()[0].status.effects[0].outcome


async def test_a_removal_that_never_arrived_is_seen_as_such(impatient: Story) -> None:
    """Given an operator that dies before it sends, then a pod still in deletion is no proof."""
    await lose_one(impatient)
    await impatient.run(PATIENCE + 30)
    assert impatient.sick("db").refused == Refused.NO_PODS

    def die(reached: faults_module.Point) -> None:
        sent = any(record.sent_at is not None for record in impatient.records())
        if reached is faults_module.Point.BEFORE_SEND and sent:
            impatient.faults.watch = lambda _: None
            impatient.faults.once(reached, faults_module.Crash("about to be sent"))

    impatient.faults.watch = die
    await impatient.until(lambda: not impatient.alive)
    impatient.start()
    again = [("deleteStuckPod", Phase.NOT_SENT), ("deleteStuckPod", Phase.SUCCEEDED)]
    await impatient.until(lambda: impatient.phases() == again)
    assert 1 == len(effects(impatient))
