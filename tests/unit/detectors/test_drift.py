"""Drift: a trend without a limit."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.core import model
from prunella.detectors import drift
from prunella.detectors._trends import trend

N, STEP = 864, 300
T = np.arange(N)
HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
WALK = np.cumsum(np.random.default_rng(5).normal(0, 1.5, N))

CASES = {
    "grows by a third": (100 + 30 * T / N, "Up", UNHEALTHY, "Drifts"),
    "falls by a third": (100 - 30 * T / N, "Up", HEALTHY, "NoDrift"),
    "falls, and that is bad": (100 - 30 * T / N, "Down", UNHEALTHY, "Drifts"),
    "falls, and either is bad": (100 - 30 * T / N, "Either", UNHEALTHY, "Drifts"),
    "grows by 3 %": (100 + 3 * T / N, "Up", HEALTHY, "NoDrift"),
    "flat": (100.0 + 0 * T, "Up", HEALTHY, "NoDrift"),
    "a daily season": (100 + 40 * np.sin(2 * np.pi * T / 288), "Up", HEALTHY, "NoDrift"),
    "garbage collection": (100 + 40 * (T % 50) / 50, "Up", HEALTHY, "NoDrift"),
    "garbage collection over a leak": (
        60 + 40 * (T % 50) / 50 + 40 * T / N,
        "Up",
        UNHEALTHY,
        "Drifts",
    ),
    "one jump": (np.where(T < 500, 100.0, 150.0), "Up", HEALTHY, "NoDrift"),
    "a random walk that went somewhere": (100 + WALK, "Either", UNKNOWN, "UncertainSlope"),
}


@pytest.mark.parametrize(("curve", "bad", "verdict", "reason"), CASES.values(), ids=CASES)
def test_a_drift_is_sure_and_large(
    curve: trend.Floats, bad: str, verdict: model.Verdict, reason: str
) -> None:
    """Neither season nor teeth nor steps nor small slopes are one."""
    params = drift.Params.model_validate({"direction": bad})
    noisy = curve + np.random.default_rng(1).normal(0, 1, N)
    (seen,) = drift.detect(noisy[None, :], STEP, params)
    assert (verdict, reason) == (seen.verdict, seen.reason), seen.message


def test_short_or_broken_series_are_unknown() -> None:
    """Too few samples, or a third of them missing."""
    assert drift.detect(np.ones((1, 10)), STEP, drift.Params())[0].reason == "TooShort"
    broken = np.where(T % 3 > 0, 100.0, np.nan)
    broken[::7] = np.nan
    assert drift.detect(broken[None, :], STEP, drift.Params())[0].reason == "TooShort"


def test_a_level_of_nothing_is_no_crash() -> None:
    """Zeros do not drift."""
    assert HEALTHY is drift.detect(np.zeros((1, N)), STEP, drift.Params())[0].verdict
