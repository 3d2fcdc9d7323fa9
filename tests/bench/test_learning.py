"""The memories of detectors that look back: what they ask for, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.signals import compiled, history, learning
from prunella.detectors import learning as memories
from tests.unit.core import builders

HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
NOW = 1_700_006_400.0
A, B = builders.ref("a"), builders.ref("b")
RNG = np.random.default_rng(7)


def signal(**fields: Any) -> compiled.Signal:
    """A signal of one policy, compiled as the engine does it."""
    written = {"name": "load", "prometheus": {"query": "load"}, **fields}
    spec = builders.spec(signals=[written])
    return compiled.compile_policy(objects.Key("shop", "policy"), spec, {}).signals[0]


def remember(of: compiled.Signal) -> learning.Learner:
    """A new memory."""
    found = memories.learner(of)
    assert found is not None
    return found


def row(values: Sequence[float] | history.Floats) -> learning.Row:
    """A target's row."""
    return learning.Row(np.asarray(values, dtype=float), "deployment")


def teach(
    learner: learning.Learner,
    span: history.Span | None,
    curve: Any,
    targets: Sequence[model.Ref] = (A,),
    **roles: Any,
) -> history.Floats:
    """Feed a memory with functions of time, the same for all targets; the times are returned."""
    assert span is not None
    times = history.grid(span.start, span.end, span.step)
    rows: dict[str, Mapping[model.Ref, learning.Row]] = {
        compiled.VALUE: {each: row(curve(times)) for each in targets}
    }
    rows |= {role: {A: row(other(times))} for role, other in roles.items()}
    for _ in learner.learn(targets, learning.Lesson(times, rows, {})):
        pass
    return times


def judged(learner: learning.Learner, rollout: learning.Rollout | None = None) -> tuple[str, str]:
    """Verdict and reason about target a."""
    found = learner.judge(A, rollout)
    assert found is not None
    return found.judgement.verdict, found.judgement.reason


def noon(times: history.Floats) -> history.Floats:
    """Load that peaks at noon, with noise."""
    phase = 2 * np.pi * (times - DAY / 2) / DAY
    return 50 + 30 * np.cos(phase) + np.random.default_rng(3).normal(0, 1, len(times))


def test_a_baseline_asks_for_its_history_once_and_then_for_what_is_new() -> None:
    """The grid is that of the clock, so that a restart sees the same points."""
    learner = remember(signal(baseline={"history": "4d", "every": "15m"}))
    first = learner.wanted([A], NOW + 17)
    assert history.Span(NOW - 4 * DAY, NOW, 900.0) == first
    teach(learner, first, noon)
    assert learner.wanted([A], NOW + 899) is None
    assert history.Span(NOW + 900, NOW + 1800, 900.0) == learner.wanted([A], NOW + 1801)


def test_after_a_long_silence_no_more_than_the_history_is_asked_for() -> None:
    """A source that was away for weeks is not asked for all of them."""
    learner = remember(signal(baseline={"history": "4d", "every": "15m"}))
    teach(learner, learner.wanted([A], NOW), noon)
    later = learner.wanted([A], NOW + 30 * DAY)
    assert later is not None
    assert 4 * DAY == later.end - later.start


def test_the_same_value_is_usual_at_noon_and_unusual_at_midnight() -> None:
    """What is judged is the value for its hour."""
    verdicts = {}
    for name, at in (("noon", NOW + DAY / 2 - NOW % DAY), ("midnight", NOW + DAY - NOW % DAY)):
        learner = remember(signal(baseline={"history": "4d", "every": "15m", "direction": "Above"}))
        teach(learner, learner.wanted([A], at - 900), noon)
        teach(learner, learner.wanted([A], at), lambda times: np.full(len(times), 80.0))
        verdicts[name] = judged(learner)
    assert {"noon": (HEALTHY, "Usual"), "midnight": (UNHEALTHY, "Unusual")} == verdicts


def test_short_history_is_unknown() -> None:
    """Before `learn` has passed nobody knows what is usual."""
    learner = remember(signal(baseline={"every": "15m"}))
    span = learner.wanted([A], NOW)
    teach(learner, span, lambda times: np.where(times > NOW - 5 * HOUR, noon(times), np.nan))
    assert (UNKNOWN, reasons.Doubt.LEARNING) == judged(learner)


