"""Read, confine and measure PromQL without asking anybody.

A query is parsed by promql-parser, changed as a tree and written out again, never edited as
text; what can't be understood is refused.  Grammar: Prometheus documentation, "Querying basics";
``or`` between matchers is of VictoriaMetrics.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import promql_parser

_MOST_LEVELS: Final = 40
"""Rewriting a tree costs the cube of its depth in promql-parser: 200 levels take 8 s."""
_MOST_OPERATORS: Final = 500
_MOST_CHARACTERS: Final = 16_384
_EXCERPT: Final = 120
_OPERATOR: Final = re.compile(r"[-+*/%^(<>]")
_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_SYMBOLS: Final = (
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)

_Groups = list[list[promql_parser.Matcher]]


class PromqlError(ValueError):
    """A query that can't be parsed, confined or judged: what is wrong, and an excerpt of it."""

    def __init__(self, problem: str, query: str) -> None:
        flat = " ".join(query.split())
        excerpt = flat if len(flat) <= _EXCERPT else f"{flat[:_EXCERPT]}..."
        super().__init__(f"{problem} (query: {excerpt})")


def validate(query: str) -> None:
    """Make sure that a query can be a signal: it reads series and yields a vector or a scalar.

    Raises PromqlError.
    """
    tree = _parse(query)
    kind = _type_of(tree)
    if kind not in {"vector", "scalar"}:
        hint = "put a function such as rate() around it" if kind == "matrix" else "name a metric"
        raise PromqlError(f"the query yields a {kind}, not an instant vector: {hint}", query)
    if not any(True for _ in _selectors(tree)):
        raise PromqlError("the query reads no series: name a metric in it", query)


def confine(
    query: str, label: str, namespace: str, matchers: Mapping[str, str] | None = None
) -> str:
    """The same query, every selector of which has ``label="namespace"``; on one line.

    ``matchers`` are further labels with the value that each must have, such as the cluster's.
    A matcher on such a label that is there already is kept beside it, so that nothing is
    ever widened.  The text is parsed again and looked through before it is returned.
    Raises PromqlError.
    """
    if not label or not namespace:
        raise PromqlError("no label or no namespace to confine the query to", query)
    own = [promql_parser.Matcher(promql_parser.MatchOp.Equal, label, namespace)]
    own += [
        promql_parser.Matcher(promql_parser.MatchOp.Equal, name, value)
        for name, value in (matchers or {}).items()
    ]
    return with_matchers(query, own, f"confined to {namespace}")


def matched(query: str, matchers: Mapping[str, str]) -> str:
    """The query, every selector of which has the labels with their values. Raises PromqlError."""
    own = [
        promql_parser.Matcher(promql_parser.MatchOp.Equal, name, value)
        for name, value in matchers.items()
    ]
    return with_matchers(query, own, "matched") if own else query


def with_matchers(query: str, own: Sequence[promql_parser.Matcher], purpose: str) -> str:
    """The query with matchers added to each selector, parsed again and looked through.

    ``purpose`` says in an error what can't be done.  Raises PromqlError.
    """

    def add(node: promql_parser.Expr) -> promql_parser.Expr | None:
        if not isinstance(node, promql_parser.VectorSelector):
            return None
        groups = [[*g, *(m for m in own if not _has(g, m))] for g in _groups(node)]
        text = _selector_text(node.name, groups) + _modifiers_text(node)
        return promql_parser.parse(text)

    tree = _parse(query)
    try:
        changed = promql_parser.transform(tree, None, add)
        # A newline in a string is written as an escape, so these only break long lines.
        text = " ".join(line.strip() for line in changed.prettify().split("\n"))
        groups = [group for node in _selectors(_parse(text)) for group in _groups(node)]
    except ValueError as error:
        raise PromqlError(f"the query can't be {purpose}: {error}", query) from error
    if not all(_has(group, each) for group in groups for each in own):
        raise PromqlError(f"the query can't be {purpose}", query)
    return text


def matcher_groups(query: str) -> list[list[promql_parser.Matcher]]:
    """The matchers of each selector, and of each alternative of one. Raises PromqlError."""
    return [group for node in _selectors(_parse(query)) for group in _groups(node)]


