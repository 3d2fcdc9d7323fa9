"""Actions on single pods and on Jobs that the chart has not enabled: the API server refuses them.

Each has a namespace of its own, so that no incident explains one fault by another.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import argo_rollouts, flux
from lab.cluster import Lab
from prunella.cli import kube
from prunella.core.decisions import helm
from tests.contract import worlds
from tests.e2e.chart import toolbox
from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.stories import test_incidents, test_rollouts

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def story(release: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A stage with the chart's account, for which restart alone is enabled."""
    name = f"guard-{uuid.uuid4().hex[:8]}"
    release.kubectl("create", "namespace", name)
    account = release.token_kubeconfig(toolbox.ACCOUNT, toolbox.HOME)
    api = kube.connect(release.kubeconfig, None, name)
    folder = tmp_path_factory.mktemp("refusals")
    stage = Story(release, api, account, toolbox.USERNAME, name, folder)
    path = f"/api/v1/namespaces/{name}/serviceaccounts"
    stage.wait(lambda: api.items(path), f"{name} is usable", 30)
    try:
        yield stage
    finally:
        stage.close()


def refused(story: Story, policy: Document, **settings: Any) -> str:
    """The API server's words, when an operator wants to do what the policy says."""
    story.start_operator(
        **settings,
        operatorNamespace=toolbox.HOME,
        operatorName=toolbox.ACCOUNT,
        limits=test_rollouts.LIMITS,
    )
    story.apply(policy)
    message = story.becomes(policy["metadata"]["name"], "ForbiddenByServer", timeout=150)
    assert [] == story.records()
    return message


def test_sick_pods_stay(story: Story) -> None:
    """Given restartPods off, when two pods fail, then both stay."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    before = story.pod_uids("checkout")
    signal = manifests.errors(by="pod")

    message = refused(story, manifests.policy("checkout", {"restartPods": {}}, signal=signal))

    assert 'cannot create resource "pods/eviction"' in message
    assert before == story.pod_uids("checkout")


def test_a_stuck_pod_stays(story: Story) -> None:
    """Given deleteStuckPod off, when a repaired set hangs, then its old pod stays."""
    story.run(manifests.workload("store", "v1", kind="StatefulSet", replicas=3))
    test_rollouts.all_report(story, "StatefulSet")
    placed = {"limits": {"cpu": "1"}, "requests": {"cpu": "10m"}}
    broken = test_rollouts.NEVER_PLACED
    test_rollouts.release(story, "store", "v2", "StatefulSet", resources=broken)
    story.wait(lambda: _is_broken(story, "store-2"), "a pod of the broken template is there")
    test_rollouts.release(story, "store", "v3", "StatefulSet", resources=placed)
    target = {"kind": "StatefulSet", "name": "store"}
    signal = test_rollouts.too_few("StatefulSet")
    step: Document = {"deleteStuckPod": {}}

    message = refused(story, manifests.policy("store", step, target=target, signal=signal))

    assert 'cannot create resource "pods/eviction"' in message
    assert [] == story.writes("store-2")


def _is_broken(story: Story, name: str) -> bool:
    images = {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"]
        for pod in story.pods("store")
    }
    return images.get(name) == manifests.image("store", "v2")


def test_a_templates_job_is_not_made(story: Story) -> None:
    """Given runJob off, when a policy names a template that the operator has, none is made."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    template = {
        "namespaces": ["*"],
        "image": f"tools/redis@sha256:{'0' * 64}",
        "serviceAccount": "default",
    }
    step = {"runJob": {"template": "purge"}}
    signal = manifests.failing("checkout")

    message = refused(
        story,
        manifests.policy("checkout", step, signal=signal),
        offered={"jobTemplates": {"purge": template}},
    )

    assert 'cannot create resource "jobs"' in message
    assert [] == story.api.items(f"/apis/batch/v1/namespaces/{story.namespace}/jobs")


