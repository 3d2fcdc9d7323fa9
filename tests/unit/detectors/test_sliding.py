"""Windows of one series, all at once, are what each would be by itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from prunella.core import model
from prunella.detectors import drift, forecast
from prunella.detectors._trends import sawtooth, sliding, trend

STEP, SIZE, LENGTH = 60.0, 361, 520
T = np.arange(LENGTH)
RNG = np.random.default_rng(5)
NOISE = RNG.normal(0, 1, LENGTH)
GAPS = np.where(RNG.random(LENGTH) < 0.05, np.nan, 0.0)

SERIES = {
    "noise": 50 + NOISE,
    "a leak": 40 + 0.1 * T + NOISE,
    "a swing": 50 + 20 * np.sin(2 * np.pi * T / 300) + NOISE,
    "a jump": 40 + NOISE + np.where(T > 400, 30, 0),
    "teeth": 40 + 20 * (T % 50) / 50 + NOISE,
    "gaps": 50 + NOISE + GAPS,
    "begins late": np.where(T < 40, np.nan, 50 + NOISE),
    "falls": 90 - 0.1 * T + NOISE,
    "constant": np.full(LENGTH, 50.0),
    "nothing": np.full(LENGTH, np.nan),
}
FORECASTS = [
    forecast.Params.model_validate({"reaches": "100", "within": "40m", "window": "6h"}),
    forecast.Params.model_validate(
        {"reaches": "20", "within": "40m", "window": "6h", "direction": "Falling"}
    ),
]
DRIFTS = [
    drift.Params.model_validate({"window": "6h", "direction": direction})
    for direction in ("Up", "Down", "Either")
]


@pytest.mark.parametrize("name", ["noise", "a leak", "a swing", "a jump", "teeth"])
def test_columns_are_those_of_each_window(name: str) -> None:
    """To the last bit, whatever comes before and after."""
    alone = np.ascontiguousarray(sliding_window_view(SERIES[name], SIZE))
    cleaned = trend.without_spikes(alone)
    found = sliding.windows(SERIES[name], SIZE, STEP)
    np.testing.assert_array_equal(trend.condense(cleaned, found.width), found.columns)
    stepped = sawtooth.has_steps(cleaned, sawtooth.least_steps(cleaned, alone))
    assert not (stepped & found.whole).any()


def test_most_windows_of_mere_noise_are_told_from_those_with_a_step() -> None:
    """Otherwise nothing would be gained."""
    assert sliding.windows(SERIES["noise"], SIZE, STEP).whole.mean() > 0.9
    assert not sliding.windows(SERIES["teeth"], SIZE, STEP).whole.any()


@pytest.mark.parametrize("params", FORECASTS, ids=["rising", "falling"])
@pytest.mark.parametrize("values", SERIES.values(), ids=SERIES)
def test_no_forecast_is_called_healthy_that_is_not(
    values: trend.Floats, params: forecast.Params
) -> None:
    """What is said cheaply is what is said at length."""
    surely = forecast.surely_healthy(values, SIZE, STEP, params)
    alone = forecast.detect(sliding_window_view(values, SIZE), STEP, params)
    healthy = np.array([each.verdict is model.Verdict.HEALTHY for each in alone])
    assert not (surely & ~healthy).any()


@pytest.mark.parametrize("params", DRIFTS, ids=["up", "down", "either"])
@pytest.mark.parametrize("values", SERIES.values(), ids=SERIES)
def test_no_drift_is_called_healthy_that_is_not(values: trend.Floats, params: drift.Params) -> None:
    """What is said cheaply is what is said at length."""
    surely = drift.surely_healthy(values, SIZE, STEP, params)
    alone = drift.detect(sliding_window_view(values, SIZE), STEP, params)
    healthy = np.array([each.verdict is model.Verdict.HEALTHY for each in alone])
    assert not (surely & ~healthy).any()


@pytest.mark.parametrize(
    "surely",
    [
        forecast.surely_healthy(SERIES["noise"], SIZE, STEP, FORECASTS[0]),
        drift.surely_healthy(SERIES["noise"], SIZE, STEP, DRIFTS[2]),
    ],
    ids=["forecast", "drift"],
)
def test_mere_noise_is_told_cheaply(surely: sliding.Bools) -> None:
    """Most series do nothing most of the time."""
    assert surely.mean() > 0.9


def test_rows_are_forecast_by_themselves() -> None:
    """A season in one row changes nothing in another."""
    hours = np.arange(8 * 24 * 12)
    daily = 60 + 20 * np.sin(2 * np.pi * hours / 288) + RNG.normal(0, 0.3, len(hours))
    leak = 20 + 75 * hours / len(hours) + RNG.normal(0, 0.3, len(hours))
    together = forecast.project(np.stack([daily, leak]), 100.0, 300.0)
    alone = forecast.project(leak[None, :], 100.0, 300.0)
    assert alone.seconds[0] == pytest.approx(together.seconds[1], rel=1e-9)
