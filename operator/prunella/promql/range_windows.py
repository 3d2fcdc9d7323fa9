"""PromQL's functions of a range at each point of a grid, for one series at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.promql import grid_rows, range_functions, series_store, value_types

Floats = grid_rows.Floats
Places = NDArray[np.intp]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The samples of a series in ``(start, end]`` of each point: ``values[first:last]``."""

    times: NDArray[np.int64]
    """Of the samples, milliseconds."""
    values: Floats
    first: Places
    last: Places
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, series: series_store.Series, ends: NDArray[np.int64], length: int) -> Windows:
        """The windows of ``length`` ms before each end."""
        times, values = np.array(series.times, np.int64), np.array(series.values, np.float64)
        if series.has_stale:
            kept = ~series_store.stale(values)
            times, values = times[kept], values[kept]
        first, last = (np.searchsorted(times, edge, "right") for edge in (ends - length, ends))
        return cls(times, values, first, last, ends - length, ends)

    @property
    def counts(self) -> Places:
        """Samples of each window."""
        return np.asarray(self.last - self.first)

    def reduced(self, function: np.ufunc) -> Floats:
        """A function of two values over each window; anything where it is empty."""
        if not len(self.values):
            return np.zeros(len(self.first))
        bounds = np.column_stack([self.first, self.last]).ravel()
        # Windows may end with the last sample, which `reduceat` knows only as a beginning.
        return np.asarray(function.reduceat(np.append(self.values, 0.0), bounds)[::2])


def _grown(windows: Windows) -> Floats:
    """How much a counter grew: a fall is a restart from zero."""
    values = windows.values
    falls = np.append(0.0, np.cumsum(np.where(np.diff(values) < 0, values[:-1], 0.0)))
    end, begin = windows.last - 1, windows.first
    return np.asarray(values[end] - values[begin] + (falls[end] - falls[begin]))


def _extrapolated(windows: Windows, *, counter: bool, per: Floats | float = 1.0) -> Floats:
    """The difference over each whole window, per ``per`` s, as `promql_range` estimates it."""
    times, values = windows.times, windows.values
    begin, end = windows.first, windows.last - 1
    difference = _grown(windows) if counter else values[end] - values[begin]
    sampled = (times[end] - times[begin]) / 1000
    distance = sampled / (windows.counts - 1)
    before, after = (times[begin] - windows.starts) / 1000, (windows.ends - times[end]) / 1000
    before, after = (np.where(g < 1.1 * distance, g, distance / 2) for g in (before, after))
    if counter:
        bounded = (difference > 0) & (values[begin] >= 0)
        reach = sampled * (values[begin] / np.where(bounded, difference, 1.0))
        before = np.where(bounded, np.minimum(before, reach), before)
    return np.asarray(difference * ((sampled + before + after) / sampled / per))


def _rate(windows: Windows) -> Floats:
    return _extrapolated(windows, counter=True, per=(windows.ends - windows.starts) / 1000)


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[[Windows], Floats]]]] = {
    "avg_over_time": (1, lambda windows: windows.reduced(np.add) / windows.counts),
    "count_over_time": (1, lambda windows: windows.counts.astype(np.float64)),
    "delta": (2, lambda windows: _extrapolated(windows, counter=False)),
    "increase": (2, lambda windows: _extrapolated(windows, counter=True)),
    "last_over_time": (1, lambda windows: windows.values[windows.last - 1]),
    "max_over_time": (1, lambda windows: windows.reduced(np.fmax)),
    "min_over_time": (1, lambda windows: windows.reduced(np.fmin)),
    "present_over_time": (1, lambda windows: np.ones(len(windows.first))),
    "rate": (2, _rate),
    "sum_over_time": (1, lambda windows: windows.reduced(np.add)),
}
"""How many samples each needs, and what it makes of windows that have them."""


def apply(
    name: str, store_series: tuple[series_store.Series, ...], ends: NDArray[np.int64], length: int
) -> grid_rows.Rows:
    """One of FUNCTIONS over the windows of ``length`` ms before each of ``ends``.

    Raises EvaluationError when two series differed only by their names.
    """
    needed, function = FUNCTIONS[name]
    keeps_name = name in range_functions.KEEPS_NAME
    rows = []
    for series in store_series:
        windows = Windows.of(series, ends, length)
        present = windows.counts >= needed
        values = np.full(len(ends), np.nan)
        values[present] = _computed(name, function, windows, present)
        labels = series.labels if keeps_name else value_types.nameless(series.labels)
        rows.append(grid_rows.Row(labels, values, present))
    return grid_rows.distinct(rows)


def _computed(
    name: str,
    function: Callable[[Windows], Floats],
    windows: Windows,
    present: grid_rows.Bools,
) -> Floats:
    """The values of those windows that have enough samples."""
    if not present.any():
        return np.empty(0)
    finite = np.isfinite(windows.values)
    some = dataclasses.replace(
        windows,
        values=np.where(finite, windows.values, 0.0),
        first=windows.first[present],
        last=windows.last[present],
        starts=windows.starts[present],
        ends=windows.ends[present],
    )
    with np.errstate(all="ignore"):
        values = function(some)
    odd = np.append(0, np.cumsum(~finite))
    again = (odd[some.last] > odd[some.first]) | ~np.isfinite(values)
    original = dataclasses.replace(some, values=windows.values)
    for number in np.flatnonzero(again).tolist():
        values[number] = _one(name, original, number)
    return values


def _one(name: str, windows: Windows, number: int) -> float:
    """The value of one window, in which not everything is finite."""
    part = slice(windows.first[number], windows.last[number])
    start, end = int(windows.starts[number]), int(windows.ends[number])
    window = value_types.Window(
        {}, windows.times[part].tolist(), windows.values[part].tolist(), start, end, end
    )
    value = range_functions.FUNCTIONS[name](window)
    return float("nan") if value is None else value
