"""Evaluate PromQL at each point of a grid, as Prometheus does for a range query.

What most queries are made of is computed for all points at once: selectors, functions of a
range, aggregations, arithmetic, comparisons, ``and``, ``or``, ``unless``.  Any other part of
a query is evaluated point by point.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import promql_parser

from prunella.promql import (
    evaluator,
    functions,
    grid_rows,
    range_windows,
    selectors,
    series_store,
    value_types,
)

Rows = grid_rows.Rows
Times = grid_rows.Times
_LABELLERS = {
    "label_join": functions.label_join,
    "label_replace": functions.label_replace,
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Where and at which points an expression is evaluated."""

    store: series_store.SeriesStore
    times: Times

    def always(self) -> grid_rows.Bools:
        """Present at all points."""
        return np.ones(len(self.times), np.bool_)


RowsOf = Callable[[Field], Rows]
ScalarsOf = Callable[[Field], grid_rows.Floats]


def evaluate(store: series_store.SeriesStore, query: str, times: Times) -> Rows:
    """The series with at least one sample; a scalar is a series without labels.

    ``times`` in milliseconds.  Raises EvaluationError, also where a single point can't be
    evaluated.
    """
    rows = _compiled(query)(Field(store, times))
    return [row for row in rows if row.present.any()]


@functools.lru_cache(maxsize=1024)
def _compiled(query: str) -> RowsOf:
    evaluator.compiled(query)  # refuses what is refused at a single point
    node = promql_parser.parse(query)
    if not evaluator.is_scalar(node):
        return _rows_of(node)
    scalars = _scalars_of(node)
    return lambda field: [grid_rows.Row({}, scalars(field), field.always())]


def _rows_of(node: Any) -> RowsOf:
    """Compile an expression that yields an instant vector."""
    found: RowsOf | None = None
    match evaluator.bare(node):
        case promql_parser.VectorSelector() as selector if selector.at is None:
            found = _selector(selector, ages=False)
        case promql_parser.Call() as call:
            found = _call(call)
        case promql_parser.AggregateExpr() as aggregate:
            found = _aggregate(aggregate)
        case promql_parser.BinaryExpr() as binary:
            found = _binary(binary)
    return found or _pointwise(node)


def _scalars_of(node: Any) -> ScalarsOf:
    """Compile an expression that yields a scalar."""
    bare = evaluator.bare(node)
    if isinstance(bare, promql_parser.NumberLiteral):
        return lambda field: np.full(len(field.times), bare.val)
    if isinstance(bare, promql_parser.Call) and bare.func.name == "time":
        return lambda field: np.asarray(field.times / 1000)
    scalar = evaluator.scalar_of(bare)
    return lambda field: np.array(
        [scalar(value_types.Moment(field.store, at, at)) for at in field.times.tolist()],
        np.float64,
    )


def _selector(node: promql_parser.VectorSelector, *, ages: bool) -> RowsOf:
    """The newest samples within the lookback, or with ``ages`` their times in seconds."""
    matchers, offset = selectors.matchers_of(node), selectors.offset_of(node)

    def rows(field: Field) -> Rows:
        return [_newest(s, field.times - offset, ages) for s in field.store.select(matchers)]

    return (lambda field: grid_rows.distinct(rows(field))) if ages else rows


def _newest(series: series_store.Series, times: Times, ages: bool) -> grid_rows.Row:  # noqa: FBT001
    """See `series_store.Series.newest`."""
    labels = value_types.nameless(series.labels) if ages else series.labels
    whens, samples = np.array(series.times, np.int64), np.array(series.values, np.float64)
    if not len(whens):
        nothing = np.full(len(times), np.nan)
        return grid_rows.Row(labels, nothing, np.zeros(len(times), np.bool_))
    index = np.searchsorted(whens, times, "right") - 1
    present = (index >= 0) & (whens[index] > times - selectors.LOOKBACK)
    if series.has_stale:
        present &= ~series_store.stale(samples)[index]
    values = whens[index] / 1000 if ages else samples[index]
    return grid_rows.row(labels, values, present)


def _call(node: promql_parser.Call) -> RowsOf | None:
    name, arguments = node.func.name, [evaluator.bare(each) for each in node.args]
    if name in _LABELLERS:
        inner, texts = _rows_of(arguments[0]), [text.val for text in arguments[1:]]
        change = functools.partial(_LABELLERS[name], arguments=texts)
        return lambda field: grid_rows.relabelled(inner(field), change)
    match arguments:
        case [promql_parser.VectorSelector() as selector]:
            if name == "timestamp" and selector.at is None:
                return _selector(selector, ages=True)
        case [promql_parser.MatrixSelector() as matrix]:
            if name in range_windows.FUNCTIONS and matrix.vector_selector.at is None:
                return _windows(name, matrix)
    return None


def _windows(name: str, node: promql_parser.MatrixSelector) -> RowsOf:
    matchers = selectors.matchers_of(node.vector_selector)
    offset = selectors.offset_of(node.vector_selector)
    length = selectors.milliseconds(node.range)
    return lambda field: range_windows.apply(
        name, field.store.select(matchers), field.times - offset, length
    )


def _aggregate(node: promql_parser.AggregateExpr) -> RowsOf | None:
    operator, grouping = str(node.op), evaluator.grouping_of(node)
    if operator not in grid_rows.AGGREGATIONS:
        return None
    inner = _rows_of(node.expr)
    return lambda field: grid_rows.aggregate(operator, inner(field), grouping)


def _binary(node: promql_parser.BinaryExpr) -> RowsOf | None:
    operation = evaluator.operation_of(node)
    if evaluator.is_scalar(node.lhs) or evaluator.is_scalar(node.rhs):
        if operation.symbol not in grid_rows.OPERATORS:
            return None
        swapped = evaluator.is_scalar(node.lhs)
        vector, scalar = (node.rhs, node.lhs) if swapped else (node.lhs, node.rhs)
        rows, scalars = _rows_of(vector), _scalars_of(scalar)
        return lambda field: grid_rows.with_scalar(
            operation, rows(field), scalars(field), swapped=swapped
        )
    matching, left, right = evaluator.matching_of(node.modifier), node.lhs, node.rhs
    if operation.symbol in {"and", "or", "unless"}:
        mine, theirs = _rows_of(left), _rows_of(right)
        return lambda field: grid_rows.logical(
            operation.symbol, matching, mine(field), theirs(field)
        )
    if operation.symbol not in grid_rows.ARITHMETIC or matching.many:
        return None
    mine, theirs, otherwise = _rows_of(left), _rows_of(right), _pointwise(node)

    def paired(field: Field) -> Rows:
        found = grid_rows.pairs(operation, matching, mine(field), theirs(field))
        return otherwise(field) if found is None else found

    return paired


def _pointwise(node: Any) -> RowsOf:
    """An expression evaluated point by point."""
    vector = evaluator.vector_of(node)

    def rows(field: Field) -> Rows:
        found: dict[frozenset[tuple[str, str]], grid_rows.Row] = {}
        for column, at in enumerate(field.times.tolist()):
            for labels, value in vector(value_types.Moment(field.store, at, at)):
                key = frozenset(labels.items())
                if key not in found:
                    values = np.full(len(field.times), np.nan)
                    found[key] = grid_rows.Row(labels, values, ~field.always())
                found[key].values[column] = value
                found[key].present[column] = True
        return list(found.values())

    return rows
