"""Series of any lengths and spacings through one detector, a row of each per tick.

The operator judges the series of a signal in the same way: side by side, online, in one pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prunella.detectors import baseline

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Detector(Protocol):
    """What judges: the baseline, or anything with the same ticks."""

    def tick(self, times: Floats, values: Floats) -> baseline.Tick:
        """Judge one sample of each series, then learn from it; NaN is a gap."""


Make = Callable[[int], Detector]
"""A detector for so many series."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What a detector said of one series: arrays of one row per sample."""

    onset: Floats
    """The score where it is news, else 0."""
    unhealthy: Bools


def judge(series: Sequence[tuple[Floats, Floats]], make: Make) -> list[Run]:
    """Judge series given as (Unix seconds, values); a short one ends in gaps."""
    longest = max(len(times) for times, _ in series)
    moments, values = (np.full((longest, len(series)), fill) for fill in (0.0, np.nan))
    for column, (times, some) in enumerate(series):
        moments[:, column] = times[-1]
        moments[: len(times), column], values[: len(times), column] = times, some
    onset = np.zeros((longest, len(series)))
    unhealthy = np.zeros((longest, len(series)), np.bool_)
    detector = make(len(series))
    for row in range(longest):
        tick = detector.tick(moments[row], values[row])
        onset[row], unhealthy[row] = np.nan_to_num(tick.onset), tick.unhealthy
    return [
        Run(onset[: len(times), column], unhealthy[: len(times), column])
        for column, (times, _) in enumerate(series)
    ]


def episodes(times: Floats, unhealthy: Bools, lasting: float) -> list[tuple[int, int]]:
    """First and last row of each Unhealthy stretch of at least so many seconds.

    It lasts from its first row until the first one that is Healthy again: a policy with that
    ``for`` acts within it.
    """
    edges = np.diff(np.concatenate(([False], unhealthy, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    after = np.append(times, times[-1])[ends]
    keep = after - times[starts] >= lasting
    return [(int(a), int(b) - 1) for a, b in zip(starts[keep], ends[keep], strict=True)]
