"""Whom an alert is about: one case for each way in which alerts name things."""

from __future__ import annotations

import pytest

from prunella.core.incidents import alert_owner, picture
from tests.unit.core.incidents import cluster

NODE = cluster.node("node-1", addresses=[{"type": "InternalIP", "address": "10.0.0.1"}])
SHOP = picture.of(
    dict(
        [
            cluster.workload("Deployment/shop/cart"),
            cluster.workload("Deployment/shop/web"),
            cluster.workload("Deployment/shop/web-canary"),
            cluster.workload(
                "StatefulSet/shop/db", volumeClaimTemplates=[{"metadata": {"name": "data"}}]
            ),
            cluster.workload(
                "Deployment/shop/files",
                pod={"volumes": [{"persistentVolumeClaim": {"claimName": "pictures"}}]},
            ),
            cluster.service("shop/cart"),
            cluster.service("shop/nobody", {"app": "gone"}),
            cluster.service("shop/catalogue", {"app": "web"}),
            cluster.pod("shop/cart-6f5d-abcde", "ReplicaSet/cart-6f5d"),
            cluster.pod("shop/once-x2x4x", "Job/once"),
            cluster.pod("shop/shell"),
            cluster.other(
                "HorizontalPodAutoscaler/shop/web-hpa",
                spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            ),
            NODE,
        ]
    )
)
KSM = {"job": "kube-state-metrics", "container": "kube-state-metrics"}
CASES = [
    pytest.param("deployment=cart", "Deployment/shop/cart", id="a Deployment by its label"),
    pytest.param("deployment=gone", "Deployment/shop/gone", id="one that is not there any more"),
    pytest.param("statefulset=db", "StatefulSet/shop/db", id="a StatefulSet"),
    pytest.param("daemonset=log,pod=log-x", "DaemonSet/shop/log", id="its label before the pod's"),
    pytest.param("workload=db,workload_type=StatefulSet", "StatefulSet/shop/db", id="by type"),
    pytest.param("workload=db,workload_type=odd", "Namespace/shop", id="of a type that is none"),
    pytest.param("pod=cart-6f5d-abcde", "Deployment/shop/cart", id="a pod, by its owner chain"),
    pytest.param("pod=once-x2x4x", "Job/shop/once", id="a pod of a Job"),
    pytest.param("pod=shell", "Pod/shop/shell", id="a pod on its own"),
    pytest.param("pod=db-0", "StatefulSet/shop/db", id="a pod that is gone, by its name"),
    pytest.param(
        "pod=web-canary-7c9d5f-xk2lp", "Deployment/shop/web-canary", id="the longest name fits"
    ),
    pytest.param("pod=other", "Pod/shop/other", id="a pod that nobody knows"),
    pytest.param("job_name=once,pod=ksm-x", "Pod/shop/ksm-x", id="a pod before a job's name"),
    pytest.param("job_name=once", "Job/shop/once", id="a Job"),
    pytest.param("cronjob=nightly", "CronJob/shop/nightly", id="a CronJob"),
    pytest.param("node=node-1", "Node/node-1", id="a node"),
    pytest.param("node=10.0.0.1", "Node/node-1", id="a node by its address"),
    pytest.param("node=node-1,pod=cart-6f5d-abcde", "Deployment/shop/cart", id="a pod on a node"),
    pytest.param("service=cart", "Deployment/shop/cart", id="a Service, by its selector"),
    pytest.param("service=catalogue", "Deployment/shop/web", id="a Service of another name"),
    pytest.param("service=nobody", "Service/shop/nobody", id="a Service that selects nothing"),
    pytest.param("service_name=cart", "Deployment/shop/cart", id="OpenTelemetry's name"),
    pytest.param("app=web", "Deployment/shop/web", id="an app that is a workload's name"),
    pytest.param("service=unknown", "Namespace/shop", id="a Service that is not there"),
    pytest.param("persistentvolumeclaim=pictures", "Deployment/shop/files", id="a claim"),
    pytest.param("persistentvolumeclaim=data-db-0", "StatefulSet/shop/db", id="a replica's claim"),
    pytest.param(
        "persistentvolumeclaim=lost", "PersistentVolumeClaim/shop/lost", id="nobody's claim"
    ),
    pytest.param("horizontalpodautoscaler=web-hpa", "Deployment/shop/web", id="an autoscaler"),
    pytest.param("horizontalpodautoscaler=lost", "Namespace/shop", id="an unknown autoscaler"),
    pytest.param("server=cart,server_k8s_namespace_name=shop", "Deployment/shop/cart", id="called"),
    pytest.param(
        "destination_workload=web,destination_workload_namespace=shop",
        "Deployment/shop/web",
        id="called in a mesh",
    ),
    pytest.param("", "Namespace/shop", id="nothing but the namespace"),
]


def _labels(text: str) -> dict[str, str]:
    return dict(each.split("=") for each in text.split(",") if each)


@pytest.mark.parametrize(("labels", "expected"), CASES)
def test_owner(labels: str, expected: str) -> None:
    """The most particular label that can be believed wins."""
    found = alert_owner.owner({"namespace": "shop", **_labels(labels)}, SHOP)
    assert cluster.ref(expected) == found.target


OF_EXPORTERS = [
    pytest.param(
        {**KSM, "namespace": "shop", "deployment": "cart", "pod": "ksm-kube-state-metrics-x"},
        "Deployment/shop/cart",
        id="a Deployment told by kube-state-metrics",
    ),
    pytest.param(
        {**KSM, "namespace": "monitoring", "node": "node-1", "pod": "kube-state-metrics-6f-x"},
        "Node/node-1",
        id="a node, not the exporter's pod",
    ),
    pytest.param(
        {**KSM, "namespace": "shop", "pod": "cart-6f5d-abcde"},
        "Deployment/shop/cart",
        id="a pod that the exporter tells of",
    ),
    pytest.param(
        {**KSM, "namespace": "monitoring", "service": "x-kube-state-metrics"},
        "Namespace/monitoring",
        id="nothing but the exporter's own labels",
    ),
    pytest.param(
        {"job": "node-exporter", "namespace": "monitoring", "instance": "10.0.0.1:9100"},
        "Node/node-1",
        id="node-exporter's instance",
    ),
    pytest.param(
        {"exported_namespace": "shop", "namespace": "monitoring", "exported_pod": "db-0"},
        "StatefulSet/shop/db",
        id="exported labels before the scraper's",
    ),
    pytest.param({"instance": "10.0.0.9:80"}, "Instance/10.0.0.9:80", id="a target outside"),
    pytest.param({"cluster": "eu-1"}, "Cluster/eu-1", id="no namespace at all"),
]


@pytest.mark.parametrize(("labels", "expected"), OF_EXPORTERS)
def test_exporters_own_labels(labels: dict[str, str], expected: str) -> None:
    """What an exporter says of itself is not about what is sick."""
    assert cluster.ref(expected) == alert_owner.owner(labels, SHOP).target


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"namespace": "shop", "pod": "p"}, ("shop", "p"), id="a pod"),
        pytest.param({"namespace": "shop", "pod": "p", "deployment": "d"}, None, id="owner named"),
        pytest.param({"pod": "p"}, None, id="a pod of no namespace"),
        pytest.param({"namespace": "shop"}, None, id="no pod"),
    ],
)
def test_only_pods_that_matter_are_asked_for(
    labels: dict[str, str], expected: tuple[str, str] | None
) -> None:
    """An owner chain costs a request, so it is followed only where nothing else tells."""
    assert expected == alert_owner.needs_pod(labels)