def leaves(query: str) -> tuple[str, ...]:
    """The distinct selectors of a query, without range, offset and ``@``, in their order.

    Raises PromqlError.
    """
    found = (_selector_text(node.name, _groups(node)) for node in _selectors(_parse(query)))
    return tuple(dict.fromkeys(found))


def longest_range(query: str) -> float:
    """Seconds that a value of the query looks back at most; 0.0 for plain selectors.

    Ranges and offsets inside each other add up.  Raises PromqlError.
    """
    return _reach(_parse(query))


@dataclasses.dataclass(frozen=True, slots=True)
class Ranged:
    """A function of a selector's range, such as ``rate(x[5m])``."""

    function: str
    selector: str
    seconds: float


def ranges(query: str) -> tuple[Ranged, ...]:
    """The functions of a range of samples in a query; subqueries are none. Raises PromqlError."""
    found = []
    for node in _walk(_parse(query), query):
        if not isinstance(node, promql_parser.Call):
            continue
        for each in node.args:
            if isinstance(each, promql_parser.MatrixSelector):
                selector = each.vector_selector
                text = _selector_text(selector.name, _groups(selector))
                found.append(Ranged(node.func.name, text, _seconds(each.range)))
    return tuple(dict.fromkeys(found))


def plain_selectors(query: str) -> tuple[str, ...]:
    """The selectors of a query that have no range of samples. Raises PromqlError."""
    return tuple(dict.fromkeys(_plain(_parse(query))))


def _plain(node: promql_parser.Expr) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        yield _selector_text(node.name, _groups(node))
    elif not isinstance(node, promql_parser.MatrixSelector):
        for child in _children(node):
            yield from _plain(child)


def reads_range_bounds(query: str) -> bool:
    """Whether a query has ``@ start()`` or ``@ end()``: in pieces it would mean other times.

    Raises PromqlError.
    """
    return any(
        isinstance(node, promql_parser.VectorSelector | promql_parser.SubqueryExpr)
        and node.at is not None
        for node in _walk(_parse(query), query)
    )


def events_window(query: str) -> float | None:
    """Seconds to multiply the query's value by to have a number of events.

    The range of ``rate`` or ``irate``, 1.0 where the query counts with ``increase``, the
    smallest when there are several: too few events make a verdict Unknown, which is the
    safe side.  None when there is none of them, as for a recorded rate: its window can't be
    known, so a caller should count the value as it is (1.0).  Raises PromqlError.
    """
    return min(_windows(_parse(query)), default=None)


def _parse(query: str) -> promql_parser.Expr:
    """Parse a query and refuse what could read more than it shows; raises PromqlError."""
    if len(query) > _MOST_CHARACTERS or len(_OPERATOR.findall(query)) > _MOST_OPERATORS:
        raise PromqlError("the query is too long: record parts of it by rules", query)
    try:
        tree: promql_parser.Expr = promql_parser.parse(query)
    except (ValueError, OverflowError) as error:
        hint = "; in backticks, write strings in double quotes instead" if "`" in query else ""
        raise PromqlError(f"the query is not PromQL: {error}{hint}", query) from error
    for node in _walk(tree, query):
        if isinstance(node, promql_parser.Call) and node.func.name == "info":
            # It joins metadata of any series that has the same job and instance.
            raise PromqlError(
                "info() can't be confined to a namespace: join with group_left", query
            )
        if _reads_fixed_time(node):
            raise PromqlError(
                "@ with a fixed time always reads the same old data: use offset", query
            )
    return tree


def _walk(tree: promql_parser.Expr, query: str) -> Iterator[promql_parser.Expr]:
    """All nodes, parents first; raises PromqlError for a tree that is too deep."""
    todo = [(tree, 1)]
    while todo:
        node, level = todo.pop()
        if level > _MOST_LEVELS:
            problem = f"the query is nested or chained more than {_MOST_LEVELS} levels deep"
            raise PromqlError(problem, query)
        yield node
        todo.extend((child, level + 1) for child in reversed(_children(node)))


