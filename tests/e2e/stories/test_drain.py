"""A node behind a budget: the drain waits, says so, gives up; then a free one is drained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.harness import manifests, release, storms
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(400)

GROUP = "/apis/prunella.dev/v1alpha1"
KIND = "LabHangs"
"""A condition that nobody but this story reports."""


@pytest.fixture
def node(story: Story, node: str) -> Iterator[str]:
    """The same; in the end without the policy, which would go on with it."""
    yield node
    story.lab.kubectl("delete", "crempol", story.namespace, "--ignore-not-found")


def hangs(story: Story, node: str, status: str) -> None:
    """Let node-problem-detector report on the node."""
    told = {"type": KIND, "status": status, "reason": "Lab", "message": "told by the story"}
    patch = json.dumps({"status": {"conditions": [told]}})
    how = ("--subresource=status", "--type=strategic", "--patch", patch)
    story.lab.kubectl("patch", "node", node, *how)


def serving(story: Story, node: str) -> None:
    """Given two pods on the node under a budget of two, and an operator that may drain it."""
    workload = manifests.workload("checkout", "v1", replicas=2)
    storms.in_pool(workload, story.namespace)
    selector = {"matchLabels": {"app": "checkout"}}
    budget: Document = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    spec = {"minAvailable": 2, "selector": selector}
    story.run(workload)
    story.apply({**budget, "metadata": {"name": "checkout"}, "spec": spec})
    policy = {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "ClusterRemediationPolicy",
        "metadata": {"name": story.namespace},
        "spec": {
            "mode": "Live",
            "interval": "5s",
            "target": {"name": node},
            "signals": [
                {"name": "hangs", "nodeCondition": {"type": KIND, "status": "True"}, "for": "1s"}
            ],
            "steps": [{"drain": {"deadline": "20s", "uncordonAfter": "5s"}}],
            "guards": {"cooldown": "1s", "maxPerHour": 60},
        },
    }
    story.lab.kubectl("apply", "--filename", "-", input=yaml.safe_dump(policy))
    off = {"enabled": False}
    own = [story.namespace, release.HOME]
    story.start_operator(clusterPolicies=True, namespaces=own, incidents=off, journal=off)


def records(story: Story) -> list[Document]:
    """What the policy did, oldest first; kept in the operator's namespace."""
    found = story.api.items(f"{GROUP}/namespaces/{release.HOME}/remediations")
    own = [each for each in found if each["spec"]["policy"]["name"] == story.namespace]
    return sorted(own, key=lambda each: int(each["spec"]["attempt"]))


def phases(story: Story) -> list[tuple[str, str]]:
    """The same in short."""
    return [(r["spec"]["action"], r.get("status", {}).get("phase", "")) for r in records(story)]


def shown(story: Story, node: str) -> tuple[bool, Any]:
    """Whether the node is cordoned, and by whom of ours."""
    found = story.api.request("GET", f"/api/v1/nodes/{node}")
    annotations = found["metadata"].get("annotations", {})
    return bool(found["spec"].get("unschedulable")), annotations.get("prunella.dev/cordoned-by")


def test_a_budget_is_waited_for_and_a_free_node_is_drained(story: Story, node: str) -> None:
    """Given a budget that never gives way the node is uncordoned; without it, it is drained."""
    serving(story, node)
    pods = story.pod_uids("checkout")

    hangs(story, node, "True")
    waits = "would violate the pod's disruption budget"
    story.wait(
        lambda: any(waits in r.get("status", {}).get("message", "") for r in records(story)),
        "the drain says what it waits for",
    )
    assert (True, records(story)[0]["metadata"]["name"]) == shown(story, node)
    given_up = [("drain", "Unhelpful"), ("revert", "Succeeded")]
    story.wait(lambda: phases(story) == given_up, "it is given up and undone")
    assert ((False, None), pods) == (shown(story, node), story.pod_uids("checkout"))
    assert "not drained within 20 s" in records(story)[0]["status"]["message"]

    hangs(story, node, "False")
    story.wait(lambda: "clearedAt" in records(story)[0]["status"], "the node was seen Healthy")
    story.lab.kubectl("delete", "pdb", "checkout", "--namespace", story.namespace)
    hangs(story, node, "True")
    story.wait(lambda: phases(story)[2:] == [("drain", "Succeeded")], "it is drained")
    assert (True, records(story)[2]["metadata"]["name"]) == shown(story, node)
    assert not pods & story.pod_uids("checkout")

    hangs(story, node, "False")
    story.wait(lambda: phases(story)[3:] == [("returnNode", "Succeeded")], "it is given back")
    assert (False, None) == shown(story, node)
