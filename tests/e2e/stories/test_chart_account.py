"""The operator heals with the chart's account alone, and the API server's audit log says so."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import pytest

from tests.e2e.harness import manifests, release
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)

READS = frozenset({"get", "list", "watch"})
OWN = {
    "remediations",
    "remediations/status",
    "remediationpolicies/status",
    "events",
}
"""What only the operator writes in a story: people write policies and workloads."""


def test_account_of_the_chart_heals_and_makes_every_write(story: Story) -> None:
    """Given a token of the chart's account, when the operator heals, then each write is its own."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    story.start_operator()
    story.apply(manifests.policy("checkout", {"restart": {}}))

    story.phase("checkout", "Succeeded")

    asked = ("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
    assert story.lab.kubectl(*asked, kubeconfig=story.account).stdout == release.USERNAME
    events = [e for e in story.lab.audit_events() if _namespace(e) == story.namespace]
    writes = [e for e in events if e["verb"] not in READS and e["responseStatus"]["code"] < 300]
    own = {resource: _users(writes, resource) for resource in OWN}
    assert {resource: {release.USERNAME} for resource in OWN} == own
    marked = [e for e in writes if "prunella.dev~1remediation" in str(e.get("requestObject"))]
    assert {("patch", "deployments", release.USERNAME)} == {
        (e["verb"], _resource(e), e["user"]["username"]) for e in marked
    }
    assert [e["objectRef"]["name"] for e in marked if "dryRun" not in _uri(e)] == ["checkout"]


def test_account_of_the_chart_needs_no_more_rights(story: Story) -> None:
    """Given all actions, when the operator works, then the server forbids it nothing."""
    steps: dict[str, manifests.Document] = {
        "restart": {"restart": {}},
        "evict": {"evictPod": {}},
        "scale": {"scale": {"by": 1}},
        "rollback": {"rollback": {"to": "Previous"}},
        "pods": {"restartPods": {}},
    }
    story.run(*(manifests.workload(name, "v1") for name in steps))
    story.release("rollback", "v2-bad")
    for name in ("restart", "evict", "scale", "pods"):
        story.annotate_pods(name, errors="0.5")
    story.start_operator()
    by_pod = manifests.errors(by="pod")
    story.apply(*(manifests.policy(name, action, signal=by_pod) for name, action in steps.items()))

    for name in steps:
        story.wait(functools.partial(_effective, story, name), f"{name} is done", 150)

    refused = [
        (e["verb"], _resource(e), e["responseStatus"].get("message"))
        for e in story.lab.audit_events()
        if e["user"]["username"] == release.USERNAME
        and _namespace(e) == story.namespace
        and e["responseStatus"]["code"] in {401, 403}
    ]
    assert refused == []


def _effective(story: Story, policy: str) -> bool:
    """Whether an effect of the policy has been carried out."""
    effects = [e for r in story.records(policy) for e in r.get("status", {}).get("effects", [])]
    return any(each.get("outcome") == "Effective" for each in effects)


def _namespace(event: dict[str, Any]) -> str:
    return str(event.get("objectRef", {}).get("namespace", ""))


def _resource(event: dict[str, Any]) -> str:
    ref = event["objectRef"]
    return "/".join(part for part in (ref["resource"], ref.get("subresource")) if part)


def _uri(event: dict[str, Any]) -> str:
    return str(event["requestURI"])


def _users(events: Iterable[dict[str, Any]], resource: str) -> set[str]:
    """Who wrote a resource, but for the clusters' controllers, which write Events too."""
    return {
        event["user"]["username"]
        for event in events
        if _resource(event) == resource
        and (resource != "events" or event["objectRef"].get("apiGroup") == "events.k8s.io")
        and not event["user"]["username"].startswith("system:kube-")
    }
