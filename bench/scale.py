"""500 policies with 10 targets each, 100 distinct queries, interval 30 s: the operator's own cost.

    python -m bench.scale [--policies 500] [--minutes 4]

The API server is real; the metrics come from a small server in a process of its own, so that only
the operator is measured.  Every namespace has 5 policies that share one query over 50 workloads.
Printed: CPU, memory, loop lag, requests to Prometheus and API writes while all is healthy.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import http.server
import json
import multiprocessing
import re
import time
import urllib.parse
from typing import Any

from kubernetes import client, config

from bench import operator_process
from lab import ports
from lab.cluster import Lab

PER_NAMESPACE, TARGETS, INTERVAL = 5, 10, 30
WARM_UP_SECONDS = 75
_NAMESPACE = re.compile(r'namespace="(bench-\d+)"')


class FakePrometheus(http.server.BaseHTTPRequestHandler):
    """Answers any query with one healthy sample for each workload of the asked namespace."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer /api/v1/query."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = urllib.parse.parse_qs(body)["query"][0]
        found = _NAMESPACE.search(query)
        namespace = found.group(1) if found else ""
        fresh = "prunella_leaf" in query
        extra = {"prunella_leaf": "0"} if fresh else {}
        result: list[dict[str, Any]] = [
            {
                "metric": {"namespace": namespace, "deployment": f"app-{n:02}", **extra},
                "value": [time.time(), "2" if fresh else "0.5"],
            }
            for n in range(PER_NAMESPACE * TARGETS)
        ]
        payload = {"status": "success", "data": {"resultType": "vector", "result": result}}
        answer = json.dumps(payload).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        with ASKED.get_lock():
            ASKED.value += 1

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


ASKED = multiprocessing.Value("q", 0)


def serve_metrics(port: int) -> None:
    """Run the metrics server until the process is ended."""
    http.server.ThreadingHTTPServer(("127.0.0.1", port), FakePrometheus).serve_forever()


def deployment(namespace: str, number: int) -> dict[str, Any]:
    """A workload without pods; ten neighbours share a label."""
    labels = {"app": f"app-{number:02}", "group": f"g{number // TARGETS}"}
    container = {"name": "app", "image": "bench.example/app:v1"}
    return {
        "metadata": {"name": f"app-{number:02}", "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": labels["app"]}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def policy(namespace: str, number: int) -> dict[str, Any]:
    """A policy over ten of the namespace's workloads; its query is that of its neighbours."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": f"policy-{number}", "namespace": namespace},
        "spec": {
            "mode": "Live",
            "interval": f"{INTERVAL}s",
            "target": {"selector": {"matchLabels": {"group": f"g{number}"}}},
            "signals": [
                {
                    "name": "load",
                    "prometheus": {"query": "max by (namespace, deployment) (app_load)"},
                    "threshold": {"above": 2.0},
                }
            ],
            "steps": [{"restart": {}}],
        },
    }


def create_all(lab: Lab, namespaces: list[str]) -> None:
    """Create namespaces, workloads and policies."""
    config.load_kube_config(config_file=str(lab.kubeconfig))  # type: ignore[no-untyped-call]
    core: Any = client.CoreV1Api()
    apps: Any = client.AppsV1Api()
    custom: Any = client.CustomObjectsApi()

    def fill(namespace: str) -> None:
        core.create_namespace({"metadata": {"name": namespace}})
        for number in range(PER_NAMESPACE * TARGETS):
            apps.create_namespaced_deployment(namespace, deployment(namespace, number))
        for number in range(PER_NAMESPACE):
            custom.create_namespaced_custom_object(
                "prunella.dev", "v1alpha1", namespace, "remediationpolicies",
                policy(namespace, number),
            )  # fmt: skip

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(fill, namespaces):
            pass


def healthy_policies(lab: Lab) -> int:
    """Policies whose status says that all targets were judged Healthy."""
    items = lab.get("remediationpolicies", "-A")["items"]
    return sum(
        item.get("status", {}).get("targets", {}).get("healthy") == TARGETS for item in items
    )


def operator_requests(lab: Lab, since: float) -> int:
    """The operator's writes to the API server, as the audit log has them."""
    began = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    return sum(
        event.get("userAgent", "").startswith("prunella/")
        and event["verb"] in {"create", "update", "patch", "delete"}
        and event["requestReceivedTimestamp"] > began
        for event in lab.audit_events()
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=4)
    arguments = parser.parse_args()
    namespaces = [f"bench-{n:03}" for n in range(arguments.policies // PER_NAMESPACE)]
    port = ports.free_port()
    server = multiprocessing.Process(target=serve_metrics, args=(port,), daemon=True)
    server.start()
    settings = {"sources": {"default": {"url": f"http://127.0.0.1:{port}"}}}
    with operator_process.own_lab("bench") as lab:
        create_all(lab, namespaces)
        with operator_process.running(lab, settings) as operator:
            time.sleep(WARM_UP_SECONDS)
            print_costs(lab, operator, arguments.policies, arguments.minutes * 60)
    server.terminate()


def print_costs(lab: Lab, operator: operator_process.Operator, size: int, seconds: float) -> None:
    """Watch the operator for a while and print what it cost."""
    cpu, asked, began = operator.cpu_seconds(), ASKED.value, time.time()
    lags = []
    while time.time() - began < seconds:
        time.sleep(1)
        lags.append(operator.metrics()["prunella_loop_lag_seconds"])
    took = time.time() - began
    cores = (operator.cpu_seconds() - cpu) / took
    rounds = took / INTERVAL
    queries = (ASKED.value - asked) / rounds / (size / PER_NAMESPACE)
    print(f"machine: {operator_process.machine()}")
    print(f"{size} policies x {TARGETS} targets, {size // PER_NAMESPACE} distinct queries")
    print(f"policies with a current status: {healthy_policies(lab)} of {size}")
    print(f"CPU of the operator: {cores:.3f} cores (goal 0.5)")
    print(f"memory: {operator.rss_mib():.0f} MiB (goal 200)")
    lag = operator_process.percentile(lags, 0.99) * 1000
    print(f"loop lag: p99 of the worst of each second {lag:.0f} ms (goal 250)")
    print(f"requests to Prometheus: {queries:.2f} per distinct query and round (goal 2)")
    writes = operator_requests(lab, began)
    print(f"API writes: {writes / size / (took / 60):.3f} per policy and minute (goal 0)")


if __name__ == "__main__":
    main()
