"""Evaluate PromQL over a SeriesStore at one time, with the semantics of Prometheus 3.

A query is parsed once by ``promql-parser`` and compiled into nested functions of a Moment, so
that what is not supported is refused before any data is looked at.  Native histograms,
experimental functions and the ``fill`` modifiers are not supported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import promql_parser

from prunella.promql import (
    aggregations,
    binary_operators,
    functions,
    range_functions,
    selectors,
    series_store,
    value_types,
)

EvaluationError = value_types.EvaluationError
Sample = value_types.Sample
Scalar = value_types.Scalar
Vector = value_types.Vector

Moment = value_types.Moment
Points = value_types.Points
ScalarOf = value_types.ScalarOf
VectorOf = value_types.VectorOf

_LOGICAL: Final = frozenset({"and", "or", "unless"})
_ORDERS: Final = {"sort": False, "sort_desc": True}
_LABELLERS: Final = {
    "label_join": functions.label_join,
    "label_replace": functions.label_replace,
}


def evaluate(store: series_store.SeriesStore, query: str, at: float) -> Vector | Scalar:
    """The result of an instant query at ``at`` (seconds since the epoch).

    Raises EvaluationError for what Prometheus would refuse and for what is not supported.
    """
    when = series_store.to_milliseconds(at)
    value = compiled(query)(Moment(store, when, when))
    if isinstance(value, float):
        return Scalar(float(at), value)
    return Vector(tuple(Sample(dict(labels), float(at), number) for labels, number in value))


@functools.lru_cache(maxsize=1024)
def compiled(query: str) -> Callable[[Moment], Points | float]:
    """A query as a function of a moment. Raises EvaluationError."""
    try:
        node = promql_parser.parse(query)
        # Reading a time before the epoch makes the parser's binding panic.
        if "@" in query and "tv_sec: -" in repr(node):
            raise EvaluationError(f"{query!r}: a time before 1970 after @ is not supported")
        return scalar_of(node) if is_scalar(node) else vector_of(node)
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"{query!r} is not valid PromQL: {error}") from error


def is_scalar(node: Any) -> bool:
    """Whether an expression yields a scalar."""
    match node:
        case promql_parser.NumberLiteral():
            return True
        case promql_parser.Call():
            return bool(node.func.return_type == promql_parser.ValueType.Scalar)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return is_scalar(node.expr)
        case promql_parser.BinaryExpr():
            return is_scalar(node.lhs) and is_scalar(node.rhs)
    return False


def bare(node: Any) -> Any:
    """The expression without the parentheses around it."""
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return node


def scalar_of(node: Any) -> ScalarOf:
    """Compile an expression that yields a scalar. Raises EvaluationError."""
    match bare(node):
        case promql_parser.NumberLiteral() as literal:
            return _constant(literal.val)
        case promql_parser.UnaryExpr() as unary:
            inner = scalar_of(unary.expr)
            return lambda moment: -inner(moment)
        case promql_parser.BinaryExpr() as binary:
            return _scalar_binary(binary)
        case promql_parser.Call() as call if call.func.name == "time":
            return lambda moment: moment.at / 1000
        case promql_parser.Call() as call if call.func.name == "scalar":
            vector = vector_of(call.args[0])
            return lambda moment: functions.to_scalar(vector(moment))
        case promql_parser.Call() as call:
            raise _unsupported(call.func.name)
        case other:
            raise EvaluationError(f"a scalar was expected, but {other} is none")


def _constant(value: float) -> ScalarOf:
    return lambda _: value


def vector_of(node: Any) -> VectorOf:
    """Compile an expression that yields an instant vector. Raises EvaluationError."""
    match bare(node):
        case promql_parser.VectorSelector() as selector:
            return selectors.instant(selector)
        case promql_parser.Call() as call:
            return _call(call)
        case promql_parser.AggregateExpr() as aggregate:
            return _aggregate(aggregate)
        case promql_parser.BinaryExpr() as binary:
            return _binary(binary)
        case promql_parser.UnaryExpr() as unary:
            return _each(lambda value: -value, unary.expr, [])
        case promql_parser.StringLiteral():
            raise EvaluationError("the result is a string: only vectors and scalars are supported")
        case other:
            raise EvaluationError(
                f"{other} is a range vector: only instant vectors and scalars are supported as"
                " results, so put a function such as rate() around it"
            )


def _windows(node: Any) -> value_types.WindowsOf:
    """Compile an expression that yields a range vector."""
    ranged = bare(node)
    if isinstance(ranged, promql_parser.SubqueryExpr):
        return selectors.subquery(ranged, vector_of(ranged.expr))
    return selectors.windows(ranged)


def _unsupported(name: str) -> EvaluationError:
    return EvaluationError(f"the function {name}() is not supported")


def _call(node: promql_parser.Call) -> VectorOf:
    """Compile a function that yields a vector."""
    name, arguments = node.func.name, node.args
    if name in range_functions.FUNCTIONS:
        return _range_call(name, arguments)
    if name in functions.EACH:
        return _each(functions.EACH[name], arguments[0], arguments[1:])
    if name in functions.DATES:
        subject = vector_of(arguments[0]) if arguments else _now
        function = functions.DATES[name]
        return lambda moment: functions.each(function, subject(moment), ())
    if name in _ORDERS:
        inner = vector_of(arguments[0])
        return lambda moment: functions.ordered(inner(moment), descending=_ORDERS[name])
    if name in _LABELLERS:
        inner, texts = vector_of(arguments[0]), [bare(text).val for text in arguments[1:]]
        return lambda moment: _LABELLERS[name](inner(moment), texts)
    return _special_call(name, arguments)


def _special_call(name: str, arguments: Sequence[Any]) -> VectorOf:
    match name:
        case "vector":
            number = scalar_of(arguments[0])
            return lambda moment: [({}, number(moment))]
        case "timestamp":
            return _timestamp(arguments[0])
        case "absent" | "absent_over_time":
            return _absent(name, arguments[0])
        case "histogram_quantile":
            fraction, buckets = scalar_of(arguments[0]), vector_of(arguments[1])
            return lambda moment: functions.histogram_quantile(buckets(moment), fraction(moment))
    raise _unsupported(name)


def _now(moment: Moment) -> Points:
    return [({}, moment.at / 1000)]


def _each(function: Callable[..., float | None], subject: Any, params: Sequence[Any]) -> VectorOf:
    vector, scalars = vector_of(subject), [scalar_of(each) for each in params]
    return lambda moment: functions.each(
        function, vector(moment), [scalar(moment) for scalar in scalars]
    )


def _range_call(name: str, arguments: Sequence[Any]) -> VectorOf:
    scalars = [scalar_of(each) for each in arguments if is_scalar(each)]
    windows = next(_windows(each) for each in arguments if not is_scalar(each))
    return lambda moment: range_functions.apply(
        name, windows(moment), [scalar(moment) for scalar in scalars]
    )


def _timestamp(subject: Any) -> VectorOf:
    """Only of a bare selector is the time that of the sample: any other value is made now."""
    selector = bare(subject)
    if isinstance(selector, promql_parser.VectorSelector):
        return selectors.timestamps(selector)
    vector = vector_of(selector)
    return lambda moment: functions.each(lambda _: moment.at / 1000, vector(moment), ())


def _absent(name: str, subject: Any) -> VectorOf:
    labels = selectors.absent_labels(bare(subject))
    found: Callable[[Moment], Sequence[object]] = (
        vector_of(subject) if name == "absent" else _windows(subject)
    )
    return lambda moment: [] if found(moment) else [(labels, 1.0)]


def _aggregate(node: promql_parser.AggregateExpr) -> VectorOf:
    """Compile an aggregation."""
    name, vector, grouping = str(node.op), vector_of(node.expr), grouping_of(node)
    if name in aggregations.SIMPLE:
        return lambda moment: aggregations.simple(name, vector(moment), grouping)
    if name == "count_values":
        label = bare(node.param).val
        return lambda moment: aggregations.count_values(vector(moment), grouping, label)
    if name not in {"topk", "bottomk", "quantile"}:
        raise EvaluationError(f"the aggregation operator {name} is not supported")
    param = scalar_of(node.param)
    if name == "quantile":
        return lambda moment: aggregations.quantile(vector(moment), grouping, param(moment))
    return lambda moment: aggregations.extremes(
        vector(moment), grouping, param(moment), descending=name == "topk"
    )


def grouping_of(node: promql_parser.AggregateExpr) -> aggregations.Grouping:
    """What an aggregation keeps apart."""
    if node.modifier is None:
        return aggregations.Grouping()
    without = node.modifier.type == promql_parser.AggModifierType.Without
    return aggregations.Grouping(tuple(node.modifier.labels), without=without)


def operation_of(node: promql_parser.BinaryExpr) -> binary_operators.Operation:
    """The operator of a binary expression."""
    returns_bool = node.modifier is not None and node.modifier.return_bool
    return binary_operators.Operation(str(node.op), returns_bool)


def _scalar_binary(node: promql_parser.BinaryExpr) -> ScalarOf:
    operation, left, right = operation_of(node), scalar_of(node.lhs), scalar_of(node.rhs)
    return lambda moment: binary_operators.scalars(operation, left(moment), right(moment))


def _binary(node: promql_parser.BinaryExpr) -> VectorOf:
    """Compile a binary operation of which at least one side is a vector."""
    operation = operation_of(node)
    if is_scalar(node.rhs):
        vector, scalar = vector_of(node.lhs), scalar_of(node.rhs)
        return lambda moment: binary_operators.vector_scalar(
            operation, vector(moment), scalar(moment)
        )
    if is_scalar(node.lhs):
        scalar, vector = scalar_of(node.lhs), vector_of(node.rhs)
        return lambda moment: binary_operators.scalar_vector(
            operation, scalar(moment), vector(moment)
        )
    matching, left, right = matching_of(node.modifier), vector_of(node.lhs), vector_of(node.rhs)
    if operation.symbol in _LOGICAL:
        return lambda moment: binary_operators.logical(
            operation.symbol, matching, left(moment), right(moment)
        )
    return lambda moment: binary_operators.vectors(operation, matching, left(moment), right(moment))


def matching_of(modifier: promql_parser.BinModifier | None) -> binary_operators.Matching:
    """How a binary expression pairs elements. Raises EvaluationError."""
    if modifier is None:
        return binary_operators.Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise EvaluationError("the fill modifiers of binary operators are not supported")
    many = ""
    if modifier.card == promql_parser.VectorMatchCardinality.ManyToOne:
        many = "left"
    elif modifier.card == promql_parser.VectorMatchCardinality.OneToMany:
        many = "right"
    include = tuple(modifier.group_labels or ())
    if modifier.matching is None:
        return binary_operators.Matching(many=many, include=include)
    on = modifier.matching.type == promql_parser.LabelModifierType.Include
    return binary_operators.Matching(tuple(modifier.matching.labels), on, many, include)