def test_a_new_target_learns_its_past_and_the_old_ones_nothing_twice() -> None:
    """The whole history is asked for again, for the newcomer alone."""
    of = signal(baseline={"history": "4d", "every": "15m"})
    grown, fresh = remember(of), remember(of)
    teach(grown, grown.wanted([A], NOW), noon)
    span = grown.wanted([A, B], NOW + 900)
    assert span is not None
    assert span.start == NOW + 900 - 4 * DAY
    teach(grown, span, noon, [A, B])
    teach(fresh, fresh.wanted([A, B], NOW + 900), noon, [A, B])
    assert fresh.judge(B, None) == grown.judge(B, None)
    assert grown.wanted([A, B], NOW + 900) is None
    assert history.Span(NOW + 1800, NOW + 1800, 900.0) == grown.wanted([A, B], NOW + 1800)


EXPLAINED = {"by the traffic": (200.0, 0.0, HEALTHY), "by nothing": (100.0, 60.0, UNHEALTHY)}


@pytest.mark.parametrize(("traffic", "more", "expected"), EXPLAINED.values(), ids=EXPLAINED)
def test_what_traffic_explains_is_usual(
    traffic: float, more: float, expected: model.Verdict
) -> None:
    """A surge in a series that explains the signal is no anomaly; without it, it is one."""
    params = {"history": "4d", "every": "15m", "direction": "Above"}
    learner = remember(signal(given={"query": "traffic"}, baseline=params))

    def beside(times: history.Floats) -> history.Floats:
        usual = np.random.default_rng(11).normal(100, 10, len(times))
        return np.where(times == NOW, traffic, usual)

    def cpu(times: history.Floats) -> history.Floats:
        return 0.5 * beside(times) + np.where(times == NOW, more, 0.0)

    teach(learner, learner.wanted([A], NOW), cpu, given=beside)
    assert expected == judged(learner)[0]


FORECASTS = {
    "a leak that reaches its limit soon": ({}, 90, (UNHEALTHY, "ReachesLimit")),
    "a leak with time left": ({"within": "15m"}, 90, (HEALTHY, "NotWithin")),
    "on its way down": ({}, -2, (HEALTHY, "NotGrowing")),
}


@pytest.mark.parametrize(("changes", "growth", "expected"), FORECASTS.values(), ids=FORECASTS)
def test_a_forecast_looks_at_a_window(
    changes: dict[str, str], growth: float, expected: tuple[str, str]
) -> None:
    """The limit is a quantity; growth is over ten hours."""
    params = {"reaches": 100, "within": "2h", "window": "10h", **changes}
    learner = remember(signal(forecast=params))
    span = learner.wanted([A], NOW)
    assert span is not None
    assert (NOW - 10 * HOUR, 60.0) == (span.start, span.step)
    noise = RNG.normal(0, 0.1, 10_000)

    def curve(times: history.Floats) -> history.Floats:
        done = (times - NOW + 10 * HOUR) / (10 * HOUR)
        return 3 + growth * done + noise[: len(times)]

    teach(learner, span, curve)
    assert expected == judged(learner)


def test_a_window_moves_on() -> None:
    """Only the new points are asked for; the old ones fall out."""
    learner = remember(signal(drift={"window": "2h"}))
    span = learner.wanted([A], NOW)
    assert span is not None
    teach(learner, span, lambda times: np.ones(len(times)))
    assert learner.wanted([A], NOW + 1) is None
    later = learner.wanted([A], NOW + 60)
    assert later is not None
    assert (NOW + span.step, NOW + 60) == (later.start, later.end)
    teach(learner, later, lambda times: np.ones(len(times)))
    assert (HEALTHY, "NoDrift") == judged(learner)
    assert learner.wanted([A, B], NOW + 60) == history.Span(NOW + 60 - 2 * HOUR, NOW + 60, 15.0)


def test_a_limit_may_be_a_query() -> None:
    """Each target has its own."""
    query = {"reachesQuery": "limit", "within": "2h", "window": "10h"}
    learner = remember(signal(forecast=query))
    teach(
        learner,
        learner.wanted([A], NOW),
        lambda times: 10 + 80 * (times - NOW + 10 * HOUR) / (10 * HOUR) + 0.01 * np.sin(times),
        limit=lambda times: np.full(len(times), 100.0),
    )
    assert (UNHEALTHY, "ReachesLimit") == judged(learner)


