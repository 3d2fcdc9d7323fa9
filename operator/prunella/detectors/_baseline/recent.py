"""How far a sample is from the plain mean of the last two days, in their standard deviations.

The simplest of the opinions, with no memory of what was rare: where anomalies are so many that
they are the series' own tail, they still stand out of two days.  A daily wave is part of the
deviation, so it says little of series with a rhythm, where others say much.  ``SURE`` deviations
are as much as the trigger; it is the one number that is not calibrated to the series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import clock, masks, rows

Floats = NDArray[np.float64]

SURE = 7.0
_SPAN = 48 * 3600.0
_AS_RARE, _MOST = 3.0, 6.0
_TINY = 1e-300


class Recent(rows.Rows):
    """Mean and variance of ``n`` series: 2 numbers, 16 bytes each."""

    __slots__ = ("mean", "variance")

    def __init__(self, n: int) -> None:
        self.mean = np.zeros(n)
        self.variance = np.zeros(n)

    def judge(self, x: Floats, pace: clock.Pace) -> Floats:
        """The score of each sample, negative below the mean; then learn from it."""
        dt, age = pace.dt, pace.age
        sampled = dt > 0.0
        fresh = sampled & (age == 0.0)
        if masks.any_of(fresh):
            self.mean = np.where(fresh, x, self.mean)
        away = masks.pick(sampled, x - self.mean, 0.0)
        # Rounding of the mean itself is no deviation.
        least = 1e-12 * (self.mean * self.mean) + _TINY
        score = away / np.sqrt(self.variance + least) * (_AS_RARE / SURE)
        rate = -np.expm1(-dt / np.maximum(np.minimum(age + dt, _SPAN), 1.0))
        self.mean = self.mean + rate * away
        self.variance += rate * (away * away - self.variance)
        return score.clip(-_MOST, _MOST)
