"""A failed Job runs once more: proved by the signal, never twice, and then left to a person."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core import model, objects
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
NIGHTLY = model.Ref("CronJob", NAMESPACE, "nightly")
DONE, GONE_WRONG = Phase.SUCCEEDED, model.JobState.FAILED


def overdue(story: Story, image: str = "shop/nightly:v1") -> None:
    """Given a CronJob whose last Job has failed, and a signal that says what is missing."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.cron_jobs.add(NAMESPACE, "nightly", image)
    story.world.cluster.cron_jobs.run(NIGHTLY, model.JobState.COMPLETE)
    story.world.cluster.cron_jobs.run(NIGHTLY, GONE_WRONG)
    story.world.apps.surge(CHECKOUT, load=3.0)
    signal = {
        "name": "overdue",
        "prometheus": {"query": "max(app_load)"},
        "mapping": {"single": True},
        "threshold": {"above": 1},
        "for": "5s",
    }
    target = {"kind": "CronJob", "name": "nightly"}
    document = harness.spec({"rerunJob": {}}, target=target, signals=[signal])
    story.apply({**document, "verify": {"within": "60s", "samples": 2}}, "nightly")


def jobs(story: Story) -> list[tuple[str, str]]:
    """Name and state of the CronJob's Jobs that were made here."""
    live_state = story.world.cluster.read(NIGHTLY)
    assert live_state is not None
    made = [job for job in live_state.jobs if objects.MARK in job.annotations]
    return [(job.name, job.state) for job in made]


async def ended(story: Story) -> None:
    """Wait for the Job to be complete; what it makes up for is then there."""
    await story.until(lambda: [state for _, state in jobs(story)] == [model.JobState.COMPLETE])
    story.world.apps.surge(CHECKOUT, load=0.1)


async def test_a_failed_job_is_run_again_and_proved(story: Story) -> None:
    """Given a failed Job, when it has run once more, then the signal proves it."""
    overdue(story)
    await ended(story)
    await story.until(lambda: story.phases() == [("rerunJob", DONE)])
    assert (1, 1) == (len(story.sent()), len(jobs(story)))
    assert [] == story.pages()


async def test_what_fails_again_is_a_persons(story: Story) -> None:
    """Given a template that is broken, when the rerun fails too, then nothing more is run."""
    overdue(story, "shop/nightly:v1-broken")
    await story.until(lambda: story.phases() == [("rerunJob", Phase.UNHELPFUL)])
    await story.run(300)
    assert (1, 1) == (len(jobs(story)), len(story.pages()))


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a creation whose answer is lost, then the mark on the Job tells, and there is one."""
    overdue(story)
    story.lose_answer_to_action()
    await ended(story)
    await story.until(lambda: story.phases() == [("rerunJob", DONE)])
    assert 1 == len(jobs(story))
    assert "Effective" == story.records()[0].status.effects[0].outcome


async def test_a_death_before_the_request_is_seen_as_such(story: Story) -> None:
    """Given a death when the Job was about to be made, then none is there, and a new record may."""
    overdue(story)

    def die(reached: faults_module.Point) -> None:
        sent = any(record.sent_at is not None for record in story.records())
        if reached is faults_module.Point.BEFORE_SEND and sent:
            story.faults.watch = lambda _: None
            story.faults.once(reached, faults_module.Crash("about to be sent"))

    story.faults.watch = die
    await story.until(lambda: not story.alive)
    story.start()
    await ended(story)
    await story.until(lambda: story.phases() == [("rerunJob", Phase.NOT_SENT), ("rerunJob", DONE)])
    assert 1 == len(jobs(story))


CASES: dict[str, tuple[Callable[[Story], None], Refused]] = {
    "a run": (lambda story: story.world.cluster.cron_jobs.run(NIGHTLY), Refused.JOB_RUNNING),
    "a complete run": (
        lambda story: story.world.cluster.cron_jobs.run(NIGHTLY, model.JobState.COMPLETE),
        Refused.NOTHING_TO_RERUN,
    ),
    "a suspension": (
        lambda story: story.world.cluster.cron_jobs.suspend(NIGHTLY, suspended=True),
        Refused.SCALED_TO_ZERO,
    ),
    "no right": (lambda story: story.world.cluster.forbid("rerunJob"), Refused.FORBIDDEN),
}


@pytest.mark.parametrize(("happens", "expected"), CASES.values(), ids=CASES)
async def test_it_is_refused(
    story: Story, happens: Callable[[Story], None], expected: Refused
) -> None:
    """Given a run, a suspension or no right, then no Job is made and it says why."""
    overdue(story)
    happens(story)
    await story.run(20)
    assert (expected, []) == (story.sick("nightly").refused, jobs(story))
