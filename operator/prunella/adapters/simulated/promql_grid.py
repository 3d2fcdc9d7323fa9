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

from prunella.adapters.simulated import (
    promql,
    promql_functions,
    promql_rows,
    promql_selectors,
    promql_values,
    promql_windows,
    tsdb,
)

Rows = promql_rows.Rows
Times = promql_rows.Times
_LABELLERS = {
    "label_join": promql_functions.label_join,
    "label_replace": promql_functions.label_replace,
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Where and at which points an expression is evaluated."""

    store: tsdb.SeriesStore
    times: Times

    def always(self) -> promql_rows.Bools:
        """Present at all points."""
        return np.ones(len(self.times), np.bool_)


RowsOf = Callable[[Field], Rows]
ScalarsOf = Callable[[Field], promql_rows.Floats]


def evaluate(store: tsdb.SeriesStore, query: str, times: Times) -> Rows:
    """The series with at least one sample; a scalar is a series without labels.

    ``times`` in milliseconds.  Raises EvaluationError, also where a single point can't be
    evaluated.
    """
    rows = _compiled(query)(Field(store, times))
    return [row for row in rows if row.present.any()]


@functools.lru_cache(maxsize=1024)
def _compiled(query: str) -> RowsOf:
    promql.compiled(query)  # refuses what is refused at a single point
    node = promql_parser.parse(query)
    if not promql.is_scalar(node):
        return _rows_of(node)
    scalars = _scalars_of(node)
    return lambda field: [promql_rows.Row({}, scalars(field), field.always())]


def _rows_of(node: Any) -> RowsOf:
    """Compile an expression that yields an instant vector."""
    found: RowsOf | None = None
    match promql.bare(node):
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
    bare = promql.bare(node)
    if isinstance(bare, promql_parser.NumberLiteral):
        return lambda field: np.full(len(field.times), bare.val)
    if isinstance(bare, promql_parser.Call) and bare.func.name == "time":
        return lambda field: np.asarray(field.times / 1000)
    scalar = promql.scalar_of(bare)
    return lambda field: np.array(
        [scalar(promql_values.Moment(field.store, at, at)) for at in field.times.tolist()],
        np.float64,
    )


def _selector(node: promql_parser.VectorSelector, *, ages: bool) -> RowsOf:
    """The newest samples within the lookback, or with ``ages`` their times in seconds."""
    matchers, offset = promql_selectors.matchers_of(node), promql_selectors.offset_of(node)

    def rows(field: Field) -> Rows:
        return [_newest(s, field.times - offset, ages) for s in field.store.select(matchers)]

    return (lambda field: promql_rows.distinct(rows(field))) if ages else rows


def _newest(series: tsdb.Series, times: Times, ages: bool) -> promql_rows.Row:  # noqa: FBT001
    """See `tsdb.Series.newest`."""
    labels = promql_values.nameless(series.labels) if ages else series.labels
    whens, samples = np.array(series.times, np.int64), np.array(series.values, np.float64)
    if not len(whens):
        nothing = np.full(len(times), np.nan)
        return promql_rows.Row(labels, nothing, np.zeros(len(times), np.bool_))
    index = np.searchsorted(whens, times, "right") - 1
    present = (index >= 0) & (whens[index] > times - promql_selectors.LOOKBACK)
    if series.has_stale:
        present &= ~tsdb.stale(samples)[index]
    values = whens[index] / 1000 if ages else samples[index]
    return promql_rows.row(labels, values, present)


def _call(node: promql_parser.Call) -> RowsOf | None:
    name, arguments = node.func.name, [promql.bare(each) for each in node.args]
    if name in _LABELLERS:
        inner, texts = _rows_of(arguments[0]), [text.val for text in arguments[1:]]
        change = functools.partial(_LABELLERS[name], arguments=texts)
        return lambda field: promql_rows.relabelled(inner(field), change)
    match arguments:
        case [promql_parser.VectorSelector() as selector]:
            if name == "timestamp" and selector.at is None:
                return _selector(selector, ages=True)
        case [promql_parser.MatrixSelector() as matrix]:
            if name in promql_windows.FUNCTIONS and matrix.vector_selector.at is None:
                return _windows(name, matrix)
    return None


def _windows(name: str, node: promql_parser.MatrixSelector) -> RowsOf:
    matchers = promql_selectors.matchers_of(node.vector_selector)
    offset = promql_selectors.offset_of(node.vector_selector)
    length = promql_selectors.milliseconds(node.range)
    return lambda field: promql_windows.apply(
        name, field.store.select(matchers), field.times - offset, length
    )


def _aggregate(node: promql_parser.AggregateExpr) -> RowsOf | None:
    operator, grouping = str(node.op), promql.grouping_of(node)
    if operator not in promql_rows.AGGREGATIONS:
        return None
    inner = _rows_of(node.expr)
    return lambda field: promql_rows.aggregate(operator, inner(field), grouping)


def _binary(node: promql_parser.BinaryExpr) -> RowsOf | None:
    operation = promql.operation_of(node)
    if promql.is_scalar(node.lhs) or promql.is_scalar(node.rhs):
        if operation.symbol not in promql_rows.OPERATORS:
            return None
        swapped = promql.is_scalar(node.lhs)
        vector, scalar = (node.rhs, node.lhs) if swapped else (node.lhs, node.rhs)
        rows, scalars = _rows_of(vector), _scalars_of(scalar)
        return lambda field: promql_rows.with_scalar(
            operation, rows(field), scalars(field), swapped=swapped
        )
    matching, left, right = promql.matching_of(node.modifier), node.lhs, node.rhs
    if operation.symbol in {"and", "or", "unless"}:
        mine, theirs = _rows_of(left), _rows_of(right)
        return lambda field: promql_rows.logical(
            operation.symbol, matching, mine(field), theirs(field)
        )
    if operation.symbol not in promql_rows.ARITHMETIC or matching.many:
        return None
    mine, theirs, otherwise = _rows_of(left), _rows_of(right), _pointwise(node)

    def paired(field: Field) -> Rows:
        found = promql_rows.pairs(operation, matching, mine(field), theirs(field))
        return otherwise(field) if found is None else found

    return paired


def _pointwise(node: Any) -> RowsOf:
    """An expression evaluated point by point."""
    vector = promql.vector_of(node)

    def rows(field: Field) -> Rows:
        found: dict[frozenset[tuple[str, str]], promql_rows.Row] = {}
        for column, at in enumerate(field.times.tolist()):
            for labels, value in vector(promql_values.Moment(field.store, at, at)):
                key = frozenset(labels.items())
                if key not in found:
                    values = np.full(len(field.times), np.nan)
                    found[key] = promql_rows.Row(labels, values, ~field.always())
                found[key].values[column] = value
                found[key].present[column] = True
        return list(found.values())

    return rows
