"""A CronJob is suspended on a real API server: proved, undone, and held to one field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


def given(story: Story, **policy: Any) -> None:
    """Given a CronJob, and a workload that fails while it runs."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.cron_job("nightly"))
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    target = {"kind": "CronJob", "name": "nightly"}
    signal = manifests.failing("checkout")
    step = {"suspendCronJob": {}}
    story.apply(manifests.policy("nightly", step, target=target, signal=signal, **policy))
    story.start_operator()


def suspended(story: Story) -> bool:
    """Whether the CronJob is."""
    path = f"/apis/batch/v1/namespaces/{story.namespace}/cronjobs/nightly"
    return bool(story.api.request("GET", path)["spec"].get("suspend"))


def test_a_cron_job_is_suspended_and_that_is_proved(story: Story) -> None:
    """Given errors that its runs make, when it is suspended, then their end proves it."""
    given(story)
    story.wait(lambda: suspended(story), "it is suspended")
    story.annotate_pods("checkout", errors="0")

    record = story.phase("nightly", "Succeeded")

    (effect,) = record["spec"]["effects"]
    assert ("Patch", "CronJob", "nightly") == (effect["verb"], effect["kind"], effect["name"])
    assert suspended(story)
    assert 1 == len(story.writes("nightly"))


def test_a_suspension_that_does_not_help_is_undone(story: Story) -> None:
    """Given errors of another cause, when the suspension does not help, then it goes on again."""
    given(story, verify={"within": "10s"})

    story.wait(lambda: story.phases("nightly") == ["Unhelpful", "Succeeded"], "it is undone", 150)

    assert "revert" == story.records("nightly")[1]["spec"]["action"]
    assert not suspended(story)
    assert 2 == len(story.writes("nightly"))
