"""An API server in a dictionary, and the objects that the commands are tried on."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Mapping
from typing import Any

from prunella.cli import kube

NOW = datetime.datetime(2026, 3, 1, 12, 10, tzinfo=datetime.UTC)
GROUP = "/apis/prunella.dev/v1alpha1"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class FakeCluster:
    """Objects by path. ``answers`` holds fixed answers, or errors to raise, by method and path."""

    def __init__(
        self,
        objects: Mapping[str, kube.Object],
        answers: Mapping[tuple[str, str], Any] | None = None,
        namespace: str = "shop",
    ) -> None:
        self.objects = copy.deepcopy(dict(objects))
        self.answers = dict(answers or {})
        self.sent: list[tuple[str, str]] = []
        self._namespace = namespace

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return self._namespace

    def request(
        self,
        method: str,
        path: str,
        body: kube.Object | None = None,
        content_type: str = kube.JSON,
    ) -> kube.Object:
        """Answer as written, or as an API server would that holds these objects."""
        self.sent.append((method, path))
        answer = self.answers.get((method, path))
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return dict(answer)
        if method == "POST" and path == REVIEW:
            return {"status": {"userInfo": {"username": "alice@example.com"}}}
        return self._change(method, path, body, content_type)

    def _change(
        self, method: str, path: str, body: kube.Object | None, content_type: str
    ) -> kube.Object:
        if method == "POST":
            assert body is not None
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise kube.KubeError("already exists", 409)
            self.objects[path] = body
            return body
        if path not in self.objects:
            raise kube.KubeError("not found", 404)
        if method == "DELETE":
            return self.objects.pop(path)
        if method == "PUT":
            assert body is not None
            self.objects[path] = body
        if method == "PATCH":
            assert body is not None
            assert content_type == kube.MERGE_PATCH
            self.objects[path]["metadata"].setdefault("annotations", {}).update(
                body["metadata"]["annotations"]
            )
        return self.objects[path]

    def time(self) -> datetime.datetime | None:
        """The clock of the API server, which is right."""
        return NOW

    def items(self, path: str) -> list[kube.Object]:
        """The objects below a path of one namespace, or of all."""
        self.sent.append(("LIST", path))
        answer = self.answers.get(("LIST", path))
        if isinstance(answer, Exception):
            raise answer
        root, _, plural = path.rpartition("/")
        return [o for p, o in self.objects.items() if p.startswith(root) and f"/{plural}/" in p]


def policy_path(name: str, namespace: str = "shop") -> str:
    """Path of a policy."""
    return f"{GROUP}/namespaces/{namespace}/remediationpolicies/{name}"


def cluster_policy_path(name: str, _: str = "") -> str:
    """Path of a policy on nodes."""
    return f"{GROUP}/clusterremediationpolicies/{name}"


def record_path(name: str, namespace: str = "shop") -> str:
    """Path of a remediation."""
    return f"{GROUP}/namespaces/{namespace}/remediations/{name}"


def cluster(*objects: kube.Object, **options: Any) -> FakeCluster:
    """A cluster that holds these policies and records."""
    path = {
        "RemediationPolicy": policy_path,
        "ClusterRemediationPolicy": cluster_policy_path,
        "Remediation": record_path,
    }
    return FakeCluster(
        {
            path[each["kind"]](
                each["metadata"]["name"], each["metadata"].get("namespace", "")
            ): each
            for each in objects
        },
        **options,
    )


def spec() -> dict[str, Any]:
    """The spec of a live policy with two signals and two steps."""
    return {
        "mode": "Live",
        "interval": "5s",
        "target": {"selector": {"matchLabels": {"app": "checkout"}}},
        "signals": [
            {
                "name": "errors",
                "ratio": {
                    "bad": 'sum by (deployment) (rate(requests_total{code=~"5.."}[1m]))',
                    "total": "sum by (deployment) (rate(requests_total[1m]))",
                },
                "threshold": {"above": 0.05},
                "for": "30s",
            },
            {
                "name": "memory",
                "prometheus": {"query": "max by (pod) (memory_bytes)"},
                "threshold": {"outside": [1000, 500000]},
                "staleAfter": "1m",
                "pods": "50%",
            },
        ],
        "steps": [{"rollback": {"whenChangedWithin": "30m"}}, {"restart": {}}],
        "guards": {"maxUnavailable": 1},
    }


def policy(name: str = "checkout", namespace: str = "shop", **parts: Any) -> kube.Object:
    """A RemediationPolicy; ``parts`` replace its spec, status or annotations."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "policy-uid",
            "generation": 3,
            "annotations": parts.get("annotations", {}),
        },
        "spec": parts.get("spec", spec()),
        "status": parts.get("status", {}),
    }


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """One condition, of generation 3."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 3,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }


def sick_status() -> dict[str, Any]:
    """The status of a policy that is cooling down, with one sick target and one unknown."""
    return {
        "observedGeneration": 3,
        "conditions": [
            condition("Ready", "True", "Cooldown", "checkout-2 was 60 s ago, 600 s apart"),
            condition("Reconciling", "False", "Idle"),
        ],
        "targets": {"selected": 5, "healthy": 3, "unhealthy": 1, "unknown": 1, "inFlight": 0},
        "sick": [
            {
                "name": "checkout",
                "verdict": "Unhealthy",
                "reason": "AboveThreshold",
                "message": "errors: 0.312 is above 0.05",
                "refused": "Cooldown",
                "refusal": "checkout-2 was 60 s ago, 600 s apart",
                "advice": "",
                "since": "2026-03-01T12:08:00Z",
            },
            {
                "name": "checkout-eu",
                "verdict": "Unknown",
                "reason": "Stale",
                "message": "errors: the newest sample is 95 s old, the limit is 30 s",
                "since": "2026-03-01T12:09:15Z",
            },
        ],
        "lastAction": "checkout-2",
        "lastActionTime": "2026-03-01T12:09:00Z",
    }


def latched_status() -> dict[str, Any]:
    """The status of a policy that stopped itself."""
    message = "3 actions did not help (checkout-1, checkout-2, checkout-3)"
    return {
        "observedGeneration": 3,
        "conditions": [condition("Ready", "False", "Latched", message)],
        "targets": {"selected": 1, "healthy": 0, "unhealthy": 1, "unknown": 0, "inFlight": 0},
        "latch": {"since": "2026-03-01T09:05:00Z", "message": message},
    }


TEMPLATE_PATCH = [
    {"op": "replace", "path": "/metadata/annotations/prunella.dev~1note", "value": "revision 3"},
    {
        "op": "replace",
        "path": "/spec/template/spec",
        "value": {"containers": [{"name": "app", "image": "shop.example/checkout:v1"}]},
    },
]


def record_spec(**parts: Any) -> dict[str, Any]:
    """The spec of a rollback of checkout."""
    return {
        "policy": {
            "name": "checkout",
            "namespace": "shop",
            "uid": "policy-uid",
            "generation": 3,
        },
        "target": {
            "kind": "Deployment",
            "namespace": "shop",
            "name": "checkout",
            "uid": "deployment-uid",
        },
        "attempt": 1,
        "mode": "Live",
        "step": 0,
        "action": "rollback",
        "decidedAt": "2026-03-01T12:00:05Z",
        "reason": "errors: 0.312 is above 0.05",
        "evidence": [
            {
                "signal": "errors",
                "verdict": "Unhealthy",
                "message": "0.312 is above 0.05 on pod checkout-7c4-xk2 (3 of 3 pods)",
                "value": 0.3123456789,
                "since": "2026-03-01T11:59:35Z",
                "query": 'sum by (deployment) (rate(requests_total{namespace="shop"}[1m]))',
                "mappedBy": "deployment",
            }
        ],
        "guards": [
            {"guard": "not_suspended", "passed": True},
            {"guard": "cooled_down", "passed": True, "message": "no action in the last 600 s"},
        ],
        "effects": [
            {
                "verb": "Patch",
                "kind": "Deployment",
                "namespace": "shop",
                "name": "checkout",
                "precondition": {"uid": "deployment-uid", "generation": 7},
                "patch": json.dumps(TEMPLATE_PATCH),
                "summary": "Roll back Deployment/checkout from revision 4 to revision 3",
            }
        ],
        "planHash": "0123456789abcdef",
        **parts,
    }


def succeeded_status() -> dict[str, Any]:
    """The status of a rollback that was proved."""
    return {
        "phase": "Succeeded",
        "reason": "Succeeded",
        "message": "errors: 0 is not above 0.05, 3 samples in a row",
        "effects": [{"sentAt": "2026-03-01T12:00:06Z", "outcome": "Effective", "generation": 8}],
        "verification": {
            "rolloutCompleteAt": "2026-03-01T12:00:20Z",
            "countsFrom": "2026-03-01T12:01:30Z",
            "deadline": "2026-03-01T12:06:30Z",
            "healthySamples": 3,
            "message": "errors: 0 is not above 0.05",
        },
        "finishedAt": "2026-03-01T12:01:45Z",
    }


def record(name: str = "checkout-1", namespace: str = "shop", **parts: Any) -> kube.Object:
    """A Remediation; ``parts`` replace its spec or status."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "Remediation",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{name}-uid",
            "creationTimestamp": "2026-03-01T12:00:05Z",
        },
        "spec": parts.get("spec", record_spec()),
        "status": parts.get("status", succeeded_status()),
    }
