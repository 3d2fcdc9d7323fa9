"""One pass: what it finds, how long it has held, and when to look again."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import decide, sickness, step
from tests.unit.core import builders, fixtures, passes
from tests.unit.core.builders import minutes, ref, seconds

Refused = reasons.Refused
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
NOW = builders.NOW


# What is seen


def test_a_pass_finds_and_judges() -> None:
    """Each selected workload has its findings and one verdict."""
    outcome = passes.run(passes.snapshot({"cart": 0.0, "checkout": 0.5, "dark": math.nan}))
    expected = {ref("cart"): HEALTHY, ref("checkout"): UNHEALTHY, ref("dark"): UNKNOWN}
    assert expected == outcome.verdicts
    assert expected == {finding.target: finding.verdict for finding in outcome.findings}
    assert [ref("checkout")] == list(outcome.decisions)


WORSTS = {
    "nothing": ((), UNKNOWN),
    "all healthy": ((HEALTHY, HEALTHY), HEALTHY),
    "one unknown": ((HEALTHY, UNKNOWN), UNKNOWN),
    "one unhealthy": ((HEALTHY, UNKNOWN, UNHEALTHY), UNHEALTHY),
}


@pytest.mark.parametrize(("verdicts", "expected"), WORSTS.values(), ids=WORSTS)
def test_the_worst_verdict_is_the_target_s(
    verdicts: tuple[model.Verdict, ...], expected: model.Verdict
) -> None:
    """Unhealthy before Unknown before Healthy; a target without a finding is Unknown."""
    assert expected is step.worst(verdicts)
    findings = [builders.finding(verdict=verdict) for verdict in verdicts]
    assert {ref(): expected} == step.judge_targets([builders.workload()], findings)


CROWD = (
    builders.workload("checkout"),
    builders.workload("cart", labels={"app": "cart"}),
    builders.workload("checkout", "bank"),
    builders.workload("checkout", kind="StatefulSet"),
    builders.workload("basket"),
)
SELECTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "by name": ({"name": "cart"}, ["Deployment/cart"]),
    "by label": (
        {"selector": {"matchLabels": {"app": "checkout"}}},
        ["Deployment/basket", "Deployment/checkout"],
    ),
    "by expression": (
        {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        ["Deployment/basket", "Deployment/cart", "Deployment/checkout"],
    ),
    "another kind": ({"kind": "StatefulSet", "name": "checkout"}, ["StatefulSet/checkout"]),
    "nothing": ({"name": "gone"}, []),
    "an empty selector": ({"selector": {}}, []),
}


@pytest.mark.parametrize(("target", "expected"), SELECTED.values(), ids=SELECTED)
def test_select(target: dict[str, Any], expected: list[str]) -> None:
    """Only workloads of the policy's namespace and kind; an empty selector selects nothing."""
    parsed = policy_api.Target.model_validate(target)
    chosen = step.select("shop", parsed, CROWD)
    assert expected == [str(workload.ref) for workload in chosen]
    assert {"shop"} >= {workload.ref.namespace for workload in chosen}


def test_a_policy_without_a_valid_spec_can_t_be_judged() -> None:
    """The error names the policy and its problem."""
    policy = dataclasses.replace(builders.policy(), spec=None, problem="steps: required")
    with pytest.raises(ValueError, match="shop/checkout has no valid spec: steps: required"):
        step.valid_spec(policy)


# Held for long enough


def test_the_first_bad_sample_starts_the_clock() -> None:
    """Nothing is asked or done yet, and the next look is when it will have held."""
    policy = builders.policy(interval="5m")
    outcome = passes.run(passes.snapshot(), policy=policy)
    assert {("errors", ref()): NOW} == outcome.memory.onsets
    assert passes.refused(outcome) == Refused.NOT_HELD
    assert (outcome.needs, outcome.command) == ((), None)
    assert NOW + minutes(1) == outcome.next_check


@pytest.mark.parametrize(
    ("before", "value", "onset"),
    {
        "still bad": (seconds(40), 0.5, NOW - seconds(40)),
        "bad for the first time": (None, 0.5, NOW),
        "healthy again": (seconds(40), 0.0, None),
        "unknown": (seconds(40), math.nan, None),
    }.values(),
)
def test_for_starts_anew_after_health_and_after_doubt(
    before: datetime.timedelta | None, value: float, onset: datetime.datetime | None
) -> None:
    """Only an unbroken row of Unhealthy samples counts as held."""
    memory = passes.START if before is None else passes.since(before)
    outcome = passes.run(passes.snapshot({"checkout": value}), memory)
    assert ({} if onset is None else {("errors", ref()): onset}) == outcome.memory.onsets


def test_a_gap_in_the_data_delays_the_action() -> None:
    """Bad, then unknown, then bad: the time before the gap is not counted."""
    memory = passes.START
    policy = builders.policy()
    for after, value in ((0, 0.5), (30, math.nan), (59, 0.5), (60, 0.5), (118, 0.5)):
        at = NOW + seconds(after)
        outcome = passes.run(passes.snapshot({"checkout": value}), memory, policy, at)
        memory = outcome.memory
        assert outcome.needs == ()
    outcome = passes.run(passes.snapshot(), memory, policy, NOW + seconds(119))
    assert (model.Need(model.NeedKind.LIVE_STATE, ref()),) == outcome.needs