def leaks(times: history.Floats) -> history.Floats:
    """Ten percent more each hour from NOW - 1h on."""
    noise = np.random.default_rng(5).normal(0, 0.2, len(times))
    return 100 + 10 * np.maximum(0, times - NOW + HOUR) / HOUR + noise


def steady(times: history.Floats) -> history.Floats:
    """The same all the time."""
    return 100 + np.random.default_rng(6).normal(0, 0.2, len(times))


ROLLED = learning.Rollout(NOW - HOUR - 60, NOW - HOUR)
CHANGES: dict[str, tuple[Any, learning.Rollout | None, tuple[str, str]]] = {
    "worse since the rollout": (leaks, ROLLED, (UNHEALTHY, "LevelChanged")),
    "as before": (steady, ROLLED, (HEALTHY, "NoChange")),
    "still rolling": (leaks, learning.Rollout(NOW - 60, None), (UNKNOWN, "Rolling")),
    "nobody saw a rollout": (leaks, None, (UNKNOWN, "NoRolloutSeen")),
    "long ago": (leaks, learning.Rollout(0.0, 60.0), (HEALTHY, "NoRecentRollout")),
    "just now": (leaks, learning.Rollout(NOW - 90, NOW - 30), (UNKNOWN, "TooFewSamples")),
}


@pytest.mark.parametrize(("curve", "rollout", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_told_by_the_rollout(
    curve: Any, rollout: learning.Rollout | None, expected: tuple[str, str]
) -> None:
    """Before against after; what was in between counts for neither."""
    learner = remember(signal(change={}))
    teach(learner, learner.wanted([A], NOW), curve)
    verdict, reason = judged(learner, rollout)
    assert expected == (verdict, reason)


CANARIES: dict[str, tuple[Any, tuple[str, str]]] = {
    "leaks": (leaks, (UNHEALTHY, "SlopeChanged")),
    "is as the others": (steady, (HEALTHY, "NoChange")),
}


@pytest.mark.parametrize(("curve", "expected"), CANARIES.values(), ids=CANARIES)
def test_a_canary_is_compared_with_what_runs_beside_it(curve: Any, expected: Any) -> None:
    """Both at the same times, no rollout needed."""
    learner = remember(signal(change={"against": "stable"}))

    def beside(times: history.Floats) -> history.Floats:
        return 100 + np.random.default_rng(9).normal(0, 0.2, len(times))

    teach(learner, learner.wanted([A], NOW), curve, against=beside)
    assert expected == judged(learner)


def test_a_canary_without_anything_beside_it_is_unknown() -> None:
    """There is nothing to compare it with."""
    learner = remember(signal(change={"against": "stable"}))
    teach(learner, learner.wanted([A], NOW), steady)
    assert (UNKNOWN, reasons.Doubt.NO_DATA) == judged(learner)


ROWS = {
    "a gap at the end": (learning.Row(np.array([1.0, np.nan])), reasons.Doubt.NO_DATA),
    "infinity": (learning.Row(np.array([1.0, np.inf])), reasons.Doubt.NO_DATA),
    "nothing at all": (learning.Row(np.zeros(0)), reasons.Doubt.NO_DATA),
    "twice the same": (learning.Row(np.ones(2), doubled=True), reasons.Doubt.DUPLICATE_SERIES),
    "few events": (learning.Row(np.array([np.nan]), counted=3), reasons.Doubt.TOO_FEW_EVENTS),
}


@pytest.mark.parametrize(("of", "reason"), ROWS.values(), ids=ROWS)
def test_what_can_not_be_believed_is_unknown(of: learning.Row, reason: str) -> None:
    """Whatever the detector would say."""
    found = memories.unbelieved(of)
    assert found is not None
    assert (UNKNOWN, reason) == (found.verdict, found.reason)


def test_a_signal_that_looks_at_now_has_no_memory() -> None:
    """A threshold needs none."""
    assert memories.learner(signal(threshold={"above": 1})) is None


def test_a_target_without_series_is_not_judged() -> None:
    """It was never seen."""
    learner = remember(signal(drift={}))
    teach(learner, learner.wanted([A, B], NOW), steady)
    assert learner.judge(B, None) is None
