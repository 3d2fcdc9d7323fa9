"""All windows of one series at once: what each of them is condensed to.

A window that moves on by one sample shares all others with the one before: gaps are closed and
wild samples taken out once.  Only what a window's own first and last samples change is done anew,
so that each row is what the window would be by itself.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from prunella.detectors._trends import sawtooth, trend

Bools = npt.NDArray[np.bool_]
_LEVELS: Final = (0.0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.48)
"""Quantiles that are tried as bounds of a median."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one series, (windows,) or (windows, columns)."""

    columns: trend.Floats
    width: int
    """Samples in a column."""
    share: trend.Floats
    """Of the samples, that were there."""
    filled: trend.Floats
    """The whole series without gaps, (samples,)."""
    whole: Bools
    """It begins and ends with a sample, and surely has no step to be smoothed."""


def windows(values: trend.Floats, size: int, step: float) -> Windows:
    """All windows of so many samples, ``step`` seconds apart, of (samples,), the oldest first."""
    present = np.isfinite(values)
    raw = trend.fill(values[None, :])[0][0]
    cleaned = trend.without_spikes(raw[None, :])[0]
    count = len(values) - size + 1
    seen = np.concatenate([[0], np.cumsum(present)])
    whole = present[:count] & present[size - 1 :]
    width = trend.bin_width(size, step)
    return Windows(
        _columns(raw, cleaned, size, width),
        width,
        (seen[size:] - seen[:count]) / size,
        raw,
        whole & _stepless(raw, cleaned, size),
    )


def _columns(raw: trend.Floats, cleaned: trend.Floats, size: int, width: int) -> trend.Floats:
    """As `trend.condense` of each window, whose first and last samples stay as they are."""
    count = len(raw) - size + 1
    columns = trend.columns_of(size, width)
    skipped = size - columns * width
    means = sliding_window_view(cleaned, width).mean(axis=1)
    found = sliding_window_view(means, (columns - 1) * width + 1)[
        skipped : skipped + count, ::width
    ]
    found = found.copy()
    newest = sliding_window_view(cleaned, width)[size - width : size - width + count].copy()
    newest[:, -1] = raw[size - 1 :]
    if skipped == 0 and columns > 1:
        oldest = sliding_window_view(cleaned, width)[:count].copy()
        oldest[:, 0] = raw[:count]
        found[:, 0] = oldest.mean(axis=1)
    found[:, -1] = newest.mean(axis=1)
    return found


def _stepless(raw: trend.Floats, cleaned: trend.Floats, size: int) -> Bools:
    """Where `sawtooth.has_steps` surely says no: no difference is large for bounds of both limits.

    The noise is that of all samples as they were measured.
    """
    count = len(raw) - size + 1
    first = np.abs(np.diff(cleaned))
    largest = sliding_window_view(first[1:-1], size - 3).max(axis=1)
    start = np.abs(cleaned[1 : count + 1] - raw[:count])
    end = np.abs(raw[size - 1 :] - cleaned[size - 2 : size - 2 + count])
    largest = np.maximum(largest, np.maximum(start, end))
    inner = sliding_window_view(cleaned[1:-1], size - 2)
    spread = sawtooth.OF_RANGE * (inner.max(axis=1) - inner.min(axis=1))
    second = np.abs(np.diff(raw, n=2))
    noise = sawtooth.NOISES * 1.4826 * least_median(second, size - 2) / math.sqrt(6)
    surely: Bools = largest <= np.maximum(noise, spread) * (1 - 1e-9)
    return surely


def least_median(values: trend.Floats, size: int) -> trend.Floats:
    """A bound that the median of each window is not below: what more than half are not below."""
    bound = np.zeros(len(values) - size + 1)
    for level in np.quantile(values, _LEVELS):
        over = np.concatenate([[0], np.cumsum(values >= level)])
        enough = over[size:] - over[:-size] > size / 2
        bound = np.where(enough, level, bound)
    return bound
