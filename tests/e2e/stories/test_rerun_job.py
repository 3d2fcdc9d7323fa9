"""A failed Job runs once more, by the real Job controller."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


def failed(story: Story) -> None:
    """Given a CronJob whose Job has failed, and a workload that fails for want of it."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.cron_job("nightly", fails=True))
    within = ("--namespace", story.namespace)
    story.lab.kubectl(*within, "create", "job", "nightly-1", "--from=cronjob/nightly")
    ended = ("--for=condition=Failed", "--timeout=60s")
    story.lab.kubectl(*within, "wait", "job/nightly-1", *ended)
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)


def watch(story: Story, times: int = 1) -> None:
    """When a policy reruns what has failed."""
    target = {"kind": "CronJob", "name": "nightly"}
    signal = manifests.failing("checkout")
    step = {"rerunJob": {"times": times}}
    story.apply(manifests.policy("nightly", step, target=target, signal=signal))
    story.start_operator()


def jobs(story: Story) -> dict[str, Document]:
    """The Jobs of the namespace by name, without the first one."""
    found = story.api.items(f"/apis/batch/v1/namespaces/{story.namespace}/jobs")
    return {
        each["metadata"]["name"]: each for each in found if each["metadata"]["name"] != "nightly-1"
    }


def has(story: Story, condition: str) -> bool:
    """Whether the one rerun has ended so."""
    conditions = [
        each["type"]
        for job in jobs(story).values()
        for each in job.get("status", {}).get("conditions", ())
        if each["status"] == "True"
    ]
    return condition in conditions


def test_a_failed_job_runs_again_from_the_repaired_template(story: Story) -> None:
    """Given a template that was repaired, when its Job is rerun, then it completes, as proved."""
    failed(story)
    story.apply(manifests.cron_job("nightly"))
    watch(story)
    story.wait(lambda: has(story, "Complete"), "the rerun is complete")
    story.annotate_pods("checkout", errors="0")

    record = story.phase("nightly", "Succeeded")

    (effect,) = record["spec"]["effects"]
    assert ("Create", "Job", [effect["name"]]) == (effect["verb"], effect["kind"], [*jobs(story)])
    assert 1 == len(story.writes(effect["name"]))


def test_what_fails_again_is_not_repeated(story: Story) -> None:
    """Given a template that fails, when its rerun has failed, then a person is called."""
    failed(story)
    watch(story)

    story.phase("nightly", "Unhelpful")

    assert has(story, "Failed")
    story.wait(story.alerts, "a person is called")
    assert 1 == len(jobs(story))
