"""The forecast: when a series reaches its limit, and when it must not be believed."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest

from prunella.api import types
from prunella.core import model
from prunella.detectors import forecast
from prunella.detectors._trends import trend

STEP, DAY = 300, 288
N = 4 * DAY
T = np.arange(N)
HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
HOUR = 3600.0


def _noise(seed: int, size: float = 0.5) -> trend.Floats:
    return np.random.default_rng(seed).normal(0, size, N)


def _project(curve: trend.Floats, limit: float = 100.0) -> forecast.Forecast:
    return forecast.project(curve[None, :], limit, STEP)


REACHES = {
    # name: curve, hours from the newest sample until it is 100
    "a line": (92 * T / N, 4 * 24 * 8 / 92),
    "a leak that began 5 h ago": (30 + np.maximum(0, T - N + 60) * 0.4, 46 / 0.4 / 12),
    "a leak that began 20 h ago": (40 + np.maximum(0, T - N + 240) * 0.2, 12 / 0.2 / 12),
    "a line with a daily season": (20 + 70 * T / N + 5 * np.sin(2 * np.pi * T / DAY), 7.2),
    "garbage collection over a leak": (20 + 60 * T / N + 12 * (T % 30) / 30, 96 * 8.3 / 60),
    "ever faster": (100 * (T / (1.1 * N)) ** 2, 9.6),
    "one restart that lost 30": (
        np.where(T < 600, 20 + T * 0.06, T * 0.06 - 10),
        40.86 / 0.06 / 12,
    ),
    "one jump that won't come again": (T * 0.03 + np.where(T < 700, 0, 40), 25.44 / 0.03 / 12),
}


@pytest.mark.parametrize(("curve", "hours"), REACHES.values(), ids=REACHES)
def test_the_time_until_the_limit_is_foreseen(curve: trend.Floats, hours: float) -> None:
    """The best guess is within a quarter of the truth, sure, and inside its own band."""
    found = _project(curve + _noise(1))
    assert found.doubts == (forecast.Doubt.NONE,)
    assert hours * HOUR == pytest.approx(found.seconds[0], rel=0.25)
    assert found.soonest[0] <= found.seconds[0] <= found.latest[0]


NEVER = {
    "flat": 0.0 * T + 60,
    "a daily peak near the limit": 60 + 30 * np.sin(2 * np.pi * T / DAY),
    "a long garbage collection": 45 + 35 * ((T % 170) / 170),
    "a plateau 3 h after its start": 60 + 25 * (1 - np.exp(-np.maximum(0, T - N + 36) / 60)),
    "a plateau 6 h after its start": 60 + 25 * (1 - np.exp(-np.maximum(0, T - N + 72) / 60)),
    "falling": 90 - 50 * T / N,
    "a single wild sample": np.where(T == N - 20, 99.0, 50.0),
}


@pytest.mark.parametrize("curve", NEVER.values(), ids=NEVER)
@pytest.mark.parametrize("seed", range(4))
def test_what_does_not_reach_the_limit_is_never_unhealthy(curve: trend.Floats, seed: int) -> None:
    """No season, tooth, plateau or spike is taken for a growth that goes on."""
    params = forecast.Params(reaches=100, within=types.duration("1d"))
    (found,) = forecast.detect((curve + _noise(seed))[None, :], STEP, params)
    assert UNHEALTHY is not found.verdict, found.message


def test_a_slope_is_believed_for_twice_its_age() -> None:
    """A leak of 3 hours that needs 11 more is seen, and doubted."""
    found = _project(30 + np.maximum(0, T - N + 36) * 0.4 + _noise(1))
    assert found.doubts == (forecast.Doubt.YOUNG,)
    assert found.seconds[0] == pytest.approx(11.6 * HOUR, rel=0.1)
    assert np.inf == found.sure_seconds()[0]


JUDGED = {
    "in time": ((3.0, 2.0, 4.0), "", HEALTHY, "NotWithin"),
    "soon": ((1.0, 0.5, 1.5), "", UNHEALTHY, "ReachesLimit"),
    "soon, perhaps much later": ((1.0, 0.5, 5.0), "", UNKNOWN, "UncertainSlope"),
    "soon, by a young slope": ((1.0, 0.5, 1.5), "SlopeTooYoung", UNKNOWN, "SlopeTooYoung"),
    "soon, but slowing": ((1.0, 0.5, 1.5), "SlowingDown", UNKNOWN, "SlowingDown"),
    "in time, doubted": ((3.0, 2.0, 4.0), "SlopeTooYoung", HEALTHY, "NotWithin"),
    "never": ((np.inf, np.inf, np.inf), "", HEALTHY, "NotGrowing"),
    "gaps": ((1.0, 0.5, 1.5), "Gaps", UNKNOWN, "Gaps"),
}


@pytest.mark.parametrize(("hours", "doubt", "verdict", "reason"), JUDGED.values(), ids=JUDGED)
def test_only_a_sure_time_within_the_limit_is_unhealthy(
    hours: tuple[float, float, float], doubt: str, verdict: model.Verdict, reason: str
) -> None:
    """Doubt makes Unknown of what would be Unhealthy, and of nothing else."""
    best, low, high = (np.array([each * HOUR]) for each in hours)
    reached = np.array([False])
    made = forecast.Forecast(best, low, high, reached, (forecast.Doubt(doubt),))
    seen = forecast.judge(made, 0, 2 * HOUR)
    assert (verdict, reason) == (seen.verdict, seen.reason)


def test_a_limit_that_is_reached_already_is_unhealthy() -> None:
    """There is nothing left to foresee."""
    params = forecast.Params(reaches=50, within=types.duration("1h"))
    (seen,) = forecast.detect((60 + _noise(1))[None, :], STEP, params)
    assert (seen.verdict, seen.reason) == (UNHEALTHY, "LimitReached")


def test_a_limit_may_be_a_series_and_may_be_reached_from_above() -> None:
    """The gap to a limit that moves counts; falling is rising upside down."""
    curve, moving = 92 * T / N + _noise(1), np.full(N, 100.0)
    fixed = _project(curve).seconds
    assert fixed == pytest.approx(forecast.project(curve[None, :], moving[None, :], STEP).seconds)
    fell = forecast.project(-curve[None, :], -100.0, STEP, direction=forecast.Direction.FALLING)
    assert fixed == pytest.approx(fell.seconds)


def test_series_are_judged_apart() -> None:
    """A row of a matrix has the same answer as the row alone."""
    rows = np.array([curve + _noise(2) for curve, _ in REACHES.values()])
    together = forecast.project(rows, np.full(len(rows), 100.0), STEP).seconds
    assert [_project(row).seconds[0] for row in rows] == pytest.approx(list(together), rel=1e-4)


@pytest.mark.parametrize(
    ("step", "within"), {"minutes": (5, 1200.0), "weeks": (3600, 20 * 86_400.0)}.values()
)
def test_any_scale_of_time_is_served(step: int, within: float) -> None:
    """The same samples foresee minutes at 5 s and weeks at an hour."""
    found = forecast.project((92 * T / N + _noise(1))[None, :], 100.0, step)
    assert found.sure_seconds()[0] == pytest.approx(N * 8 / 92 * step, rel=0.1)
    assert found.sure_seconds()[0] < within


def test_few_samples_and_gaps_are_unknown() -> None:
    """23 samples, or a third of them missing, say nothing; a tenth missing changes little."""
    params = forecast.Params(reaches=100, within=types.duration("1d"))
    curve = 92 * T / N + _noise(1)
    assert forecast.detect(curve[None, -23:], STEP, params)[0].reason == "TooShort"
    third, tenth = curve.copy(), curve.copy()
    third[::3] = third[1::9] = np.nan
    tenth[::10] = np.nan
    assert forecast.detect(third[None, :], STEP, params)[0].reason == "Gaps"
    assert forecast.detect(tenth[None, :], STEP, params)[0].reason == "ReachesLimit"


def test_a_missing_limit_is_unknown() -> None:
    """The limit's query may return nothing."""
    params = forecast.Params(reaches_query="limit", within=types.duration("1d"))
    assert forecast.detect(np.zeros((1, 50)), STEP, params)[0].reason == "NoLimit"


