"""Rollouts as people have them: stuck, paused, by other strategies, on lost nodes, of nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import MOMENT, STRATEGIC, Story
from tests.e2e.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

LIMITS = {
    "actionsPerNamespacePerHour": 60,
    "actionsPerClusterPerHour": 600,
    "unhelpfulBeforeLatch": 3,
    "rolloutSeconds": 30,
}
"""An operator that takes a rollout for stuck after half a minute without progress."""
ONE_DOWN = {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
NEVER_PLACED = {"limits": {"cpu": "4000"}, "requests": {"cpu": "4000"}}


def too_few(kind: str, pods: int = 3) -> Document:
    """Fewer pods report than there should be."""
    return {
        "name": "reporting",
        "prometheus": {"query": f"count by (namespace, {kind.lower()}) (app_up)"},
        "threshold": {"below": pods},
        "for": "10s",
    }


def configure(story: Story, name: str, kind: str = "Deployment", **spec: Any) -> None:
    """Change fields of a workload's spec."""
    plural = manifests.KINDS[kind]
    story.patch(f"/apis/apps/v1/namespaces/{story.namespace}/{plural}/{name}", {"spec": spec})


def release(story: Story, name: str, tag: str, kind: str = "Deployment", **container: Any) -> None:
    """Set another image, and wait for nothing."""
    plural = manifests.KINDS[kind]
    changed = {"name": "app", "image": manifests.image(name, tag), **container}
    template = {"template": {"spec": {"containers": [changed]}}}
    path = f"/apis/apps/v1/namespaces/{story.namespace}/{plural}/{name}"
    story.patch(path, {"spec": template}, STRATEGIC)


def all_report(story: Story, kind: str, pods: int = 3) -> None:
    """Wait until all pods report, now and a moment ago."""
    query = f'count(app_up{{namespace="{story.namespace}", {kind.lower()}!=""}})'

    def reported() -> bool:
        now = time.time()
        return all(story.value(query, at) == pods for at in (now, now - MOMENT))

    story.wait(reported, f"{pods} pods report", 60)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_stuck_rollout_that_kubernetes_does_not_flag_is_rolled_back(
    story: Story, kind: str
) -> None:
    """Given a release that no node takes, when its rollout hangs, then the one before is back.

    The pod that an ordered StatefulSet would wait for is evicted with it.
    """
    story.run(manifests.workload("store", "v1", kind=kind, replicas=3))
    if kind == "Deployment":
        configure(story, "store", kind, progressDeadlineSeconds=3600, strategy=ONE_DOWN)
    all_report(story, kind)
    target = {"kind": kind, "name": "store"}
    story.apply(manifests.policy("store", {"rollback": {}}, target=target, signal=too_few(kind)))
    story.start_operator(limits=LIMITS)
    release(story, "store", "v2", kind, resources=NEVER_PLACED)
    words = story.refused("store", "RolloutInProgress")
    assert "of 3 replicas updated" in words

    record = story.phase("store", "Succeeded")

    assert "v1" == story.image("store", kind)
    assert ["Succeeded"] == story.phases("store")
    assert 1 == len(story.writes("store"))
    effects = [(each["verb"], each["name"]) for each in record["spec"]["effects"]]
    evicted = [("Evict", "store-2")] if kind == "StatefulSet" else []
    assert [("Patch", "store"), *evicted] == effects
    assert len(evicted) == len(story.writes("store-2"))
    story.rolled_out("store", kind)
    assert [] == story.alerts()


def test_a_paused_deployment_is_left_to_who_paused_it(story: Story) -> None:
    """Given spec.paused, when it is sick, then it is not touched until the pause ends."""
    story.run(manifests.workload("checkout", "v1"))
    story.reported("checkout", below=0.01)
    story.release("checkout", "v2-bad")
    configure(story, "checkout", paused=True)
    story.start_operator()
    story.apply(manifests.policy("checkout", {"rollback": {}}, {"restart": {}}))

    words = story.refused("checkout", "RolloutPaused")

    assert "kubectl rollout resume deployment/checkout" in words
    assert [] == story.writes("checkout")
    configure(story, "checkout", paused=False)
    story.phase("checkout", "Succeeded")
    assert "v1" == story.image("checkout")


