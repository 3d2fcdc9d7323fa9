"""What a tick shows of each series, and when."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import clock

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

DAY = 86400.0


@dataclasses.dataclass(slots=True)
class Seen:
    """What a tick shows: shape (n,), times of one moment for all or one for each."""

    t: Floats
    local: Floats
    x: Floats
    y: Floats
    """Without what is explained."""
    explained: Floats
    side: Floats
    """To which side a load that was never seen may explain anything."""
    sampled: Bools
    pace: clock.Pace

    def moments(self, rows: Ints) -> Floats:
        """The times of some series."""
        return self.t if len(self.t) == 1 else self.t[rows]

    def weekend(self, rows: Ints) -> Bools:
        """Whether it is Saturday or Sunday there; 1970-01-01 was a Thursday."""
        local = self.local if len(self.local) == 1 else self.local[rows]
        return np.asarray(np.mod(local + 3 * DAY, 7 * DAY) >= 5 * DAY)
