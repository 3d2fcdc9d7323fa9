"""Alerts of a real Alertmanager become one incident on a real API server."""

from __future__ import annotations

import datetime
import json
import time
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(400)

OWN = "/apis/prunella.dev/v1alpha1"


def alert(story: Story, name: str, deployment: str, **labels: str) -> Document:
    """An alert of a Deployment, as Prometheus posts it."""
    return {
        "labels": {
            "alertname": name,
            "namespace": story.namespace,
            "deployment": deployment,
            **labels,
        },
        "annotations": {"summary": f"{name} on {deployment}"},
        "startsAt": _written(0),
        "endsAt": _written(3600),
    }


def post(story: Story, alerts: Iterable[Document]) -> None:
    """Let alerts fire in the lab's Alertmanager."""
    request = urllib.request.Request(  # noqa: S310 - the lab's own address
        f"{story.lab.alertmanager_url}/api/v2/alerts",
        data=json.dumps(list(alerts)).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        assert answer.status == 200


def end(story: Story, alerts: Iterable[Document]) -> None:
    """Let alerts end."""
    post(story, ({**each, "endsAt": _written(-1)} for each in alerts))


def _written(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(time.time() + seconds, datetime.UTC).isoformat()


def incidents(story: Story, namespace: str | None = None) -> list[Document]:
    """The incidents of a namespace, by default the story's."""
    found = story.api.items(f"{OWN}/namespaces/{namespace or story.namespace}/incidents")
    return sorted(found, key=lambda each: str(each["metadata"]["name"]))


def status(story: Story, **wanted: Any) -> Document:
    """Wait until the story's only incident has these fields in its status; returns the status."""

    def fits() -> Document | None:
        found = incidents(story)
        if len(found) != 1:
            return None
        seen: Document = found[0].get("status", {})
        return seen if all(seen.get(key) == value for key, value in wanted.items()) else None

    answer: Document = story.wait(fits, f"one incident has {wanted}: {incidents(story)}", 90)
    return answer


def test_alerts_are_one_incident(story: Story) -> None:
    """Given two workloads, when alerts about them fire, then there is one object that says so."""
    story.run(manifests.workload("cart", "v1"), manifests.workload("checkout", "v1"))
    story.start_operator(incidents={"quietSeconds": 10})
    fired = [alert(story, "HighErrorRate", "cart", pod=f"p{number}") for number in range(5)]
    post(story, fired)

    found = status(story, alerts=5)

    assert ("Open", "Warning", 1) == (found["state"], found["severity"], found["objects"])
    assert "HighErrorRate on Deployment/cart" in found["title"]
    end(story, fired)
    over = status(story, state="Resolved")
    assert 0 == over["members"][0]["firing"]
