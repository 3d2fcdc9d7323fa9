"""The tools of a forecast: gaps, spikes, seasons, falls, quantities."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.api import quantities
from prunella.detectors._trends import sawtooth, trend

T = np.arange(480)
RNG = np.random.default_rng(3)


def test_gaps_are_closed_by_straight_lines() -> None:
    """And the share of what was there is told; a row of nothing is zeros."""
    filled, share = trend.fill(np.array([[1.0, np.nan, 3.0, np.inf], [np.nan] * 4]))
    assert filled.tolist() == [[1, 2, 3, 3], [0, 0, 0, 0]]
    assert share.tolist() == [0.5, 0.0]


def test_a_single_wild_sample_vanishes_and_a_step_stays() -> None:
    """The median of three neighbours."""
    row = np.array([[1.0, 1, 90, 1, 1, 5, 5, 5]])
    assert trend.without_spikes(row).tolist() == [[1, 1, 1, 1, 1, 5, 5, 5]]


WIDTHS = {
    "5 days of 5 minutes: half hours": (1440, 300, 6),
    "8 weeks of hours: 4 hours": (1344, 3600, 4),
    "few samples: as they are": (100, 15, 1),
    "a step that fits nothing": (1000, 7, 3),
    "a step that only hours fit": (30, 45, 1),
}


@pytest.mark.parametrize(("samples", "step", "width"), WIDTHS.values(), ids=WIDTHS)
def test_columns_are_whole_parts_of_a_day_if_they_can_be(
    samples: int, step: int, width: int
) -> None:
    """The width in samples."""
    assert width == trend.bin_width(samples, step)


def test_the_newest_samples_are_never_left_out() -> None:
    """An incomplete column would be the first one."""
    assert trend.condense(np.array([[0.0, 1, 2, 3, 4]]), 2).tolist() == [[1.5, 3.5]]


def test_a_season_is_found_and_nothing_else_is() -> None:
    """A daily wave of half hours is told to a tenth; noise, lines and hinges have no season."""
    wave = 5 * np.sin(2 * np.pi * T / 48)
    hinge = np.maximum(0.0, T - 300.0)
    rows = np.array([wave + 0.1 * T, 0.2 * T, hinge]) + RNG.normal(0, 0.3, (3, 480))
    season, period = trend.season(rows, 1800)
    assert period == 48
    assert season[0] == pytest.approx(wave[:48], abs=0.6)
    assert not season[1:].any()


def test_a_bend_is_dated_and_its_slowing_is_seen() -> None:
    """A line has no bend; a hinge is dated; a saturating growth has falling slope."""
    late = np.maximum(0.0, T - 400.0)
    slowing = 40 * (1 - np.exp(-np.maximum(0, T - 400) / 30))
    found = trend.bend(np.array([0.5 * T, late, slowing]) + RNG.normal(0, 0.5, (3, 480)))
    assert found.age[0] == 480
    assert pytest.approx(found.age[1], abs=8) == 80
    assert abs(found.curvature[:2]).max() < 3
    assert found.curvature[2] < -3


def test_repeated_falls_become_the_line_through_the_peaks() -> None:
    """Teeth of 30 samples over a slope of 0.1."""
    saw = 0.1 * T + 12 * ((T % 30) / 30)
    top = sawtooth.smooth(saw, saw, np.inf)
    assert (0.1 * T + 11.6)[30:] == pytest.approx(top[30:], abs=0.1)


def test_teeth_that_reach_the_limit_are_judged_by_the_newest() -> None:
    """A leak that is killed at its limit again and again will be killed again."""
    saw = 100.0 * (T % 100) / 100
    assert sawtooth.smooth(saw, saw, 95.0)[-1] == 79.0


def test_a_fall_and_a_single_jump_are_taken_out() -> None:
    """The newest value stays and the slope is that of both parts."""
    fell = np.where(T < 200, 0.1 * T, 0.1 * T - 40)
    assert np.full(479, 0.1) == pytest.approx(
        np.diff(sawtooth.smooth(fell, fell, np.inf))[:], abs=0.11
    )
    assert fell[-1] == sawtooth.smooth(fell, fell, np.inf)[-1]
    jumped = np.where(T < 200, 0.01 * T, 0.01 * T + 40)
    assert pytest.approx(np.ptp(sawtooth.smooth(jumped, jumped, np.inf)), abs=0.1) == 4.79


@pytest.mark.parametrize(
    ("text", "number"),
    {"512Mi": 536870912.0, "1.5G": 1.5e9, "250m": 0.25, "1e3": 1000.0, "-2": -2.0}.items(),
)
def test_quantities_are_read(text: str, number: float) -> None:
    """As Kubernetes writes them."""
    assert number == quantities.read(text)


@pytest.mark.parametrize("text", ["", "Mi", "5 Mi", "5mib", "1.2.3"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """With what one looks like."""
    with pytest.raises(ValueError, match="such as 512Mi"):
        quantities.read(text)
