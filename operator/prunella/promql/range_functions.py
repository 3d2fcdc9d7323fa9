"""PromQL's functions of a range: from the window of one series to one number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prunella.promql import arithmetic, value_types

RangeFunction = Callable[..., float | None]
"""Of a window and the call's scalar arguments; None: no element in the result."""


def _per_window(function: Callable[[Sequence[float]], float]) -> RangeFunction:
    return lambda window: function(window.values)


def _grown(values: Sequence[float]) -> float:
    """How much a counter grew: a fall is a restart from zero."""
    lost = sum(before for before, after in itertools.pairwise(values) if after < before)
    return values[-1] - values[0] + lost


def _extrapolated(window: value_types.Window, *, counter: bool, per: float) -> float | None:
    """The difference over the whole window, estimated from the samples in it, per ``per`` s.

    The samples seldom reach the window's edges.  The trend is drawn on to an edge that is
    within 1.1 average sample distances, else by half a distance: the series is taken to begin
    or end there.  A counter is never drawn on to below zero.
    """
    times, values = window.times, window.values
    if len(values) < 2:
        return None
    difference = _grown(values) if counter else values[-1] - values[0]
    sampled = (times[-1] - times[0]) / 1000
    distance = sampled / (len(values) - 1)
    before, after = (times[0] - window.start) / 1000, (window.end - times[-1]) / 1000
    before, after = (gap if gap < 1.1 * distance else distance / 2 for gap in (before, after))
    if counter and difference > 0 and values[0] >= 0:
        before = min(before, sampled * (values[0] / difference))
    return difference * ((sampled + before + after) / sampled / per)


def _increase(window: value_types.Window) -> float | None:
    return _extrapolated(window, counter=True, per=1.0)


def _delta(window: value_types.Window) -> float | None:
    return _extrapolated(window, counter=False, per=1.0)


def _rate(window: value_types.Window) -> float | None:
    return _extrapolated(window, counter=True, per=(window.end - window.start) / 1000)


def _idelta(window: value_types.Window) -> float | None:
    return window.values[-1] - window.values[-2] if len(window.values) > 1 else None


def _irate(window: value_types.Window) -> float | None:
    if len(window.values) < 2:
        return None
    before, last = window.values[-2:]
    grown = last if last < before else last - before
    return grown / ((window.times[-1] - window.times[-2]) / 1000)


def _resets(values: Sequence[float]) -> float:
    return float(sum(after < before for before, after in itertools.pairwise(values)))


def _changes(values: Sequence[float]) -> float:
    return float(
        sum(
            after != before and not (math.isnan(after) and math.isnan(before))
            for before, after in itertools.pairwise(values)
        )
    )


def _line(window: value_types.Window, origin: int) -> tuple[float, float]:
    """Slope (per second) and value at ``origin`` (ms) of the least-squares line."""
    first = window.values[0]
    if all(value == first for value in window.values):
        return (0.0, first) if math.isfinite(first) else (math.nan, math.nan)
    count = len(window.values)
    moments = [(when - origin) / 1000 for when in window.times]
    middle = arithmetic.total(moments) / count
    height = arithmetic.mean(window.values)
    pairs = zip(moments, window.values, strict=True)
    covariance = arithmetic.total([(x - middle) * (y - height) for x, y in pairs])
    spread = arithmetic.total([(x - middle) * (x - middle) for x in moments])
    slope = arithmetic.divide(covariance, spread)
    return slope, height - slope * middle


def _deriv(window: value_types.Window) -> float | None:
    if len(window.values) < 2:
        return None
    return _line(window, window.times[0])[0]


def _predict_linear(window: value_types.Window, seconds: float) -> float | None:
    if len(window.values) < 2:
        return None
    slope, now = _line(window, window.at)
    return slope * seconds + now


def _quantile(window: value_types.Window, fraction: float) -> float:
    return arithmetic.quantile(window.values, fraction)


FUNCTIONS: Final[Mapping[str, RangeFunction]] = {
    "avg_over_time": _per_window(arithmetic.mean),
    "changes": _per_window(_changes),
    "count_over_time": _per_window(lambda values: float(len(values))),
    "delta": _delta,
    "deriv": _deriv,
    "idelta": _idelta,
    "increase": _increase,
    "irate": _irate,
    "last_over_time": _per_window(lambda values: values[-1]),
    "max_over_time": _per_window(arithmetic.highest),
    "min_over_time": _per_window(arithmetic.lowest),
    "predict_linear": _predict_linear,
    "present_over_time": _per_window(lambda _: 1.0),
    "quantile_over_time": _quantile,
    "rate": _rate,
    "resets": _per_window(_resets),
    "stddev_over_time": _per_window(arithmetic.deviation),
    "stdvar_over_time": _per_window(arithmetic.variance),
    "sum_over_time": _per_window(arithmetic.total),
}
KEEPS_NAME: Final = frozenset({"last_over_time"})
"""Functions whose result is a sample of the metric itself."""


def apply(
    name: str, windows: list[value_types.Window], params: Sequence[float]
) -> value_types.Points:
    """One range function over all windows.

    Raises EvaluationError when two series differed only by their names.
    """
    function = FUNCTIONS[name]
    rename = (lambda labels: labels) if name in KEEPS_NAME else value_types.nameless
    points: value_types.Points = []
    for window in windows:
        value = function(window, *params)
        if value is not None:
            points.append((rename(window.labels), value))
    return value_types.distinct(points)
