"""Manifests of the stories: workloads by image tag, and policies by what matters in them."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

Document = dict[str, Any]
NOTHING: Mapping[str, str] = types.MappingProxyType({})
LAB = "lab.prunella.dev"
LIMIT = 0.05
KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def workload(
    name: str,
    tag: str,
    *,
    kind: str = "Deployment",
    replicas: int = 2,
    pods: Mapping[str, str] = NOTHING,
    annotations: Mapping[str, str] = NOTHING,
) -> Document:
    """A workload whose pods behave as their image's tag and the lab's annotations ``pods`` say."""
    notes = {f"{LAB}/{key}": value for key, value in pods.items()}
    template = {
        "metadata": {"labels": {"app": name}, **({"annotations": notes} if notes else {})},
        "spec": {"containers": [{"name": "app", "image": image(name, tag)}]},
    }
    spec: Document = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    meta: Document = {"name": name, "labels": {"app": name}}
    if annotations:
        meta["annotations"] = dict(annotations)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def image(name: str, tag: str) -> str:
    """The image of a workload in a version."""
    return f"shop.example/{name}:{tag}"


def errors(window: str = "15s", *, by: str = "deployment", held: str = "10s") -> Document:
    """The share of failed requests, by workload or by pod."""
    rate = f"sum by (namespace, {by}) (rate(app_http_requests_total%s[{window}]))"
    return {
        "name": "errors",
        "ratio": {"bad": rate % '{code=~"5.."}', "total": rate % ""},
        "threshold": {"above": LIMIT},
        "for": held,
    }


def memory(above: float, held: str = "10s") -> Document:
    """The greatest memory of a Deployment's pods, in bytes."""
    return {
        "name": "memory",
        "prometheus": {"query": "max by (namespace, deployment) (app_memory_bytes)"},
        "threshold": {"above": above},
        "for": held,
    }


def saturation(above: float, held: str = "10s") -> Document:
    """The load of a Deployment over its pods."""
    return {
        "name": "saturation",
        "prometheus": {"query": "app_cpu_saturation"},
        "threshold": {"above": above},
        "for": held,
    }


def policy(
    name: str,
    *steps: Document,
    signal: Document | None = None,
    target: Document | None = None,
    guards: Document | None = None,
    verify: Document | None = None,
    **spec: Any,
) -> Document:
    """A Live policy, evaluated every 5 s, on the Deployment of its own name unless told so.

    Its limits fit a test in which everything is sick on purpose; ``guards`` changes single ones.
    """
    limits = {"cooldown": "1s", "maxPerHour": 60, "stopWhenUnhealthy": "100%", **(guards or {})}
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": name},
        "spec": {
            "mode": "Live",
            "interval": "5s",
            "target": target or {"name": name},
            "signals": [signal or errors()],
            "steps": list(steps),
            "guards": limits,
            "verify": {"within": "30s", **(verify or {})},
            **spec,
        },
    }


def budget(name: str, minimum: int) -> Document:
    """A PodDisruptionBudget of a workload's pods."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": minimum, "selector": {"matchLabels": {"app": name}}},
    }


def autoscaler(name: str) -> Document:
    """A HorizontalPodAutoscaler of a Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9},
    }


def cron_job(name: str, *, fails: bool = False) -> Document:
    """A CronJob that never starts a Job by itself: there is no 30th of February.

    No node takes the pods of one that ``fails``, so that each of its Jobs has after a second.
    """
    containers = [{"name": "app", "image": image(name, "v1")}]
    pod: Document = {"containers": containers, "restartPolicy": "Never"}
    job: Document = {"template": {"spec": pod}}
    if fails:
        pod["nodeSelector"] = {"no": "node"}
        job["activeDeadlineSeconds"] = 1
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {"schedule": "0 0 30 2 *", "jobTemplate": {"spec": job}},
    }


def failing(name: str, held: str = "10s") -> Document:
    """The share of failed requests of one workload, as one series without labels."""
    rate = f'sum(rate(app_http_requests_total{{pod=~"{name}-.*"%s}}[15s]))'
    return {
        "name": "errors",
        "ratio": {"bad": rate % ', code=~"5.."', "total": rate % ""},
        "mapping": {"single": True},
        "threshold": {"above": LIMIT},
        "for": held,
    }


def configured(document: Document, changes: Mapping[str, Sequence[Any] | Any]) -> Document:
    """A copy of a document with other fields in its spec."""
    return {**document, "spec": {**document["spec"], **changes}}
