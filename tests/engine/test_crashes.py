"""The operator dies at every single request of a healing story, and the next one goes on.

At most one effect for each record and none beside it, at every point; in the end the target is
healed or a person was called.
"""

from __future__ import annotations

import collections
import datetime
import os
from collections.abc import Callable
from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.core import objects
from tests.engine import harness, test_alerts, test_escalation, test_rollouts
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

HOUR = datetime.timedelta(hours=1)


def rollback(story: Story) -> None:
    """A bad release is to be rolled back."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    story.world.clock.call_later(20, lambda: story.release(harness.BAD))


def restart(story: Story) -> None:
    """A leak is to be restarted: one new ReplicaSet."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK, age=HOUR)
    story.apply(harness.spec({"restart": {}}, signals=[harness.memory()]))


def evict(story: Story) -> None:
    """One leaking pod is to be evicted."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    story.world.cluster.states(NAMESPACE)[0].pods[0].created -= HOUR
    signal = {**harness.memory(), "prometheus": {"query": "app_memory_bytes"}}
    story.apply(harness.spec({"evictPod": {}}, signals=[signal]))


def unhelpful(story: Story) -> None:
    """Scaling does not help, is undone, a restart does not help: a person is called."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    steps: list[Any] = [{"scale": {"by": 1}}, {"restart": {}}]
    verify = {"within": "5s", "samples": 1}
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))


def alert(story: Story) -> None:
    """A bad release raises an alert of the source's own rules, and is to be rolled back."""
    test_alerts.running(story, test_alerts.RULE)
    story.apply(test_alerts.by_alert({"rollback": {"to": "Previous"}}))
    story.world.clock.call_later(20, lambda: story.release(harness.BAD))


STORIES: dict[str, tuple[Callable[[Story], None], int, int]] = {
    "rollback": (rollback, 2, 1),
    "restart": (restart, 2, 1),
    "evict": (evict, 1, 1),
    "alert": (alert, 2, 1 if os.environ.get("PRUNELLA_SEEDS") else 3),
    "unhelpful": (unhelpful, 2, 1 if os.environ.get("PRUNELLA_SEEDS") else 2),
}
"""How it begins, the ReplicaSets in the end, and of how many points one is tried.

The long story is tried at every point when ``PRUNELLA_SEEDS`` asks for more than a quick run.
"""
LONGEST_SECONDS = 400


def well(story: Story) -> bool:
    """The target is healed."""
    done = [r for r in story.records() if r.phase is Phase.SUCCEEDED and r.spec.action != "revert"]
    return bool(done) and not story.status().sick


def assert_once(story: Story) -> None:
    """At most one effect for each record, none without one, and one unfinished at a time."""
    counts = collections.Counter(story.sent())
    assert {mark: count for mark, count in counts.items() if count > 1} == {}
    assert set(counts) <= set(harness.names(story.records()))
    assert sum(record.in_flight for record in story.records()) <= 1
    sent_and_denied = [r.name for r in story.records() if r.phase is Phase.NOT_SENT]
    assert set() == set(sent_and_denied) & set(counts)


def over(story: Story) -> bool:
    """The target is healed or a person was called."""
    return well(story) or bool(story.pages())


