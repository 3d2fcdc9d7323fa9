"""What the API server lets the operator's own account do, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox

pytestmark = pytest.mark.timeout(180)

RESTARTED_AT = "kubectl.kubernetes.io~1restartedAt"
MARK = {"op": "add", "path": "/metadata/annotations/prunella.dev~1remediation", "value": "r-1"}
RESTART = {
    "op": "add",
    "path": f"/spec/template/metadata/annotations/{RESTARTED_AT}",
    "value": "2026-01-01T00:00:00Z",
}
IMAGE = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}
SCALE = {"op": "replace", "path": "/spec/replicas", "value": 3}
FOREIGN = {"op": "add", "path": "/metadata/annotations/owner", "value": "me"}
LABEL = {"op": "add", "path": "/metadata/labels/team", "value": "me"}
POD_LABEL = {"op": "add", "path": "/spec/template/metadata/labels/team", "value": "me"}
POD_NOTE = {"op": "add", "path": "/spec/template/metadata/annotations/note", "value": "me"}
PAUSED = {"op": "add", "path": "/spec/minReadySeconds", "value": 9}
FINALIZER = {"op": "add", "path": "/metadata/finalizers", "value": ["prunella.dev/hold"]}


def test_operator_runs_under_the_restricted_standard(release: Lab) -> None:
    """Given a namespace that enforces it, when the operator restarts, then its pod is admitted."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    release.kubectl("label", "namespace", toolbox.HOME, label, "--overwrite")
    release.kubectl("-n", toolbox.HOME, "rollout", "restart", f"deployment/{toolbox.ACCOUNT}")
    release.kubectl(
        "-n", toolbox.HOME, "rollout", "status", f"deployment/{toolbox.ACCOUNT}", "--timeout=60s"
    )
    pods = release.get("-n", toolbox.HOME, "pods")["items"]
    assert [pod["spec"]["serviceAccountName"] for pod in pods] == [toolbox.ACCOUNT]


def test_admission_policies_pass_the_type_checker(release: Lab) -> None:
    """Given the chart's policies, when the API server checks their types, then it warns of none."""
    checks = {
        policy["metadata"]["name"]: policy["status"].get("typeChecking", {})
        for policy in toolbox.policies(release)
    }
    about = ("records", "incidents", "authors", "operator", "evictions", "cronjobs", "jobs")
    parts = ("restore-1", "restore-2", "captures", "webhooks")
    about += ("rollouts", "approvals", "authors-nodes", *(f"authors-{part}" for part in parts))
    names = {f"{toolbox.ACCOUNT}-{part}" for part in about}
    assert {name: {} for name in names} == checks


CAN = {
    "restart": ("patch", "deployments.apps", True),
    "write statuses": ("update", "remediations.prunella.dev --subresource=status", True),
    "approve": ("create", "approvals.prunella.dev", False),
    "write records": ("create", "remediations.prunella.dev", True),
    "evict while it is off": ("create", "pods --subresource=eviction", False),
    "watch CronJobs": ("watch", "cronjobs.batch", True),
    "suspend CronJobs while it is off": ("patch", "cronjobs.batch", False),
    "create Jobs while it is off": ("create", "jobs.batch", False),
    "write a budget while it is off": ("patch", "poddisruptionbudgets.policy", False),
    "write an autoscaler's bounds while it is off": (
        "patch",
        "horizontalpodautoscalers.autoscaling",
        False,
    ),
    "resize pods while it is off": ("patch", "pods --subresource=resize", False),
    "have certificates issued while it is off": (
        "patch",
        "certificates.cert-manager.io --subresource=status",
        False,
    ),
    "switch a Service while it is off": ("patch", "services", False),
    "raise a quota while it is off": ("patch", "resourcequotas", False),
    "delete pods": ("delete", "pods", False),
    "create pods": ("create", "pods", False),
    "read Secrets": ("get", "secrets", False),
    "list Secrets": ("list", "secrets", False),
    "edit policies": ("update", "remediationpolicies.prunella.dev", False),
    "edit statuses by patch": ("patch", "remediations.prunella.dev --subresource=status", False),
    "edit records": ("update", "remediations.prunella.dev", False),
    "scale by the subresource": ("patch", "deployments.apps --subresource=scale", False),
    "any ConfigMap": ("get", "configmaps", False),
    "restore a Service while it is off": ("patch", "services", False),
    "create a Service while it is off": ("create", "services", False),
    "delete a NetworkPolicy while it is off": (
        "delete",
        "networkpolicies.networking.k8s.io",
        False,
    ),
    **{
        f"{verb} of {kind} while it is off": (verb, f"{kind}{group}", False)
        for kind, group in {
            "ingresses": ".networking.k8s.io",
            "limitranges": "",
            "poddisruptionbudgets": ".policy",
        }.items()
        for verb in ("patch", "create", "delete")
    },
    "patch of cronjobs while it is off": ("patch", "cronjobs.batch", False),
    "escalate": ("escalate", "roles.rbac.authorization.k8s.io", False),
}


