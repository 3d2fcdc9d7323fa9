"""One pass: at most one question and one command, and never one on doubt."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, guards, step
from tests.unit.core import builders, fixtures, passes
from tests.unit.core.builders import minutes, ref, seconds

Phase, Refused = reasons.Phase, reasons.Refused
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
NOW = builders.NOW
VALUES = {HEALTHY: 0.0, UNHEALTHY: 0.5, UNKNOWN: math.nan}


def test_a_look_is_needed_before_a_plan() -> None:
    """A target that has held is looked at; with the look the same pass gives a command."""
    memory = passes.since(minutes(1))
    outcome = passes.run(passes.snapshot(), memory)
    assert (model.Need(model.NeedKind.LIVE_STATE, ref()),) == outcome.needs
    assert None is outcome.command
    outcome = passes.run(passes.snapshot(looked=["checkout"]), memory)
    assert outcome.needs == ()
    command = outcome.command
    assert command is not None
    assert ("restart", ref(), 1, NOW) == (
        command.action,
        command.workload.ref,
        command.attempt,
        command.decided_at,
    )
    assert NOW - minutes(1) == command.held_since
    assert [guard.__name__ for guard in guards.GUARDS] == [a.guard for a in command.answers]
    assert decide.Decision(command=command) == outcome.decisions[ref()]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "Deployment/checkout is gone"),
        (
            model.LiveState(builders.workload(uid="new")),
            "Deployment/checkout was replaced by another of the same name",
        ),
    ],
    ids=["gone", "replaced"],
)
def test_a_target_that_the_look_does_not_find(found: model.LiveState | None, message: str) -> None:
    """What is gone, or another object under the old name, is not acted on."""
    outcome = passes.run(passes.snapshot(live_states={ref(): found}), passes.since(minutes(1)))
    assert model.Refusal(Refused.TARGET_GONE, message) == outcome.decisions[ref()].refusal
    assert None is outcome.command


def test_the_look_s_state_is_judged_again() -> None:
    """A rollout that began since the watched view refuses the action."""
    rolling = model.LiveState(builders.workload(updated=1))
    outcome = passes.run(passes.snapshot(live_states={ref(): rolling}), passes.since(minutes(1)))
    assert passes.refused(outcome) == Refused.ROLLOUT_IN_PROGRESS


def _wide(sick: int, healthy: int) -> dict[str, float]:
    return {f"app-{n:03}": 0.5 if n < sick else 0.0 for n in range(sick + healthy)}


def test_one_command_a_pass() -> None:
    """Of several sick targets the one that is ill longest is healed; the others wait."""
    values = _wide(2, 8)
    memory = step.Memory(
        {**passes.since(minutes(2), "app-000").onsets, **passes.since(minutes(3), "app-001").onsets}
    )
    outcome = passes.run(passes.snapshot(values, looked=values), memory)
    assert outcome.command is not None
    assert ref("app-001") == outcome.command.workload.ref
    assert [ref("app-001")] == list(outcome.decisions)


def test_one_question_a_pass() -> None:
    """Only the target that is ill longest is looked at."""
    values = _wide(2, 8)
    memory = passes.since(minutes(2), "app-000", "app-001")
    outcome = passes.run(passes.snapshot(values), memory)
    assert (model.Need(model.NeedKind.LIVE_STATE, ref("app-000")),) == outcome.needs


def test_a_refused_target_does_not_hold_up_the_next() -> None:
    """What can't be done to one is no reason to let another wait."""
    values = _wide(2, 8)
    memory = passes.since(minutes(2), "app-000", "app-001")
    snapshot = passes.snapshot(values, looked=values)
    rolling = builders.workload("app-000", updated=1)
    workloads = (rolling, *snapshot.workloads[1:])
    outcome = passes.run(dataclasses.replace(snapshot, workloads=workloads), memory)
    assert passes.refused(outcome, "app-000") == Refused.ROLLOUT_IN_PROGRESS
    assert outcome.command is not None
    assert ref("app-001") == outcome.command.workload.ref


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_one_sick_target_is_healed_however_few_or_many_there_are(size: int) -> None:
    """With all defaults, one sick target of 1, 2, 3, 4, 5 or 100 is acted on."""
    values = _wide(1, size - 1)
    outcome = passes.run(
        passes.snapshot(values, looked=values), passes.since(minutes(1), "app-000")
    )
    assert outcome.command is not None


@pytest.mark.parametrize(
    ("size", "sick", "acted"),
    [(1, 1, True), (2, 2, True), (4, 4, True), (5, 1, True), (5, 2, False), (100, 20, True),
     (100, 21, False)],
)  # fmt: skip
def test_when_much_is_sick_nothing_is_done(size: int, sick: int, *, acted: bool) -> None:
    """From five targets up, more than 20 % sick at once stop the policy."""
    values = _wide(sick, size - sick)
    outcome = passes.run(passes.snapshot(values, looked=values), passes.since(minutes(1), *values))
    assert acted == (outcome.command is not None)
    if not acted:
        refused = {decision.refusal.reason for decision in outcome.decisions.values()
                   if decision.refusal is not None}  # fmt: skip
        assert {Refused.TOO_MANY_UNHEALTHY} == refused


