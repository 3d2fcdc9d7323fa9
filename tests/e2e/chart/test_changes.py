"""Changes and what the journal keeps are the operator's word, and confined to their namespaces."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox

pytestmark = pytest.mark.timeout(180)

ALL_RIGHTS = "*:changes.prunella.dev,changes.prunella.dev/status,journalsnapshots.prunella.dev"


def change(namespace: str, name: str = "service-web-1") -> toolbox.Document:
    """A Change, complete enough for the API server."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "Change",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "object": {"kind": "Service", "namespace": namespace, "name": "web"},
            "verb": "Modified",
            "at": "2026-01-01T00:00:00Z",
            "summary": "Service web: spec.ports[http].targetPort 8080 -> 9999, by kubectl-patch",
        },
    }


def snapshot(namespace: str) -> toolbox.Document:
    """A JournalSnapshot of nothing."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "JournalSnapshot",
        "metadata": {"name": "journal-0", "namespace": namespace},
        "spec": {"takenAt": "2026-01-01T00:00:00Z", "objects": 0, "sights": "eJyLjgUAARUAuQ=="},
    }


@pytest.fixture
def written(
    release: Lab, operator: toolbox.Kubectl, namespace: str
) -> Iterator[tuple[Lab, str, str]]:
    """A Change and a JournalSnapshot in two namespaces, written by the operator's account."""
    other = f"t-{uuid.uuid4().hex[:8]}"
    release.kubectl("create", "namespace", other)
    for place in (namespace, other):
        for document in (change(place), snapshot(place)):
            done = toolbox.create(operator, document)
            assert done.returncode == 0, done.stderr
    yield release, namespace, other
    release.kubectl("delete", "namespace", other, "--wait=false")


@pytest.mark.parametrize("way", ["create", "edit", "status", "delete"])
def test_the_journal_is_closed_to_a_namespace_user(written: tuple[Lab, str, str], way: str) -> None:
    """Given all rights on Changes, when a user writes one, then the API server refuses."""
    lab, namespace, _ = written
    editor = toolbox.user(lab, namespace, "editor")
    powerful = toolbox.user(lab, namespace, "powerful", ALL_RIGHTS)

    def write(who: toolbox.Kubectl) -> toolbox.Done:
        if way == "create":
            return toolbox.create(who, change(namespace, "forged"))
        if way == "status":
            return toolbox.write_status(
                lab, who, namespace, "change/service-web-1", {"incidents": ["x/y"]}
            )
        if way == "delete":
            return who("-n", namespace, "delete", "change/service-web-1")
        note = '{"metadata": {"annotations": {"note": "edited"}}}'
        return who("-n", namespace, "patch", "change/service-web-1", "--type=merge", "-p", note)

    toolbox.assert_refused(write(editor), "cannot")
    toolbox.assert_refused(write(powerful), f"only {toolbox.USERNAME} writes changes")


def test_a_change_can_not_be_rewritten(
    written: tuple[Lab, str, str], operator: toolbox.Kubectl
) -> None:
    """Given a Change, when the operator's own account edits its spec, then it is refused."""
    _, namespace, _ = written
    edit = json.dumps({"spec": {"summary": "nothing"}})
    done = operator("-n", namespace, "patch", "change/service-web-1", "--type=merge", "-p", edit)
    toolbox.assert_refused(done, "spec is frozen")


def test_a_namespace_user_learns_nothing_of_other_namespaces(
    written: tuple[Lab, str, str],
) -> None:
    """Given the built-in role edit, when a user reads, then his own Changes are all he gets."""
    lab, namespace, other = written
    reader = toolbox.user(lab, namespace, "reader")
    own = reader("-n", namespace, "get", "changes", "--output=name")
    assert "change.prunella.dev/service-web-1" in own.stdout
    for place in (other, toolbox.HOME):
        toolbox.assert_refused(reader("-n", place, "get", "changes"), "cannot")
    toolbox.assert_refused(reader("get", "changes", "--all-namespaces"), "cannot")
    for place in (namespace, other):
        toolbox.assert_refused(reader("-n", place, "get", "journalsnapshots"), "cannot")


def test_a_namespace_with_a_journal_can_be_deleted(written: tuple[Lab, str, str]) -> None:
    """Given Changes inside, when a namespace is deleted, then it goes and they with it."""
    lab, _, other = written
    lab.kubectl("delete", "namespace", other, "--timeout=90s")
    assert lab.kubectl("get", "namespace", other, check=False).returncode != 0
    lab.kubectl("create", "namespace", other)
