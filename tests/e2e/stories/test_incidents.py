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


def open_incidents(story: Story) -> list[Document]:
    """The open ones. One that became part of another stays as an object that leads there."""
    judged = [each for each in incidents(story) if "status" in each]
    return [each for each in judged if each["status"].get("state") == "Open"]


def status(story: Story, **wanted: Any) -> Document:
    """Wait until the story's only incident has these fields in its status; returns the status."""

    def fits() -> Document | None:
        found = incidents(story)
        if len(found) != 1:
            return None
        seen: Document = found[0].get("status", {})
        return seen if all(seen.get(key) == value for key, value in wanted.items()) else None

    answer: Document = story.wait(fits, f"one incident has {wanted}", 150)
    return answer


def test_alerts_are_one_incident(story: Story) -> None:
    """Given two workloads, when alerts about them fire, then there is one object that says so."""
    story.run(manifests.workload("cart", "v1"), manifests.workload("checkout", "v1"))
    story.start_operator(operatorNamespace=story.namespace, incidents={"quietSeconds": 10})
    fired = [alert(story, "HighErrorRate", "cart", pod=f"p{number}") for number in range(5)]
    post(story, fired)

    found = status(story, alerts=5)

    assert ("Open", "Warning", 1) == (found["state"], found["severity"], found["objects"])
    assert "HighErrorRate on Deployment/cart" in found["title"]
    end(story, fired)
    over = status(story, state="Resolved")
    assert 0 == over["members"][0]["firing"]


COMMIT = "4f2a9c1d"
HEALTHY = 40


def calling(name: str, callee: str, namespace: str) -> Document:
    """A workload that has the address of another in its environment, and is served itself."""
    made = manifests.workload(name, "v1", replicas=1)
    address = {"name": "CHECKOUT_ADDR", "value": f"{callee}.{namespace}.svc.cluster.local:8080"}
    made["spec"]["template"]["spec"]["containers"][0]["env"] = [address]
    return made


def service(name: str) -> Document:
    """A Service of a workload."""
    ports = [{"port": 8080, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def released(name: str, tag: str, commit: str) -> Document:
    """A workload as a pipeline releases it: with the commit on its pods."""
    made = manifests.workload(name, tag)
    made["spec"]["template"]["metadata"]["annotations"] = {"app.kubernetes.io/commit": commit}
    return made


def on_cause(name: str) -> Document:
    """A policy that rolls a Deployment back when an incident names its release as the cause."""
    trigger = {"incident": {"causeKind": ["Release"], "confidence": "High", "changeWithin": "30m"}}
    return manifests.policy(name, {"rollback": {}}, trigger=trigger, verify={"within": "2m"})


def test_a_bad_release_among_healthy_ones(story: Story) -> None:
    """Given a bad release that 40 workloads call, when 300 alerts fire, then it is one incident.

    It names Deployment, revision, commit and field; one rollback heals it, and symptoms wait.
    """
    callers = [f"web-{number:02}" for number in range(HEALTHY)]
    story.apply(service("checkout"), released("checkout", "v1", "0badc0de"))
    story.apply(*(calling(each, "checkout", story.namespace) for each in callers))
    for each in ("checkout", callers[-1]):
        story.rolled_out(each)
    story.reported("checkout", below=0.05)
    operator = story.start_operator()
    story.apply(
        on_cause("checkout"),
        manifests.policy(callers[0], {"restart": {}}, signal=manifests.errors(held="5s")),
    )
    story.becomes("checkout", "Healthy")
    time.sleep(15)

    story.apply(released("checkout", "v2-bad", COMMIT))
    story.annotate_pods(callers[0], errors="0.5")
    fired = [alert(story, "HighErrorRate", "checkout", pod=f"c{n}") for n in range(20)]
    fired += [
        alert(story, "HighErrorRate", caller, code=f"50{n}") for caller in callers for n in range(7)
    ]
    story.rolled_out("checkout")
    post(story, fired)

    record = story.phase("checkout", "Succeeded", 240)

    # On a busy machine two are told before the cause is known, and become one then.
    story.wait(lambda: len(open_incidents(story)) == 1, "all is one open incident", 120)
    (incident,) = open_incidents(story)
    told = incident["status"]
    suspect = told["suspects"][0]
    (story.folder / "why.txt").write_text(
        story.prunella("incidents", "-n", story.namespace)
        + story.prunella("why", incident["metadata"]["name"], "-n", story.namespace)
    )
    assert (HEALTHY + 1, "Open") == (told["objects"], told["state"])
    assert told["alerts"] >= len(fired)
    assert ("Deployment", "checkout") == (suspect["object"]["kind"], suspect["object"]["name"])
    assert suspect["field"].endswith("image")
    assert suspect["evidence"][0]["message"].startswith(f"revision 2, commit {COMMIT}, image ")
    assert COMMIT in suspect["summary"]
    names = {each["metadata"]["name"] for each in incidents(story)}
    assert record["spec"]["incident"] in names
    assert ("rollback", "v1") == (record["spec"]["action"], story.image("checkout"))
    assert [f"{story.namespace}/{record['metadata']['name']}"] == told["remediations"]
    assert 1 == len(story.writes("checkout"))
    assert [] == story.writes(callers[0])
    assert operator.running
