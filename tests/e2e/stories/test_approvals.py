"""Mode Approve on a real API server, with users' own tokens: who may decide, and what is done."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from lab import cluster
from tests.e2e.harness import manifests, release
from tests.e2e.harness.running import PROGRAM
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(400)

APPROVER = f"{release.ACCOUNT}-approver"
EDITS = {
    '{"spec": {"verdict": "Reject"}}': "spec is frozen",
    '{"metadata": {"labels": {"a": "b"}}}': "an approval is never changed",
}
"""What not even an administrator may change of an Approval, and what the API server says."""


def user(story: Story, name: str, *roles: str) -> pathlib.Path:
    """A kubeconfig with the token of a user who has these ClusterRoles in the namespace."""
    account = f"--serviceaccount={story.namespace}:{name}"
    story.lab.kubectl("-n", story.namespace, "create", "serviceaccount", name)
    for role in roles:
        binding = ("create", "rolebinding", f"{name}-{role}", f"--clusterrole={role}", account)
        story.lab.kubectl("-n", story.namespace, *binding)
    token = story.lab.kubectl("-n", story.namespace, "create", "token", name).stdout.strip()
    admin = yaml.safe_load(story.lab.kubeconfig.read_text())
    path = story.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(cluster.with_token(admin, token, story.namespace)))
    return path


def username(story: Story, name: str) -> str:
    """What the API server calls a user of these tests."""
    return f"system:serviceaccount:{story.namespace}:{name}"


def decide(command: str, record: str, who: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """`prunella approve` or `reject`, as that user."""
    return subprocess.run(  # noqa: S603
        [str(PROGRAM), command, record, "--yes", f"--kubeconfig={who}", "--reason=a story"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def approval(story: Story, record: dict[str, Any], by: str, **spec: Any) -> str:
    """An Approval of a record as JSON, as a user may write it by hand."""
    meta = record["metadata"]
    return json.dumps(
        {
            "apiVersion": "prunella.dev/v1alpha1",
            "kind": "Approval",
            "metadata": {"name": meta["name"], "namespace": story.namespace},
            "spec": {
                "remediationUID": meta["uid"],
                "planHash": record["spec"]["planHash"],
                "verdict": "Approve",
                "decidedBy": by,
                **spec,
            },
        }
    )


def create(story: Story, document: str, who: pathlib.Path) -> str:
    """What the API server says when that user creates it; empty when it is there."""
    done = story.lab.kubectl("create", "--filename=-", input=document, kubeconfig=who, check=False)
    return done.stderr if done.returncode else ""


def accepted(story: Story, name: str) -> tuple[str, str]:
    """Status and reason of the Approval's condition; empty while there is none."""
    found = story.lab.get("-n", story.namespace, "approval", name)
    conditions = found.get("status", {}).get("conditions", [])
    return next(((each["status"], each["reason"]) for each in conditions), ("", ""))


def waiting(story: Story, number: int) -> dict[str, Any]:
    """The question of that number, once it waits."""
    story.wait(
        lambda: (
            len(found := story.phases("checkout")) >= number and found[-1] == "AwaitingApproval"
        ),
        f"question {number} waits",
    )
    return story.records("checkout")[-1]


def test_a_plan_is_approved_by_who_may_refused_when_stale_and_done_once(story: Story) -> None:
    """Given a sick workload in mode Approve, then only an approver's word on the plan as it is."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    editor, approver = user(story, "editor", "edit"), user(story, "approver", APPROVER)
    story.start_operator()
    story.apply(manifests.policy("checkout", {"restart": {}}, mode="Approve"))
    first = waiting(story, 1)
    name = first["metadata"]["name"]

    # Without the right, in another's name, or past its own end: the API server refuses.
    refused = decide("approve", f"{story.namespace}/{name}", editor)
    assert (2, True) == (refused.returncode, "cannot create resource" in refused.stderr), refused
    own = username(story, "approver")
    forged = approval(story, first, username(story, "editor"))
    assert "spec.decidedBy: you are" in create(story, forged, approver)
    past = approval(story, first, own, expiresAt="2026-01-01T00:00:00Z")
    assert "this time has passed" in create(story, past, approver)
    assert "the operator approves nothing" in create(
        story, approval(story, first, release.USERNAME), _deputy(story)
    )
    assert [] == story.writes("checkout")

    # Of a plan whose target has changed since: the operator refuses, and asks anew.
    path = f"/apis/apps/v1/namespaces/{story.namespace}/deployments/checkout"
    story.patch(path, {"spec": {"progressDeadlineSeconds": 599}})
    assert not create(story, approval(story, first, own), approver)
    story.wait(lambda: accepted(story, name)[0] == "False", "the stale approval is refused", 150)
    assert accepted(story, name)[1] in {"PlanChanged", "NotWaiting"}
    second = waiting(story, 2)
    assert [] == story.writes("checkout")

    # By somebody with the right, of the plan as it is: done once, and proved.
    again = second["metadata"]["name"]
    done = decide("approve", f"{story.namespace}/{again}", approver)
    assert 0 == done.returncode, done
    assert "Blast radius" in done.stdout
    record = story.phase("checkout", "Succeeded")
    assert 1 == len(story.writes("checkout"))
    said = record["status"]["approval"]
    assert (own, "Approve", "a story") == (said["by"], said["verdict"], said["reason"])
    story.wait(lambda: accepted(story, again) == ("True", "Approved"), "it is answered", 90)

    # One plan, one decision.
    late = decide("reject", f"{story.namespace}/{again}", approver)
    assert (1, True) == (late.returncode, "it waits for no decision" in late.stderr), late
    edit = ("-n", story.namespace, "patch", f"approval/{again}", "--type=merge", "--patch")
    for change, words in EDITS.items():
        assert words in story.lab.kubectl(*edit, change, check=False).stderr
    assert 1 == len(story.writes("checkout"))


def _deputy(story: Story) -> pathlib.Path:
    """The operator's own account, were it given the right to create Approvals."""
    account = f"--serviceaccount={release.HOME}:{release.ACCOUNT}"
    binding = ("create", "rolebinding", "deputy", f"--clusterrole={APPROVER}", account)
    story.lab.kubectl("-n", story.namespace, *binding)
    return story.account
