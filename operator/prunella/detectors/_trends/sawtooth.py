"""Sudden falls in a growing series: garbage collection, restarts, rotations.

A series that falls again and again is judged by its peaks; one that fell once goes on from its
new level with the slope that it has always had.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from prunella.detectors._trends import trend

_NOISES: Final = 8.0
_OF_RANGE: Final = 0.15
_PEAKS_FOR_SLOPE: Final = 4


def smooth(values: trend.Floats, raw: trend.Floats, limit: float) -> trend.Floats:
    """The series without its falls, (samples,), in the terms of its newest sample.

    The envelope of the peaks where there were two falls or more, unless it is already over the
    limit or the newest tooth has outgrown it: then, and after a single fall, everything before
    a fall is moved down by it.  Single large jumps upwards are moved up alike: what came once
    is no slope.
    """
    steps = np.diff(values)
    least = _least(values)
    falls = np.flatnonzero(steps < -least)
    if len(falls) >= 2:
        top = envelope(raw, falls)
        newest = raw[falls[-1] + 1 :].max()
        if top[-1] < limit and newest <= top[-1] + least:
            return top
    jumps = np.flatnonzero(steps > least)
    moved = np.concatenate([falls, jumps]) if len(jumps) <= 2 else falls
    return splice(values, moved)


def has_steps(values: trend.Floats) -> trend.Floats:
    """Which rows hold a step that is large for their noise and their range, (rows,)."""
    least = np.maximum(_NOISES * trend.noise(values), _OF_RANGE * np.ptp(values, axis=1))
    large: trend.Floats = (np.abs(np.diff(values, axis=1)) > least[:, None]).any(axis=1)
    return large


def envelope(values: trend.Floats, falls: trend.Indices) -> trend.Floats:
    """Straight lines through the peaks before the falls, drawn on to both ends, (samples,)."""
    starts = np.concatenate([[0], falls[:-1] + 1])
    ends = falls + 1
    # A fall that takes several samples has one peak, before its first.
    real = np.concatenate([[True], np.diff(falls) > 2])
    peaks = np.array(
        [
            start + int(np.argmax(values[start:end]))
            for start, end in zip(starts[real], ends[real], strict=True)
        ]
    )
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


def splice(values: trend.Floats, at: trend.Indices) -> trend.Floats:
    """The steps at these places taken out; the newest sample keeps its value, (samples,)."""
    steps = np.zeros(len(values))
    steps[at + 1] = np.diff(values)[at]
    offset = np.cumsum(steps)
    spliced: trend.Floats = values - offset + offset[-1]
    return spliced


def _least(values: trend.Floats) -> float:
    spread = trend.noise(values[None, :])[0]
    return float(max(_NOISES * spread, _OF_RANGE * np.ptp(values)))
