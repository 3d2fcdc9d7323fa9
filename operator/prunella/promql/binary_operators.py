"""PromQL's binary operators between scalars, vectors, and vectors matched by labels."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Hashable, Mapping
from typing import Final

from prunella.promql import arithmetic, series_store, value_types

Labels = value_types.Labels
Points = value_types.Points

ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": arithmetic.divide,
    "%": arithmetic.modulo,
    "^": arithmetic.power,
    "atan2": math.atan2,
}
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """Which labels pair elements, and which side may have several elements of one pair."""

    names: tuple[str, ...] = ()
    on: bool = False
    """``on (names)``; else ``ignoring (names)``."""
    many: str = ""
    """``left``: group_left, ``right``: group_right, empty: one to one."""
    include: tuple[str, ...] = ()
    """Labels taken over from the one side."""

    def key(self, labels: Labels) -> Hashable:
        """What must be equal for two elements to match; absent labels are empty."""
        if self.on:
            return tuple([labels.get(name, "") for name in self.names])
        ignored = (*self.names, series_store.NAME)
        return frozenset([item for item in labels.items() if item[0] not in ignored])


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operator; a comparison filters unless it ``returns_bool``."""

    symbol: str
    returns_bool: bool = False

    @property
    def drops_name(self) -> bool:
        """Whether the result is no longer the metric that it was computed from."""
        return self.returns_bool or self.symbol in ARITHMETIC

    def compute(self, left: float, right: float) -> float | None:
        """The value of one pair, or None where a filtering comparison is false."""
        if (arithmetic := ARITHMETIC.get(self.symbol)) is not None:
            return arithmetic(left, right)
        holds = COMPARISONS[self.symbol](left, right)
        if self.returns_bool:
            return float(holds)
        return left if holds else None


def scalars(operation: Operation, left: float, right: float) -> float:
    """Two scalars; the parser has seen to it that a comparison has ``bool``."""
    value = operation.compute(left, right)
    return math.nan if value is None else value


def vector_scalar(operation: Operation, points: Points, scalar: float) -> Points:
    """Every element on the left, the scalar on the right."""
    return _each(operation, points, lambda value: operation.compute(value, scalar))


def scalar_vector(operation: Operation, scalar: float, points: Points) -> Points:
    """The scalar on the left; a filtering comparison keeps the element's value, not the scalar."""

    def compute(value: float) -> float | None:
        result = operation.compute(scalar, value)
        return result if result is None or operation.drops_name else value

    return _each(operation, points, compute)


def _each(operation: Operation, points: Points, compute: Callable[[float], float | None]) -> Points:
    rename = value_types.nameless if operation.drops_name else _same
    results = ((labels, compute(value)) for labels, value in points)
    return value_types.distinct(
        [(rename(labels), value) for labels, value in results if value is not None]
    )


def _same(labels: Labels) -> Labels:
    return labels


def logical(symbol: str, matching: Matching, left: Points, right: Points) -> Points:
    """``and``, ``or``, ``unless``: elements are kept or left out whole, never computed."""
    if symbol == "or":
        known = {matching.key(labels) for labels, _ in left}
        return value_types.distinct(
            left + [point for point in right if matching.key(point[0]) not in known]
        )
    other = {matching.key(labels) for labels, _ in right}
    return [point for point in left if (matching.key(point[0]) in other) == (symbol == "and")]


def vectors(operation: Operation, matching: Matching, left: Points, right: Points) -> Points:
    """Elements of two vectors paired by their labels.

    Raises EvaluationError when a pair is ambiguous.
    """
    if not left or not right:
        return []
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    partners = _unique(one, matching, "left" if swapped else "right")
    taken: set[Hashable] = set()
    results: Points = []
    for labels, value in many:
        key = matching.key(labels)
        if (partner := partners.get(key)) is None:
            continue
        # Refused before the values are compared: data must not decide whether a query is valid.
        merged = _merged(operation, matching, labels, partner[0])
        identity = (key, frozenset(merged.items())) if matching.many else key
        _refuse_taken(taken, identity, matching, labels)
        pair = (partner[1], value) if swapped else (value, partner[1])
        result = operation.compute(*pair)
        if result is not None:
            results.append((merged, result))
    return value_types.distinct(results)


def _unique(points: Points, matching: Matching, side: str) -> dict[Hashable, tuple[Labels, float]]:
    """The elements of the one side by what they are matched by."""
    found: dict[Hashable, tuple[Labels, float]] = {}
    for point in points:
        key = matching.key(point[0])
        if key in found:
            raise value_types.EvaluationError(
                f"found duplicate series for the match group on the {side} hand-side of the"
                f" operation: {value_types.show(found[key][0])} and"
                f" {value_types.show(point[0])}: many-to-many matching not allowed: matching"
                " labels must be unique on one side"
            )
        found[key] = point
    return found


def _refuse_taken(
    taken: set[Hashable], identity: Hashable, matching: Matching, labels: Labels
) -> None:
    if identity in taken:
        advice = (
            "grouping labels must ensure unique matches"
            if matching.many
            else "many-to-one matching must be explicit (group_left/group_right)"
        )
        raise value_types.EvaluationError(
            f"multiple matches for labels of {value_types.show(labels)}: {advice}"
        )
    taken.add(identity)


def _merged(operation: Operation, matching: Matching, many: Labels, one: Labels) -> Labels:
    """The labels of a pair's result."""
    labels = value_types.nameless(many) if operation.drops_name else many
    if not matching.many:
        return {n: v for n, v in labels.items() if (n in matching.names) == matching.on}
    if not matching.include:
        return labels
    included = {name: one[name] for name in matching.include if name in one}
    return {n: v for n, v in labels.items() if n not in matching.include} | included