def test_a_pod_of_on_delete_is_evicted_where_a_restart_replaces_nothing(story: Story) -> None:
    """Given OnDelete and a newer template, when a pod is sick, then evicting it is the step."""
    on_delete = {"updateStrategy": {"type": "OnDelete"}}
    workload = manifests.workload("store", "v1-bad", kind="StatefulSet", replicas=1)
    story.run(manifests.configured(workload, on_delete))
    release(story, "store", "v2", "StatefulSet")
    target = {"kind": "StatefulSet", "name": "store"}
    signal = manifests.errors(by="pod")
    steps = ({"restart": {}}, {"evictPod": {}})
    story.apply(manifests.policy("store", *steps, target=target, signal=signal))
    story.start_operator()

    record = story.phase("store", "Succeeded")

    assert ("evictPod", 1) == (record["spec"]["action"], record["spec"]["step"])
    assert [] == story.writes("store"), "the set itself was left alone"
    images = [pod["spec"]["containers"][0]["image"] for pod in story.pods("store")]
    assert [manifests.image("store", "v2")] == images


def test_a_partition_as_large_as_the_set_is_not_patched_in_vain(story: Story) -> None:
    """Given a partition that keeps all pods, when they are sick, then it is said why."""
    held = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
    workload = manifests.workload("store", "v1-bad", kind="StatefulSet", replicas=2)
    story.run(manifests.configured(workload, held))
    target = {"kind": "StatefulSet", "name": "store"}
    signal = manifests.errors(by="statefulset")
    story.apply(manifests.policy("store", {"restart": {}}, target=target, signal=signal))
    story.start_operator()

    words = story.refused("store", "UpdateStrategy")

    assert "partition 2 keeps all 2 pods" in words
    assert [] == story.writes("store")


def test_recreate_is_told_and_held_to_the_budget(story: Story) -> None:
    """Given Recreate and a budget of one, when it is sick, then not all its pods are stopped."""
    workload = manifests.workload("checkout", "v1", replicas=3)
    story.run(manifests.configured(workload, {"strategy": {"type": "Recreate"}}))
    story.reported("checkout", below=0.01)
    story.apply(manifests.budget("checkout", 2), manifests.policy("checkout", {"rollback": {}}))
    story.start_operator()
    story.release("checkout", "v2-bad")

    words = story.refused("checkout", "DisruptionBudget")

    assert "takes down 3 of 3 available pods at once (Recreate)" in words
    assert [] == story.writes("checkout")
    path = f"/apis/policy/v1/namespaces/{story.namespace}/poddisruptionbudgets/checkout"
    story.api.request("DELETE", path)
    record = story.phase("checkout", "Succeeded")
    assert "all 3 pods at once (Recreate)" in record["spec"]["effects"][0]["summary"]


def test_scaled_to_nothing_is_not_sick(story: Story) -> None:
    """Given a person who scaled it to 0, when a signal of absence cries, then it stays so."""
    story.run(manifests.workload("checkout", "v1"), manifests.workload("search", "v1"))
    story.reported("checkout", below=0.01)
    signal = {
        "name": "up",
        "prometheus": {"query": "count by (namespace, deployment) (app_up)"},
        "absent": {"canary": "count(app_up)"},
        "for": "5s",
    }
    story.apply(manifests.policy("checkout", {"scale": {"to": 2}}, signal=signal))
    story.start_operator()
    wait_until(lambda: story.condition("checkout").get("reason") == "Healthy", 60, "it is Healthy")
    configure(story, "checkout", replicas=0)

    words = story.becomes("checkout", "ScaledToZero")
    time.sleep(20)

    assert "0 replicas are wanted of each target" == words
    assert "True" == story.condition("checkout")["status"]
    assert ("Unknown", "ScaledToZero") == (
        story.sick("checkout")["verdict"],
        story.sick("checkout")["reason"],
    )
    assert [] == story.records("checkout")
    assert 0 == story.replicas("checkout")


