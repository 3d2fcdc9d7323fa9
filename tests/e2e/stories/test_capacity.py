"""More room on a real API server: a quota that refuses pods, and a pool that is too small."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story
from tests.e2e.stories import test_rollouts

pytestmark = pytest.mark.timeout(300)


def hard(story: Story) -> Any:
    """The quota's limits."""
    path = f"/api/v1/namespaces/{story.namespace}/resourcequotas/compute"
    return story.api.request("GET", path)["spec"]["hard"]


def test_a_quota_that_refuses_pods_is_raised(story: Story) -> None:
    """Given a quota of 3 pods, when 4 are wanted, then it is raised and all report."""
    story.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "compute"},
            "spec": {"hard": {"pods": "3"}},
        }
    )
    story.run(manifests.workload("checkout", "v1", replicas=2))
    step = {"raiseQuota": {"ceilings": {"pods": 6}}}
    signal = test_rollouts.too_few("Deployment", 4)
    story.apply(manifests.policy("checkout", step, signal=signal))
    path = f"/apis/apps/v1/namespaces/{story.namespace}/deployments/checkout"
    story.patch(path, {"spec": {"replicas": 4}})
    story.start_operator()

    record = story.phase("checkout", "Succeeded", timeout=150)

    (effect,) = record["spec"]["effects"]
    assert ("Patch", "ResourceQuota", "compute") == (
        effect["verb"],
        effect["kind"],
        effect["name"],
    )
    assert {"pods": "4"} == hard(story)
    assert 1 == len(story.writes("compute"))
