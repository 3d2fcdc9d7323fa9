"""PromQL's selectors and subqueries, with ``offset`` and ``@``, compiled from the parsed query."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import promql_parser

from prunella.promql import series_store, value_types

LOOKBACK: Final = 300_000
"""How old (ms) a sample may be for an instant vector: Prometheus' default of 5 minutes."""
SUBQUERY_STEP: Final = 60_000
"""The step (ms) of a subquery that names none: Prometheus' default evaluation interval."""

Selector = promql_parser.VectorSelector
Times = list[int]
Values = list[float]
_OPERATORS: Final = (
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)


def instant(node: Selector) -> value_types.VectorOf:
    """The newest value of every selected series."""
    matchers, reference = matchers_of(node), _reference(node)

    def evaluate(moment: value_types.Moment) -> value_types.Points:
        at = reference(moment)
        found = ((s.labels, s.newest(at, LOOKBACK)) for s in moment.store.select(matchers))
        return [(labels, sample[1]) for labels, sample in found if sample is not None]

    return evaluate


def timestamps(node: Selector) -> value_types.VectorOf:
    """The time (s) of the newest sample of every selected series, for ``timestamp()``."""
    matchers, reference = matchers_of(node), _reference(node)

    def evaluate(moment: value_types.Moment) -> value_types.Points:
        at = reference(moment)
        found = ((s.labels, s.newest(at, LOOKBACK)) for s in moment.store.select(matchers))
        return value_types.distinct(
            [
                (value_types.nameless(labels), sample[0] / 1000)
                for labels, sample in found
                if sample is not None
            ]
        )

    return evaluate


def windows(node: promql_parser.MatrixSelector) -> value_types.WindowsOf:
    """The samples of every selected series in the range before the moment."""
    matchers, reference = matchers_of(node.vector_selector), _reference(node.vector_selector)
    length = milliseconds(node.range)

    def evaluate(moment: value_types.Moment) -> list[value_types.Window]:
        end = reference(moment)
        start = end - length
        found = []
        for series in moment.store.select(matchers):
            times, values = series.between(start, end)
            if times:
                window = value_types.Window(series.labels, times, values, start, end, moment.at)
                found.append(window)
        return found

    return evaluate


def subquery(
    node: promql_parser.SubqueryExpr, inner: value_types.VectorOf
) -> value_types.WindowsOf:
    """The results of ``inner`` at the multiples of the step within the range."""
    reference, length = _reference(node), milliseconds(node.range)
    step = milliseconds(node.step) or SUBQUERY_STEP

    def evaluate(moment: value_types.Moment) -> list[value_types.Window]:
        end = reference(moment)
        start = end - length
        found: dict[frozenset[tuple[str, str]], tuple[value_types.Labels, Times, Values]] = {}
        for at in range((start // step + 1) * step, end + 1, step):
            for labels, value in inner(value_types.Moment(moment.store, at, moment.query_at)):
                _, times, values = found.setdefault(frozenset(labels.items()), (labels, [], []))
                times.append(at)
                values.append(value)
        return [value_types.Window(*each, start, end, moment.at) for each in found.values()]

    return evaluate


def absent_labels(node: object) -> dict[str, str]:
    """The labels of ``absent()``'s element: those that the selector fixes exactly once."""
    if isinstance(node, promql_parser.MatrixSelector):
        node = node.vector_selector
    if not isinstance(node, Selector):
        return {}
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for each in matchers_of(node):
        if each.op == "=" and each.name not in seen and each.name != series_store.NAME:
            labels[each.name] = each.value
            seen.add(each.name)
        else:
            labels.pop(each.name, None)
    return {name: value for name, value in labels.items() if value}


def matchers_of(node: Selector) -> tuple[series_store.Matcher, ...]:
    """The matchers of a selector, its name among them. Raises EvaluationError."""
    if node.matchers.or_matchers:
        raise value_types.EvaluationError(
            "Prometheus knows no `or` between label matchers: use =~, or `or` between vectors"
        )
    named = (series_store.Matcher("=", series_store.NAME, node.name),) if node.name else ()
    try:
        return named + tuple(
            series_store.Matcher(_operator(each.op), each.name, each.value)
            for each in node.matchers.matchers
        )
    except ValueError as error:
        raise value_types.EvaluationError(str(error)) from error


def offset_of(node: Selector | promql_parser.SubqueryExpr) -> int:
    """How long ago (ms) a selector looks."""
    return milliseconds(node.offset)


def _operator(op: promql_parser.MatchOp) -> str:
    return next(symbol for known, symbol in _OPERATORS if known == op)


def _reference(
    node: Selector | promql_parser.SubqueryExpr,
) -> Callable[[value_types.Moment], int]:
    """The time (ms) that a selector looks at, from its ``@`` and ``offset``."""
    offset = offset_of(node)
    if node.at is None:
        return lambda moment: moment.at - offset
    if node.at.at is None:  # start() or end(): the same for an instant query
        return lambda moment: moment.query_at - offset
    fixed = series_store.to_milliseconds(node.at.at.timestamp())
    return lambda _: fixed - offset


def milliseconds(duration: dt.timedelta | None) -> int:
    """A duration of the query; none is 0."""
    return 0 if duration is None else duration // dt.timedelta(milliseconds=1)
