"""The series notation of promtool's rule tests: ``'1+1x10 _ _x3 stale 7x2 NaN -Inf'``.

``a+bxn`` is a, a+b, ... a+n*b (n + 1 samples), ``axn`` is a repeated n more times, ``_`` and
``_xn`` are gaps, ``stale`` is the staleness marker.
Source: Prometheus documentation, "Unit testing for rules", field ``values``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import promql_parser

from prunella.promql import series_store

_NUMBER: Final = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|nan))"
_ITEM: Final = re.compile(
    rf"(?P<first>[+-]?{_NUMBER})(?:(?P<step>[+-]{_NUMBER})?x(?P<times>\d+))?", re.ASCII
)
_GAP: Final = re.compile(r"_(?:x(?P<times>\d+))?", re.ASCII)


def parse_values(text: str) -> tuple[float | None, ...]:
    """The samples of one series, one per interval; None is a gap.

    Raises ValueError with the item that is not in the notation.
    """
    return tuple(value for item in text.split() for value in _expand(item))


def _expand(item: str) -> Iterator[float | None]:
    if item == "stale":
        yield series_store.STALE
    elif gap := _GAP.fullmatch(item):
        yield from [None] * int(gap["times"] or 1)
    elif found := _ITEM.fullmatch(item):
        value, step = float(found["first"]), float(found["step"] or 0)
        yield value
        for _ in range(int(found["times"] or 0)):
            value += step  # accumulated, not multiplied: promtool's rounding errors are the same
            yield value
    else:
        raise ValueError(
            f"{item!r} is not in the series notation: use a number, 'a+bxn', 'axn', '_', '_xn'"
            " or 'stale'"
        )


def parse_metric(text: str) -> dict[str, str]:
    """The labels, with ``__name__``, of ``metric{label="value",...}``.

    Raises ValueError for anything else than a metric with fixed label values.
    """
    selector = promql_parser.parse(text)
    if not isinstance(selector, promql_parser.VectorSelector):
        message = f'{text!r} is not a series: write metric{{label="value",...}}'
        raise ValueError(message)  # noqa: TRY004 - the text is wrong, not its type
    if any(each.op != promql_parser.MatchOp.Equal for each in selector.matchers.matchers):
        raise ValueError(f'{text!r} is not one series: only label="value" may be used')
    labels = {each.name: each.value for each in selector.matchers.matchers}
    return {series_store.NAME: selector.name, **labels} if selector.name else labels


def load(
    store: series_store.SeriesStore,
    series: Mapping[str, str],
    *,
    interval: float,
    start: float = 0.0,
) -> None:
    """Append series (metric to values, both in the notation) to a store.

    The first value is at ``start`` seconds, each next one ``interval`` seconds later.
    """
    for metric, values in series.items():
        target = store.series(parse_metric(metric))
        for index, value in enumerate(parse_values(values)):
            if value is not None:
                target.append(start + index * interval, value)
