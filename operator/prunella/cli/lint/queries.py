"""What a parsed PromQL query can return: its labels, its ranges, its filters.

Labels are followed from the selectors, which may carry any label, through every aggregation and
matching that drops some.  What is said here is about shape alone; no server is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SELECTING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
"""Aggregations that return some of their input as it was."""
COUNTER_FUNCTIONS = frozenset({"rate", "irate", "increase"})
WITHOUT_LABELS = frozenset({"vector", "time", "pi"})


@dataclasses.dataclass(frozen=True, slots=True)
class Labels:
    """A set of labels: just ``names``, or with ``others`` every label but ``names``."""

    names: frozenset[str] = frozenset()
    others: bool = False

    def __contains__(self, label: str) -> bool:
        return (label in self.names) is not self.others

    def only(self, names: frozenset[str]) -> Labels:
        """Those of ``names`` that are in the set."""
        return Labels(frozenset(name for name in names if name in self))

    def without(self, names: frozenset[str]) -> Labels:
        """The set without ``names``."""
        return Labels(self.names | names if self.others else self.names - names, self.others)

    def plus(self, names: frozenset[str]) -> Labels:
        """The set and ``names``."""
        return Labels(self.names - names if self.others else self.names | names, self.others)

    def union(self, other: Labels) -> Labels:
        """Labels of either set."""
        if self.others and other.others:
            return Labels(self.names & other.names, others=True)
        if self.others:
            return self.plus(other.names)
        return other.plus(self.names)


NONE, ANY = Labels(), Labels(others=True)


def labels(expression: Any) -> Labels:
    """Labels that series of this expression may carry."""
    for kind, follow in _FOLLOW:
        if isinstance(expression, kind):
            return follow(expression)
    return NONE


def _of_selector(_: Any) -> Labels:
    return ANY


def _of_inner(expression: Any) -> Labels:
    return labels(expression.expr)


def _of_aggregation(expression: Any) -> Labels:
    inner, operator = labels(expression.expr), str(expression.op)
    if operator in SELECTING:
        return inner
    kept = NONE
    if expression.modifier is not None:
        names = frozenset(expression.modifier.labels)
        without = expression.modifier.type == promql_parser.AggModifierType.Without
        kept = inner.without(names) if without else inner.only(names)
    if operator == "count_values":
        return kept.plus(frozenset({expression.param.val}))
    return kept


def _of_call(expression: Any) -> Labels:
    name, arguments = expression.func.name, expression.args
    if name in WITHOUT_LABELS or not arguments:
        return NONE
    if name.startswith("absent"):
        return _of_absent(arguments[0])
    vectors = [each for each in arguments if not _is_literal(each)]
    inner = labels(vectors[-1]) if vectors else NONE
    if name in {"label_replace", "label_join"}:
        return inner.plus(frozenset({arguments[1].val}))
    if name.startswith("histogram_quantile"):
        return inner.without(frozenset({"le"}))
    return NONE if name == "scalar" else inner


def _of_absent(expression: Any) -> Labels:
    """``absent`` makes up a series from what its selector compares with ``=``."""
    selector = getattr(expression, "vector_selector", expression)
    if not isinstance(selector, promql_parser.VectorSelector):
        return NONE
    equal = promql_parser.MatchOp.Equal
    return Labels(frozenset(m.name for m in selector.matchers.matchers if m.op == equal))


def _of_binary(expression: Any) -> Labels:
    left, right = expression.lhs, expression.rhs
    if is_scalar(right):
        return labels(left)
    if is_scalar(left):
        return labels(right)
    operator, modifier = str(expression.op), expression.modifier
    if operator == "or":
        return labels(left).union(labels(right))
    if operator in {"and", "unless"} or modifier is None:
        return labels(left)
    card = modifier.card
    if card == promql_parser.VectorMatchCardinality.OneToMany:
        return labels(right).plus(frozenset(modifier.group_labels or ()))
    if card == promql_parser.VectorMatchCardinality.ManyToOne:
        return labels(left).plus(frozenset(modifier.group_labels or ()))
    if modifier.matching is None:
        return labels(left)
    names = frozenset(modifier.matching.labels)
    on = modifier.matching.type == promql_parser.LabelModifierType.Include
    return labels(left).only(names) if on else labels(left).without(names)


def _is_literal(expression: Any) -> bool:
    return isinstance(expression, promql_parser.NumberLiteral | promql_parser.StringLiteral)


def is_scalar(expression: Any) -> bool:
    """Whether an expression is one number without labels."""
    if isinstance(expression, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return is_scalar(expression.expr)
    if isinstance(expression, promql_parser.Call):
        return bool(expression.func.return_type == promql_parser.ValueType.Scalar)
    if isinstance(expression, promql_parser.BinaryExpr):
        return is_scalar(expression.lhs) and is_scalar(expression.rhs)
    return _is_literal(expression)


_FOLLOW: tuple[tuple[Any, Callable[[Any], Labels]], ...] = (
    (promql_parser.VectorSelector, _of_selector),
    (promql_parser.MatrixSelector, _of_selector),
    (promql_parser.SubqueryExpr, _of_inner),
    (promql_parser.ParenExpr, _of_inner),
    (promql_parser.UnaryExpr, _of_inner),
    (promql_parser.AggregateExpr, _of_aggregation),
    (promql_parser.Call, _of_call),
    (promql_parser.BinaryExpr, _of_binary),
)


def filters(expression: Any) -> bool:
    """Whether the outermost operation drops series by comparing them."""
    if isinstance(expression, promql_parser.ParenExpr):
        return filters(expression.expr)
    if not isinstance(expression, promql_parser.BinaryExpr):
        return False
    returns_bool = expression.modifier is not None and expression.modifier.return_bool
    scalars = is_scalar(expression.lhs) and is_scalar(expression.rhs)
    return str(expression.op) in COMPARISONS and not returns_bool and not scalars


def namespaces(expression: Any) -> Iterator[str]:
    """Namespaces that selectors ask for by name."""
    found: list[str] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.extend(
                matcher.value
                for matcher in node.matchers.matchers
                if matcher.name == "namespace" and matcher.op == promql_parser.MatchOp.Equal
            )
        return True

    promql_parser.walk(expression, visit)
    yield from found


def counter_ranges(expression: Any) -> Iterator[float]:
    """Ranges, in seconds, over which counters are read by rate, irate or increase."""
    found: list[float] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.Call) and node.func.name in COUNTER_FUNCTIONS:
            found.extend(
                argument.range.total_seconds()
                for argument in node.args
                if isinstance(argument, promql_parser.MatrixSelector)
            )
        return True

    promql_parser.walk(expression, visit)
    yield from found
