"""The time of samples: how far apart they come, and what all series share of it."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.detectors._baseline import clock

N, START, STEP = 3, 1_767_571_200.0, 300.0
ALL = np.ones(N, np.bool_)


def moved(times: list[float], sampled: np.ndarray = ALL) -> tuple[clock.Clock, clock.Pace]:
    """A clock that was told of samples, and the pace of the last ones, which is not learned."""
    state = clock.Clock(N)
    pace = state.advance(np.array(times[:1]), ALL)
    for moment in times[1:]:
        state.learn(pace.dt)
        pace = state.advance(np.array([moment]), sampled if moment == times[-1] else ALL)
    return state, pace


def each(values: np.ndarray) -> list[float]:
    """Of all series, whether shared or not."""
    return np.broadcast_to(values, N).tolist()


REGULAR = [START + STEP * i for i in range(5)]
WEIGHTS = {
    "the first sample": ([START], [STEP] * N),
    "at the usual pace": (REGULAR, [STEP] * N),
    "after a gap, two steps at most": ([*REGULAR, REGULAR[-1] + 7200.0], [606.0] * N),
    "a moment that was seen already": ([*REGULAR, REGULAR[-1]], [1.0] * N),
}


@pytest.mark.parametrize(("times", "expected"), WEIGHTS.values(), ids=WEIGHTS)
def test_a_sample_weighs_the_seconds_since_the_one_before(
    times: list[float], expected: list[float]
) -> None:
    """They are never nothing, and no more than two steps, which a gap makes a little longer."""
    _, pace = moved(times)
    assert expected == each(pace.dt)


def test_what_was_lost_in_a_gap_is_told() -> None:
    """Beyond the two steps that the sample after it weighs."""
    _, pace = moved([*REGULAR, REGULAR[-1] + 7200.0])
    assert pace.gap is not None
    assert [7200.0 - 606.0] * N == each(pace.gap)


def test_no_sample_weighs_nothing() -> None:
    """The others go on."""
    _, pace = moved(REGULAR, np.array([True, False, True]))
    assert [STEP, 0.0, STEP] == each(pace.dt)


def test_series_of_one_pace_share_one_number() -> None:
    """Their ages too, which move on with what is learned."""
    state, pace = moved(REGULAR)
    assert [(1,)] * 4 == [value.shape for value in (pace.dt, pace.step, pace.age, pace.seen)]
    state.learn(pace.dt)
    assert ([5 * STEP], [5.0]) == (pace.age.tolist(), pace.seen.tolist())
    assert [5 * STEP] * N == state.age.tolist()


def test_while_the_pace_stays_it_is_the_same_arrays() -> None:
    """Rates that were made of them are known by that."""
    state, pace = moved(REGULAR)
    state.learn(pace.dt)
    after = state.advance(np.array([REGULAR[-1] + STEP]), ALL)
    assert after.dt is pace.dt
    assert after.step is pace.step


def test_after_a_gap_of_one_series_each_has_its_own_age() -> None:
    """It learned less than the others."""
    state, pace = moved(REGULAR, np.array([True, False, True]))
    state.learn(pace.dt)
    state.advance(np.array([REGULAR[-1] + STEP]), ALL)
    pace = state.advance(np.array([REGULAR[-1] + 2 * STEP]), ALL)
    assert [5 * STEP, 4 * STEP, 5 * STEP] == pace.age.tolist()


def test_a_younger_series_that_is_absorbed_has_its_own_age() -> None:
    """What was shared before is no more, and is again without it."""
    old, pace = moved(REGULAR)
    old.learn(pace.dt)
    young = clock.Clock(N)
    young.learn(young.advance(np.array(REGULAR[-1:]), ALL).dt)
    old.absorb(young)
    sampled = np.ones(2 * N, np.bool_)
    pace = old.advance(np.array([REGULAR[-1] + STEP]), sampled)
    assert [5 * STEP] * N + [STEP] * N == pace.age.tolist()
    old.learn(pace.dt)
    old.keep(np.arange(N))
    pace = old.advance(np.array([REGULAR[-1] + 2 * STEP]), ALL)
    assert [6 * STEP] == pace.age.tolist()


YOUNG = {"new": (0.0, 0.5), "half way": (3600.0, 0.75), "old": (7200.0, 1.0), "older": (9e4, 1.0)}


@pytest.mark.parametrize(("age", "expected"), YOUNG.values(), ids=YOUNG)
def test_a_young_series_claims_less(age: float, expected: float) -> None:
    """Half as much at first."""
    pace = clock.Pace(np.ones(1), np.ones(1), np.array([age]), np.ones(1))
    assert [expected] * N == each(np.asarray(pace.experience(7200.0)))


LASTING = {
    "young, a short one": (0.0, 60.0, False),
    "young, a long one": (0.0, 75.0, True),
    "old, a short one": (7200.0, 0.0, True),
}


@pytest.mark.parametrize(("age", "seconds", "expected"), LASTING.values(), ids=LASTING)
def test_a_young_series_has_no_short_anomaly(age: float, seconds: float, expected: bool) -> None:
    """It must last a share of the time for which the series is young."""
    pace = clock.Pace(np.ones(1), np.ones(1), np.array([age]), np.ones(1))
    assert [expected] == pace.lasts(np.array([seconds]), 7200.0).tolist()