def test_a_system_outside_is_not_called(story: Story) -> None:
    """Given webhook off, when a policy names what the operator knows, then there is no record."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    listed = {"namespaces": ["*"], "url": "http://127.0.0.1:9"}
    story.start_operator(
        operatorNamespace=toolbox.HOME,
        operatorName=toolbox.ACCOUNT,
        offered={"endpoints": {"restart": listed}},
    )
    step = {"webhook": {"endpoint": "restart"}}
    signal = manifests.failing("checkout")
    story.apply(manifests.policy("checkout", step, signal=signal))

    message = story.becomes("checkout", "LedgerUnavailable", timeout=150)

    assert "action webhook is not enabled for the operator" in message
    assert [] == story.records()


def test_a_release_of_helm_stays(story: Story) -> None:
    """Given helmRollback off, when a release fails that was well before, no Job of Helm is made."""
    marks = {helm.RELEASE: "shop", helm.NAMESPACE: story.namespace}
    good = manifests.workload("checkout", "v1", annotations=marks)
    story.run(good, manager="helm")
    path = f"/apis/apps/v1/namespaces/{story.namespace}/deployments/checkout"
    story.reported("checkout", below=0.01)
    story.run(manifests.workload("checkout", "v2-bad", annotations=marks), manager="helm")
    generation = story.api.request("GET", path)["metadata"]["generation"]
    template = {
        "namespaces": ["*"],
        "image": f"alpine/helm@sha256:{'0' * 64}",
        "serviceAccount": "default",
        "parameters": {
            key: {"pattern": ".*", "default": ""}
            for key in ("RELEASE", "CHANGED", "HOOKS", "EXPECT", "TO")
        },
    }
    policy = manifests.policy("checkout", {"helmRollback": {}})

    message = refused(story, policy, offered={"helmRollback": template})

    assert 'cannot create resource "jobs"' in message
    assert [] == story.api.items(f"/apis/batch/v1/namespaces/{story.namespace}/jobs")
    assert generation == story.api.request("GET", path)["metadata"]["generation"]


def test_a_field_of_another_object_stays(story: Story) -> None:
    """Given patchField off, when a budget is in the way, then it stays as it is."""
    story.run(manifests.workload("checkout", "v1"))
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "checkout"}}}
    budget: Document = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": spec}
    story.apply({**budget, "metadata": {"name": "checkout"}})
    story.annotate_pods("checkout", errors="0.5")
    field = {key: toolbox.FIELDS[0][key] for key in ("apiVersion", "kind", "path")}
    step: Document = {"patchField": {**field, "by": -1, "min": 1, "max": 3}}

    message = refused(
        story, manifests.policy("checkout", step), patchField={"fields": toolbox.FIELDS}
    )

    assert 'cannot get resource "poddisruptionbudgets"' not in message
    assert 'cannot patch resource "poddisruptionbudgets"' in message
    assert [] == story.writes("checkout")


def test_the_bounds_of_an_autoscaler_stay(story: Story) -> None:
    """Given scaleBounds off, when the autoscaler is at its maximum, then it stays as it is."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.autoscaler("checkout"))
    story.annotate_pods("checkout", errors="0.5")
    step: Document = {"scaleBounds": {"bound": "Min", "by": 1, "max": 9}}

    message = refused(story, manifests.policy("checkout", step))

    assert 'cannot patch resource "horizontalpodautoscalers"' in message
    assert [] == story.writes("checkout")


def test_a_quota_stays(story: Story) -> None:
    """Given raiseQuota off, when a quota has no room for one more pod, then it stays as it is."""
    story.run(manifests.workload("checkout", "v1", replicas=2))
    quota: Document = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "2"}}}
    story.apply({**quota, "metadata": {"name": "checkout"}})
    story.annotate_pods("checkout", errors="0.5")
    step: Document = {"raiseQuota": {"name": "checkout", "ceilings": {"pods": 9}}}

    message = refused(story, manifests.policy("checkout", step))

    assert "resourcequotas" in message
    assert [] == story.writes("checkout")