def lose(story: Story, pod: Document) -> None:
    """Let a pod look as the node controller leaves it when its node is silent."""
    path = f"/api/v1/namespaces/{story.namespace}/pods/{pod['metadata']['name']}/status"
    conditions = [
        {"type": "Ready", "status": "False"},
        {"type": "ContainersReady", "status": "True"},
    ]
    story.patch(path, {"status": {"conditions": conditions}}, STRATEGIC)


def test_a_lost_node_does_not_make_an_eviction_unhelpful(story: Story) -> None:
    """Given a DaemonSet with a lost node, when another pod is evicted, then it is proved.

    A restart, for which its controller would wait for the lost node, is not even begun.
    """
    story.run(manifests.workload("logs", "v1", kind="DaemonSet"))
    story.reported("logs", below=0.01, kind="daemonset")
    lost, sick, *_ = story.pods("logs")
    lose(story, lost)
    story.wait(
        lambda: story.workload("logs", "DaemonSet")["status"].get("numberUnavailable") == 1,
        "one pod is unavailable",
    )
    path = f"/api/v1/namespaces/{story.namespace}/pods/{sick['metadata']['name']}"
    story.patch(path, {"metadata": {"annotations": {f"{manifests.LAB}/errors": "0.9"}}})
    target = {"kind": "DaemonSet", "name": "logs"}
    signal = manifests.errors(by="pod")
    steps = ({"restart": {}}, {"evictPod": {}})
    story.apply(manifests.policy("logs", *steps, target=target, signal=signal))
    story.start_operator()

    record = story.phase("logs", "Succeeded")

    assert ("evictPod", sick["metadata"]["name"]) == (
        record["spec"]["action"],
        record["spec"]["effects"][0]["name"],
    )
    assert {"wanted": 3, "available": 2, "lost": 1} == record["spec"]["before"]
    assert [] == story.writes("logs")
    assert 1 == story.workload("logs", "DaemonSet")["status"]["numberUnavailable"]
    assert ["Succeeded"] == story.phases("logs")


def test_a_release_that_was_proved_bad_is_known_when_it_comes_again(story: Story) -> None:
    """Given a release that was rolled back, when it comes again, then it is told and acted on.

    Told at once, after a restart of the operator; acted on after a quarter of the time, though
    Kubernetes kept its ReplicaSet; and never rolled back to.
    """
    story.run(manifests.workload("checkout", "v1"))
    story.reported("checkout", below=0.01)
    signal = manifests.errors(held="40s")
    step = {"rollback": {"to": "Previous", "whenChangedWithin": "90s"}}
    story.apply(manifests.policy("checkout", step, signal=signal))
    operator = story.start_operator()
    story.release("checkout", "v2-bad")
    first = story.phase("checkout", "Succeeded")
    operator.kill()
    story.reported("checkout", below=0.01)
    time.sleep(30)
    operator.start()

    story.release("checkout", "v2-bad")
    words = story.becomes("checkout", "ReleasedAgain", "CondemnedRelease", 20)
    assert first["metadata"]["name"] in words
    story.wait(lambda: story.phases("checkout") == ["Succeeded"] * 2, "rolled back again", 150)

    second = story.records("checkout")[1]
    held = next(g for g in second["spec"]["guards"] if g["guard"] == "held_for_long_enough")
    assert "10 s are needed, not 40 s" in held["message"]
    assert "v1" == story.image("checkout")
    assert any(each["reason"] == "CondemnedRelease" for each in story.events())
    assert {} == story.condition("checkout", "CondemnedRelease")
