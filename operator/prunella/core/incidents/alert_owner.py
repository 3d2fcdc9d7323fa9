"""The owner that an alert is about, told by the alert's labels.

The most particular label that can be believed wins: the workload's own, then the pod's (by its
owner chain), the job's, the node's, the Service's, a claim's, an autoscaler's; else the namespace.
Exporters add labels about themselves (kube-state-metrics' own pod beside the Deployment that it
tells of); those say nothing about what is sick.
Sources: kubernetes-mixin (label names of alerts), Prometheus Operator (``job``, ``service``,
``pod`` of the scraped exporter), OpenTelemetry semantic conventions for Kubernetes, Istio metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from prunella.core import model
from prunella.core.incidents import picture as pictures
from prunella.core.signals import lineage

Labels = Mapping[str, str]

EXPORTERS: Final = ("kube-state-metrics", "node-exporter", "prometheus-node-exporter")
"""Whose ``pod``, ``service`` and ``container`` are their own."""
_NAMESPACES: Final = (
    "exported_namespace",
    "namespace",
    "k8s_namespace_name",
    "kubernetes_namespace",
)
_PODS: Final = ("exported_pod", "pod", "pod_name", "k8s_pod_name", "kubernetes_pod_name")
_KINDS: Final = (
    ("deployment", "Deployment"),
    ("k8s_deployment_name", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("k8s_statefulset_name", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("k8s_daemonset_name", "DaemonSet"),
)
_JOBS: Final = (("cronjob", "CronJob"), ("job_name", "Job"), ("k8s_job_name", "Job"))
_NODES: Final = ("exported_node", "node", "k8s_node_name", "kubernetes_node", "nodename")
_SERVICES: Final = ("exported_service", "service", "service_name", "kubernetes_service", "app")
_TYPES: Final = {each.lower(): each for each in pictures.WORKLOADS}
_ISTIO: Final = ("destination_workload", "destination_workload_namespace")
_CALLED: Final = (
    ("server_k8s_deployment_name", "server_k8s_namespace_name"),
    ("server", "server_k8s_namespace_name"),
    ("server", "server_service_namespace"),
)


class Owner(NamedTuple):
    """Whom an alert is about, and the label that says so."""

    target: model.Ref
    mapped_by: str


def namespace_of(labels: Labels) -> str:
    """The namespace that an alert is about; empty when it names none."""
    return next((labels[each] for each in _NAMESPACES if labels.get(each)), "")


def namespaces_of(labels: Labels) -> set[str]:
    """All namespaces that an alert names: of a call, that of the caller and of the called."""
    places = [place for _, place in (_ISTIO, *_CALLED)]
    return {labels[each] for each in (*_NAMESPACES, *places) if labels.get(each)}


def pod_of(labels: Labels) -> pictures.Place | None:
    """The pod that an alert is about, whose owner must be known to map it; None for none."""
    namespace = namespace_of(labels)
    pod = next((labels[each] for each in _PODS if labels.get(each)), "")
    if not namespace or not pod or _is_exporters(pod, labels):
        return None
    return namespace, pod


def needs_pod(labels: Labels) -> pictures.Place | None:
    """The pod to look up; None where another label says more, or there is none."""
    return None if _by_workload(labels, pictures.Picture()) is not None else pod_of(labels)


def owner(labels: Labels, picture: pictures.Picture) -> Owner:
    """Whom an alert is about. Always answers: at worst the namespace, or the cluster."""
    for rule in _RULES:
        found = rule(labels, picture)
        if found is not None:
            return found
    if namespace := namespace_of(labels):
        return Owner(model.Ref("Namespace", "", namespace), "namespace")
    if instance := labels.get("instance"):
        return Owner(model.Ref("Instance", "", instance), "instance")
    return Owner(model.Ref("Cluster", "", labels.get("cluster", "")), "no label")


def _by_workload(labels: Labels, picture: pictures.Picture) -> Owner | None:
    namespace = namespace_of(labels)
    for label, kind in _KINDS:
        if labels.get(label) and namespace:
            return Owner(model.Ref(kind, namespace, labels[label]), label)
    workload, told_kind = labels.get("workload"), labels.get("workload_type", "").lower()
    if workload and namespace and told_kind in _TYPES:
        return Owner(model.Ref(_TYPES[told_kind], namespace, workload), "workload")
    for label, place in (_ISTIO, *_CALLED):
        if labels.get(label) and labels.get(place):
            return Owner(_named(picture, labels[place], labels[label]), label)
    return None


def _by_pod(labels: Labels, picture: pictures.Picture) -> Owner | None:
    place = pod_of(labels)
    if place is None:
        return None
    namespace, pod = place
    if place in picture.pods:
        return Owner(picture.pods[place] or model.Ref("Pod", namespace, pod), "pod")
    own = [ref for ref in picture.workloads.values() if ref.namespace == namespace]
    guessed = lineage.owners([pod], own, {}).get(pod)
    if guessed is not None:
        return Owner(guessed, "pod, guessed by its name")
    return Owner(model.Ref("Pod", namespace, pod), "pod")


def _by_job(labels: Labels, _picture: pictures.Picture) -> Owner | None:
    namespace = namespace_of(labels)
    for label, kind in _JOBS:
        if labels.get(label) and namespace:
            return Owner(model.Ref(kind, namespace, labels[label]), label)
    return None


def _by_node(labels: Labels, picture: pictures.Picture) -> Owner | None:
    for label in _NODES:
        if name := labels.get(label):
            return Owner(picture.nodes.get(name, model.Ref("Node", "", name)), label)
    host = labels.get("instance", "").rpartition(":")[0] or labels.get("instance", "")
    if _exporter(labels) and host in picture.nodes:
        return Owner(picture.nodes[host], "instance")
    return None


def _by_service(labels: Labels, picture: pictures.Picture) -> Owner | None:
    namespace = namespace_of(labels)
    for label in _SERVICES:
        name = labels.get(label)
        if not name or not namespace or _is_exporters(name, labels):
            continue
        found = picture.service(namespace, name) or picture.workloads.get((namespace, name))
        if found is not None:
            return Owner(found, label)
    return None


def _by_claim(labels: Labels, picture: pictures.Picture) -> Owner | None:
    namespace, claim = namespace_of(labels), labels.get("persistentvolumeclaim", "")
    if not namespace or not claim:
        return None
    default = model.Ref("PersistentVolumeClaim", namespace, claim)
    return Owner(picture.claims.get((namespace, claim), default), "persistentvolumeclaim")


def _by_autoscaler(labels: Labels, picture: pictures.Picture) -> Owner | None:
    for label in ("horizontalpodautoscaler", "scaledobject"):
        found = picture.autoscalers.get((namespace_of(labels), labels.get(label, "")))
        if found is not None:
            return Owner(found, label)
    return None


_Rule = Callable[[Labels, pictures.Picture], Owner | None]
_RULES: Final[Iterable[_Rule]] = (
    _by_workload,  # Make sure that what a rule's author has named is believed first.
    _by_pod,  # Make sure that a pod's alert is its workload's, also when the pod is gone.
    _by_job,  # Make sure that a failed Job is not put on the namespace.
    _by_claim,  # Make sure that a full volume is its writer's.
    _by_autoscaler,
    _by_node,  # Make sure that a node is only chosen where no workload is named.
    _by_service,  # Make sure that ``service`` is the last: exporters put their own there.
)


def _named(picture: pictures.Picture, namespace: str, name: str) -> model.Ref:
    """A workload or Service by its name alone."""
    known = picture.workloads.get((namespace, name)) or picture.service(namespace, name)
    return known or model.Ref("Service", namespace, name)


def _exporter(labels: Labels) -> str:
    """The exporter that tells of others, if one does; empty for an application's own series."""
    told = (labels.get("job", ""), labels.get("service", ""), labels.get("container", ""))
    return next((each for each in EXPORTERS if any(text.endswith(each) for text in told)), "")


def _is_exporters(name: str, labels: Labels) -> bool:
    exporter = _exporter(labels)
    return bool(exporter) and exporter in name