def test_what_a_service_chooses_stays(story: Story) -> None:
    """Given shiftTraffic off, when a side is sick, then all traffic goes where it went."""
    story.run(manifests.workload("checkout", "v1"), manifests.workload("other", "v1"))
    spec = {"selector": {"app": "checkout"}, "ports": [{"port": 80}]}
    service: Document = {"apiVersion": "v1", "kind": "Service", "spec": spec}
    story.apply({**service, "metadata": {"name": "checkout"}})
    story.annotate_pods("checkout", errors="0.5")
    step: Document = {"kind": "Service", "label": "app", "to": {"workload": "other"}}

    message = refused(story, manifests.policy("checkout", {"shiftTraffic": step}))

    assert 'cannot get resource "services"' in message
    assert [] == story.writes("checkout")


def test_no_certificate_is_asked_for(story: Story) -> None:
    """Given renewCertificate off, when a side is sick, then its Certificate stays as it is."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")

    message = refused(story, manifests.policy("checkout", {"renewCertificate": {}}))

    assert 'cannot get resource "certificates"' in message
    assert [] == story.writes("checkout")


def test_what_an_incident_suspects_stays(story: Story) -> None:
    """Given restore off, when an incident suspects a Service's change, then it stays as it is."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    service: Document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "checkout"}}
    story.run(manifests.workload("checkout", "v1"))
    story.apply({**service, "spec": {"selector": {"app": "checkout"}, "ports": ports}})
    trigger = {"incident": {"causeKind": ["Networking", "Configuration"], "confidence": "Low"}}
    step: Document = {"restore": {"kinds": ["Service"]}}
    story.start_operator(operatorNamespace=toolbox.HOME, operatorName=toolbox.ACCOUNT)
    story.apply(manifests.policy("checkout", step, trigger=trigger))
    story.becomes("checkout", "Healthy")
    path = f"/api/v1/namespaces/{story.namespace}/services/checkout"
    wrong = {"spec": {"ports": [{**ports[0], "targetPort": 9999}]}}
    story.patch(path, wrong)
    story.annotate_pods("checkout", errors="0.5")
    test_incidents.post(story, [test_incidents.alert(story, "HighErrorRate", "checkout")])

    message = story.becomes("checkout", "ForbiddenByServer", timeout=150)

    assert 'cannot get resource "services"' in message
    assert [] == story.records()
    assert 9999 == story.api.request("GET", path)["spec"]["ports"][0]["targetPort"]


@pytest.mark.parametrize("where", ["InPlace", "Template"])
def test_resources_stay(story: Story, where: str) -> None:
    """Given resize off, when a workload is sick, then its resources stay as they are."""
    workload = manifests.workload("checkout", "v1")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"limits": {"memory": "64Mi"}}
    story.run(workload)
    story.annotate_pods("checkout", errors="0.5")
    step: Document = {"resize": {"where": where, "memory": {"by": "50%", "max": "128Mi"}}}

    message = refused(story, manifests.policy("checkout", step))

    words = {
        "InPlace": 'cannot patch resource "pods/resize"',
        "Template": "spec.template.spec: action rollback is not enabled for the operator",
    }
    assert words[where] in message
    assert [] == story.writes("checkout")


def test_a_volume_stays(story: Story) -> None:
    """Given expandVolume off, when a claim is too small, then it asks for what it did."""
    size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
    kind: Document = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    claim = {"accessModes": modes, "resources": {"requests": size}, "storageClassName": ""}
    for_ = {**kind, "namespace": story.namespace, "name": "files"}
    volume = {"accessModes": modes, "capacity": size, "hostPath": {"path": "/none"}}
    document = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": story.namespace},
        "spec": {**volume, "claimRef": for_, "storageClassName": ""},
    }
    story.lab.apply(yaml.safe_dump(document))
    story.apply({**kind, "metadata": {"name": "files"}, "spec": claim})
    workload = manifests.workload("checkout", "v1", replicas=1)
    mounted = {"name": "data", "persistentVolumeClaim": {"claimName": "files"}}
    workload["spec"]["template"]["spec"]["volumes"] = [mounted]
    story.run(workload)
    story.annotate_pods("checkout", errors="0.5")
    step: Document = {"expandVolume": {"max": "9Gi", "allowOneWay": True}}
    signal = manifests.failing("checkout")

    message = refused(story, manifests.policy("checkout", step, signal=signal))

    assert 'cannot get resource "persistentvolumeclaims"' in message
    path = f"/api/v1/namespaces/{story.namespace}/persistentvolumeclaims/files"
    assert size == story.api.request("GET", path)["spec"]["resources"]["requests"]


