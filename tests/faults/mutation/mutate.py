"""Small faults of a Python module, one at a time.

Comparisons, ``and`` and ``or``, conditions as a whole, numbers, sums, ``any`` and ``all``, ends of
lists, and what a chain of guards is made of.  Words for people are left as they are.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Iterator
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SUMS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
_MODULE: Final = "<module>"
_WORDS: Final = (ast.JoinedStr, ast.arguments)
"""What is not looked into."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one function, or at the top of a module."""

    path: str
    function: str
    line: int
    before: str
    after: str
    source: str
    """The whole module with the fault."""

    @property
    def of_module(self) -> bool:
        """Whether it is in what a module does when it is imported."""
        return self.function == _MODULE

    def __str__(self) -> str:
        """What tells it from others, whatever line it is in."""
        return f"{self.path} {self.function}: {self.before} -> {self.after}"


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """All faults of a module."""
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    for function, node, parent, field, index in list(_places(tree)):
        for changed in _changed(node, field, of_module=function == _MODULE):
            before, after = _named(node, changed, parent)
            number = seen[f"{function} {before} {after}"] = (
                seen.get(f"{function} {before} {after}", 0) + 1
            )
            told = after if number == 1 else f"{after} ({number})"
            whole = _with(tree, parent, field, index, changed)
            yield Mutant(path, function, node.lineno, before, told, whole)


def _with(
    tree: ast.Module, parent: ast.AST, field: str, index: int | None, changed: ast.AST
) -> str:
    """The source with one node in another's place."""
    was = getattr(parent, field)
    if index is None:
        setattr(parent, field, changed)
    else:
        setattr(parent, field, [*was[:index], changed, *was[index + 1 :]])
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        setattr(parent, field, was)


Place = tuple[str, ast.expr, ast.AST, str, int | None]


def _places(node: ast.AST, function: str = "", parents: str = "") -> Iterator[Place]:
    """Expressions with the function that they are in, and where they hang."""
    for field, value in ast.iter_fields(node):
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or isinstance(child, _WORDS) or field in _SKIPPED:
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = function or f"{parents}{child.name}"
                yield from _places(child, name, parents)
            elif isinstance(child, ast.ClassDef):
                yield from _places(child, function, f"{parents}{child.name}.")
            else:
                if isinstance(child, ast.expr):
                    yield function or _MODULE, child, node, field, index
                yield from _places(child, function, parents)


_SKIPPED: Final = {"annotation", "returns", "decorator_list", "bases"}


def _changed(node: ast.expr, field: str, *, of_module: bool) -> Iterator[ast.expr]:
    """The faults of one expression."""
    if of_module:
        yield from _shorter(node)
        return
    if field in {"test", "ifs"}:
        for constant in (True, False):
            if not (isinstance(node, ast.Constant) and node.value is constant):
                yield ast.copy_location(ast.Constant(constant), node)
    yield from _of_conditions(node)
    yield from _of_values(node)


def _of_conditions(node: ast.expr) -> Iterator[ast.expr]:
    """Comparisons, and what they are joined by."""
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                if (other := _COMPARISONS.get(type(op))) is not None:
                    yield _copy(node, ops=[*ops[:index], other(), *ops[index + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _copy(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            yield from _without_one(node, values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand


def _of_values(node: ast.expr) -> Iterator[ast.expr]:
    """Numbers, sums, and which of many."""
    match node:
        case ast.BinOp(op=op) if type(op) in _SUMS:
            yield _copy(node, op=_SUMS[type(op)]())
        case ast.Constant(value=bool(value)):
            yield ast.copy_location(ast.Constant(not value), node)
        case ast.Constant(value=int(value)) | ast.Constant(value=float(value)):
            yield ast.copy_location(ast.Constant(value + 1), node)
        case ast.Call(func=ast.Name(id=name)) if name in _NAMES:
            yield _copy(node, func=ast.Name(_NAMES[name], ast.Load()))
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))):
            yield _copy(node, slice=ast.Constant(0))


def _without_one(node: ast.BoolOp, values: list[ast.expr]) -> Iterator[ast.expr]:
    """One of the conditions is forgotten."""
    for index in range(len(values)):
        left = [each for place, each in enumerate(values) if place != index]
        yield left[0] if len(left) == 1 else _copy(node, values=left)


def _shorter(node: ast.expr) -> Iterator[ast.expr]:
    """A tuple without one of its elements: a chain of guards that lacks one."""
    if isinstance(node, ast.Tuple) and len(node.elts) > 2:
        for index in range(len(node.elts)):
            yield _copy(node, elts=node.elts[:index] + node.elts[index + 1 :])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        for index, each in enumerate(node.keywords):
            if isinstance(each.value, ast.Constant) and isinstance(each.value.value, int | float):
                more = ast.keyword(each.arg, ast.Constant(each.value.value + 1))
                yield _copy(
                    node, keywords=[*node.keywords[:index], more, *node.keywords[index + 1 :]]
                )


def _copy(node: ast.expr, **changes: object) -> ast.expr:
    made = copy.copy(node)
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def _shown(node: ast.AST) -> str:
    """A node in one short line; of a long tuple, how many there are and what they are."""
    text = ast.unparse(node)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... {_digest(text)}"


def _named(node: ast.expr, changed: ast.expr, parent: ast.AST) -> tuple[str, str]:
    """Before and after; of a tuple at the top of a module its name, and what it lacks."""
    whole = isinstance(parent, ast.AnnAssign | ast.Assign)
    if not (whole and isinstance(node, ast.Tuple) and isinstance(changed, ast.Tuple)):
        return _shown(node), _shown(changed)
    left = {id(each) for each in changed.elts}
    gone = next(each for each in node.elts if id(each) not in left)
    target = parent.target if isinstance(parent, ast.AnnAssign) else parent.targets[0]
    return ast.unparse(target), f"without {ast.unparse(gone)}"


_LONGEST: Final = 100


def _digest(text: str) -> str:
    return f"{sum(ord(each) * (place + 1) for place, each in enumerate(text)) % 100000:05d}"