def _children(node: promql_parser.Expr) -> tuple[promql_parser.Expr, ...]:
    match node:
        case promql_parser.AggregateExpr():
            return (node.expr,) if node.param is None else (node.param, node.expr)
        case promql_parser.BinaryExpr():
            return node.lhs, node.rhs
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return (node.expr,)
        case promql_parser.Call():
            return tuple(node.args)
        case promql_parser.MatrixSelector():
            return (node.vector_selector,)
    return ()


def _selectors(tree: promql_parser.Expr) -> Iterator[promql_parser.VectorSelector]:
    for child in _children(tree):
        yield from _selectors(child)
    if isinstance(tree, promql_parser.VectorSelector):
        yield tree


def _reads_fixed_time(node: promql_parser.Expr) -> bool:
    if not isinstance(node, promql_parser.VectorSelector | promql_parser.SubqueryExpr):
        return False
    return node.at is not None and node.at.type == promql_parser.AtModifierType.At


def _type_of(node: promql_parser.Expr) -> str:
    """``vector``, ``scalar``, ``matrix`` or ``string``."""
    match node:
        case promql_parser.NumberLiteral():
            return "scalar"
        case promql_parser.StringLiteral():
            return "string"
        case promql_parser.MatrixSelector() | promql_parser.SubqueryExpr():
            return "matrix"
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return _type_of(node.expr)
        case promql_parser.BinaryExpr():
            sides = {_type_of(node.lhs), _type_of(node.rhs)}
            return "vector" if "vector" in sides else "scalar"
        case promql_parser.Call():
            scalar = node.func.return_type == promql_parser.ValueType.Scalar
            return "scalar" if scalar else "vector"
    return "vector"


def _reach(node: promql_parser.Expr) -> float:
    own = 0.0
    if isinstance(node, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        own += _seconds(node.range)
    if isinstance(node, promql_parser.VectorSelector | promql_parser.SubqueryExpr):
        own += max(_seconds(node.offset), 0.0)
    return own + max((_reach(child) for child in _children(node)), default=0.0)


def _windows(node: promql_parser.Expr) -> Iterator[float]:
    if isinstance(node, promql_parser.Call) and node.func.name in {"rate", "irate", "increase"}:
        yield 1.0 if node.func.name == "increase" else _seconds(_range_of(node.args[0]))
    for child in _children(node):
        yield from _windows(child)


def _range_of(node: promql_parser.Expr) -> datetime.timedelta | None:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    if isinstance(node, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        return node.range
    return None


def _seconds(duration: datetime.timedelta | None) -> float:
    return 0.0 if duration is None else duration.total_seconds()


def _groups(node: promql_parser.VectorSelector) -> _Groups:
    """The alternatives of a selector, each a list of matchers; only one without ``or``."""
    common, either = node.matchers.matchers, node.matchers.or_matchers
    return [[*common, *group] for group in either] if either else [list(common)]


def _has(group: Sequence[promql_parser.Matcher], own: promql_parser.Matcher) -> bool:
    return any((m.op, m.name, m.value) == (own.op, own.name, own.value) for m in group)


def _selector_text(name: str | None, groups: _Groups) -> str:
    inner = " or ".join(", ".join(_matcher_text(m) for m in group) for group in groups)
    return (name or "") + (f"{{{inner}}}" if inner else "")


def _matcher_text(matcher: promql_parser.Matcher) -> str:
    """Written here, because the ``str`` of promql-parser does not escape values."""
    symbol = next(symbol for op, symbol in _SYMBOLS if op == matcher.op)
    return f"{name_text(matcher.name)}{symbol}{_string_text(matcher.value)}"


def name_text(name: str) -> str:
    """A label's name as PromQL writes it: in quotes where it is no plain name."""
    return name if _PLAIN_NAME.fullmatch(name) else _string_text(name)


def _string_text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


def _modifiers_text(node: promql_parser.VectorSelector) -> str:
    text = ""
    if node.at is not None:
        text += " @ start()" if node.at.type == promql_parser.AtModifierType.Start else " @ end()"
    if node.offset:
        milliseconds = round(_seconds(node.offset) * 1000)
        text += f" offset {'-' if milliseconds < 0 else ''}{abs(milliseconds)}ms"
    return text
