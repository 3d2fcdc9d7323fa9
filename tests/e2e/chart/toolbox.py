"""What the chart's tests share: objects, users with rights of their own, and their requests."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

import yaml

from lab.cluster import Lab

ROOT = pathlib.Path(__file__).parents[3]
CHART = ROOT / "charts" / "prunella"
RELEASE, HOME = "guard", "guard-system"
ACCOUNT = "guard-prunella"
USERNAME = f"system:serviceaccount:{HOME}:{ACCOUNT}"

Done = subprocess.CompletedProcess[str]
Document = dict[str, Any]
Kubectl = Callable[..., Done]

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
FIELDS: list[Document] = [
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "resource": "poddisruptionbudgets",
        "path": "spec.minAvailable",
        "min": 1,
        "max": 3,
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "resource": "configmaps",
        "name": "web",
        "path": "data.new\\.search",
        "values": ["on", "off"],
    },
]
"""What administrators allow to patchField."""
POLICIES = "get,create,update,patch:remediationpolicies.prunella.dev"
"""What every author of policies may do."""


def workload(kind: str, namespace: str) -> str:
    """A workload of that kind named ``web``, as YAML, with labels and annotations."""
    pod = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"by": "team"}},
        "spec": {"containers": [{"name": "app", "image": "shop.example/web:v1"}]},
    }
    spec: Document = {"selector": {"matchLabels": {"app": "web"}}, "template": pod}
    if kind != "DaemonSet":
        spec["replicas"] = 1
    if kind == "StatefulSet":
        spec["serviceName"] = "web"
    meta = {
        "name": "web",
        "namespace": namespace,
        "labels": {"app": "web"},
        "annotations": {"by": "team"},
    }
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec})


def record(namespace: str, name: str = "deployment-web-1") -> Document:
    """A Remediation, complete enough for the API server."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "Remediation",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "policy": {"name": "web", "namespace": namespace, "uid": "u1", "generation": 1},
            "target": {"kind": "Deployment", "namespace": namespace, "name": "web", "uid": "u2"},
            "attempt": 1,
            "mode": "Live",
            "step": 0,
            "action": "restart",
            "decidedAt": "2026-01-01T00:00:00Z",
            "reason": "errors above 5 %",
        },
    }


def policy(namespace: str, mode: str = "Live", /, **spec: Any) -> Document:
    """A RemediationPolicy; ``spec`` replaces parts of it."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "mode": mode,
            "target": {"name": "web"},
            "signals": [
                {"name": "errors", "prometheus": {"query": "errors"}, "threshold": {"above": 1}}
            ],
            "steps": [{"restart": {}}],
            **spec,
        },
    }


def sign_in(lab: Lab, account: str, namespace: str) -> Kubectl:
    """Kubectl with a token of a ServiceAccount; a refusal is returned, not raised."""
    kubeconfig = lab.token_kubeconfig(account, namespace)

    def kubectl(*arguments: str, **options: Any) -> Done:
        return lab.kubectl(*arguments, kubeconfig=kubeconfig, check=False, **options)

    return kubectl


def user(lab: Lab, namespace: str, name: str, *rules: str) -> Kubectl:
    """A ServiceAccount with the built-in role edit, or with ``rules`` (VERBS:RESOURCES) alone."""
    lab.kubectl("-n", namespace, "create", "serviceaccount", name)
    subject = f"--serviceaccount={namespace}:{name}"
    role = "--clusterrole=edit"
    for number, rule in enumerate(rules):
        verbs, resources = rule.split(":")
        role = f"--role={name}-{number}"
        if verbs == "use":
            lab.apply(json.dumps(_user_of(namespace, f"{name}-{number}", resources)))
        else:
            lab.kubectl(
                *("-n", namespace, "create", "role", f"{name}-{number}"),
                *(f"--verb={verbs}", f"--resource={resources}"),
            )
        lab.kubectl("-n", namespace, "create", "rolebinding", f"{name}-{number}", role, subject)
    if not rules:
        lab.kubectl("-n", namespace, "create", "rolebinding", name, role, subject)
    return sign_in(lab, name, namespace)


def _user_of(namespace: str, name: str, resources: str) -> Document:
    """A Role for what is nowhere stored: kubectl makes none that it does not find there."""
    plural, _, group = resources.partition(".")
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"apiGroups": [group], "resources": [plural], "verbs": ["use"]}],
    }


def create(who: Lab | Kubectl, document: Document, *, dry: bool = False) -> Done:
    """Create an object, or only try to; the lab itself is the administrator."""
    arguments = ["create", "--filename", "-", *(["--dry-run=server"] if dry else [])]
    text = json.dumps(document)
    if isinstance(who, Lab):
        return who.kubectl(*arguments, input=text, check=False)
    return who(*arguments, input=text)


def write_status(lab: Lab, who: Kubectl, namespace: str, name: str, status: Document) -> Done:
    """Write the status of an object as it is now, by PUT, as the operator does."""
    document = {**lab.get("-n", namespace, name), "status": status}
    arguments = ("replace", "--subresource=status", "--filename", "-")
    return who(*arguments, input=json.dumps(document))


def op(name: str, path: str, value: object = None) -> Document:
    """An operation of a JSON patch."""
    return {"op": name, "path": path, **({} if name == "remove" else {"value": value})}


def patch(who: Kubectl, kind: str, namespace: str, *operations: Document) -> Done:
    """One JSON patch of the workload ``web``, tried on the server and not kept."""
    arguments = ("-n", namespace, "patch", kind, "web", "--type=json", "--dry-run=server")
    return who(*arguments, "--patch", json.dumps(operations))


def eventually(good: Callable[[], bool], seconds: float = 30) -> None:
    """A new admission policy takes a moment to be in force."""
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.3)


def policies(lab: Lab) -> list[Document]:
    """The admission policies of the chart."""
    found: list[Document] = lab.get(
        "validatingadmissionpolicies", "-l", f"app.kubernetes.io/instance={RELEASE}"
    )["items"]
    return found


def await_policy(lab: Lab, text: str, *, present: bool) -> None:
    """Wait until the API server has what the chart's policies say and has checked their types."""
    eventually(lambda: (text in json.dumps(policies(lab))) is present)
    eventually(lambda: all(_is_observed(policy) for policy in policies(lab)))


def _is_observed(policy: Document) -> bool:
    observed = policy.get("status", {}).get("observedGeneration")
    return bool(observed == policy["metadata"]["generation"])


def assert_refused(done: Done, words: str) -> None:
    """The API server has said no, in these words."""
    assert done.returncode != 0, done.stdout
    assert words in done.stderr
