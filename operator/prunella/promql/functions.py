"""PromQL's functions of an instant vector."""

from __future__ import annotations

import calendar
import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prunella.promql import arithmetic, series_store, value_types

Points = value_types.Points
_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


def _clamp(value: float, low: float, high: float) -> float | None:
    if high < low:
        return None
    return _clamp_min(_clamp_max(value, high), low)


def _clamp_min(value: float, low: float) -> float:
    if math.inf in {value, low}:  # stronger than NaN, as in Go
        return math.inf
    return math.nan if math.isnan(value) or math.isnan(low) else max(value, low)


def _clamp_max(value: float, high: float) -> float:
    return -_clamp_min(-value, -high)


def _round(value: float, nearest: float = 1.0) -> float:
    # Multiplied by the inverse, as Prometheus does: 0.1 has no exact binary value, 10 has.
    inverse = arithmetic.divide(1.0, nearest)
    return arithmetic.divide(arithmetic.floor(value * inverse + 0.5), inverse)


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value < 0 or value > 0 else value


def _date(part: Callable[[dt.datetime], int]) -> Callable[[float], float]:
    """A function of a Unix time in UTC; NaN for what is no date of the years 1 to 9999."""

    def of_time(value: float) -> float:
        try:
            return float(part(dt.datetime.fromtimestamp(int(value), dt.UTC)))
        except (OverflowError, ValueError, OSError):
            return math.nan

    return of_time


EACH: Final[Mapping[str, Callable[..., float | None]]] = {
    "abs": abs,
    "ceil": arithmetic.ceil,
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "exp": arithmetic.exponential,
    "floor": arithmetic.floor,
    "ln": arithmetic.logarithm(math.log),
    "log10": arithmetic.logarithm(math.log10),
    "log2": arithmetic.logarithm(math.log2),
    "round": _round,
    "sgn": _sign,
    "sqrt": arithmetic.square_root,
}
"""Functions of one value and the call's scalar arguments; None: no element in the result."""

DATES: Final[Mapping[str, Callable[[float], float]]] = {
    "day_of_month": _date(lambda when: when.day),
    "day_of_week": _date(lambda when: when.isoweekday() % 7),
    "day_of_year": _date(lambda when: when.timetuple().tm_yday),
    "days_in_month": _date(lambda when: calendar.monthrange(when.year, when.month)[1]),
    "hour": _date(lambda when: when.hour),
    "minute": _date(lambda when: when.minute),
    "month": _date(lambda when: when.month),
    "year": _date(lambda when: when.year),
}
"""Functions of a Unix time; without an argument, of the time of evaluation."""


def each(function: Callable[..., float | None], points: Points, params: Sequence[float]) -> Points:
    """A function applied to every element; the metric name goes."""
    changed: Points = []
    for labels, value in points:
        result = function(value, *params)
        if result is not None:
            changed.append((value_types.nameless(labels), result))
    return value_types.distinct(changed)


def ordered(points: Points, *, descending: bool) -> Points:
    """The elements by value; NaN is last in either direction."""
    sign = -1.0 if descending else 1.0
    return sorted(points, key=lambda point: (math.isnan(point[1]), sign * point[1]))


def to_scalar(points: Points) -> float:
    """The value of the only element; NaN when there is none or more than one."""
    return points[0][1] if len(points) == 1 else math.nan


def label_replace(points: Points, arguments: Sequence[str]) -> Points:
    """Set a label from the match of another: target, template, source, regular expression."""
    target, template, source, pattern = arguments
    _refuse_label("label_replace", target)
    try:
        regex = series_store.compile_regex(pattern)
    except ValueError as error:
        raise value_types.EvaluationError(f"label_replace(): {error}") from error
    changed: Points = []
    for labels, value in points:
        found = regex.fullmatch(labels.get(source, ""))
        text = labels.get(target, "") if found is None else _expanded(template, found)
        changed.append((_with_label(labels, target, text), value))
    return value_types.distinct(changed)


def label_join(points: Points, arguments: Sequence[str]) -> Points:
    """Set a label to others' joined values: target, separator, sources."""
    target, separator, *sources = arguments
    for name in (target, *sources):
        _refuse_label("label_join", name)
    return value_types.distinct(
        [
            (
                _with_label(labels, target, separator.join(labels.get(s, "") for s in sources)),
                value,
            )
            for labels, value in points
        ]
    )


def _refuse_label(function: str, name: str) -> None:
    if not name:
        raise value_types.EvaluationError(f"{function}(): the label name may not be empty")


def _expanded(template: str, found: re.Match[str]) -> str:
    """Go's template: ``$1``, ``${1}``, ``$name``, ``$$``; an unknown group is empty."""

    def group(reference: re.Match[str]) -> str:
        escaped, braced, bare = reference.groups()
        if escaped:
            return "$"
        name = braced or bare
        if name.isdigit():
            return (found[int(name)] or "") if int(name) <= found.re.groups else ""
        return found.groupdict().get(name) or ""

    return _REFERENCE.sub(group, template)


def _with_label(labels: value_types.Labels, name: str, value: str) -> value_types.Labels:
    others = {key: text for key, text in labels.items() if key != name}
    return {**others, name: value} if value else others


def histogram_quantile(points: Points, fraction: float) -> Points:
    """The quantile of classic histograms, by the ``le`` labels of their cumulative buckets."""
    histograms: dict[frozenset[tuple[str, str]], dict[float, float]] = {}
    for labels, count in points:
        try:
            bound = float(labels.get("le", ""))
        except ValueError:
            continue  # not a bucket: Prometheus leaves it out too
        key = frozenset(item for item in labels.items() if item[0] not in {"le", series_store.NAME})
        buckets = histograms.setdefault(key, {})
        buckets[bound] = buckets.get(bound, 0.0) + count
    return [
        (dict(key), _bucket_quantile(sorted(buckets.items()), fraction))
        for key, buckets in histograms.items()
    ]


def _bucket_quantile(buckets: list[tuple[float, float]], fraction: float) -> float:
    """The quantile from (upper bound, cumulative count) pairs in ascending order.

    Linear within a bucket; the lowest starts at 0 if its bound is positive; in the +Inf bucket
    the answer is the highest finite bound.
    """
    if math.isnan(fraction):
        return math.nan
    if not 0 <= fraction <= 1:
        return math.copysign(math.inf, fraction)
    bounds, counts = [bound for bound, _ in buckets], _monotonic([count for _, count in buckets])
    if len(buckets) < 2 or bounds[-1] != math.inf or counts[-1] == 0:
        return math.nan
    rank = fraction * counts[-1]
    last = len(counts) - 1
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), last)
    if index == last:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    share = arithmetic.divide(rank - below, counts[index] - below)
    return start + (bounds[index] - start) * share


def _monotonic(counts: list[float]) -> list[float]:
    """Cumulative counts that never fall: buckets scraped apart, or rounding, may disagree."""
    highest, fixed = counts[0], []
    for count in counts:
        close = abs(count - highest) < 1e-12 * (abs(count) + abs(highest))
        highest = highest if close or count < highest else count
        fixed.append(highest)
    return fixed
