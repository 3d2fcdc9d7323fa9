"""The last anomalies of each series: what comes again at its hour is a habit, not an anomaly.

Of each of the last 24 anomalies are kept: when it began and ended, and how far it went up and
down.  They answer two questions:

- *Is it a habit?*  What came at this hour, or up to an hour beside it, on two days running of the
  last four or in each of the last two weeks, and went as far, is what the series does.
- *How often?*  What begins more than once a day is no anomaly, however far it goes: the score is
  at most ``3 - log10(times a day)``.  In a series that nearly always stands still each
  counts as one of its samples.

So an incident counts once, at its hour: it comes again every other day and is found each time.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import clock, masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Singles = NDArray[np.float32]

KEPT = 24
DAY, WEEK = 86400.0, 7 * 86400.0
_BESIDE = 3600.0
_BACK = np.array([DAY, 2 * DAY, 3 * DAY, 4 * DAY, WEEK, 2 * WEEK])[:, None, None]
"""When a habit may have been: a weekend lies between Friday and Monday."""
_ONE, _NEXT = np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5])
"""Days and weeks running among these."""
_FURTHER = 1.5
"""A habit may go so many times as far as it went."""
_AS_FAR = 0.25
"""What went this share as far counts for how often it came."""
_ONCE_A_DAY = 3.0
_LONGEST = 28 * DAY
_STILL = 0.8
"""The share of samples equal to the one before from which on a series stands still."""


@dataclasses.dataclass(slots=True)
class Past:
    """The last anomalies of some series: shape (24, series)."""

    begin: Floats
    end: Floats
    high: Singles
    low: Singles
    stands: Bools
    """Whether each stands still."""

    def habitual(self, t: Floats, rest: Floats, near: Bools) -> Bools:
        """Whether each does now what it did on two days running, or on the last two weeks.

        ``near`` are those that are as expected.
        """
        moments = t - _BACK
        then = self.begin <= moments + _BESIDE
        then &= self.end >= moments - _BESIDE
        habitual = _twice(then)
        # Most came at no such hours, however far.
        if not masks.any_of(habitual):
            return habitual
        as_far = rest <= _FURTHER * self.high
        as_far &= rest >= _FURTHER * self.low
        as_far |= near
        return _twice(then & as_far)

    def most(self, t: Floats, rest: Floats, age: Floats, step: Floats) -> Floats:
        """The highest score that each may have, for how often it went as far."""
        far = _AS_FAR * rest
        recent = self.begin > t - _LONGEST
        above = self.high >= far
        below = self.low <= far
        count = np.add.reduce(np.where(rest > 0.0, above, below) & recent)
        span = np.minimum(age, _LONGEST)
        full = np.logical_and.reduce(recent)
        if masks.any_of(full):
            span = np.where(full, t - np.minimum.reduce(self.begin), span)
        rate = np.maximum(count, 1) / (np.maximum(span, DAY) / DAY)
        once: Floats | float = _ONCE_A_DAY
        if masks.any_of(self.stands):
            # As -log10 of its share of the samples, or of those that are 5 minutes apart.
            once = np.where(self.stands, np.log10(DAY / np.maximum(step, 300.0)), _ONCE_A_DAY)
        return np.where(count > 0, np.maximum(once - np.log10(rate), 0.0), np.inf)


class Episodes(rows.Rows):
    """The anomalies of ``n`` series: 0.6 kB each."""

    __slots__ = ("begin", "end", "head", "high", "low", "newest", "still")

    def __init__(self, n: int) -> None:
        self.begin = np.full((KEPT, n), -np.inf)
        self.end = np.full((KEPT, n), -np.inf)
        self.high = np.zeros((KEPT, n), np.float32)
        self.low = np.zeros((KEPT, n), np.float32)
        self.head = np.zeros(n, np.intp)
        self.newest = np.full(n, np.nan)
        self.still = np.zeros(n)

    def follow(self, x: Floats, pace: clock.Pace) -> None:
        """Note whether the series stands still."""
        rate = pace.dt / np.maximum(np.minimum(pace.age + pace.dt, 14 * DAY), 1.0)
        self.still += rate * ((x == self.newest) - self.still)
        self.newest = masks.pick(pace.dt > 0.0, x, self.newest)

    def note(self, t: Floats, series: Ints, begun: Bools, rest: Floats) -> None:
        """Go on with the newest anomaly of some series, or begin another."""
        head = (self.head[series] + begun) % KEPT
        self.head[series] = head
        self.begin[head, series] = np.where(begun, t, self.begin[head, series])
        self.end[head, series] = t
        high, low = (np.where(begun, 0.0, each[head, series]) for each in (self.high, self.low))
        self.high[head, series] = np.maximum(high, rest)
        self.low[head, series] = np.minimum(low, rest)

    def of(self, series: Ints) -> Past:
        """Those of some series."""
        return Past(
            self.begin.take(series, axis=1),
            self.end.take(series, axis=1),
            self.high.take(series, axis=1),
            self.low.take(series, axis=1),
            self.still[series] > _STILL,
        )


def _twice(then: Bools) -> Bools:
    """Whether some came on two such days, or weeks, running; of shape (days, 24, series)."""
    came = np.logical_or.reduce(then, axis=1)
    return np.asarray(np.logical_or.reduce(came.take(_ONE, axis=0) & came.take(_NEXT, axis=0)))
