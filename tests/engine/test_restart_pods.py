"""The sick pods alone, one after the other: paced by their replacements, stopped by people."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Callable
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import halts
from prunella.core.decisions.trust import ceilings
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
HOUR = datetime.timedelta(hours=1)
STARTUP = 20.0
BY_POD = {**harness.memory(), "prometheus": {"query": "app_memory_bytes"}}


def leaking(story: Story, sick: int = 2, **changes: Any) -> list[str]:
    """Given five pods of which some have leaked for an hour; returns their UIDs."""
    options: dict[str, Any] = {"replicas": 5, "startup_seconds": STARTUP}
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK, **options)
    pods = sorted(story.world.cluster.states(NAMESPACE)[0].pods, key=lambda pod: pod.name)
    for pod in pods[:sick]:
        pod.created -= HOUR
    story.apply(harness.spec({"restartPods": {}}, signals=[BY_POD], **changes))
    return [pod.uid for pod in pods[:sick]]


def evicted(story: Story) -> list[str]:
    """The UIDs of the pods that were evicted, in order."""
    assert {model.Verb.EVICT} >= {effect.verb for effect, _ in story.world.cluster.sent}
    return [effect.uid for effect, _ in story.world.cluster.sent]


def statuses(story: Story) -> list[tuple[str, str]]:
    """Outcome and message of each effect of the last record."""
    return [(each.outcome, each.message) for each in story.records()[-1].status.effects]


async def test_sick_pods_are_replaced_one_by_one(story: Story) -> None:
    """Given two sick pods of five, then the second goes when the first is replaced and ready."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    assert story.phases() == [("restartPods", Phase.ACTING)]
    await story.run(STARTUP)
    assert (sick[:1], 4) == (evicted(story), story.workload().available)
    await story.until(lambda: len(evicted(story)) == 2)
    ready = [pod.ready for pod in story.world.cluster.states(NAMESPACE)[0].pods]
    assert 4 == sum(ready), "the first one's successor serves"
    await story.until(lambda: story.phases() == [("restartPods", Phase.SUCCEEDED)])

    assert (sick, 5) == (evicted(story), story.workload().available)
    assert [] == story.pages()


async def test_more_sick_pods_than_it_takes_are_a_sick_workload(story: Story) -> None:
    """Given four sick pods, when three are the most, then the next step restarts them all."""
    leaking(story, 4)
    steps = [{"restartPods": {}}, {"restart": {}}]
    story.apply(harness.spec(*steps, signals=[BY_POD]))
    await story.until(lambda: story.phases() == [("restart", Phase.SUCCEEDED)])
    assert 1 == story.records()[0].spec.step


async def test_a_budget_without_room_is_waited_for(story: Story) -> None:
    """Given a budget that is used up after the first, then the second waits, and is not sent."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=5)
    await story.run(STARTUP + 60)
    assert (sick[:1], [("restartPods", Phase.ACTING)]) == (evicted(story), story.phases())
    assert ("", "") == statuses(story)[1]

    story.world.cluster._budgets.clear()
    await story.until(lambda: story.phases() == [("restartPods", Phase.SUCCEEDED)])
    assert sick == evicted(story)


async def test_a_budget_that_never_has_room_ends_it(story: Story) -> None:
    """Given no room for as long as a rollout may take, then the rest is left and it is proved."""
    leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=5)
    await story.until(lambda: story.phases() == [("restartPods", Phase.UNHELPFUL)], 1200)

    outcome, message = statuses(story)[1]
    assert "NotSent" == outcome
    assert "no progress for 600 s: a PodDisruptionBudget allows no eviction now" == message
    assert 1 == len(evicted(story))


@pytest.mark.parametrize("how", ["pause", "suspend", "freeze"])
async def test_a_person_stops_it_between_two_pods(story: Story, how: str) -> None:
    """Given a pause or a suspended policy after the first, then no other pod is evicted."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    if how == "pause":
        story.world.cluster.pause("a look first")
    elif how == "freeze":
        story.world.cluster.freezes[NAMESPACE] = halts.Freeze(label="true")
    else:
        story.apply(harness.spec({"restartPods": {}}, signals=[BY_POD], suspend=True))
    await story.run(STARTUP + 60)

    assert sick[:1] == evicted(story)
    assert ("NotSent", "stopped by a person") == statuses(story)[1]


def lower(story: Story) -> None:
    """The namespace's administrator allows advice only."""
    story.world.cluster.labels_of_namespaces[NAMESPACE] = {ceilings.LABEL: "Advise"}


