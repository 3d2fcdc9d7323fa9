"""What belongs to somebody else, on a real API server: pods, fields, evictions, other clusters."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)


def bare_pod(name: str, tag: str) -> Document:
    """A pod of no workload."""
    container = {"name": "app", "image": manifests.image("migrate", tag)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "migrate"}},
        "spec": {"containers": [container]},
    }


def leaks(namespace: str, pods: Iterable[str], now: float) -> str:
    """Memory of pods that has grown for 20 minutes, 100 kB a second, and goes on growing."""
    lines = ["# TYPE app_memory_bytes gauge"]
    for pod in pods:
        labels = f'namespace="{namespace}",pod="{pod}"'
        lines += [
            f"app_memory_bytes{{{labels}}} {200e6 - ago * 1e5:.0f} {now - ago:.0f}"
            for ago in range(1200, -900, -5)
        ]
    return "\n".join([*lines, "# EOF", ""])


def test_a_leaking_pod_of_nobody_is_no_reason_to_restart_a_deployment(story: Story) -> None:
    """Given bare pods with names like checkout's, when they leak, then checkout is left alone.

    A Deployment beside it whose own pods leak is restarted: the forecast does see leaks.
    """
    foreign = ("checkout-migrate-x7k2p", "checkout-7d4b9c6f5d-x7k2p")
    query = {"query": "max by (namespace, pod) (app_memory_bytes)"}
    forecast = {"reaches": "300M", "within": "30m", "window": "20m"}
    signal = {"name": "leak", "prometheus": query, "forecast": forecast, "for": "5s"}
    story.run(manifests.workload("checkout", "v1"), manifests.workload("cart", "v1"))
    story.apply(*(bare_pod(name, "v1") for name in foreign))
    own = [pod["metadata"]["name"] for pod in story.pods("cart")]
    prometheus = story.own_prometheus()
    prometheus.load(leaks(story.namespace, (*foreign, *own), time.time()))
    prometheus.start(scrape=False)
    story.apply(
        *(manifests.policy(each, {"restart": {}}, signal=signal) for each in ("checkout", "cart"))
    )
    story.start_operator(sources={"default": {"url": prometheus.url}})

    story.wait(lambda: story.writes("cart"), "the leak of cart's own pods is acted on")
    mapped = story.records("cart")[0]["spec"]["evidence"][0]["mappedBy"]
    assert "pod of Deployment/cart" == mapped
    stays(lambda: not story.records("checkout"), 20, "checkout is left alone")


@pytest.mark.parametrize("by", ["pod", "deployment"])
def test_a_pod_that_was_mended_by_hand_is_no_reason_any_more(story: Story, by: str) -> None:
    """Given a sick pod, when a person deletes it, then its series of a minute move nothing."""
    signal = manifests.errors("1m", by=by, held="20s")
    story.run(manifests.workload("checkout", "v1", replicas=3))
    story.apply(manifests.policy("checkout", {"restart": {}}, signal=signal))
    story.start_operator()
    story.becomes("checkout", "Healthy")
    (sick,) = story.annotate_pods("checkout", 1, errors="0.9")
    story.wait(lambda: story.sick("checkout").get("verdict") == "Unhealthy", "it is noticed")
    story.lab.kubectl("--namespace", story.namespace, "delete", "pod", sick, "--wait=false")

    stays(lambda: not story.records(), 75, "nothing is done about a pod that is gone")
    story.becomes("checkout", "Healthy")
    assert [] == story.writes("checkout")


def test_only_the_owner_of_a_field_keeps_it(story: Story) -> None:
    """Given an HPA and a controller, when their workloads are sick, then each keeps its fields.

    An HPA's Deployment is rolled back; a controller's is neither rolled back nor scaled, and the
    controller's object is named.
    """
    steps: dict[str, Document] = {"rollback": {"rollback": {}}, "scale": {"scale": {"by": 1}}}
    names = [f"{owner}-{action}" for owner in ("hpa", "owned") for action in steps]
    story.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "canary"}})
    path = f"/api/v1/namespaces/{story.namespace}/configmaps/canary"
    uid = story.api.request("GET", path)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "canary", "uid": uid}

    def workload(name: str, tag: str) -> Document:
        made = manifests.workload(name, tag, replicas=1)
        if name.startswith("owned"):
            made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        return made

    for tag, below in (("v1", 0.01), ("v2-bad", 1.0)):
        story.run(*(workload(name, tag) for name in names))
        for name in names:
            story.reported(name, 0.0 if tag == "v1" else 0.25, below)
    story.apply(*(manifests.autoscaler(f"hpa-{action}") for action in steps))
    story.apply(*(manifests.policy(name, steps[name.rpartition("-")[2]]) for name in names))
    story.start_operator()

    story.refused("hpa-scale", "OwnedByAutoscaler")
    for action in steps:
        words = story.refused(f"owned-{action}", "OwnedByController")
        assert f"ConfigMap/canary (v1) controls Deployment/owned-{action}" in words
    story.phase("hpa-rollback", "Succeeded")
    assert "v1" == story.image("hpa-rollback")
    stays(
        lambda: [bool(story.records(name)) for name in names] == [True, False, False, False],
        10,
        "nothing else is done",
    )


def test_the_server_judges_an_eviction(story: Story) -> None:
    """Given budgets without room, when a pod is not ready, then only AlwaysAllow lets it go."""
    policies = {"always": "AlwaysAllow", "healthy": "IfHealthyBudget"}
    by_pod = manifests.errors(by="pod")
    for name, eviction in policies.items():
        story.run(manifests.workload(name, "v1", replicas=3))
        budget = manifests.budget(name, 3)
        budget["spec"]["unhealthyPodEvictionPolicy"] = eviction
        story.apply(budget, manifests.policy(name, {"evictPod": {}}, signal=by_pod))
    sick = {name: story.annotate_pods(name, 1, errors="0.9")[0] for name in policies}
    for pod in sick.values():
        _not_ready(story, pod)
    story.start_operator()

    assert "2 healthy, 3 needed" in story.refused("healthy", "DisruptionBudget")
    story.wait(lambda: story.writes(sick["always"]), "the pod is evicted")
    record = story.records("always")[0]
    told = {each["guard"]: each["message"] for each in record["spec"]["guards"]}
    assert "allows 0 disruptions" in told["disruption_budgets_allow"]
    stays(lambda: not story.records("healthy"), 10, "the other pod stays")


def _not_ready(story: Story, pod: str) -> None:
    """Let a pod's containers be not ready, as a failing probe would."""
    conditions = [{"type": kind, "status": "False"} for kind in ("Ready", "ContainersReady")]
    path = f"/api/v1/namespaces/{story.namespace}/pods/{pod}/status"
    content_type = "application/strategic-merge-patch+json"
    story.patch(path, {"status": {"conditions": conditions}}, content_type)