@pytest.mark.parametrize(
    ("key", "refused"),
    [(builders.KEY, []), (objects.Key("shop", "other"), [Refused.IN_FLIGHT])],
    ids=["its own", "another policy's"],
)
def test_a_target_being_healed_is_left_alone(key: objects.Key, refused: list[str]) -> None:
    """While an action is under way there is no second one; only another's is a refusal."""
    record = builders.record("checkout-1", Phase.VERIFYING, key=key, ago=minutes(2))
    snapshot = passes.snapshot(looked=["checkout"], records=(record,))
    outcome = passes.run(snapshot, passes.since(minutes(5)))
    assert outcome.command is None
    assert not outcome.needs
    assert refused == [
        decision.refusal.reason if decision.refusal is not None else ""
        for decision in outcome.decisions.values()
    ]


def test_the_pause_and_the_suspension_hold() -> None:
    """Both are told as the reason although the target is sick."""
    memory = passes.since(minutes(5))
    paused = passes.snapshot(looked=["checkout"], pause=model.PauseState(paused=True))
    assert passes.refused(passes.run(paused, memory)) == Refused.PAUSED
    suspended = builders.policy(suspend=True)
    outcome = passes.run(passes.snapshot(looked=["checkout"]), memory, suspended)
    assert passes.refused(outcome) == Refused.SUSPENDED


def test_the_chain_of_guards_is_configuration() -> None:
    """The negative control empties it, and nothing holds an action back any more."""
    outcome = passes.run(passes.snapshot(looked=["checkout"]), passes.START, guards=())
    assert outcome.command is not None
    assert outcome.command.answers == ()


@pytest.mark.parametrize(
    ("value", "cleared"), [(0.0, True), (0.5, False), (math.nan, False)], ids=str
)
def test_an_episode_ends_when_the_target_is_healthy(value: float, *, cleared: bool) -> None:
    """Only a Healthy verdict clears the newest record; doubt does not."""
    record = builders.record("checkout-1", Phase.UNHELPFUL, ago=minutes(20))
    outcome = passes.run(passes.snapshot({"checkout": value}, records=(record,)))
    assert ((record,) if cleared else ()) == outcome.to_clear


# Properties

SAMPLES = st.lists(st.sampled_from([HEALTHY, UNHEALTHY, UNKNOWN]), min_size=1, max_size=6)


def _world(verdicts: Sequence[model.Verdict], age: float = 5.0) -> step.Snapshot:
    values = {f"app-{n}": VALUES[verdict] for n, verdict in enumerate(verdicts)}
    reading = fixtures.reading(fixtures.by_deployment(**values), ages=age)
    return passes.snapshot(values, looked=values, readings={"errors": reading})


@given(verdicts=SAMPLES, held=st.integers(0, 120), age=st.sampled_from([5.0, 31.0, math.inf]))
def test_unknown_never_yields_a_command(
    verdicts: list[model.Verdict], held: int, age: float
) -> None:
    """A command's target is Unhealthy by fresh data and has been so for long enough."""
    names = [f"app-{n}" for n in range(len(verdicts))]
    outcome = passes.run(_world(verdicts, age), passes.since(seconds(held), *names))
    unknown = sum(verdict is UNKNOWN for verdict in outcome.verdicts.values())
    if outcome.command is not None:
        target = outcome.command.workload.ref
        assert UNHEALTHY is outcome.verdicts[target]
        assert held >= 60
        assert age <= 30
        assert 2 * unknown <= len(verdicts)
    for decided in outcome.decisions:
        assert UNHEALTHY is outcome.verdicts[decided]


@given(
    answer=st.sampled_from([model.Failure(reason, "no answer") for reason in reasons.Doubt]),
    held=st.integers(60, 600),
)
def test_no_answer_never_yields_a_command(answer: model.Answer, held: int) -> None:
    """Whatever failed, there is no decision at all, and what had been held is forgotten."""
    snapshot = passes.snapshot(looked=["checkout"], readings={"errors": fixtures.reading(answer)})
    outcome = passes.run(snapshot, passes.since(seconds(held)))
    assert ({ref(): UNKNOWN}, {}, None) == (
        outcome.verdicts,
        outcome.decisions,
        outcome.command,
    )
    assert outcome.memory.onsets == {}


@given(verdicts=SAMPLES, held=st.integers(0, 120))
def test_a_pass_is_a_function_of_its_arguments(verdicts: list[model.Verdict], held: int) -> None:
    """The same snapshot, memory, policy and time give the same outcome, and change nothing."""
    snapshot, memory = _world(verdicts), passes.since(seconds(held), "app-0", "app-1")
    onsets = dict(memory.onsets)
    assert passes.run(snapshot, memory) == passes.run(snapshot, memory)
    assert onsets == memory.onsets


@given(verdicts=SAMPLES, held=st.integers(0, 120))
def test_the_next_look_is_soon_and_never_past(verdicts: list[model.Verdict], held: int) -> None:
    """It lies after now and not after the policy's interval."""
    policy = builders.policy(interval="30s")
    outcome = passes.run(_world(verdicts), passes.since(seconds(held), "app-0"), policy)
    assert NOW < outcome.next_check <= NOW + seconds(30)