async def tell(name: str, crash_at: int) -> tuple[faults_module.Point | None, Story]:
    """The story with a death at one point; None when it had no such point."""
    async with harness.telling() as story:
        STORIES[name][0](story)
        story.faults.crash_at(crash_at)
        died_at = None
        for _ in range(LONGEST_SECONDS // 5):
            await story.run(5)
            assert_once(story)
            if not story.alive:
                died_at = story.faults.passed[-1]
                story.start()
            if over(story):
                break
        return died_at, story


@pytest.mark.parametrize("name", STORIES)
async def test_a_death_at_any_request_leads_to_one_effect(name: str) -> None:
    """Given a death at request 1, 2, 3, ..., then one effect for a decision, and a good end."""
    table: collections.Counter[str] = collections.Counter()
    for count in range(1, 200, STORIES[name][2]):
        died_at, story = await tell(name, count)
        where = f"{name}, death {count} at {died_at}: {story.phases()}"
        assert over(story), where
        if died_at is None:
            break
        table[died_at] += 1
        sent = [record for record in story.records() if record.name in story.sent()]
        actions = [record.spec.action for record in sent]
        assert len(set(actions)) == len(actions), f"twice the same, {where}"
        assert STORIES[name][1] == story.revisions(), where
        marks = [objects.MARK in story.workload().annotations, name == "evict"]
        assert any(marks), where
    covered = ", ".join(f"{point}: {number}" for point, number in sorted(table.items()))
    # The table of what was covered, shown by pytest -rP.
    print(f"{name}: {table.total()} crash points covered ({covered})")  # noqa: T201
    assert table.total() >= 25 / STORIES[name][2], covered
    wanted = {"before send", "after send", "before create", "after update"}
    assert STORIES[name][2] > 2 or wanted <= table.keys()


@pytest.mark.parametrize("gap", range(1, 8))
async def test_a_second_death_soon_after_the_first_changes_nothing(gap: int) -> None:
    """Given two deaths, the second while the first is settled, then it is still one effect."""
    for first in range(13, 26, 3):
        async with harness.telling() as story:
            restart(story)
            story.faults.crash_at(first)
            await story.until(lambda told=story: told.deaths == 1)  # type: ignore[misc]
            story.start()
            story.faults.crash_at(gap)
            for _ in range(LONGEST_SECONDS // 5):
                await story.run(5)
                assert_once(story)
                if not story.alive:
                    story.start()
                if over(story):
                    break
            assert over(story), f"{first}, {gap}: {story.phases()}"
            assert (len(story.sent()), story.revisions()) == (1, 2)


STRIDE = 1 if os.environ.get("PRUNELLA_SEEDS") else 7
"""Of so many points one is tried, in the stories that take long."""


async def die_at(story: Story, count: int, done: Callable[[], bool]) -> bool:
    """Let the operator die at a request, another go on until it is done; False: no such request."""
    story.faults.crash_at(count)
    died = False
    for _ in range(LONGEST_SECONDS // 5):
        await story.run(5)
        if not story.alive:
            died = True
            story.start()
        if done():
            break
    return died


async def test_a_death_at_any_request_of_two_effects_sends_each_of_them_once() -> None:
    """Given a stuck StatefulSet, when the operator dies anywhere, then patch and eviction are once.

    In the end the set is healed and owns its fields again, or a person was called.
    """
    limits = settings_module.Limits(rollout_seconds=test_rollouts.PATIENCE)
    died, count = True, 1
    while died:
        async with harness.telling(settings_module.Settings(limits=limits)) as story:
            await test_rollouts.stuck(story, test_rollouts.DB)
            # The rollout is seen for the first time here: only what is asked from now on counts.
            await story.run(test_rollouts.PATIENCE)

            def done(story: Story = story) -> bool:
                return (well_of(story, "db") or bool(story.pages())) and not any(
                    record.in_flight for record in story.records()
                )

            died = await die_at(story, count, done)
            where = f"death {count}: {story.phases()}"
            assert done(), where
            sent = [(mark, e.verb, e.uid) for e, mark in story.world.cluster.sent]
            assert len(set(sent)) == len(sent), where
            assert 1 == len({mark for mark, _, _ in sent}), where
            await story.run(70)
            owners = set().union(*story.workload(test_rollouts.DB).field_owners.values())
            assert objects.FIELD_MANAGER not in owners, where
        count += STRIDE
    assert count > 25


def well_of(story: Story, policy: str) -> bool:
    """The target of a policy is healed."""
    done = [r for r in story.records() if r.phase is Phase.SUCCEEDED]
    return bool(done) and not story.status(policy).sick


async def test_a_death_at_any_request_calls_a_person_for_what_is_left_alone() -> None:
    """Given nothing that may be done, when the operator dies anywhere, then a person is called.

    Twice only where it died between the call and the write that remembers it.
    """
    died, count, twice = True, 1, 0
    while died:
        async with harness.telling() as story:
            test_escalation.without_a_good_release(story)
            died = await die_at(story, count, lambda: False)
            calls = test_escalation.escalations(story)
            assert set(calls) == {("checkout", "")}, f"death {count}: {calls}"
            assert len(calls) <= 2, f"death {count}: {calls}"
            twice += len(calls) == 2
        count += STRIDE
    assert twice <= 2