def hide(story: Story) -> None:
    """The namespace's labels can't be read any more."""
    story.faults.always(faults_module.Point.NAMESPACE, ports.ClusterError("forbidden", status=403))


def ask_first(story: Story) -> None:
    """The policy is edited: from Live to Approve."""
    story.apply(harness.spec({"restartPods": {}}, signals=[BY_POD], mode="Approve"))


MOST = "decided in mode Live, and Advise is the most there is now: "
LESS = [
    pytest.param(lower, f'{MOST}namespace shop has {ceilings.LABEL}="Advise"', id="ceiling"),
    pytest.param(hide, f"{MOST}the labels of namespace shop can't be read: forbidden", id="unread"),
    pytest.param(ask_first, "the policy has generation 2, it was decided by 1", id="edit"),
]


@pytest.mark.parametrize(("change", "why"), LESS)
async def test_what_may_not_be_done_any_more_stops_between_two_pods(
    story: Story, change: Callable[[Story], None], why: str
) -> None:
    """Given a policy that may do less after the first, then the second stays, and it is proved."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    change(story)
    await story.until(lambda: story.records()[0].phase.final, 600)
    await story.run(STARTUP + 60)

    assert sick[:1] == evicted(story)
    first = story.records()[0]
    assert (Phase.UNHELPFUL, "NotSent", why) == (
        first.phase,
        first.status.effects[1].outcome,
        first.status.effects[1].message,
    )


async def test_what_a_person_has_mended_is_not_evicted(story: Story) -> None:
    """Given a person who deletes the second pod meanwhile, then it is over and proved."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)
    pods = story.world.cluster.states(NAMESPACE)[0].pods
    [second] = [pod.name for pod in pods if pod.uid == sick[1]]
    story.world.cluster.delete_pod(NAMESPACE, second)
    await story.until(lambda: story.phases() == [("restartPods", Phase.SUCCEEDED)])

    assert sick[:1] == evicted(story)


async def test_it_is_refused_where_the_right_is_missing(story: Story) -> None:
    """Given no right to evict, when two pods are sick, then nothing is done and it says why."""
    story.world.cluster.forbid("evictPod")
    leaking(story)
    await story.run(60)
    assert ([], Refused.FORBIDDEN) == (evicted(story), story.sick().refused)


async def test_a_death_at_any_request_evicts_no_pod_twice() -> None:
    """Given a death at request 1, 2, 3, ..., then no pod goes twice, and no other than a sick one.

    An eviction that may have been sent is not sent again: then the proof says that it did not help.
    """
    ends: collections.Counter[Phase] = collections.Counter()
    for count in range(1, 200, 3):
        async with harness.telling() as story:
            sick = leaking(story)
            story.faults.crash_at(count)
            died = False
            for _ in range(80):
                await story.run(5)
                if not story.alive:
                    died = True
                    story.start()
                if over(story.records()) or story.pages():
                    break
            gone = evicted(story)
            assert len(gone) == len(set(gone))
            assert set(gone) <= set(sick), f"death at request {count}"
            last = story.records()[-1]
            ends[last.phase] += 1
            in_doubt = [e for e in last.status.effects if e.sent_at and e.outcome == "NotSent"]
            assert bool(in_doubt) is (last.phase is Phase.UNHELPFUL)
            if not died:
                break
    assert not died, "the story has fewer requests than were tried"
    assert ends[Phase.SUCCEEDED] > ends[Phase.UNHELPFUL]
    assert {Phase.SUCCEEDED, Phase.UNHELPFUL} >= set(ends)


def over(records: list[objects.Record]) -> bool:
    """Whether the last attempt was proved."""
    return bool(records) and records[-1].phase is Phase.SUCCEEDED


async def test_a_crash_before_the_second_eviction_leaves_it_unsent(story: Story) -> None:
    """Given a death when the second was about to be sent, then it is not sent again for it."""
    sick = leaking(story)
    await story.until(lambda: len(evicted(story)) == 1)

    def die(reached: faults_module.Point) -> None:
        acting = story.records()[0].status.effects[1].sent_at is not None
        if reached is faults_module.Point.BEFORE_SEND and acting:
            story.faults.watch = lambda _: None
            story.faults.once(reached, faults_module.Crash("about to be sent"))

    story.faults.watch = die
    await story.until(lambda: not story.alive)
    story.start()
    await story.until(lambda: story.records()[0].phase.final, 600)

    assert "NotSent" == story.records()[0].status.effects[1].outcome
    assert CHECKOUT == story.records()[0].target
    assert sick[0] == evicted(story)[0]