@pytest.fixture
def denied(story: Story) -> Any:
    """An admission policy that denies whatever is changed on Deployments of this namespace."""
    name = f"signed-{story.namespace}"
    group = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments"],
    }
    by_operator = f"request.userInfo.username == '{story.username}'"
    here = {"kubernetes.io/metadata.name": story.namespace}
    story.apply(
        {
            **group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [{"name": "operator", "expression": by_operator}],
                "validations": [{"expression": "false", "message": "images must be signed"}],
            },
        },
        {
            **group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": here}},
            },
        },
    )
    yield name
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        story.lab.kubectl("delete", kind, name)


def test_a_refusal_by_admission_is_told_and_asked_ever_more_seldom(
    story: Story, denied: str
) -> None:
    """Given a policy that denies a change, then its words are told, and it is asked seldom."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.apply(manifests.policy("checkout", {"restart": {}}))
    story.start_operator()

    words = story.refused("checkout", "RefusedByAdmission")
    assert denied in words
    assert "images must be signed" in words
    began = len(story.requests("checkout"))
    stays(lambda: not story.records(), 60, "no record is made of what was refused")
    asked = len(story.requests("checkout")) - began
    assert asked <= 3, f"asked {asked} times in 60 s"


def test_a_webhook_that_does_not_answer_is_told_by_its_name(story: Story) -> None:
    """Given a webhook that fails, when the target is sick, then its name is told."""
    name = f"broken-{story.namespace}"
    here = {"kubernetes.io/metadata.name": story.namespace}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments"],
    }
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": "images.policy.example",
                    "clientConfig": {"url": "https://127.0.0.1:1/"},
                    "rules": [rule],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "namespaceSelector": {"matchLabels": here},
                    "timeoutSeconds": 2,
                }
            ],
        },
        manifests.policy("checkout", {"restart": {}}),
    )
    try:
        story.start_operator()
        words = story.refused("checkout", "RefusedByAdmission")
    finally:
        story.lab.kubectl("delete", "validatingwebhookconfiguration", name)

    assert 'failed calling webhook "images.policy.example"' in words
    story.phase("checkout", "Succeeded", 200)


def test_server_side_apply_has_no_conflict_once_a_remediation_has_ended(story: Story) -> None:
    """Given a rollback of what a pipeline applied, when it has ended, then the pipeline goes on.

    While it is under way the pipeline's next release is a conflict with ``prunella``.
    """

    def apply(tag: str) -> str:
        text = json.dumps(manifests.workload("checkout", tag))
        done = story.lab.kubectl(
            *("apply", "--server-side", "--field-manager=ci", "--namespace", story.namespace),
            *("--filename", "-"),
            input=text,
            check=False,
        )
        return str(done.stderr)

    def managers() -> set[str]:
        found = story.workload("checkout")["metadata"]["managedFields"]
        return {each["manager"] for each in found if not each.get("subresource")}

    assert apply("v1") == ""
    story.rolled_out("checkout")
    story.reported("checkout", below=0.01)
    story.apply(manifests.policy("checkout", {"rollback": {}}))
    story.start_operator()
    story.becomes("checkout", "Healthy")
    assert apply("v2-bad") == ""

    story.wait(lambda: story.phases("checkout") == ["Verifying"], "it is rolled back")
    conflict = apply("v3")
    assert 'conflict with "prunella"' in conflict
    name = story.records("checkout")[0]["metadata"]["name"]
    said = story.prunella("explain", f"remediation/{name}", "--namespace", story.namespace)
    assert "prunella" in said
    assert "server-side" in said

    story.phase("checkout", "Succeeded")
    generation = story.generation("checkout")
    assert "prunella" not in managers()
    assert "ci" in managers()
    assert apply("v3") == ""
    assert generation + 1 == story.generation("checkout")
    assert "v3" == story.image("checkout")
    assert 1 == len(story.writes("checkout"))


def of_two_clusters(namespace: str, now: float) -> str:
    """Requests of a healthy checkout in one cluster, and of a failing one in another."""
    lines = ["# TYPE up gauge"]
    moments = range(600, -900, -5)
    for cluster in ("eu-1", "us-1"):
        labels = f'namespace="{namespace}",cluster="{cluster}",instance="{cluster}:80"'
        lines += [f"up{{{labels}}} 1 {now - ago:.0f}" for ago in moments]
    lines.append("# TYPE app_http_requests counter")
    for cluster, bad in (("eu-1", 0.0), ("us-1", 0.9)):
        labels = f'namespace="{namespace}",cluster="{cluster}",deployment="checkout"'
        for code, share in (("200", 1 - bad), ("500", bad)):
            lines += [
                f'app_http_requests_total{{{labels},code="{code}"}} '
                f"{(1000 - ago) * 10 * share:.1f} {now - ago:.0f}"
                for ago in moments
            ]
    return "\n".join([*lines, "# EOF", ""])


def test_another_clusters_errors_are_no_reason_to_act(story: Story) -> None:
    """Given one Prometheus for two clusters, then matchers decide which of them is judged.

    Without matchers nothing is believed, and the condition says which clusters there are.
    """
    prometheus = story.own_prometheus()
    prometheus.load(of_two_clusters(story.namespace, time.time()))
    prometheus.start(scrape=False)
    story.run(manifests.workload("checkout", "v1"))
    policies = {
        name: manifests.policy(
            name,
            {"restart": {}},
            target={"name": "checkout"},
            signal={**manifests.errors("30s"), "source": name},
            mode="DryRun",
        )
        for name in ("mixed", "eu", "us")
    }
    story.apply(*policies.values())
    story.start_operator(
        sources={
            "mixed": {"url": prometheus.url},
            "eu": {"url": prometheus.url, "matchers": {"cluster": "eu-1"}},
            "us": {"url": prometheus.url, "matchers": {"cluster": "us-1"}},
        }
    )

    words = story.becomes("mixed", "ManyClusters")
    assert "(cluster: eu-1, us-1)" in words
    story.becomes("eu", "Healthy")
    story.phase("us", "DryRun")
    assert [] == story.records("mixed") + story.records("eu")