def test_memory_of_what_is_gone_is_dropped() -> None:
    """Onsets are kept for the signals and targets of this pass alone."""
    memory = step.Memory(
        {**passes.since(seconds(30)).onsets, **passes.since(seconds(30), "gone").onsets}
    )
    outcome = passes.run(passes.snapshot(), memory)
    assert {("errors", ref()): NOW - seconds(30)} == outcome.memory.onsets


FAST = {**builders.SIGNAL, "name": "fast", "for": "1m"}
SLOW = {**builders.SIGNAL, "name": "slow", "for": "5m"}
TWO = builders.policy(signals=[SLOW, FAST], interval="1h")
BOTH_BAD = {
    name: fixtures.reading(fixtures.by_deployment(checkout=0.5)) for name in ("fast", "slow")
}
RIPENING: dict[str, tuple[int, int, str, tuple[str, ...], int]] = {
    # since when slow and fast are bad, the ripest, the evidence, seconds to the next look
    "none is ripe": (200, 30, "fast", ("slow", "fast"), 30),
    "the fast one is ripe": (240, 60, "fast", ("fast",), 60),
    "the slow one is ripe": (300, 10, "slow", ("slow",), 50),
    "both are ripe": (301, 90, "fast", ("slow", "fast"), 3600),
}


@pytest.mark.parametrize(
    ("slow", "fast", "ripest", "evidence", "look_again"), RIPENING.values(), ids=RIPENING
)
def test_each_signal_has_its_own_for(
    slow: int, fast: int, ripest: str, evidence: tuple[str, ...], look_again: int
) -> None:
    """The signal that is longest beyond its ``for`` decides; those that held are evidence."""
    memory = step.Memory(
        {("slow", ref()): NOW - seconds(slow), ("fast", ref()): NOW - seconds(fast)}
    )
    config = passes.config(TWO)
    snapshot = passes.snapshot(readings=BOTH_BAD)
    outcome = passes.run(snapshot, memory, TWO)
    sick = sickness.judge(
        config.compiled, builders.workload(), outcome.findings, outcome.memory, NOW
    )
    assert memory.onsets[ripest, ref()] == sick.held_since
    assert minutes(5 if ripest == "slow" else 1) == sick.held_for
    assert evidence == tuple(finding.signal for finding in sick.findings)
    assert NOW + seconds(look_again) == outcome.next_check


def test_a_target_without_unhealthy_signals_is_not_sick() -> None:
    """There is no evidence and nothing has held."""
    config = passes.config(builders.policy())
    sick = sickness.judge(config.compiled, builders.workload(), (), passes.START, NOW)
    assert decide.UnhealthyTarget(builders.workload(), (), None, seconds(0)) == sick


def test_the_next_look_is_the_regular_one() -> None:
    """A healthy policy, or one whose signal has held already, waits for its interval."""
    policy = builders.policy(interval="45s")
    for value, memory in ((0.0, passes.START), (0.5, passes.since(minutes(2)))):
        outcome = passes.run(passes.snapshot({"checkout": value}), memory, policy)
        assert NOW + seconds(45) == outcome.next_check


IDLE: dict[str, tuple[int, float, tuple[model.Verdict, str]]] = {
    # replicas wanted, value, verdict and reason
    "sick and wanted": (3, 0.5, (UNHEALTHY, "OverLimit")),
    "sick and not wanted": (0, 0.5, (UNKNOWN, "ScaledToZero")),
    "healthy and not wanted": (0, 0.01, (HEALTHY, "InLimit")),
}


@pytest.mark.parametrize(("replicas", "value", "expected"), IDLE.values(), ids=IDLE)
def test_what_is_scaled_to_nothing_is_not_sick(
    replicas: int, value: float, expected: tuple[model.Verdict, str]
) -> None:
    """Nothing is expected of it; what is measured Healthy stays so."""
    snapshot = passes.snapshot(
        {"checkout": value}, workloads=(builders.workload(replicas=replicas),)
    )
    outcome = passes.run(snapshot, passes.since(builders.minutes(5)))
    (found,) = outcome.findings
    assert expected[0] is outcome.verdicts[builders.ref()] is found.verdict
    assert expected[1] == found.reason


def test_idle_targets_do_not_hold_up_the_others() -> None:
    """Three of five are scaled to nothing: they are not the half that can't be seen."""
    workloads = [builders.workload(f"app-{n}", replicas=0) for n in range(3)]
    workloads += [builders.workload("checkout"), builders.workload("cart")]
    values = {each.ref.name: 0.5 for each in workloads} | {"cart": 0.01}
    snapshot = passes.snapshot(values, workloads=tuple(workloads), looked=["checkout"])
    outcome = passes.run(snapshot, passes.since(builders.minutes(5)))
    assert outcome.command is not None
    assert outcome.command.workload.ref == builders.ref()
