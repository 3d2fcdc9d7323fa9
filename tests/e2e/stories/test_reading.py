"""What people see: columns of `kubectl get`, and the commands that explain."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


def test_people_can_read_what_was_done_and_why(story: Story) -> None:
    """Given a healed service, when people look, then kubectl and prunella tell the same story."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.apply(manifests.policy("checkout", {"restart": {}}))
    story.start_operator()
    record = story.phase("checkout", "Succeeded")
    story.becomes("checkout", "Healthy")
    name = record["metadata"]["name"]

    headed, row = _table(story, "rempol")
    assert {"NAME", "MODE", "READY", "REASON"} <= set(headed)
    assert ("checkout", "Live", "True", "Healthy") == tuple(
        row[headed.index(column)] for column in ("NAME", "MODE", "READY", "REASON")
    )
    headed, row = _table(story, "rem")
    assert {"NAME", "ACTION", "PHASE"} <= set(headed)
    assert (name, "restart", "Succeeded") == tuple(
        row[headed.index(column)] for column in ("NAME", "ACTION", "PHASE")
    )

    told = story.prunella("explain", f"remediation/{name}", "--namespace", story.namespace)
    for words in ("restart Deployment/checkout", "errors", "healthy samples", "guard"):
        assert words.lower() in told.lower()
    assert "checkout" in story.prunella("status", "--namespace", story.namespace)


def _table(story: Story, kind: str) -> tuple[list[str], list[str]]:
    """The header and the only row of a `kubectl get`."""
    said = story.lab.kubectl("--namespace", story.namespace, "get", kind).stdout.splitlines()
    assert 2 == len(said), said
    return said[0].split(), said[1].split()