@pytest.mark.parametrize("name", CAN)
def test_rights_of_the_operators_token(operator: toolbox.Kubectl, name: str) -> None:
    """Given restart alone, when the token's rights are asked for, then they are the least."""
    verb, resource, expected = CAN[name]
    answer = operator("auth", "can-i", verb, *resource.split(), "--namespace", "default").stdout
    assert ("yes" if expected else "no") == answer.strip()


@pytest.mark.parametrize("kind", toolbox.KINDS)
def test_operator_may_restart(operator: toolbox.Kubectl, shop: str, kind: str) -> None:
    """Given restart enabled, when the operator marks and restarts a workload, then it may."""
    done = toolbox.patch(operator, kind, shop, MARK, RESTART)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def without_restart(release: Lab, operator: toolbox.Kubectl, shop: str) -> Iterator[str]:
    """The shop while scale is enabled in place of restart."""

    def restarted() -> toolbox.Done:
        return toolbox.patch(operator, "Deployment", shop, MARK, RESTART)

    _switch(release, restart=False)
    toolbox.eventually(lambda: "is not enabled" in restarted().stderr)
    yield shop
    _switch(release, restart=True)
    toolbox.eventually(lambda: restarted().returncode == 0)


def _switch(release: Lab, *, restart: bool) -> None:
    values = f"actions.restart={json.dumps(restart)},actions.scale={json.dumps(not restart)}"
    arguments = ("upgrade", toolbox.RELEASE, str(toolbox.CHART), "--namespace", toolbox.HOME)
    release.helm(*arguments, "--reuse-values", "--set", values, "--wait")


def test_operator_may_not_restart_while_it_is_off(
    operator: toolbox.Kubectl, without_restart: str
) -> None:
    """Given restart off, when the operator's token restarts a workload, the server refuses."""
    for kind, words in OFF.items():
        done = toolbox.patch(operator, kind, without_restart, MARK, RESTART)
        toolbox.assert_refused(done, words)


