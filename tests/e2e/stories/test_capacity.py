"""More room on a real API server: a quota that refuses pods, and a pool that is too small."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.harness import manifests, release
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


POOLER: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "poolers.postgresql.cnpg.io"},
    "spec": {
        "group": "postgresql.cnpg.io",
        "scope": "Namespaced",
        "names": {"kind": "Pooler", "plural": "poolers", "singular": "pooler"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""As CloudNativePG has it, without its schema: no controller of it is needed here."""
STEP: dict[str, Any] = {
    "patchField": {
        **{key: release.POOL_SIZE[key] for key in ("apiVersion", "kind", "path")},
        "name": "shop-db-rw",
        "by": 10,
        "min": 10,
        "max": 60,
        "require": [{"query": "count(app_up) * 0 + ($value - $current) * 2", "atMost": 40}],
    }
}


def parameters(story: Story) -> Any:
    """The settings of the pool."""
    path = f"/apis/postgresql.cnpg.io/v1/namespaces/{story.namespace}/poolers/shop-db-rw"
    return story.api.request("GET", path)["spec"]["pgbouncer"]["parameters"]


def saturated(story: Story, **policy: Any) -> None:
    """Given a workload that waits for connections of a pool of 25, and a policy."""
    story.lab.kubectl("apply", "--server-side", "--filename", "-", input=json.dumps(POOLER))
    story.lab.await_crds(POOLER["metadata"]["name"])
    spec = {"instances": 2, "pgbouncer": {"parameters": {"default_pool_size": "25"}}}
    pool = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Pooler", "spec": spec}
    story.wait(lambda: _applied(story, pool), "a Pooler can be made", 30)
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", load="4")
    signal = manifests.saturation(0.8, held="15s")
    settings = {"fields": [release.POOL_SIZE]}
    story.apply(manifests.policy("checkout", STEP, signal=signal, **policy))
    story.start_operator(patchField=settings)


def _applied(story: Story, pool: Any) -> bool:
    document = {**pool, "metadata": {"name": "shop-db-rw", "namespace": story.namespace}}
    arguments = ("apply", "--filename", "-")
    return story.lab.kubectl(*arguments, input=json.dumps(document), check=False).returncode == 0


def test_a_wider_pool_brings_latency_down(story: Story) -> None:
    """Given a saturated pool, when its size is patched, then that is proved within two minutes."""
    saturated(story)
    story.wait(lambda: parameters(story)["default_pool_size"] == "35", "the pool is wider", 60)
    story.annotate_pods("checkout", load="1")

    record = story.phase("checkout", "Succeeded", timeout=120)

    (effect,) = record["spec"]["effects"]
    assert ("Patch", "Pooler", "shop-db-rw") == (effect["verb"], effect["kind"], effect["name"])
    assert {"default_pool_size": "35"} == parameters(story)


def test_a_pool_that_is_not_the_cause_gets_its_size_back(story: Story) -> None:
    """Given a latency of another cause, when the size does not help, then it is as before."""
    saturated(story, verify={"within": "10s"})

    story.wait(lambda: story.phases("checkout") == ["Unhelpful", "Succeeded"], "undone", 150)

    assert {"default_pool_size": "25"} == parameters(story)


def test_pods_are_given_more_as_they_run(story: Story) -> None:
    """Given pods that need more, when they are resized in place, then none is replaced."""
    workload = manifests.workload("checkout", "v1")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}
    story.run(workload)
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    report_resources(story)
    before = story.pod_uids("checkout")
    step = {"resize": {"where": "InPlace", "memory": {"by": "50%", "max": "1Gi"}}}
    story.apply(manifests.policy("checkout", step))
    story.start_operator()
    story.wait(lambda: memory(story) == {"96Mi"}, "the pods may use more", 90)
    story.annotate_pods("checkout", errors="0")

    record = story.phase("checkout", "Succeeded", timeout=150)

    assert ["Pod", "Pod"] == [effect["kind"] for effect in record["spec"]["effects"]]
    assert before == story.pod_uids("checkout")


def report_resources(story: Story) -> None:
    """Let the kubelets say that they can resize: the lab's report nothing of resources."""
    where = "/status/containerStatuses/0/resources"
    for pod in story.pods("checkout"):
        (container,) = pod["spec"]["containers"]
        told = json.dumps([{"op": "add", "path": where, "value": container["resources"]}])
        patch = ("--subresource=status", "--type=json", "--patch", told)
        name = pod["metadata"]["name"]
        story.lab.kubectl("--namespace", story.namespace, "patch", "pod", name, *patch)


def memory(story: Story) -> set[str]:
    """The memory limits of the pods."""
    containers = (pod["spec"]["containers"][0] for pod in story.pods("checkout"))
    return {each["resources"]["limits"]["memory"] for each in containers}
