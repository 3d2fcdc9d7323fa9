"""Rates of means: kept while the pace is the same, made anew when it changes."""

from __future__ import annotations

import numpy as np

from prunella.detectors._baseline import fading

HOUR, N = 3600.0, 2


def rate(seconds: float, span: float) -> float:
    """By how much a mean that forgets exponentially moves."""
    return float(1.0 - np.exp(-seconds / span))


def test_rates_follow_span_and_spacing() -> None:
    """A mean is over its span, or over so many samples where they are far apart."""
    rates = fading.Rates([HOUR, 4 * HOUR], [3.0, 0.0])
    found = rates.of(np.array([300.0, HOUR]), np.array([300.0, HOUR]))
    expected = [
        [rate(300.0, HOUR), rate(HOUR, 3 * HOUR)],
        [rate(300.0, 4 * HOUR), rate(HOUR, 4 * HOUR)],
    ]
    np.testing.assert_allclose(expected, found)


def test_the_same_arrays_have_the_same_rates() -> None:
    """Nothing is computed again, and nobody can write what others read."""
    rates, dt, step = fading.Rates([HOUR], [3.0]), np.full(N, 300.0), np.full(N, 300.0)
    found = rates.of(dt, step)
    assert found is rates.of(dt, step)
    assert not found.flags.writeable


def test_another_array_has_rates_of_its_own() -> None:
    """A gap, or another pace, is seen at once."""
    rates, dt, step = fading.Rates([HOUR], [3.0]), np.full(N, 300.0), np.full(N, 300.0)
    rates.of(dt, step)
    gap = rates.of(np.array([0.0, 300.0]), step)
    np.testing.assert_allclose([[0.0, rate(300.0, HOUR)]], gap)
    rates.of(dt, step)
    coarse = rates.of(dt, np.full(N, HOUR))
    np.testing.assert_allclose([[rate(300.0, 3 * HOUR)] * N], coarse)
