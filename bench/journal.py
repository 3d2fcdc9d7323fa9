"""5,000 watched objects and 50 changes a minute: what the change journal costs.

    python -m bench.journal [--objects 5000] [--per-minute 50] [--minutes 4]

The API server is real.  The operator runs twice on the same objects, without and with the journal;
both times somebody makes the same changes.  Printed: memory and CPU of both, and their difference.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import random
import time
from typing import Any

from kubernetes import client, config

from bench import operator_process
from lab.cluster import Lab

PER_NAMESPACE = 125
"""Objects of a namespace: as many of each of five kinds."""
SETTLE_SECONDS = 30.0
KINDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What a process used while it was watched."""

    cores: float
    mib: float
    peak_mib: float
    changes: float


def metadata(name: str, number: int) -> dict[str, Any]:
    """Labels and annotations as charts write them."""
    return {
        "name": f"{name}-{number:02}",
        "labels": {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": f"{name}-{number:02}",
            "app.kubernetes.io/version": "1.4.2",
            "app.kubernetes.io/managed-by": "Helm",
            "helm.sh/chart": f"{name}-3.1.0",
        },
        "annotations": {
            "meta.helm.sh/release-name": name,
            "meta.helm.sh/release-namespace": "shop",
        },
    }


def deployment(number: int) -> dict[str, Any]:
    """A workload without pods, as large as they are in practice."""
    labels = {"app": f"app-{number:02}"}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5}
    container = {
        "name": "app",
        "image": "bench.example/team/app:1.4.2",
        "args": ["--listen=:8080", "--log-format=json", "--shutdown-grace=20s"],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}-of-this-app"} for n in range(16)],
        "ports": [{"name": "http", "containerPort": 8080}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
    }
    volume = {"name": "config", "configMap": {"name": f"config-{number:02}"}}
    spec = {"containers": [container], "volumes": [volume], "serviceAccountName": "app"}
    return {
        "metadata": metadata("app", number),
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def config_map(number: int) -> dict[str, Any]:
    """A file of two kilobytes and a few settings."""
    draw = random.Random(number)
    lines = (f"key_{n}: {draw.randrange(10**9)}" for n in range(100))
    return {
        "metadata": metadata("config", number),
        "data": {"application.yaml": "\n".join(lines), "colour": "blue"},
    }


def service(number: int) -> dict[str, Any]:
    """A headless Service: the lab's range of addresses is small."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    selector = {"app": f"app-{number:02}"}
    return {
        "metadata": metadata("svc", number),
        "spec": {"clusterIP": "None", "selector": selector, "ports": ports},
    }


def network_policy(number: int) -> dict[str, Any]:
    """Who may call a workload."""
    peer = {"podSelector": {"matchLabels": {"app": "front"}}}
    return {
        "metadata": metadata("netpol", number),
        "spec": {
            "podSelector": {"matchLabels": {"app": f"app-{number:02}"}},
            "ingress": [{"from": [peer], "ports": [{"port": 8080}]}],
        },
    }


def create_all(lab: Lab, namespaces: list[str]) -> None:
    """Create namespaces and objects."""
    config.load_kube_config(config_file=str(lab.kubeconfig))  # type: ignore[no-untyped-call]
    core: Any = client.CoreV1Api()
    apps: Any = client.AppsV1Api()
    network: Any = client.NetworkingV1Api()

    def fill(namespace: str) -> None:
        core.create_namespace({"metadata": {"name": namespace}})
        for number in range(PER_NAMESPACE // KINDS):
            apps.create_namespaced_deployment(namespace, deployment(number))
            core.create_namespaced_config_map(namespace, config_map(number))
            core.create_namespaced_service(namespace, service(number))
            network.create_namespaced_network_policy(namespace, network_policy(number))
            account = {"metadata": metadata("account", number)}
            core.create_namespaced_service_account(namespace, account)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in pool.map(fill, namespaces):
            pass


def make_changes(namespaces: list[str], per_minute: float, seconds: float, tag: str) -> int:
    """Change objects at an even pace; returns how many were changed."""
    core: Any = client.CoreV1Api()
    apps: Any = client.AppsV1Api()
    draw = random.Random(7)
    began = time.monotonic()
    turns = int(per_minute * seconds / 60)
    for turn in range(turns):
        time.sleep(max(0.0, began + turn * 60 / per_minute - time.monotonic()))
        namespace, number = draw.choice(namespaces), draw.randrange(PER_NAMESPACE // KINDS)
        if turn % 2:
            data = {"data": {"colour": f"{tag}-{turn}"}}
            core.patch_namespaced_config_map(f"config-{number:02}", namespace, data)
        else:
            image = {"name": "app", "image": f"bench.example/team/app:{tag}-{turn}"}
            change = {"spec": {"template": {"spec": {"containers": [image]}}}}
            apps.patch_namespaced_deployment(f"app-{number:02}", namespace, change)
    return turns


def measure(
    lab: Lab, namespaces: list[str], arguments: argparse.Namespace, *, enabled: bool
) -> Cost:
    """Run the operator, make changes, and say what it cost meanwhile."""
    settings = {"journal": {"enabled": enabled}}
    seconds = arguments.minutes * 60
    with (
        operator_process.running(lab, settings) as operator,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        time.sleep(SETTLE_SECONDS)
        cpu, began, memory = operator.cpu_seconds(), time.monotonic(), []
        tag = "with" if enabled else "without"
        changing = pool.submit(make_changes, namespaces, arguments.per_minute, seconds, tag)
        while not changing.done():
            time.sleep(1)
            memory.append(operator.rss_mib())
        cores = (operator.cpu_seconds() - cpu) / (time.monotonic() - began)
        found = operator.metrics()
        written = sum(found.get(f'prunella_changes_total{{outcome="{each}"}}', 0.0) for each in OUT)
        assert not enabled or found["prunella_journal_objects"] >= arguments.objects
        return Cost(cores, operator_process.percentile(memory, 0.5), max(memory), written)


OUT = ("Written", "Late")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--per-minute", type=float, default=50)
    parser.add_argument("--minutes", type=float, default=4)
    arguments = parser.parse_args()
    namespaces = [f"bench-{n:03}" for n in range(arguments.objects // PER_NAMESPACE)]
    with operator_process.own_lab("bench-journal") as lab:
        create_all(lab, namespaces)
        without = measure(lab, namespaces, arguments, enabled=False)
        with_it = measure(lab, namespaces, arguments, enabled=True)
    print(f"machine: {operator_process.machine()}")
    print(f"{arguments.objects} objects, {arguments.per_minute:g} changes a minute")
    print(f"Changes written: {with_it.changes:.0f} in {arguments.minutes:g} minutes")
    for name, cost in (("without the journal", without), ("with it", with_it)):
        print(f"{name}: {cost.mib:.0f} MiB (peak {cost.peak_mib:.0f}), {cost.cores:.3f} cores")
    print(f"memory of the journal: {with_it.mib - without.mib:.0f} MiB (goal 60, floor 100)")
    print(f"CPU of the journal: {with_it.cores - without.cores:.3f} cores (goal 0.1, floor 0.2)")


if __name__ == "__main__":
    main()