OFF = {
    **dict.fromkeys(
        ("Deployment", "StatefulSet"),
        "spec.template.metadata.annotations: action restart is not enabled for the operator",
    ),
    "DaemonSet": 'cannot patch resource "daemonsets"',
}
REFUSED: dict[str, tuple[toolbox.Document, str]] = {
    "another image": (IMAGE, "action rollback is not enabled"),
    "replicas": (SCALE, "action scale is not enabled"),
    "a pod label": (POD_LABEL, "action rollback is not enabled"),
    "a pod annotation": (POD_NOTE, "only kubectl.kubernetes.io/restartedAt"),
    "a foreign annotation": (FOREIGN, "only its own, prunella.dev/*"),
    "a label": (LABEL, "may not change labels"),
    "a finalizer": (FINALIZER, "may not change labels, owners or finalizers"),
    "another field of the spec": (PAUSED, "only replicas and template"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operator_may_change_nothing_else(operator: toolbox.Kubectl, shop: str, name: str) -> None:
    """Given restart alone, when the operator's token changes more, then the server refuses."""
    operation, words = REFUSED[name]
    toolbox.assert_refused(toolbox.patch(operator, "Deployment", shop, RESTART, operation), words)


@pytest.mark.parametrize("kind", toolbox.KINDS)
def test_images_are_guarded_on_every_kind(operator: toolbox.Kubectl, shop: str, kind: str) -> None:
    """Given restart alone, when the token changes an image of any kind, then it is refused."""
    toolbox.assert_refused(
        toolbox.patch(operator, kind, shop, MARK, IMAGE), "rollback is not enabled"
    )


def test_others_are_not_held_to_the_operators_limits(release: Lab, shop: str) -> None:
    """Given the guard of the operator's account, when somebody else deploys, then he may."""
    done = toolbox.patch(_as_admin(release), "Deployment", shop, IMAGE, LABEL, SCALE)
    assert done.returncode == 0, done.stderr


def _as_admin(lab: Lab) -> toolbox.Kubectl:
    return lambda *arguments, **options: lab.kubectl(*arguments, check=False, **options)


@pytest.fixture
def upgraded(release: Lab) -> Iterator[None]:
    """The release with rollback and scale instead of restart, for one test."""
    chosen = "actions.rollback=true,actions.scale=true,actions.evictPod=true"
    _upgrade(release, f"actions.restart=false,{chosen}")
    toolbox.await_policy(release, "rollback is not enabled", present=False)
    yield
    chosen = "actions.rollback=false,actions.scale=false,actions.evictPod=false"
    _upgrade(release, f"actions.restart=true,{chosen}")
    toolbox.await_policy(release, "rollback is not enabled", present=True)


def _upgrade(lab: Lab, values: str) -> None:
    lab.helm(
        "upgrade",
        toolbox.RELEASE,
        str(toolbox.CHART),
        "--namespace",
        toolbox.HOME,
        "--reuse-values",
        "--set",
        values,
    )


@pytest.mark.usefixtures("upgraded")
def test_rollback_and_scale_widen_the_guard(operator: toolbox.Kubectl, shop: str) -> None:
    """Given rollback and scale, when the operator writes template and replicas, then it may."""
    toolbox.eventually(
        lambda: toolbox.patch(operator, "Deployment", shop, MARK, IMAGE).returncode == 0
    )
    assert toolbox.patch(operator, "Deployment", shop, MARK, SCALE).returncode == 0
    assert toolbox.patch(operator, "DaemonSet", shop, MARK, IMAGE).returncode == 0
    for operation, words in (REFUSED[name] for name in ("a label", "another field of the spec")):
        toolbox.assert_refused(toolbox.patch(operator, "Deployment", shop, operation), words)


@pytest.mark.usefixtures("upgraded")
def test_an_eviction_without_grace_is_deletestuckpods_alone(
    release: Lab, operator: toolbox.Kubectl, shop: str
) -> None:
    """Given evictPod and not deleteStuckPod, when a pod is evicted without grace, it is refused."""
    pods = release.get("-n", shop, "pods", "-l", "app=web")["items"]
    name = str(pods[0]["metadata"]["name"])

    def evict(**options: object) -> toolbox.Done:
        document = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": shop},
            "deleteOptions": {"dryRun": ["All"], **options},
        }
        path = f"/api/v1/namespaces/{shop}/pods/{name}/eviction?dryRun=All"
        text = json.dumps(document)
        return operator("create", "--raw", path, "--filename", "-", input=text)

    done = evict()
    assert done.returncode == 0, done.stderr
    toolbox.assert_refused(evict(gracePeriodSeconds=0), "action deleteStuckPod is not enabled")
