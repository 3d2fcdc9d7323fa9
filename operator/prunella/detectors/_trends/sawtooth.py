"""Sudden falls in a growing series: garbage collection, restarts, rotations.

A series that falls again and again is judged by its peaks; one that fell once goes on from its
new level with the slope that it has always had.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from prunella.detectors._trends import ranks, trend

NOISES: Final = 8.0
OF_RANGE: Final = 0.15
_PEAKS_FOR_SLOPE: Final = 4
_LEAST_OF_TOOTH: Final = 8
"""Fewest samples since a fall that have a line of their own."""
_LATE: Final = 0.02
_MORE: Final = 0.15
"""So much of the usual time between two falls may the next come later than the latest yet: where
three or more were seen, and where two."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resets:
    """What is known of a series that falls again and again."""

    due: float
    """Samples from now until the next fall is due at the latest; infinite: it did not come."""
    alone: float
    """Samples until zero by the line through the newest tooth alone; infinite: never."""
    grows: float
    """The p value that its peaks grow; 1 where there are fewer than three."""


def smooth(
    values: trend.Floats, raw: trend.Floats, limit: float, least: float | None = None
) -> trend.Floats:
    """The series without its falls, (samples,), in the terms of its newest sample.

    ``least`` is the row's `least_steps`, where they are known already.
    The envelope of the peaks where there were two falls or more, unless it is already over the
    limit or the newest tooth has outgrown it: then, and after a single fall, everything before
    a fall is moved down by it.  Single large jumps upwards are moved up alike: what came once
    is no slope.
    """
    steps = np.diff(values)
    if least is None:
        least = _least(values, raw)
    falls = np.flatnonzero(steps < -least)
    if len(falls) >= 2:
        top = envelope(raw, falls)
        newest = raw[falls[-1] + 1 :].max()
        if top[-1] < limit and newest <= top[-1] + least:
            return top
    jumps = np.flatnonzero(steps > least)
    moved = np.concatenate([falls, jumps]) if len(jumps) <= 2 else falls
    return splice(values, moved)


def resets(values: trend.Floats, raw: trend.Floats, least: float) -> Resets | None:
    """When a series of (samples,) below zero falls next, learned from two of its falls or more.

    ``least`` is the row's `least_steps`.
    """
    falls = np.flatnonzero(np.diff(values) < -least)
    if len(falls) < 2 or len(peaks := _peaks(raw, falls)) < 2:
        return None
    between = np.diff(peaks)
    # The first tooth began before the window: it was at least so long.
    longest = max(int(between.max()), int(peaks[0]) + 1)
    usual = np.median(between)
    # Rarely later than the latest yet by more than that one was late itself.
    late = max(_LATE * usual, longest - usual) if len(between) > 1 else _MORE * usual
    due = longest + late - (len(values) - 1 - int(falls[-1]))
    alone = _until_zero(raw[falls[-1] + 1 :])
    return Resets(due if due >= 0 else math.inf, alone, _growing(peaks, raw[peaks]))


def _until_zero(tooth: trend.Floats) -> float:
    """Samples from the newest until the line through (samples,) is zero."""
    if len(tooth) < _LEAST_OF_TOOTH:
        return math.inf
    slope, level = np.polyfit(np.arange(1.0 - len(tooth), 1.0), tooth, 1)
    return max(0.0, float(-level / slope)) if slope > 0 else math.inf


def _growing(places: trend.Indices, heights: trend.Floats) -> float:
    """The p value, one-sided, that the line through points rises."""
    freedom = len(places) - 2
    if freedom < 1:
        return 1.0
    x = places - places.mean()
    slope = float(x @ heights) / float(x @ x)
    rest = heights - heights.mean() - slope * x
    error = math.sqrt(float(rest @ rest) / freedom / float(x @ x))
    return ranks.upper_t(slope / error, freedom) if error > 0 else float(slope <= 0)


def least_steps(values: trend.Floats, raw: trend.Floats) -> trend.Floats:
    """From which difference on each row steps: what is large for its noise and range, (rows,).

    ``values`` are without single wild samples, which takes out much of the noise: that is told
    from the ``raw`` ones.
    """
    least: trend.Floats = np.maximum(NOISES * trend.noise(raw), OF_RANGE * np.ptp(values, axis=1))
    return least


def has_steps(values: trend.Floats, least: trend.Floats) -> npt.NDArray[np.bool_]:
    """Which rows hold a larger step than their `least_steps`, (rows,)."""
    large = np.abs(np.diff(values, axis=1)) > least[:, None]
    return np.asarray(large.any(axis=1))


def envelope(values: trend.Floats, falls: trend.Indices) -> trend.Floats:
    """Straight lines through the peaks before the falls, drawn on to both ends, (samples,)."""
    peaks = _peaks(values, falls)
    if len(peaks) < 2:
        return splice(values, falls)
    if len(peaks) > 2 and peaks[0] < 0.5 * np.median(np.diff(peaks)):
        peaks = peaks[1:]
    heights = values[peaks]
    some = min(_PEAKS_FOR_SLOPE, len(peaks) - 1)
    x = np.arange(len(values))
    top: trend.Floats = np.interp(x, peaks, heights)
    first = (heights[some] - heights[0]) / (peaks[some] - peaks[0])
    last = (heights[-1] - heights[-1 - some]) / (peaks[-1] - peaks[-1 - some])
    top += first * np.minimum(0, x - peaks[0]) + last * np.maximum(0, x - peaks[-1])
    return top


def _peaks(values: trend.Floats, falls: trend.Indices) -> trend.Indices:
    """Where the peaks before the falls are."""
    starts = np.concatenate([[0], falls[:-1] + 1])
    ends = falls + 1
    # A fall that takes several samples has one peak, before its first.
    real = np.concatenate([[True], np.diff(falls) > 2])
    return np.array(
        [
            start + int(np.argmax(values[start:end]))
            for start, end in zip(starts[real], ends[real], strict=True)
        ]
    )


def splice(values: trend.Floats, at: trend.Indices) -> trend.Floats:
    """The steps at these places taken out; the newest sample keeps its value, (samples,)."""
    steps = np.zeros(len(values))
    steps[at + 1] = np.diff(values)[at]
    offset = np.cumsum(steps)
    spliced: trend.Floats = values - offset + offset[-1]
    return spliced


def _least(values: trend.Floats, raw: trend.Floats) -> float:
    return float(least_steps(values[None, :], raw[None, :])[0])
