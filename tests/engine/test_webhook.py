"""A system outside is asked once, followed to its end, and proved by the signal."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core.decisions import started
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

LISTED: dict[str, Any] = {"namespaces": [NAMESPACE], "url": "https://run.example"}
ENDPOINTS = {
    "restart-db": LISTED,
    "broken": {**LISTED, "deadlineSeconds": 60},
    "elsewhere": {**LISTED, "namespaces": ["blog"]},
    "waiting": {**LISTED, "deadlineSeconds": 600},
}
SETTINGS = settings_module.Settings.model_validate({"offered": {"endpoints": ENDPOINTS}})


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    """A world whose operator has endpoints."""
    async with harness.telling(SETTINGS) as told:
        yield told


def overloaded(story: Story, endpoint: str = "restart-db", *more: dict[str, Any]) -> None:
    """Given a workload that is overloaded, and a policy that asks somebody to help."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=3.0)
    step = {"webhook": {"endpoint": endpoint}}
    story.apply(harness.spec(step, *more, signals=[harness.saturation()]))


def states(story: Story) -> list[started.RunState]:
    """How far each run has come."""
    return [run.state for run in story.world.outward.runs.values()]


def lose_answer(story: Story) -> None:
    """Let the call arrive, and its answer be lost."""
    lost = ports.OutcomeUnknown("the connection broke before the answer came")

    def watch(point: faults_module.Point) -> None:
        if point is faults_module.Point.AFTER_SEND and story.world.outward.runs:
            story.faults.watch = lambda _: None
            raise lost

    story.faults.watch = watch


async def ended(story: Story) -> None:
    """Wait for the run to end well; what it was for is then done."""
    await story.until(lambda: states(story) == [started.RunState.SUCCEEDED])
    story.world.apps.surge(CHECKOUT, load=0.1)


async def test_a_run_is_started_followed_and_proved(story: Story) -> None:
    """Given an overload, when the run has ended, then its address is kept, and it is proved."""
    overloaded(story)
    await ended(story)
    await story.until(lambda: story.phases() == [("webhook", Phase.SUCCEEDED)])
    (record,) = story.records()
    assert record.status.run is not None
    assert ("Succeeded", "1", "https://restart-db.example/runs/1", "done") == (
        record.status.run.state,
        record.status.run.id,
        record.status.run.url,
        record.status.run.log,
    )
    assert [record.name] == story.world.outward.sent


async def test_a_run_that_fails_leads_to_the_next_step(story: Story) -> None:
    """Given a run that fails, then that is the record's end at once."""
    overloaded(story, "broken", {"restart": {}})
    await story.until(lambda: len(story.phases()) == 2, 120)
    assert (Phase.UNHELPFUL, "RunFailed") == (
        story.records()[0].phase,
        story.records()[0].status.reason,
    )


async def test_a_person_is_called_once_for_what_waits_for_one(story: Story) -> None:
    """Given a plan, then it is in the record and the call; what the person does is followed."""
    overloaded(story, "waiting")
    await story.until(lambda: bool(story.pages()), 120)
    (record,) = story.records()
    assert ("WaitsForPerson", Phase.VERIFYING) == (record.status.reason, record.phase)
    (called,) = story.world.notifier.escalations
    assert "webhook on Deployment/checkout waits for a person" in called.description
    assert "a person must decide about it: 1 to add" in called.description
    await story.run(60)

    (key,) = story.world.outward.runs
    applied = dataclasses.replace(
        story.world.outward.runs[key], state=started.RunState.SUCCEEDED, message="applied"
    )
    story.world.outward.runs[key] = applied
    story.world.apps.surge(CHECKOUT, load=0.1)

    await story.until(lambda: story.phases() == [("webhook", Phase.SUCCEEDED)])
    assert (1, [key]) == (len(story.pages()), story.world.outward.sent)


async def test_a_person_is_called_again_when_what_they_applied_did_not_help(story: Story) -> None:
    """Given the last step, then the first call was for the plan, and the second for its end."""
    overloaded(story, "waiting")
    await story.until(lambda: bool(story.pages()), 120)
    (key,) = story.world.outward.runs
    applied = dataclasses.replace(
        story.world.outward.runs[key], state=started.RunState.SUCCEEDED, message="applied"
    )
    story.world.outward.runs[key] = applied
    await story.until(lambda: story.records()[0].phase.final, 1800)
    await story.run(60)
    (record,) = story.records()
    assert Phase.SUCCEEDED is not record.phase
    assert [record.name, record.name] == story.pages()
    assert record.status.escalated_at is not None