JOBS = {
    "suspendCronJob": 'cannot patch resource "cronjobs"',
    "rerunJob": 'cannot create resource "jobs"',
}


@pytest.mark.parametrize(("action", "words"), JOBS.items(), ids=JOBS)
def test_a_cron_job_is_left_alone(story: Story, action: str, words: str) -> None:
    """Given suspendCronJob off, or rerunJob off, when it is sick, nothing is suspended or made."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.cron_job("nightly", fails=True))
    within = ("--namespace", story.namespace)
    story.lab.kubectl(*within, "create", "job", "nightly-1", "--from=cronjob/nightly")
    story.lab.kubectl(*within, "wait", "job/nightly-1", "--for=condition=Failed", "--timeout=60s")
    story.annotate_pods("checkout", errors="0.5")
    target = {"kind": "CronJob", "name": "nightly"}
    signal = manifests.failing("checkout")

    message = refused(
        story, manifests.policy("nightly", {action: {}}, target=target, signal=signal)
    )

    assert words in message
    assert [] == story.writes("nightly")
    assert 1 == len(story.api.items(f"/apis/batch/v1/namespaces/{story.namespace}/jobs"))


_WAITING = {
    "observedGeneration": "1",
    "stableRS": "old",
    "currentPodHash": "new",
    "replicas": 4,
    "updatedReplicas": 1,
    "availableReplicas": 4,
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-03-01T12:00:00Z"}],
}
"""The status of a Rollout whose canary waits."""


@pytest.mark.parametrize("action", ["abortRollout", "promote"])
def test_a_rollout_is_not_told(story: Story, action: str) -> None:
    """Given abortRollout off, or promote off, when it is sick, nothing is given up or promoted."""
    argo_rollouts.install(story.lab)
    story.run(manifests.workload("checkout", "v1"))
    ref = worlds.model.Ref("Rollout", story.namespace, "web")
    story.apply(worlds.rollout(ref, 4, "shop/web:v1"))
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{story.namespace}/rollouts/web/status"
    story.patch(path, {"status": _WAITING})
    story.annotate_pods("checkout", errors="0.5")
    target = {"kind": "Rollout", "name": "web"}
    signal = manifests.failing("checkout")

    message = refused(story, manifests.policy("web", {action: {}}, target=target, signal=signal))

    assert 'cannot patch resource "rollouts/status"' in message
    assert [] == story.writes("web")


def test_what_deploys_from_git_is_not_even_read(story: Story) -> None:
    """Given gitRevert off, when a release from Git fails, then no repository is looked for."""
    pytest.importorskip("dulwich", reason="the extra git is not installed")
    flux.install(story.lab)
    workload = manifests.workload("checkout", "v1")
    workload["metadata"]["labels"] |= {
        "kustomize.toolkit.fluxcd.io/name": "shop",
        "kustomize.toolkit.fluxcd.io/namespace": story.namespace,
    }
    story.run(workload)
    story.annotate_pods("checkout", errors="0.5")
    repositories = [{"urlPrefix": "https://git.example.com/", "mode": "push"}]
    policy = manifests.policy("checkout", {"gitRevert": {}})

    message = refused(story, policy, git={"repositories": repositories})

    assert 'cannot get resource "kustomizations"' in message
