"""Writing a parsed PromQL expression as text again, with every value quoted.

promql-parser's own text does not escape quotes in matchers and loses the colon of a subquery
without a step; a query that is confined by adding a matcher must not be changed by either.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import promql_parser as parser

_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OPERATORS: Final = {
    str(parser.MatchOp.Equal): "=",
    str(parser.MatchOp.NotEqual): "!=",
    str(parser.MatchOp.Re): "=~",
    str(parser.MatchOp.NotRe): "!~",
}
Extra = Any
"""A matcher that is added to every selector, or None."""


class UnwritableError(Exception):
    """A construct that can't be written again, such as one that is newer than this code."""


def write(node: Any, extra: Extra = None) -> str:
    """The expression as PromQL, with the ``extra`` matcher in every selector.

    Raises UnwritableError.
    """
    writer = _WRITERS.get(type(node))
    if writer is None:
        raise UnwritableError(f"{type(node).__name__} can't be written")
    return writer(node, extra)


def children(node: Any) -> list[Any]:
    """The expressions directly below an expression."""
    if isinstance(node, parser.Call):
        return list(node.args)
    names = ("vector_selector", "lhs", "rhs", "param", "expr")
    found = (getattr(node, each, None) for each in names)
    return [child for child in found if isinstance(child, parser.Expr)]


def selector(node: Any, extra: Extra = None) -> str:
    """A vector selector's name and matchers, without range, offset and @."""
    written = []
    for group in groups(node):
        own = [] if extra is None or has(group, extra) else [extra]
        written.append(", ".join(_matcher(each) for each in (*group, *own)))
    inner = " or ".join(written)
    return (node.name or "") + (f"{{{inner}}}" if inner else "")


def groups(node: Any) -> list[list[Any]]:
    """The alternatives of a selector, each a list of matchers; only one without ``or``."""
    common, either = node.matchers.matchers, node.matchers.or_matchers
    return [[*common, *group] for group in either] if either else [list(common)]


def has(group: Sequence[Any], own: Any) -> bool:
    """Whether a matcher is among others."""
    return any((m.op, m.name, m.value) == (own.op, own.name, own.value) for m in group)


def name(text: str) -> str:
    """A label's name, quoted when it is no plain one."""
    return text if _PLAIN_NAME.fullmatch(text) else quote(text)


def quote(text: str) -> str:
    """A PromQL string; JSON's escapes are among those that PromQL reads."""
    return json.dumps(text, ensure_ascii=False)


def _matcher(each: Any) -> str:
    return f"{name(each.name)}{_OPERATORS[str(each.op)]}{quote(each.value)}"


def _names(labels: Sequence[str]) -> str:
    return ", ".join(map(name, labels))


def _duration(length: datetime.timedelta) -> str:
    milliseconds = round(length / datetime.timedelta(milliseconds=1))
    if milliseconds % 1000 == 0:
        return f"{milliseconds // 1000}s"
    return f"{milliseconds}ms"


def _number(node: Any, _: Extra) -> str:
    text = repr(float(node.val))
    return {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def _modifiers(node: Any) -> str:
    text = ""
    if node.at is not None:
        kind = str(node.at.type)
        if kind.endswith("Start"):
            text += " @ start()"
        elif kind.endswith("End"):
            text += " @ end()"
        else:
            text += f" @ {node.at.at.timestamp():.3f}"
    if node.offset is not None:
        text += f" offset {_duration(node.offset)}"
    return text


def _vector(node: Any, extra: Extra) -> str:
    return selector(node, extra) + _modifiers(node)


def _matrix(node: Any, extra: Extra) -> str:
    inner = node.vector_selector
    return f"{selector(inner, extra)}[{_duration(node.range)}]{_modifiers(inner)}"


def _subquery(node: Any, extra: Extra) -> str:
    step = _duration(node.step) if node.step is not None else ""
    return f"{_group(node.expr, extra)}[{_duration(node.range)}:{step}]{_modifiers(node)}"


def _group(node: Any, extra: Extra) -> str:
    """Brackets where the text would otherwise bind differently."""
    loose = isinstance(node, parser.BinaryExpr | parser.UnaryExpr)
    return f"({write(node, extra)})" if loose else write(node, extra)


def _call(node: Any, extra: Extra) -> str:
    return f"{node.func.name}({', '.join(write(each, extra) for each in node.args)})"


def _aggregate(node: Any, extra: Extra) -> str:
    modifier = ""
    if node.modifier is not None:
        word = "by" if str(node.modifier.type).endswith("By") else "without"
        modifier = f" {word} ({_names(node.modifier.labels)})"
    param = f"{write(node.param, extra)}, " if node.param is not None else ""
    return f"{node.op}{modifier} ({param}{write(node.expr, extra)})"


def _binary(node: Any, extra: Extra) -> str:
    words = [str(node.op)]
    modifier = node.modifier
    if modifier is not None:
        if modifier.return_bool:
            words.append("bool")
        if modifier.matching is not None:
            on = str(modifier.matching.type).endswith("Include")
            words.append(f"{'on' if on else 'ignoring'} ({_names(modifier.matching.labels)})")
        card = str(modifier.card)
        if card.endswith(("ManyToOne", "OneToMany")):
            side = "group_left" if card.endswith("ManyToOne") else "group_right"
            words.append(f"{side} ({_names(modifier.group_labels or [])})")
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise UnwritableError("fill values can't be written")
    return f"{_group(node.lhs, extra)} {' '.join(words)} {_group(node.rhs, extra)}"


_WRITERS: Final[dict[type, Callable[[Any, Extra], str]]] = {
    parser.NumberLiteral: _number,
    parser.StringLiteral: lambda node, _: quote(node.val),
    parser.ParenExpr: lambda node, extra: f"({write(node.expr, extra)})",
    parser.UnaryExpr: lambda node, extra: f"-{_group(node.expr, extra)}",
    parser.BinaryExpr: _binary,
    parser.AggregateExpr: _aggregate,
    parser.Call: _call,
    parser.MatrixSelector: _matrix,
    parser.VectorSelector: _vector,
    parser.SubqueryExpr: _subquery,
}