def test_parameters_are_read_as_written() -> None:
    """Quantities, camelCase; exactly one limit."""
    read = forecast.Params.model_validate({"reaches": "512Mi", "within": "2h"})
    assert (read.limit, read.window_seconds) == (512 * 2.0**20, 72_000.0)
    both = {"reaches": 1, "reachesQuery": "x", "within": "2h"}
    for wrong in (both, {"within": "2h"}, {"reaches": "5 apples", "within": "2h"}):
        with pytest.raises(pydantic.ValidationError):
            forecast.Params.model_validate(wrong)


WEEKLY = np.arange(8 * 168)
RATES = np.array([0.3, 0.2, 0.25, 0.2, 0.28, 0.22, 0.2, 0.35])


def _deployed(hours: int, rate: float = 0.35) -> trend.Floats:
    """A leak that a weekly deploy resets; the newest release is so old and leaks so fast."""
    teeth = RATES[WEEKLY[: 7 * 168] // 168] * (WEEKLY[: 7 * 168] % 168)
    curve: trend.Floats = 30 + np.append(teeth, rate * np.arange(hours))
    return curve + np.random.default_rng(8).normal(0, 0.3, len(curve))


DEPLOYED = {
    "a release that leaks faster, but not until the next deploy": (150, 0.35, "ResetsBefore"),
    "the same, a day after the deploy": (24, 0.35, "NotGrowing"),
    "a release that is full before the next deploy": (96, 0.6, "ReachesLimit"),
    "the deploy is overdue": (240, 0.25, "ReachesLimit"),
}


@pytest.mark.parametrize(("hours", "rate", "reason"), DEPLOYED.values(), ids=DEPLOYED)
def test_resets_that_come_again_are_expected(hours: int, rate: float, reason: str) -> None:
    """Full within a week is no news where every week begins anew."""
    found = forecast.project(_deployed(hours, rate)[None, :], 100.0, HOUR)
    seen = forecast.judge(found, 0, 7 * 86_400.0)
    assert reason == seen.reason, seen.message
