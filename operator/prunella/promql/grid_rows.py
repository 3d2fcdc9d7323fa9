"""Series on a grid, and what PromQL's operators make of them: all points at once.

Each function does for every point of the grid what its namesake in the modules for instant
vectors does for one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.promql import aggregations, binary_operators, value_types

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]
"""Milliseconds, ascending."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One series of a result: where there is no sample, ``values`` is NaN."""

    labels: value_types.Labels
    values: Floats
    present: Bools
    """Where there is a sample, be it NaN."""


Rows = list[Row]


def row(labels: value_types.Labels, values: Floats, present: Bools) -> Row:
    """A row, with NaN where there is no sample."""
    return Row(labels, np.where(present, values, np.nan), present)


def distinct(rows: Iterable[Row]) -> Rows:
    """Rows with the same labels as one; raises EvaluationError where both have a sample."""
    found: dict[frozenset[tuple[str, str]], Row] = {}
    for each in rows:
        key = frozenset(each.labels.items())
        known = found.get(key)
        if known is None:
            found[key] = each
            continue
        if (known.present & each.present).any():
            value_types.distinct([(each.labels, 0.0), (each.labels, 0.0)])
        values = np.where(known.present, known.values, each.values)
        found[key] = Row(known.labels, values, known.present | each.present)
    return list(found.values())


def relabelled(rows: Rows, change: Callable[[value_types.Points], value_types.Points]) -> Rows:
    """Rows with labels as a function of an instant vector changes them."""
    change([])  # refuses its arguments
    changed = (change([(each.labels, 0.0)])[0][0] for each in rows)
    return distinct(
        dataclasses.replace(each, labels=labels) for each, labels in zip(rows, changed, strict=True)
    )


def _total(members: Sequence[Row]) -> Floats:
    """Sums without cancellation: A. Neumaier, "Rundungsfehleranalyse" (1974)."""
    total = np.zeros_like(members[0].values)
    lost = np.zeros_like(total)
    with np.errstate(all="ignore"):
        for member in members:
            value = np.where(member.present, member.values, 0.0)
            after = total + value
            larger = np.abs(total) >= np.abs(value)
            lost += np.where(larger, (total - after) + value, (value - after) + total)
            total = after
        return np.asarray(total + lost)


def _mean(members: Sequence[Row]) -> Floats:
    return np.asarray(_total(members) / np.maximum(_count(members), 1.0))


def _count(members: Sequence[Row]) -> Floats:
    return np.asarray(np.sum([each.present for each in members], axis=0, dtype=np.float64))


def _highest(members: Sequence[Row]) -> Floats:
    return np.asarray(np.fmax.reduce([member.values for member in members]))


def _lowest(members: Sequence[Row]) -> Floats:
    return np.asarray(np.fmin.reduce([member.values for member in members]))


AGGREGATIONS: Final[Mapping[str, Callable[[Sequence[Row]], Floats]]] = {
    "avg": _mean,
    "count": _count,
    "group": lambda members: np.ones_like(members[0].values),
    "max": _highest,
    "min": _lowest,
    "sum": _total,
}


def aggregate(operator: str, rows: Rows, grouping: aggregations.Grouping) -> Rows:
    """One of AGGREGATIONS, per group and point."""
    points = [(each.labels, float(number)) for number, each in enumerate(rows)]
    result = []
    for labels, numbered in grouping.split(points):
        members = [rows[int(number)] for _, number in numbered]
        present = np.logical_or.reduce([member.present for member in members])
        values = AGGREGATIONS[operator](members)
        for column in np.flatnonzero(present & ~np.isfinite(values)).tolist():
            there = [float(m.values[column]) for m in members if m.present[column]]
            values[column] = aggregations.SIMPLE[operator](there)
        result.append(row(labels, values, present))
    return result


ARITHMETIC: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
_COMPARISONS: Final[Mapping[str, Callable[[Floats, Floats], Bools]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
OPERATORS: Final = frozenset(ARITHMETIC) | frozenset(_COMPARISONS)


def with_scalar(
    operation: binary_operators.Operation, rows: Rows, scalar: Floats, *, swapped: bool
) -> Rows:
    """Every row with a scalar on its right, or with ``swapped`` on its left."""
    result = []
    for each in rows:
        pair = (scalar, each.values) if swapped else (each.values, scalar)
        labels = value_types.nameless(each.labels) if operation.drops_name else each.labels
        present, values = each.present, each.values
        with np.errstate(all="ignore"):
            if operation.symbol in ARITHMETIC:
                values = ARITHMETIC[operation.symbol](*pair)
            elif operation.returns_bool:
                values = _COMPARISONS[operation.symbol](*pair).astype(np.float64)
            else:
                present = present & _COMPARISONS[operation.symbol](*pair)
        result.append(row(labels, values, present))
    return distinct(result)


def pairs(
    operation: binary_operators.Operation,
    matching: binary_operators.Matching,
    left: Rows,
    right: Rows,
) -> Rows | None:
    """Arithmetic of rows matched one to one; None where a partner may not be the only one."""
    partners = {matching.key(each.labels): each for each in right}
    if len(partners) < len(right):
        return None
    result = []
    for each in left:
        other = partners.get(matching.key(each.labels))
        if other is not None:
            labels, *_ = binary_operators.vectors(
                operation, matching, [(each.labels, 1.0)], [(other.labels, 1.0)]
            )[0]
            with np.errstate(all="ignore"):
                values = ARITHMETIC[operation.symbol](each.values, other.values)
            result.append(row(labels, values, each.present & other.present))
    return distinct(result)


def logical(symbol: str, matching: binary_operators.Matching, left: Rows, right: Rows) -> Rows:
    """``and``, ``or``, ``unless``, by what is present at each point."""
    mine, theirs = (_where(matching, rows) for rows in (left, right))
    if symbol == "or":
        added = (_without(each, mine.get(matching.key(each.labels))) for each in right)
        return distinct([*left, *added])
    result = []
    for each in left:
        other = theirs.get(matching.key(each.labels), np.zeros_like(each.present))
        present = each.present & (other if symbol == "and" else ~other)
        result.append(row(each.labels, each.values, present))
    return result


def _where(matching: binary_operators.Matching, rows: Rows) -> dict[Hashable, Bools]:
    found: dict[Hashable, Bools] = {}
    for each in rows:
        key = matching.key(each.labels)
        found[key] = found[key] | each.present if key in found else each.present
    return found


def _without(each: Row, where: Bools | None) -> Row:
    return each if where is None else row(each.labels, each.values, each.present & ~where)
