"""What a second series explains of the first: traffic that explains CPU, or latency.

The slope is a least-squares one with a memory of 7 days.  An effect may come a sample late, so what
is explained is a range: by the newest sample of the given series and by the one before.

Beyond all that the given series has shown, a line is no proof: how latency grows under a load that
was never seen, nobody knows.  There a deviation to the side that the slope points to is explained.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MEMORY = 7 * 86400.0
_SEEN = 14 * 86400.0
"""Seconds over which the highest and the lowest that was seen come nearer to the mean."""
_BEYOND = 0.25
"""Share of what was seen by which a load must be beyond it."""
_NEW = 6 * 3600.0
"""Seconds until a load that was never seen has been."""
_AFTER = 6
"""Samples for which a load that was never seen explains what follows."""
_TINY = 1e-300


@dataclasses.dataclass(slots=True)
class Explained:
    """What is explained of each value: shape (n,)."""

    lower: Floats
    upper: Floats
    side: Floats
    """1 where more than any value may be explained, -1 where less, else 0."""

    def nearest(self, x: Floats, usual: Floats) -> Floats:
        """The part that is explained, where ``x - usual`` is to be."""
        return np.asarray(np.minimum(np.maximum(x - usual, self.lower), self.upper))


@functools.lru_cache(maxsize=64)
def nothing(n: int) -> Explained:
    """Without a given series; not to be written."""
    none = np.zeros(n)
    none.flags.writeable = False
    return Explained(none, none, none)


class Given(rows.Rows):
    """The relation of ``n`` pairs of series: 10 numbers, 80 bytes each."""

    __slots__ = (
        "before",
        "beyond",
        "given",
        "high",
        "low",
        "paired",
        "square",
        "together",
        "value",
    )

    def __init__(self, n: int) -> None:
        self.given = np.full(n, np.nan)
        self.value = np.full(n, np.nan)
        self.before = np.full(n, np.nan)
        """The last sample of the given series, as far from its mean."""
        self.low = np.full(n, np.nan)
        self.high = np.full(n, np.nan)
        self.beyond = np.zeros(n)
        """Samples left for which it is beyond all that it has shown; its sign is the side."""
        self.together = np.zeros(n)
        self.square = np.zeros(n)
        self.paired = np.zeros(n)

    def explain(self, given: Floats) -> Explained:
        """The part of each value that the given series explains now."""
        slope = self.together / np.where(self.square > 0.0, self.square, 1.0)
        away = given - np.where(np.isnan(self.given), given, self.given)
        before = np.where(np.isnan(self.before), away, self.before)
        both = np.stack((slope * away, slope * before))
        return Explained(both.min(axis=0), both.max(axis=0), np.sign(slope) * self._side(given))

    def _side(self, given: Floats) -> Floats:
        most = _BEYOND * (self.high - self.low)
        above, below = given > self.high + most, given < self.low - most
        now = above * 1.0 - below * 1.0
        left = np.where(np.abs(self.beyond) > 0.0, self.beyond - np.sign(self.beyond), 0.0)
        self.beyond = np.where(now != 0.0, now * (_AFTER + 1), left)
        return np.asarray(np.sign(self.beyond))

    def learn(self, values: Floats, given: Floats, dt: Floats) -> None:
        """Move the slope by ``dt`` seconds, and what the given series has shown."""
        use = np.where(np.isfinite(values) & np.isfinite(given), dt, 0.0)
        values, given = np.where(use > 0.0, values, 0.0), np.where(use > 0.0, given, 0.0)
        fresh = (use > 0.0) & np.isnan(self.given)
        for name, first in (("given", given), ("value", values), ("low", given), ("high", given)):
            setattr(self, name, np.where(fresh, first, getattr(self, name)))
        self.paired += use
        rate = np.where(use > 0.0, use / np.clip(self.paired, _TINY, _MEMORY), 0.0)
        dx = np.where(rate > 0.0, values - self.value, 0.0)
        dg = np.where(rate > 0.0, given - self.given, 0.0)
        self.before = np.where(use > 0.0, (1.0 - rate) * dg, self.before)
        self.value = self.value + rate * dx
        self.given = self.given + rate * dg
        self.together += rate * ((1.0 - rate) * dx * dg - self.together)
        self.square += rate * ((1.0 - rate) * dg * dg - self.square)
        self._show(given, use)

    def _show(self, given: Floats, use: Floats) -> None:
        """Move what was seen to this sample, over hours, and let the old come nearer."""
        new, fade = np.minimum(use / _NEW, 1.0), use / _SEEN
        low = np.where(given < self.low, new * (given - self.low), fade * (self.given - self.low))
        high = np.where(
            given > self.high, new * (given - self.high), fade * (self.given - self.high)
        )
        self.low = np.where(use > 0.0, self.low + low, self.low)
        self.high = np.where(use > 0.0, self.high + high, self.high)
