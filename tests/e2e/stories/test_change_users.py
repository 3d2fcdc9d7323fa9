"""Users in the journal, by the real API server's own audit events."""

from __future__ import annotations

import json
import pathlib
import urllib.error
import urllib.request

import pytest

from lab.ports import LOCALHOST, free_port
from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

TOKEN = "open-sesame-open-sesame"  # noqa: S105 - of this story alone
PERSON = "kwok-admin"
"""Who kubectl is in the lab."""


def post(url: str, events: list[Document], token: str = TOKEN) -> int:
    """Post events as the API server does; returns the status."""
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def audited(story: Story) -> list[Document]:
    """What the API server has logged of this namespace."""
    events = story.lab.audit_events()
    return [e for e in events if (e.get("objectRef") or {}).get("namespace") == story.namespace]


def users(story: Story) -> dict[str, str]:
    """Who made the Changes of Deployments, by what happened."""
    path = f"/apis/prunella.dev/v1alpha1/namespaces/{story.namespace}/changes"
    found = {}
    for each in story.api.items(path):
        spec, status = each["spec"], each.get("status") or {}
        told = {**spec.get("by", {}), **(status.get("by") or {})}
        if spec["object"]["kind"] == "Deployment":
            found[spec["verb"]] = told.get("user", "")
    return found


def test_an_audit_event_names_who_changed_and_who_deleted(
    story: Story, tmp_path: pathlib.Path
) -> None:
    """Given changes by a person, when their audit events come late, then both bear the user."""
    token, port = tmp_path / "token", free_port()
    token.write_text(TOKEN)
    story.run(manifests.workload("checkout", "v1"))
    story.start_operator(
        intake={
            "webhook": {
                "enabled": True,
                "host": LOCALHOST,
                "port": port,
                "bearerTokenFile": str(token),
            }
        },
        journal={"audit": {"enabled": True}},
    )
    url = f"http://{LOCALHOST}:{port}/audit"
    image = manifests.image("checkout", "v2")
    for arguments in (
        ("set", "image", "deployment/checkout", f"app={image}"),
        ("delete", "deployment/checkout"),
    ):
        story.lab.kubectl("--namespace", story.namespace, *arguments)
    both = {"Modified", "Deleted"}
    wait_until(lambda: set(users(story)) == both, 30, lambda: f"found {users(story)}")
    before = users(story)

    wait_until(lambda: any(e["verb"] == "delete" for e in audited(story)), 20, "the audit log")
    refused = post(url, audited(story), "somebody-elses-token")
    taken = [post(url, audited(story)) for _ in range(2)]

    assert (dict.fromkeys(both, ""), 401, [200, 200]) == (before, refused, taken)
    wait_until(
        lambda: users(story) == dict.fromkeys(both, PERSON), 20, lambda: f"found {users(story)}"
    )
    told = story.prunella("changes", "--namespace", story.namespace)
    assert f"by {PERSON} (kubectl-set)" in " ".join(told.split())
    assert f"Deployment checkout: deleted, by {PERSON}" in " ".join(told.split())
