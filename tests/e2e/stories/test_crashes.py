"""Whatever the operator dies of, and whenever: at most one effect for each decision."""

from __future__ import annotations

import re
import signal

import pytest

from tests.e2e.harness import faulty, manifests
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

MARK = "/prunella.dev~1remediation"
CRASHES = {
    faulty.AFTER_CREATE: "Pending",
    faulty.BEFORE_SEND: "Acting",
    faulty.AFTER_SEND: "Acting",
}
"""Where the crash falls, and the phase in which it leaves the record."""


@pytest.mark.parametrize("fault", CRASHES)
def test_killed_operator_restarts_its_target_exactly_once(story: Story, fault: str) -> None:
    """Given a SIGKILL around an effect, when it starts again, then one new ReplicaSet is there."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.apply(manifests.policy("checkout", {"restart": {}}, guards={"cooldown": "10m"}))
    operator = story.operator()
    operator.start(fault=fault, wait=False)
    assert operator.wait_dead() == -signal.SIGKILL
    left = story.records()
    assert CRASHES[fault] == left[0].get("status", {}).get("phase", "Pending")
    assert (1 if fault == faulty.AFTER_SEND else 0) == len(story.writes("checkout"))

    operator.start()
    story.phase("checkout", "Succeeded")
    stays(lambda: len(story.replica_sets("checkout")) == 2, 10, "one new ReplicaSet")

    marks = [_mark(each) for each in story.writes("checkout")]
    assert 1 == len(marks)
    assert ["Succeeded"] == [phase for phase in story.phases("checkout") if phase != "NotSent"]
    assert marks == [story.records("checkout")[-1]["metadata"]["name"]]
    assert (story.error_ratio("checkout") or 0.0) < manifests.LIMIT


def _mark(event: manifests.Document) -> str:
    """The record that a write was done for."""
    patch = event["requestObject"]
    return next(
        str(op["value"]) for op in patch if op["path"].endswith("prunella.dev~1remediation")
    )


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_verification_is_carried_on_by_the_next_operator(story: Story, how: str) -> None:
    """Given a record in Verifying, when the operator is replaced, then the next one proves it."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.apply(manifests.policy("checkout", {"restart": {}}))
    operator = story.start_operator()
    verifying = story.phase("checkout", "Verifying")

    getattr(operator, how)()
    assert ["Verifying"] == story.phases("checkout")
    operator.start()
    proved = story.phase("checkout", "Succeeded")

    assert verifying["metadata"]["uid"] == proved["metadata"]["uid"]
    assert 1 == len(story.writes("checkout"))
    assert 1 == len(story.records())


def test_policy_deleted_during_a_broken_watch_does_nothing_after_one_relist(
    story: Story,
) -> None:
    """Given a watch that loses the deletion, when a target falls ill, then nothing is done."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.policy("checkout", {"restart": {}}))
    operator = story.operator(relistSeconds=15)
    operator.start(fault=faulty.DEAF)
    story.becomes("checkout", "Healthy")

    def watched() -> bool:
        return bool(re.search(r'^prunella_targets{.*policy="checkout"', _metrics(), re.MULTILINE))

    def _metrics() -> str:
        return operator.probe("metrics")[1]

    story.wait(watched, "its targets are counted")
    story.delete_policy("checkout")
    story.annotate_pods("checkout", errors="0.5")
    story.wait(lambda: "lost: a policy was deleted" in operator.log.read_text(), "it was lost")
    story.wait(lambda: not watched(), "one re-list has told of the deletion")
    stays(lambda: not story.records(), 25, "no action")

    assert [] == story.requests("checkout")


def test_probes_and_metrics_answer_and_sigterm_ends_it_within_seconds(story: Story) -> None:
    """Given a working operator, when asked it answers, and when told to stop it stops soon."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.policy("checkout", {"restart": {}}))
    operator = story.start_operator()
    story.becomes("checkout", "Healthy")

    assert (200, "ok") == operator.probe("healthz")
    assert (200, "ok") == operator.probe("readyz")
    labels = f'namespace="{story.namespace}",policy="checkout",verdict="Healthy"'
    shown = f"prunella_targets{{{labels}}} 1.0"
    story.wait(lambda: shown in operator.probe("metrics")[1], "its target is counted")

    code, seconds = operator.stop()

    assert 0 == code
    assert seconds < 10
    assert 0 == operator.probe("healthz")[0]
