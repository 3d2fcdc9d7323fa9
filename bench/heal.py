"""From a bad release to healthy and proved, on a real API server with a real Prometheus.

    python -m bench.heal [--runs 5]

Policy: windows of 15 s, ``for: 15s``, interval 5 s, three Healthy samples.  The goal is 75 s.
"""

from __future__ import annotations

import argparse
import datetime
import time
from typing import Any

import yaml

from bench import operator_process
from lab.cluster import Lab

RATE = "sum by (namespace, deployment) (rate(app_http_requests_total{{{0}}}[15s]))"
GIVE_UP_SECONDS = 240
QUIET_SECONDS = 50


def manifests(namespace: str) -> list[dict[str, Any]]:
    """A shop with one service and the policy that watches it."""
    labels = {"app": "checkout"}
    container = {"name": "app", "image": "shop.example/checkout:v1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    signal = {
        "name": "errors",
        "ratio": {"bad": RATE.format('code=~"5.."'), "total": RATE.format("")},
        "threshold": {"above": 0.05},
        "for": "15s",
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "checkout", "namespace": namespace, "labels": labels},
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "prunella.dev/v1alpha1",
            "kind": "RemediationPolicy",
            "metadata": {"name": "checkout", "namespace": namespace},
            "spec": {
                "mode": "Live",
                "interval": "5s",
                "target": {"name": "checkout"},
                "signals": [signal],
                "steps": [{"rollback": {}}],
                "verify": {"within": "1m"},
            },
        },
    ]


def heal(lab: Lab, namespace: str) -> dict[str, float]:
    """One bad release; seconds from it to the effect, the end of the rollout, and the proof."""
    lab.kubectl("-n", namespace, "set", "image", "deployment/checkout",
                "app=shop.example/checkout:v2-bad")  # fmt: skip
    released = time.time()
    while time.time() - released < GIVE_UP_SECONDS:
        time.sleep(1)
        for item in lab.get("remediations", "-n", namespace)["items"]:
            status = item.get("status", {})
            if status.get("phase") == "Succeeded":
                moments = {
                    "sent": status["effects"][0]["sentAt"],
                    "rolled out": status["verification"]["rolloutCompleteAt"],
                    "proved": status["finishedAt"],
                }
                return {name: seconds(text) - released for name, text in moments.items()}
    return {}


def seconds(text: str) -> float:
    """A moment of the API as seconds since the epoch."""
    return datetime.datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print(f"machine: {operator_process.machine()}")
    with operator_process.own_lab("bench") as lab:
        settings = {
            "sources": {"default": {"url": lab.prometheus_url}},
            **operator_process.UNLIMITED,
        }
        with operator_process.running(lab, settings):
            for run in range(runs):
                namespace = f"heal-{run}"
                lab.apply(yaml.safe_dump_all(manifests(namespace)))
                time.sleep(QUIET_SECONDS)
                took = heal(lab, namespace)
                row = ", ".join(f"{name} {value:.0f} s" for name, value in took.items())
                print(f"run {run + 1}: {row or 'not healed'} (goal: proved in 75 s)")


if __name__ == "__main__":
    main()
