"""Traffic on a real API server: a bad sample loses it, and that is proved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import stand_ins
from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(240)
NAMES = ("sample", "steady")
OF_ALL = {
    "name": "failed-here",
    "ratio": {
        "bad": 'sum by (namespace, deployment) (rate(app_http_requests_total{code=~"5.."}[10s]))',
        "total": (
            "sum by (namespace, deployment) (rate(app_http_requests_total[10s])) * 0 "
            "+ on (namespace) group_left () sum by (namespace) (rate(app_http_requests_total[10s]))"
        ),
        "minimum": 5,
    },
    "threshold": {"above": 0.02},
    "for": "5s",
}
"""Of all requests, the share that a side fails."""


def side(name: str) -> tuple[Any, Any]:
    """A workload, and the Service of its pods."""
    workload = manifests.workload(name, "v1")
    workload["metadata"]["labels"]["part"] = "web"
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return workload, service


def backends(story: Story) -> Any:
    """What the route sends to."""
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{story.namespace}/httproutes/web"
    return story.api.request("GET", path)["spec"]["rules"][0]["backendRefs"]


def weights(story: Story) -> list[int]:
    """The weights of the sample and of the steady side."""
    return [each["weight"] for each in backends(story)]


def test_a_bad_sample_loses_its_traffic(story: Story) -> None:
    """Given a sample that fails, when it has a third of the traffic, then it gets none."""
    stand_ins.install(story.lab)
    sides = [side(name) for name in NAMES]
    story.run(*(workload for workload, _ in sides))
    for _, service in sides:
        story.apply(service)
    spec = {
        "rules": [
            {
                "backendRefs": [
                    {"name": "sample", "port": 80, "weight": 35},
                    {"name": "steady", "port": 80, "weight": 65},
                ]
            }
        ]
    }
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec}
    document = {**route, "metadata": {"name": "web", "namespace": story.namespace}}
    story.lab.kubectl("apply", "--filename", "-", input=json.dumps(document))
    step = {
        "kind": "HTTPRoute",
        "name": "web",
        "to": {"workload": "steady"},
        "by": 100,
        "maxMorePerReplica": 60,
    }
    target = {"selector": {"matchLabels": {"part": "web"}}}
    policy = manifests.policy(
        "sample", {"shiftTraffic": step}, signal=OF_ALL, target=target, verify={"samples": 2}
    )
    story.apply(policy)
    story.start_operator()
    # Few requests fail from the start: how often a series is sampled is learned while it is well.
    story.annotate_pods("sample", errors="0.01")
    seen = f'min(count_over_time(app_http_requests_total{{namespace="{story.namespace}"}}[2m]))'
    story.wait(lambda: (story.value(seen) or 0) >= 10, "all series are known", 120)
    story.wait(
        lambda: story.condition("sample")["reason"] == "Healthy", "both sides are Healthy", 90
    )

    story.annotate_pods("sample", errors="0.5")
    story.wait(lambda: weights(story) == [0, 100], "the sample gets nothing", 90)
    story.annotate_pods("sample", rps="0")  # What a gateway does by these weights.
    record = story.phase("sample", "Succeeded", timeout=90)

    (effect,) = record["spec"]["effects"]
    assert ("Patch", "HTTPRoute", "web") == (effect["verb"], effect["kind"], effect["name"])
    assert "35 % to 0 %, and 65 % to 100 %" in effect["summary"]
    assert [{"kind": "Service", "group": ""}] * 2 == [
        {key: each[key] for key in ("kind", "group")} for each in backends(story)
    ]
