"""From the first scraped sample over the threshold to the effect at the API server.

    python -m bench.latency [--count 50]

Each of ``count`` workloads gets a load over its limit, one after the other.  The beginning is the
timestamp of the first raw sample over the threshold in Prometheus, the end is the time at which
the API server received the patch, from its audit log.  Allowed: ``for`` + one interval + 1 s.
"""

from __future__ import annotations

import argparse
import datetime
import time
from typing import Any

import yaml

from bench import operator_process
from lab.cluster import Lab

INTERVAL, FOR = 5, 10
NAMESPACE = "bench-latency"
LIMIT = 2.0
ANNOTATION = "lab.prunella.dev/load"


def deployment(name: str) -> dict[str, Any]:
    """One pod that reports a load."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "bench.example/app:v1"}]},
            },
        },
    }


def policy(name: str) -> dict[str, Any]:
    """Scale out when the load is over the limit."""
    query = "max by (namespace, deployment) (app_load)"
    signal = {
        "name": "load",
        "prometheus": {"query": query},
        "threshold": {"above": LIMIT},
        "for": f"{FOR}s",
    }
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "mode": "Live",
            "interval": f"{INTERVAL}s",
            "target": {"name": name},
            "signals": [signal],
            "steps": [{"scale": {"by": 1, "max": 5}}],
            "guards": {"stopWhenUnhealthy": "100%"},
        },
    }


def set_load(lab: Lab, name: str, load: str) -> None:
    """Change the running pod's load in place: no rollout."""
    lab.kubectl(
        "-n", NAMESPACE, "annotate", "pod", "-l", f"app={name}", "--overwrite",
        f"{ANNOTATION}={load}",
    )  # fmt: skip


def first_bad_sample(lab: Lab, name: str) -> float:
    """Time of the first raw sample over the limit."""
    rows = lab.query(f'app_load{{namespace="{NAMESPACE}",deployment="{name}"}}[10m]')
    return min(float(t) for row in rows for t, v in row["values"] if float(v) > LIMIT)


def effect_times(lab: Lab) -> dict[str, float]:
    """When the API server received the operator's first real patch of each Deployment."""
    found: dict[str, float] = {}
    for event in lab.audit_events():
        reference = event.get("objectRef", {})
        if (event["verb"], reference.get("resource")) != ("patch", "deployments"):
            continue
        wanted = reference.get("namespace") == NAMESPACE and "dryRun" not in event["requestURI"]
        if wanted and event.get("userAgent", "").startswith("prunella/"):
            when = datetime.datetime.fromisoformat(event["requestReceivedTimestamp"])
            found.setdefault(reference["name"], when.timestamp())
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    count = parser.parse_args().count
    names = [f"app-{number:02}" for number in range(count)]
    with operator_process.own_lab("bench") as lab:
        lab.kubectl("create", "namespace", NAMESPACE)
        settings = {
            "sources": {"default": {"url": lab.prometheus_url}},
            **operator_process.UNLIMITED,
        }
        lab.apply(yaml.safe_dump_all([deployment(name) for name in names]))
        lab.kubectl("-n", NAMESPACE, "wait", "deployment", "--all", "--for=condition=Available",
                    "--timeout=120s")  # fmt: skip
        for name in names:
            set_load(lab, name, "1.0")
        lab.apply(yaml.safe_dump_all([policy(name) for name in names]))
        with operator_process.running(lab, settings):
            time.sleep(20)
            for number, name in enumerate(names):
                set_load(lab, name, "3.0")
                time.sleep(1 + number % 7 / 7)
            time.sleep(FOR + 3 * INTERVAL + 5)
        effects = effect_times(lab)
        waits = [effects[name] - first_bad_sample(lab, name) for name in names if name in effects]
    allowed = FOR + INTERVAL + 1
    print(f"machine: {operator_process.machine()}")
    print(f"{len(waits)} of {count} acted on; for {FOR} s, interval {INTERVAL} s")
    for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        print(f"{label}: {operator_process.percentile(waits, share):6.2f} s (allowed {allowed} s)")


if __name__ == "__main__":
    main()
