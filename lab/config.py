"""The configuration files of a lab, as data: no file is written and no port is opened here."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from lab import binaries
from lab.layout import Layout

LOCALHOST = "127.0.0.1"
SCRAPE_SECONDS = 5

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """One TCP port on 127.0.0.1 for each thing in a lab that listens."""

    api_server: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kwok: int
    prometheus: int
    alertmanager: int
    kube_state_metrics: int
    kube_state_metrics_self: int
    shop: int
    source_controller: int
    source_controller_files: int
    kustomize_controller: int


def kwokctl(
    layout: Layout,
    ports: Ports,
    program: Callable[[str], pathlib.Path] = binaries.locate,
    *,
    shop: bool = False,
) -> Document:
    """The control plane: our own programs, only local ports, audit log, kwok's Metric kind.

    The ``Stage`` kind stays off: switching it on would switch off kwok's built-in stages,
    and nodes would never become ready. With a ``shop`` kwok leaves the shop's nodes alone.
    """
    options = {
        "runtime": "binary",
        "bindAddress": LOCALHOST,
        "kubeVersion": f"v{binaries.KUBERNETES_VERSION}",
        "kubeApiserverPort": ports.api_server,
        "etcdPort": ports.etcd,
        "etcdPeerPort": ports.etcd_peer,
        "kubeControllerManagerPort": ports.controller_manager,
        "kubeSchedulerPort": ports.scheduler,
        "kwokControllerPort": ports.kwok,
        "etcdBinary": str(program("etcd")),
        "kubeApiserverBinary": str(program("kube-apiserver")),
        "kubeControllerManagerBinary": str(program("kube-controller-manager")),
        "kubeSchedulerBinary": str(program("kube-scheduler")),
        "kwokControllerBinary": str(program("kwok")),
        "kubeAuditPolicy": str(layout.audit_policy),
        "enableCRDs": ["Metric"],
    }
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {**options, **(_NODE_MONITOR if shop else {})},
        "componentsPatches": _FOR_SHOPS if shop else [],
    }


_NODE_MONITOR = {
    "kubeControllerManagerNodeMonitorPeriodMilliseconds": 1_000,
    "kubeControllerManagerNodeMonitorGracePeriodMilliseconds": 8_000,
}
"""Kubernetes' own 5 s and 40 s, as kwokctl makes five times of what it is told.

With kwok's values a silent node is noticed after an hour.
"""
_OWN_NODES_ONLY = {
    "name": "kwok-controller",
    "extraArgs": [
        {"key": "manage-all-nodes", "value": "false", "override": True},
        {"key": "manage-nodes-with-annotation-selector", "value": "kwok.x-k8s.io/node=fake"},
        {"key": "node-lease-duration-seconds", "value": "40", "override": True},
    ],
}
"""Nodes that kwokctl made; the shop's program is the kubelet of all others."""
_MANY_SERVICES = {
    "name": "kube-apiserver",
    "extraArgs": [{"key": "service-cluster-ip-range", "value": "10.96.0.0/16"}],
}
"""The 254 addresses of the default are used up by 14 shops."""
_NO_ELECTION = {"extraArgs": [{"key": "leader-elect", "value": "false"}]}
"""There is one of each; it would end itself when a busy API server does not renew its lease."""
_FOR_SHOPS = [
    _OWN_NODES_ONLY,
    _MANY_SERVICES,
    {"name": "kube-controller-manager", **_NO_ELECTION},
    {"name": "kube-scheduler", **_NO_ELECTION},
]


def audit_policy() -> Document:
    """Whole requests for an operator's writes; who asked for what for service accounts.

    The rest (the control plane talking to itself) is left out. One line per request, when it
    is complete: its ``responseStatus`` tells whether a write succeeded.
    """
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    workloads = ["deployments", "statefulsets", "daemonsets"]
    recorded = [
        {
            "group": "apps",
            "resources": [*workloads, *(f"{kind}/scale" for kind in workloads)],
        },
        {"group": "batch", "resources": ["cronjobs", "jobs"]},
        {"group": "", "resources": ["pods/eviction"]},
        {"group": "prunella.dev", "resources": ["*"]},
    ]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [
            {"level": "Request", "verbs": writes, "resources": recorded},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    }


