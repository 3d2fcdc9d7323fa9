"""The sick pods alone, one after the other, on a real API server with real budgets."""

from __future__ import annotations

import datetime

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


def failing(story: Story, count: int) -> list[Document]:
    """Given four pods of which some fail half of their requests; returns those."""
    story.run(manifests.workload("checkout", "v1", replicas=4))
    names = story.annotate_pods("checkout", count, errors="0.5")
    return sorted(
        (pod for pod in story.pods("checkout") if pod["metadata"]["name"] in names),
        key=lambda pod: str(pod["metadata"]["name"]),
    )


def moment(text: str) -> datetime.datetime:
    """A time as the API server writes it."""
    return datetime.datetime.fromisoformat(text)


def test_two_sick_pods_of_four_are_replaced_one_after_the_other(story: Story) -> None:
    """Given two pods that fail, when they are restarted, then the second waits for the first."""
    sick = failing(story, 2)
    kept = story.pod_uids("checkout") - {pod["metadata"]["uid"] for pod in sick}
    signal = manifests.errors(by="pod")
    story.apply(manifests.policy("checkout", {"restartPods": {}}, signal=signal))
    story.start_operator()

    record = story.phase("checkout", "Succeeded")

    names = [str(pod["metadata"]["name"]) for pod in sick]
    effects = [(each["verb"], each["name"]) for each in record["spec"]["effects"]]
    assert [("Evict", name) for name in names] == effects
    assert [1, 1] == [len(story.writes(name)) for name in names]
    assert kept <= story.pod_uids("checkout"), "the others are the same pods as before"
    assert [] == story.writes("checkout")
    first, second = (moment(each["sentAt"]) for each in record["status"]["effects"])
    successors = sorted(
        moment(pod["status"]["startTime"])
        for pod in story.pods("checkout")
        if pod["metadata"]["uid"] not in kept
    )
    assert first <= successors[0] + datetime.timedelta(seconds=1)
    assert successors[0] <= second, "the first one's successor runs before the second goes"


def test_more_sick_pods_than_it_takes_are_left_to_the_next_step(story: Story) -> None:
    """Given three pods that fail, when two are the most, then the workload is restarted."""
    failing(story, 3)
    signal = manifests.errors(by="pod")
    steps = ({"restartPods": {"max": 2}}, {"restart": {}})
    story.apply(manifests.policy("checkout", *steps, signal=signal))
    story.start_operator()

    record = story.phase("checkout", "Succeeded")

    assert ("restart", 1) == (record["spec"]["action"], record["spec"]["step"])
    assert 1 == len(story.writes("checkout"))


def test_a_budget_without_room_keeps_the_sick_pods(story: Story) -> None:
    """Given a budget that lets none go, when two are sick, then both stay and it is said why."""
    sick = failing(story, 2)
    signal = manifests.errors(by="pod")
    policy = manifests.policy("checkout", {"restartPods": {}}, signal=signal)
    story.apply(manifests.budget("checkout", 4), policy)
    story.start_operator()

    words = story.refused("checkout", "DisruptionBudget")

    assert "PodDisruptionBudget checkout allows 0 disruptions (4 healthy, 4 needed)" in words
    assert [[], []] == [story.writes(str(pod["metadata"]["name"])) for pod in sick]
