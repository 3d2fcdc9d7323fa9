"""The last anomalies of each series: what comes again at its hour is a habit, not an anomaly.

Of each of the last 24 anomalies are kept: when it began and ended, how far it went up and down,
and how rare each size of it was when it began.  They answer two questions:

- *Is it a habit?*  An anomaly that came at this hour, or up to an hour beside it, on the last two
  days, or in the last two weeks, and went as far, is what the series does.
- *How often?*  What has begun more than once a day is no anomaly whatever its size: the score
  is at most ``3 - log10(times a day)``.  In a series that nearly always stands still each time
  counts as much as a sample of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import rows
from prunella.detectors._baseline import x as xx

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

KEPT = 24
DAY, WEEK = 86400.0, 7 * 86400.0
_BESIDE = 3600.0
_AS_FAR = 1.5
_ONCE_A_DAY = 3.0
_NEAR = 1.0
"""Classes of size by which another is as large."""
_LONGEST = 28 * DAY


class Episodes(rows.Rows):
    """The anomalies of ``n`` series: 1.2 kB each."""

    __slots__ = ("begin", "end", "head", "high", "low")

    def __init__(self, n: int) -> None:
        self.begin = np.full((KEPT, n), -np.inf)
        self.end = np.full((KEPT, n), -np.inf)
        self.high = np.zeros((KEPT, n), np.float32)
        self.low = np.zeros((KEPT, n), np.float32)
        self.head = np.zeros(n, np.intp)

    def note(self, t: Floats, rows_: Ints, begun: Bools, rest: Floats) -> None:
        """Go on with the newest anomaly of some series, or begin another."""
        self.head[rows_] = np.where(begun, (self.head[rows_] + 1) % KEPT, self.head[rows_])
        head = self.head[rows_]
        self.begin[head, rows_] = np.where(begun, t, self.begin[head, rows_])
        self.end[head, rows_] = t
        self.high[head, rows_] = np.maximum(np.where(begun, 0.0, self.high[head, rows_]), rest)
        self.low[head, rows_] = np.minimum(np.where(begun, 0.0, self.low[head, rows_]), rest)

    def habitual(self, t: Floats, rows_: Ints, rest: Floats) -> Bools:
        """Whether some series do now what they did on the last two days, or weeks."""
        begin, end = self.begin[:, rows_], self.end[:, rows_]
        far = (rest <= _AS_FAR * self.high[:, rows_]) & (rest >= _AS_FAR * self.low[:, rows_])
        found = np.zeros(len(rows_), np.bool_)
        for period in (DAY, WEEK):
            both = np.ones(len(rows_), np.bool_)
            for back in (1, 2):
                then = t - back * period
                both &= ((begin <= then + _BESIDE) & (end >= then - _BESIDE) & far).any(axis=0)
            found |= both
        return found

    def most(self, t: Floats, rows_: Ints, rest: Floats, age: Floats, still: Bools, step: Floats, density: Floats) -> Floats:
        """The highest score that some series may have, for how often they went as far."""
        begin = self.begin[:, rows_]
        recent = begin > t - _LONGEST
        near = xx.get('near', 0.7)
        as_far = np.where(rest > 0.0, self.high[:, rows_] >= near * rest, self.low[:, rows_] <= near * rest)
        count = (as_far & recent).sum(axis=0)
        oldest = np.where(recent, begin, t).min(axis=0)
        days = np.where(recent.all(axis=0), t - oldest, np.minimum(age, _LONGEST))
        days = np.maximum(days, DAY) / DAY
        # In a series that stands still each one is as much as a sample.
        once = np.where(still, np.log10(DAY / step) - density, xx.get('once', _ONCE_A_DAY))
        rate = np.maximum(count, 0.001) / days
        return np.where(count > 0, once - np.log10(rate), np.inf)
