"""A Job from a template: followed to its end, proved by the signal, never run twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.api import reasons
from prunella.core.decisions import started
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

DIGEST = f"@sha256:{'0' * 64}"
PURGE: dict[str, Any] = {
    "namespaces": [NAMESPACE],
    "serviceAccount": "purger",
    "parameters": {"PREFIX": {"pattern": "[a-z]+:"}},
}
TEMPLATES = {
    "purge": {**PURGE, "image": f"tools/redis{DIGEST}"},
    "broken": {**PURGE, "image": f"tools/broken{DIGEST}", "activeDeadlineSeconds": 60},
    "elsewhere": {**PURGE, "image": f"tools/redis{DIGEST}", "namespaces": ["blog"]},
}
SETTINGS = settings_module.Settings.model_validate({"offered": {"jobTemplates": TEMPLATES}})


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    """A world whose operator has templates of Jobs."""
    async with harness.telling(SETTINGS) as told:
        yield told


def overloaded(story: Story, template: str = "purge", *more: dict[str, Any], **given: str) -> None:
    """Given a workload that is overloaded, and a policy that purges its cache."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=3.0)
    parameters = given or {"PREFIX": "cart:"}
    step = {"runJob": {"template": template, "parameters": parameters}}
    story.apply(harness.spec(step, *more, signals=[harness.saturation()]))


def states(story: Story) -> list[started.RunState]:
    """How far each Job has come."""
    return [run.state for run in story.world.cluster.jobs.runs.values()]


async def ended(story: Story) -> None:
    """Wait for the Job to end well; what it was for is then done."""
    await story.until(lambda: states(story) == [started.RunState.SUCCEEDED])
    story.world.apps.surge(CHECKOUT, load=0.1)


async def test_a_job_is_run_followed_and_proved(story: Story) -> None:
    """Given an overload, when the Job has ended, then its log is kept and the signal proves it."""
    story.world.cluster.jobs.log = "token=abcdef1234\npurged 7 keys\n"
    overloaded(story)
    await story.until(lambda: states(story) == [started.RunState.RUNNING])
    await story.run(10)
    (record,) = story.records()
    assert record.status.run is not None
    assert ("Running", Phase.VERIFYING) == (record.status.run.state, record.phase)
    assert record.status.verification is None

    await ended(story)
    await story.until(lambda: story.phases() == [("runJob", Phase.SUCCEEDED)])

    (record,) = story.records()
    assert record.status.run is not None
    assert ("Succeeded", "token=[redacted]\npurged 7 keys") == (
        record.status.run.state,
        record.status.run.log,
    )
    assert (1, []) == (len(story.sent()), story.pages())


async def test_a_failed_job_leads_to_the_next_step(story: Story) -> None:
    """Given a Job that fails, then that is the record's end at once, and the next step follows."""
    overloaded(story, "broken", {"restart": {}})
    await story.until(lambda: len(story.phases()) == 2, 120)
    first = story.records()[0]
    assert (Phase.UNHELPFUL, "RunFailed") == (first.phase, first.status.reason)
    assert "BackoffLimitExceeded" in first.status.message


async def test_a_job_that_does_not_end_is_given_up(story: Story) -> None:
    """Given a Job that no node takes, a minute after its deadline a person is called."""
    story.world.cluster.jobs.hang = True
    overloaded(story, "broken")
    await story.until(lambda: story.phases() == [("runJob", Phase.UNHELPFUL)])
    assert "RunOverdue" == story.records()[0].status.reason
    await story.run(30)
    assert 1 == len(story.pages())


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a creation whose answer is lost, then the mark on the Job tells, and there is one."""
    overloaded(story)
    story.lose_answer_to_action()
    await ended(story)
    await story.until(lambda: story.phases() == [("runJob", Phase.SUCCEEDED)])
    assert (1, "Effective") == (len(states(story)), story.records()[0].status.effects[0].outcome)


async def test_an_operator_that_dies_meanwhile_goes_on_following(story: Story) -> None:
    """Given a death while the Job runs, when the operator is back, then it follows that one."""
    overloaded(story)
    await story.until(lambda: states(story) == [started.RunState.RUNNING])
    story.kill()
    story.start()
    await ended(story)
    await story.until(lambda: story.phases() == [("runJob", Phase.SUCCEEDED)])
    assert (1, 1) == (len(states(story)), len(story.sent()))


async def test_a_job_that_somebody_deletes_is_left_to_the_signals(story: Story) -> None:
    """Given a Job that was deleted, then nobody knows its end, and the signals judge."""
    overloaded(story)
    await story.until(lambda: states(story) == [started.RunState.RUNNING])
    (ref,) = story.world.cluster.jobs.runs
    story.world.cluster.jobs.delete(ref)
    await story.until(lambda: story.phases() == [("runJob", Phase.UNHELPFUL)])
    (record,) = story.records()
    assert record.status.run is not None
    assert ("Unknown", "StillUnhealthy") == (record.status.run.state, record.status.reason)


CASES: dict[str, tuple[str, dict[str, str], reasons.Refused]] = {
    "another namespace's": ("elsewhere", {}, reasons.Refused.NOT_OFFERED),
    "unknown": ("drop-tables", {}, reasons.Refused.NOT_OFFERED),
    "a bad value": ("purge", {"PREFIX": "*"}, reasons.Refused.BAD_PARAMETERS),
}


@pytest.mark.parametrize(("template", "given", "expected"), CASES.values(), ids=CASES)
async def test_it_is_refused(
    story: Story, template: str, given: dict[str, str], expected: reasons.Refused
) -> None:
    """Given what the administrator has not offered, then no Job is made and it says why."""
    overloaded(story, template, **given)
    await story.run(20)
    assert (expected, []) == (story.sick().refused, states(story))


async def test_without_the_right_nothing_runs(story: Story) -> None:
    """Given the action off in the chart, then the API server says no, and that is shown."""
    story.world.cluster.forbid("runJob")
    overloaded(story)
    await story.run(20)
    assert (reasons.Refused.FORBIDDEN, []) == (story.sick().refused, states(story))