def prometheus(ports: Ports, *, scrape: bool = True) -> Document:
    """Prometheus' own configuration; without ``scrape`` it keeps serving what it already has.

    Add-ons put more jobs into ``jobs/`` and more rules into ``alerts/`` beside it.
    """
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_SECONDS}s",
            "scrape_timeout": "4s",
            "evaluation_interval": f"{SCRAPE_SECONDS}s",
        },
        "storage": {"tsdb": {"out_of_order_time_window": "30m"}},
        "alerting": {
            "alertmanagers": [
                {"static_configs": [{"targets": [f"{LOCALHOST}:{ports.alertmanager}"]}]}
            ]
        },
        "rule_files": ["rules.yaml", "alerts/*.yaml"] if scrape else [],
        "scrape_configs": [_scrape_config(ports)] if scrape else [],
        "scrape_config_files": ["jobs/*.yaml"] if scrape else [],
    }


def _scrape_config(ports: Ports) -> Document:
    """One target per node, as kwok announces them; ``instance`` is the node."""
    discovery = f"http://{LOCALHOST}:{ports.kwok}/discovery/prometheus"
    return {
        "job_name": "app",
        "honor_labels": True,
        "http_sd_configs": [{"url": discovery, "refresh_interval": "3s"}],
        "relabel_configs": [
            {
                "source_labels": ["__metrics_path__"],
                "regex": "/metrics/nodes/([^/]+)/.*",
                "target_label": "instance",
            },
            {"regex": "metrics_name", "action": "labeldrop"},
        ],
        "metric_relabel_configs": [
            {"source_labels": ["lab_drop"], "regex": "true", "action": "drop"},
            *(_workload_label(kind, suffix) for kind, suffix in _OWNER_SUFFIX.items()),
            {"regex": "lab_.+", "action": "labeldrop"},
        ],
    }


_OWNER_SUFFIX = {"deployment": "-[a-z0-9]+-", "statefulset": "-", "daemonset": "-"}
"""What a pod's ``generateName`` has after its workload's name."""


def _workload_label(kind: str, suffix: str) -> Document:
    return {
        "source_labels": ["lab_kind", "lab_generate_name"],
        "regex": f"{kind};(.+){suffix}",
        "target_label": kind,
    }


def rules() -> Document:
    """Saturation of a Deployment: the load that it was given, over the pods that are there."""
    by = "by (namespace, deployment)"
    expression = f"max {by} (app_load) / count {by} (app_up)"
    record = {"record": "app_cpu_saturation", "expr": expression}
    return {"groups": [{"name": "app", "interval": f"{SCRAPE_SECONDS}s", "rules": [record]}]}


def alertmanager() -> Document:
    """One route to a receiver that sends nothing: alerts are only read back over the API."""
    return {
        "route": {"receiver": "none", "group_wait": "0s", "group_interval": "5s"},
        "receivers": [{"name": "none"}],
    }


def prometheus_command(layout: Layout, ports: Ports, program: pathlib.Path) -> list[str]:
    """Lifecycle and admin API are on: tests reload, stop and write through them."""
    return [
        str(program),
        f"--config.file={layout.prometheus}/prometheus.yaml",
        f"--storage.tsdb.path={layout.prometheus}/data",
        "--storage.tsdb.retention.time=2d",
        f"--web.listen-address={LOCALHOST}:{ports.prometheus}",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
        "--log.level=warn",
    ]


def alertmanager_command(layout: Layout, ports: Ports, program: pathlib.Path) -> list[str]:
    """A single Alertmanager: the empty cluster address switches gossip off."""
    return [
        str(program),
        f"--config.file={layout.alertmanager}/alertmanager.yaml",
        f"--storage.path={layout.alertmanager}/data",
        f"--web.listen-address={LOCALHOST}:{ports.alertmanager}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
