"""Change: a canary against its stable pods, and before against after."""

from __future__ import annotations

import numpy as np
import pytest

from bench import canary, canary_warmup
from prunella.core import model
from prunella.detectors import change
from prunella.detectors._trends import trend

STEP, N = 15, 240
HOURS = np.arange(N) * STEP / 3600
HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
PARAMS = change.Params()


def _noise(seed: int, size: float = 1.0) -> trend.Floats:
    return np.random.default_rng(seed).normal(100, size, N)


CASES = {
    "the same": (_noise(2), HEALTHY, "NoChange"),
    "10 % more": (_noise(2) + 10, UNHEALTHY, "LevelChanged"),
    "10 % less, which is good": (_noise(2) - 10, HEALTHY, "NoChange"),
    "leaks 3 % per hour": (_noise(2) + 3 * HOURS, UNHEALTHY, "SlopeChanged"),
    "gives back 3 % per hour": (_noise(2) - 3 * HOURS, HEALTHY, "NoChange"),
    "too noisy to tell": (_noise(2, 60.0), UNKNOWN, "Inconclusive"),
    "too few": (np.where(np.arange(N) < 50, _noise(2), np.nan), UNKNOWN, "TooFewSamples"),
}


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "apart"])
@pytest.mark.parametrize(("candidate", "verdict", "reason"), CASES.values(), ids=CASES)
def test_a_change_is_told_from_none_and_from_doubt(
    candidate: trend.Floats, verdict: model.Verdict, reason: str, *, paired: bool
) -> None:
    """Against a steady reference of 100."""
    seen = change.detect(_noise(1), candidate, STEP, PARAMS, paired=paired)
    assert (verdict, reason) == (seen.verdict, seen.reason), seen.message


@pytest.mark.parametrize(
    ("worse", "higher", "lower"),
    [
        ("Higher", UNHEALTHY, HEALTHY),
        ("Lower", HEALTHY, UNHEALTHY),
        ("Either", UNHEALTHY, UNHEALTHY),
    ],
)
def test_the_bad_direction_is_chosen(
    worse: str, higher: model.Verdict, lower: model.Verdict
) -> None:
    """Latency may fall and throughput may rise."""
    params = change.Params.model_validate({"worse": worse})
    found = [change.detect(_noise(1), _noise(2) + by, STEP, params).verdict for by in (10, -10)]
    assert [higher, lower] == found


def test_what_both_share_is_taken_out_of_a_pair() -> None:
    """A load that swings by a fifth hides a leak from samples apart, not from a pair."""
    load = 1 + 0.2 * np.sin(2 * np.pi * HOURS / 0.7)
    leaking = load * (_noise(2) + 3 * HOURS)
    apart = change.detect(load * _noise(1), leaking, STEP, PARAMS)
    pair = change.detect(load * _noise(1), leaking, STEP, PARAMS, paired=True)
    assert (apart.verdict, pair.verdict) == (UNKNOWN, UNHEALTHY)


def test_a_level_is_compared_through_a_shared_load() -> None:
    """10 % more is small beside a swing of a fifth, and sure in a pair."""
    load = 1 + 0.2 * np.sin(2 * np.pi * HOURS / 0.7)
    worse = load * (_noise(2) + 10)
    seen = change.detect(load * _noise(1), worse, STEP, PARAMS, paired=True)
    assert (seen.verdict, seen.reason) == (UNHEALTHY, "LevelChanged")


def test_the_noise_of_a_slope_is_that_of_slow_waves() -> None:
    """Independent random walks differ in slope by far, and by no more than chance."""
    rng = np.random.default_rng(4)
    walks = 100 + np.cumsum(rng.normal(0, 0.5, (60, 2, N)), axis=2)
    blamed = [
        change.detect(one, other, STEP, PARAMS).reason == "SlopeChanged" for one, other in walks
    ]
    assert sum(blamed) <= 1


def test_a_small_change_that_is_sure_is_no_change() -> None:
    """2 % are significant here, and less than the least effect of 5 %."""
    seen = change.detect(_noise(1), _noise(2) + 2, STEP, PARAMS)
    assert (seen.verdict, seen.reason) == (HEALTHY, "NoChange")


def test_a_reference_of_nothing_is_unknown() -> None:
    """No share can be told of it."""
    seen = change.detect(np.zeros(N), _noise(2), STEP, PARAMS)
    assert (seen.verdict, seen.reason) == (UNKNOWN, "NoReference")


