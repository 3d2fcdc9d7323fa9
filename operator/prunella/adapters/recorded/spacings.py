"""How far apart the samples of a recorded series are, gaps and all."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.promql import series_store

LONGEST: Final = 2 * 3_600_000
"""Milliseconds: more than this between two samples is a gap, and not how often one was taken."""
_SHARE: Final = 0.75
_SEEN_BY_SELECTORS: Final = 120_000
_LOOKBACK_SPACINGS: Final = 2.5


def usual(times: NDArray[np.int64]) -> float | None:
    """Seconds between two samples that three quarters of the time keep to; None: can't be told.

    ``times`` in milliseconds.  Time is what counts, not samples: where half of a history was
    sampled every 15 s and half every 5 minutes, 19 of 20 samples are 15 s apart.
    """
    gaps = np.diff(times)
    gaps = np.sort(gaps[(gaps > 0) & (gaps <= LONGEST)])
    if not len(gaps):
        return None
    spent = np.cumsum(gaps)
    place = int(np.searchsorted(spent, _SHARE * spent[-1]))
    return float(gaps[place]) / 1000


def lookback(times: NDArray[np.int64]) -> int:
    """How long (ms) a sample is taken for the newest one.

    Five minutes, as in Prometheus.  A file whose samples are farther apart than that bears is taken
    for the answer to a range query: each sample stands for the time until the next.
    """
    seconds = usual(times)
    if seconds is None or seconds * 1000 <= _SEEN_BY_SELECTORS:
        return series_store.LOOKBACK
    return max(series_store.LOOKBACK, round(_LOOKBACK_SPACINGS * 1000 * seconds))