async def test_a_plan_that_nobody_decides_about_ends_with_its_deadline(story: Story) -> None:
    """Given ten minutes and nobody, then the next step is tried, and nobody is called again."""
    overloaded(story, "waiting", {"restart": {}})
    await story.until(lambda: len(story.phases()) == 2, 900)
    assert (Phase.UNHELPFUL, "RunOverdue") == (
        story.records()[0].phase,
        story.records()[0].status.reason,
    )
    assert [story.records()[0].name] == story.pages()


async def test_an_answer_that_is_a_failure_leads_to_the_next_step(story: Story) -> None:
    """Given a function that fails while it is waited for, then that is the record's end."""
    story.world.outward.answers = started.RunState.FAILED
    overloaded(story, "restart-db", {"restart": {}})
    await story.until(lambda: len(story.phases()) == 2, 60)
    first = story.records()[0]
    assert (Phase.UNHELPFUL, "RunFailed", "it has failed: it has answered") == (
        first.phase,
        first.status.reason,
        first.status.message,
    )


async def test_a_lost_answer_is_one_effect_that_is_found_by_its_key(story: Story) -> None:
    """Given an answer that was lost, when the receiver knows the key, then the run is followed."""
    overloaded(story)
    lose_answer(story)
    await ended(story)
    await story.until(lambda: story.phases() == [("webhook", Phase.SUCCEEDED)])
    assert (1, 1) == (len(story.world.outward.runs), len(story.world.outward.sent))


async def test_a_lost_answer_that_nobody_can_tell_of_is_a_persons(story: Story) -> None:
    """Given a receiver that knows no keys, then it is not asked again, and a person is called."""
    story.world.outward.forgetful = True
    overloaded(story)
    lose_answer(story)
    await story.until(lambda: story.phases() == [("webhook", Phase.UNKNOWN)])
    await story.run(300)
    assert (1, 1) == (len(story.world.outward.sent), len(story.pages()))
    assert [("webhook", Phase.UNKNOWN)] == story.phases()


async def test_an_operator_that_dies_after_the_call_does_not_repeat_it(story: Story) -> None:
    """Given a death just after the call arrived, when it is back, then the key finds the run."""
    overloaded(story)

    def die(point: faults_module.Point) -> None:
        if point is faults_module.Point.AFTER_SEND and story.world.outward.runs:
            story.faults.watch = lambda _: None
            story.faults.once(point, faults_module.Crash("just after the call"))

    story.faults.watch = die
    await story.until(lambda: not story.alive)
    story.start()
    await ended(story)
    await story.until(lambda: story.phases() == [("webhook", Phase.SUCCEEDED)])
    assert 1 == len(story.world.outward.sent)


async def test_a_refusal_is_a_persons_and_is_not_repeated(story: Story) -> None:
    """Given a receiver that says no, then the record has failed, and it counts for all limits."""
    story.world.outward.refuses = "https://run.example: answered 400: no such job"
    overloaded(story)
    await story.until(lambda: story.phases() == [("webhook", Phase.FAILED)])
    (record,) = story.records()
    assert ("RefusedByReceiver", True) == (
        record.status.reason,
        "no such job" in record.status.message,
    )
    await story.run(40)
    assert (1, 1) == (len(story.world.outward.sent), len(story.pages()))


CASES = {"elsewhere": reasons.Refused.NOT_OFFERED, "unknown": reasons.Refused.NOT_OFFERED}


@pytest.mark.parametrize(("endpoint", "expected"), CASES.items(), ids=CASES)
async def test_it_is_refused(story: Story, endpoint: str, expected: reasons.Refused) -> None:
    """Given what is not listed for this namespace, then nobody is asked and it says why."""
    overloaded(story, endpoint)
    await story.run(20)
    assert (expected, []) == (story.sick().refused, story.world.outward.sent)


async def test_advice_asks_nobody(story: Story) -> None:
    """Given mode Advise, then the record tells what would be called."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=3.0)
    document = harness.spec(
        {"webhook": {"endpoint": "restart-db"}}, signals=[harness.saturation()], mode="Advise"
    )
    story.apply(document)
    await story.until(lambda: story.phases() == [("webhook", Phase.ADVISED)])
    assert [] == story.world.outward.sent