def test_constant_sides_are_compared() -> None:
    """No noise is no reason for doubt, nor for a crash."""
    flat = np.full(N, 100.0)
    assert HEALTHY is change.detect(flat, flat, STEP, PARAMS, paired=True).verdict
    assert UNHEALTHY is change.detect(flat, flat + 10, STEP, PARAMS).verdict


def test_leaking_canaries_are_found_and_equal_ones_are_not_blamed() -> None:
    """Some pairs of the benchmark, of every kind of noise."""
    seeds = range(70_000, 70_036)
    leaking = [canary.found(*canary.pair(seed, 0.03)[1:], PARAMS) for seed in seeds]
    equal = [canary.found(*canary.pair(seed, 0.0)[1:], PARAMS) for seed in seeds]
    assert sum(minute is not None for minute in leaking) >= 32
    assert sum(minute is not None for minute in equal) <= 1


MINUTES = np.arange(N) * STEP / 60
WARMING = {
    "a straight way up that has not arrived": (1 - 0.15 * np.clip(1 - MINUTES / 75, 0, 1), UNKNOWN),
    "a slow warm-up": (1 - 0.3 * np.exp(-MINUTES / 20), UNKNOWN),
    "a start that falls off": (1 + 0.4 * np.exp(-MINUTES / 30), UNKNOWN),
    "a start that is over": (1 - 0.3 * (MINUTES < 6), HEALTHY),
    "a start above that is over": (1 + 0.3 * (MINUTES < 6), HEALTHY),
    "a start that is over, and then a leak": (
        1 - 0.3 * (MINUTES < 15) + 0.06 * MINUTES / 60,
        UNHEALTHY,
    ),
    "more than warm": (1 - 0.1 * np.clip(1 - MINUTES / 20, 0, 1) + 0.2, UNHEALTHY),
}


@pytest.mark.parametrize(("shape", "verdict"), WARMING.values(), ids=WARMING)
def test_a_canary_may_warm_up(shape: trend.Floats, verdict: model.Verdict) -> None:
    """What moves towards the stable pods, or did and is there, is no leak."""
    seen = change.detect(_noise(1), _noise(2) * shape, STEP, PARAMS, paired=True)
    assert verdict is seen.verdict, seen.message


def test_only_what_is_fresh_may_warm_up() -> None:
    """An old canary that has always been smaller, and grows, leaks."""
    smaller = _noise(2) - 20 + 4 * HOURS
    seen = [
        change.detect(_noise(1), smaller, STEP, PARAMS, paired=True, fresh=fresh)
        for fresh in (True, False)
    ]
    assert [(UNKNOWN, "WarmingUp"), (UNHEALTHY, "SlopeChanged")] == [
        (each.verdict, each.reason) for each in seen
    ]


def test_a_warm_up_is_seen_on_the_bad_side_whichever_it_is() -> None:
    """A hit ratio that starts high and comes down to the others' is no loss."""
    lower = change.Params.model_validate({"worse": "Lower"})
    cooling = _noise(2) * (1 + 0.15 * np.clip(1 - MINUTES / 75, 0, 1))
    seen = change.detect(_noise(1), cooling, STEP, lower, paired=True)
    assert (UNKNOWN, "WarmingUp") == (seen.verdict, seen.reason)


def test_samples_before_the_canary_began_count_for_nothing() -> None:
    """A window that is longer than the canary's life."""
    late = np.where(np.arange(N) < N // 2, np.nan, _noise(2))
    begun = late[N // 2 :]
    whole = change.detect(_noise(1), late, STEP, PARAMS, paired=True)
    assert whole == change.detect(_noise(1)[N // 2 :], begun, STEP, PARAMS, paired=True)


@pytest.mark.parametrize("shape", canary_warmup.SHAPES)
def test_warming_canaries_are_not_blamed_and_their_leaks_are_found(shape: str) -> None:
    """Some pairs of the benchmark, until they are two hours old."""
    seeds = range(80_000, 80_012)
    equal = [canary_warmup.found(*canary_warmup.warming(s, 0.0, shape, 120), 120) for s in seeds]
    leaking = [canary_warmup.found(*canary_warmup.warming(s, 0.03, shape, 120), 120) for s in seeds]
    assert sum(minute is not None for minute in equal) <= 1
    assert sum(minute is not None for minute in leaking) >= 11
