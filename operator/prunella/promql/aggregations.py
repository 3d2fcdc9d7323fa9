"""PromQL's aggregation operators."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final

from prunella.promql import arithmetic, functions, series_store, value_types

Labels = value_types.Labels
Points = value_types.Points

_INT64_LIMIT: Final = 2.0**63


@dataclasses.dataclass(frozen=True, slots=True)
class Grouping:
    """``by (names)`` or ``without (names)``; neither is ``by ()``."""

    names: tuple[str, ...] = ()
    without: bool = False

    def split(self, points: Points) -> list[tuple[Labels, Points]]:
        """The groups, each with the labels that it keeps, in the order of appearance."""
        groups: dict[Hashable, tuple[Labels, Points]] = {}
        dropped = {*self.names, series_store.NAME}
        for point in points:
            labels = point[0]
            if self.without:
                kept: Labels = {name: labels[name] for name in labels if name not in dropped}
                key: Hashable = frozenset(kept.items())
            else:
                key = tuple([labels.get(name) for name in self.names])
            if (group := groups.get(key)) is None:
                if not self.without:
                    kept = {name: labels[name] for name in self.names if name in labels}
                group = groups[key] = (kept, [])
            group[1].append(point)
        return list(groups.values())


SIMPLE: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "avg": arithmetic.mean,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "max": arithmetic.highest,
    "min": arithmetic.lowest,
    "stddev": arithmetic.deviation,
    "stdvar": arithmetic.variance,
    "sum": arithmetic.total,
}
"""Operators that need only a group's values."""


def simple(operator: str, points: Points, grouping: Grouping) -> Points:
    """One of the operators in SIMPLE, per group."""
    function = SIMPLE[operator]
    return [
        (labels, function([value for _, value in members]))
        for labels, members in grouping.split(points)
    ]


def quantile(points: Points, grouping: Grouping, fraction: float) -> Points:
    """The quantile of each group's values."""
    return [
        (labels, arithmetic.quantile([value for _, value in members], fraction))
        for labels, members in grouping.split(points)
    ]


def extremes(points: Points, grouping: Grouping, size: float, *, descending: bool) -> Points:
    """``topk`` (descending) or ``bottomk``: the outermost elements of each group, unchanged."""
    name = "topk" if descending else "bottomk"
    if math.isnan(size):
        raise value_types.EvaluationError(f"{name}(): the number of elements is NaN")
    if not -_INT64_LIMIT <= size < _INT64_LIMIT:
        raise value_types.EvaluationError(f"{name}(): {size} overflows int64")
    return [
        point
        for _, members in grouping.split(points)
        for point in functions.ordered(members, descending=descending)[: max(0, int(size))]
    ]


def count_values(points: Points, grouping: Grouping, name: str) -> Points:
    """How often each value occurs in each group; the value becomes the label ``name``."""
    if not name:
        raise value_types.EvaluationError("count_values(): the label name may not be empty")
    labelled: Points = [
        ({**labels, name: arithmetic.shortest(value)}, value) for labels, value in points
    ]
    kept = grouping if grouping.without else Grouping((*grouping.names, name))
    return simple("count", labelled, kept)
