"""Counters that are read without a rate, and functions that are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import promql_parser

from prunella.cli.lint import queries

COUNTER_NAME = re.compile(r".*_(total|bucket|(seconds|bytes)_(count|sum))")
"""Names that the conventions of OpenMetrics leave to counters."""
KEEPING = frozenset(
    {
        *("abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc"),
        *("label_replace", "label_join"),
        *("last_over_time", "max_over_time", "min_over_time", "avg_over_time", "sum_over_time"),
    }
)
"""Functions of a counter that still only grow."""
COUNTING = frozenset({"count", "group", "count_values"})
"""Aggregations that do not look at the values that they are given."""


def raw(expression: Any) -> Iterator[str]:
    """Counters that the result still grows with, for want of a rate."""
    for kind, inner in _COUNTED:
        if isinstance(expression, kind):
            for each in inner(expression):
                yield from raw(each)
    name = getattr(expression, "name", None)
    if isinstance(expression, promql_parser.VectorSelector) and COUNTER_NAME.fullmatch(name or ""):
        yield str(name)


def _counted_in_aggregation(expression: Any) -> list[Any]:
    return [] if str(expression.op) in COUNTING else [expression.expr]


def _counted_in_call(expression: Any) -> list[Any]:
    return list(expression.args) if expression.func.name in KEEPING else []


def _counted_in_binary(expression: Any) -> list[Any]:
    """A difference or a quotient of two counters may well not grow."""
    left, right = expression.lhs, expression.rhs
    if queries.is_scalar(left) or queries.is_scalar(right) or str(expression.op) == "+":
        return [left, right]
    return [left] if str(expression.op) in {"and", "unless", *queries.COMPARISONS} else []


_COUNTED: tuple[tuple[Any, Callable[[Any], list[Any]]], ...] = (
    (promql_parser.MatrixSelector, lambda each: [each.vector_selector]),
    (promql_parser.ParenExpr, lambda each: [each.expr]),
    (promql_parser.UnaryExpr, lambda each: [each.expr]),
    (promql_parser.AggregateExpr, _counted_in_aggregation),
    (promql_parser.Call, _counted_in_call),
    (promql_parser.BinaryExpr, _counted_in_binary),
)


def calls(expression: Any, names: Collection[str]) -> bool:
    """Whether one of these functions is called anywhere."""
    found: list[str] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.Call):
            found.append(node.func.name)
        return True

    promql_parser.walk(expression, visit)
    return any(name in names for name in found)
