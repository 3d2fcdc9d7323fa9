"""Small builders of raw objects, as the API server writes them."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]
CREATED = "2026-03-01T12:00:00Z"


def meta(name: str = "web", **fields: Any) -> Raw:
    """Metadata in namespace shop; the UID is made of the name."""
    made = {
        "name": name,
        "namespace": "shop",
        "uid": f"{name}-uid",
        "resourceVersion": "10",
        "generation": 2,
        "creationTimestamp": CREATED,
    }
    return {**made, **fields}


def template(image: str = "shop/web:v1", **labels: str) -> Raw:
    """A pod template with one container and label ``app: web``."""
    return {
        "metadata": {"labels": {"app": "web", **labels}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


def workload(status: Raw | None = None, *, spec: Raw | None = None, **metadata: Any) -> Raw:
    """A workload of 3 replicas; what is not given is not there."""
    made = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(),
    }
    return {
        "metadata": meta(**metadata),
        "spec": {**made, **(spec or {})},
        "status": {"observedGeneration": 2, **(status or {})},
    }


def cron_job(suspend: bool | None = None, **metadata: Any) -> Raw:
    """A CronJob; what is not given is not there."""
    spec: Raw = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template()}}}
    if suspend is not None:
        spec["suspend"] = suspend
    return {"metadata": meta(**metadata), "spec": spec, "status": {}}


def owned_by(kind: str, name: str, uid: str = "", api: str = "apps/v1") -> list[Raw]:
    """Owner references to one controller."""
    uid = uid or f"{name}-uid"
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": True}]


def replica_set(number: str, image: str, owner_uid: str = "web-uid") -> Raw:
    """A ReplicaSet of Deployment web at a revision."""
    name = f"web-{number}aa"
    return {
        "metadata": meta(
            name,
            annotations={"deployment.kubernetes.io/revision": number},
            ownerReferences=owned_by("Deployment", "web", owner_uid),
        ),
        "spec": {"template": template(image, **{"pod-template-hash": f"{number}aa"})},
    }


def controller_revision(number: int, image: str) -> Raw:
    """A ControllerRevision of StatefulSet web."""
    return {
        "metadata": meta(f"web-{number}", ownerReferences=owned_by("StatefulSet", "web")),
        "data": {"spec": {"template": {"$patch": "replace", **template(image)}}},
        "revision": number,
    }


def pod(name: str, owner: list[Raw], hash_label: str = "", **metadata: Any) -> Raw:
    """A ready pod."""
    labels = {"app": "web", **({"pod-template-hash": hash_label} if hash_label else {})}
    return {
        "metadata": meta(name, ownerReferences=owner, labels=labels, **metadata),
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def policy(name: str = "checkout", *, spec: Raw | None = None, **metadata: Any) -> Raw:
    """The smallest policy."""
    made: Raw = {
        "target": {"name": "web"},
        "signals": [
            {"name": "errors", "prometheus": {"query": "up"}, "threshold": {"above": 0.05}}
        ],
        "steps": [{"restart": {}}],
    }
    return {"metadata": meta(name, **metadata), "spec": made if spec is None else spec}


def record(name: str = "web-1", *, status: Raw | None = None, **metadata: Any) -> Raw:
    """The smallest Remediation."""
    spec = {
        "policy": {"name": "checkout", "namespace": "shop", "uid": "p", "generation": 1},
        "target": {"kind": "Deployment", "namespace": "shop", "name": "web", "uid": "web-uid"},
        "attempt": 1,
        "mode": "Live",
        "step": 0,
        "action": "restart",
        "decidedAt": "2026-03-01T12:00:00Z",
        "reason": "errors 0.31 > 0.05",
    }
    made = {"metadata": meta(name, **metadata), "spec": spec}
    return made if status is None else {**made, "status": status}


def listed(*items: Raw, version: str = "100", follow: str = "") -> Raw:
    """A list, or one page of it."""
    metadata = {"resourceVersion": version, **({"continue": follow} if follow else {})}
    return {"metadata": metadata, "items": list(items)}


def refused(code: int, message: str, name: str = "") -> Raw:
    """A Status that says no."""
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "message": message,
        "details": {"name": name},
    }
