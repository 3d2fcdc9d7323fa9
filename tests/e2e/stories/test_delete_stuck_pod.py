"""A StatefulSet that waits for a pod in vain, with its real controller."""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.stories import test_rollouts
from tests.e2e.stories.test_rollouts import LIMITS, NEVER_PLACED

pytestmark = pytest.mark.timeout(400)

KIND = "StatefulSet"
PLACED = {"limits": {"cpu": "100m"}, "requests": {"cpu": "10m"}}
HELD = "lab.prunella.dev/silent"
"""A finalizer: the pod stays in deletion, as one whose kubelet is silent."""


def watched(story: Story, step: Document) -> None:
    """Given a set of three pods that report, and a policy on how many do."""
    story.run(manifests.workload("store", "v1", kind=KIND, replicas=3))
    test_rollouts.all_report(story, KIND)
    target = {"kind": KIND, "name": "store"}
    signal = test_rollouts.too_few(KIND)
    policy = manifests.policy("store", {"deleteStuckPod": step}, target=target, signal=signal)
    story.apply(policy)
    story.start_operator(limits=LIMITS)


def test_a_repaired_rollout_is_freed_from_its_broken_pod(story: Story) -> None:
    """Given a template that a person repaired, when the set hangs, then the old pod is evicted."""
    watched(story, {})
    test_rollouts.release(story, "store", "v2", KIND, resources=NEVER_PLACED)
    story.refused("store", "RolloutInProgress")
    test_rollouts.release(story, "store", "v3", KIND, resources=PLACED)

    record = story.phase("store", "Succeeded")

    effects = [(each["verb"], each["name"]) for each in record["spec"]["effects"]]
    assert [("Evict", "store-2")] == effects
    assert 1 == len(story.writes("store-2"))
    assert [] == story.writes("store")
    images = {pod["spec"]["containers"][0]["image"] for pod in story.pods("store")}
    assert {manifests.image("store", "v3")} == images


def test_a_pod_of_a_lost_node_is_removed_after_its_grace(story: Story) -> None:
    """Given a pod in deletion whose kubelet is silent, after a minute it is removed."""
    watched(story, {"lostNodeAfter": "1m"})
    lost = next(pod for pod in story.pods("store") if pod["metadata"]["name"] == "store-1")
    path = f"/api/v1/namespaces/{story.namespace}/pods/store-1"
    silent = {"finalizers": [HELD], "annotations": {f"{manifests.LAB}/metrics": "none"}}
    story.patch(path, {"metadata": silent})
    story.api.request("DELETE", path)
    test_rollouts.lose(story, lost)
    story.wait(lambda: story.writes("store-1"), "it is removed", 200)
    story.patch(path, {"metadata": {"finalizers": None}})
    record = story.phase("store", "Succeeded")

    (effect,) = record["spec"]["effects"]
    assert ("Evict", "store-1", True) == (effect["verb"], effect["name"], effect["forced"])
    assert lost["metadata"]["uid"] == effect["precondition"]["uid"]
    (waited,) = re.findall(r"should have been gone for (\d+) s", effect["summary"])
    assert int(waited) >= 60
    (write,) = story.writes("store-1")
    assert 0 == write["requestObject"]["deleteOptions"]["gracePeriodSeconds"]
    assert 3 == len(story.pods("store"))
