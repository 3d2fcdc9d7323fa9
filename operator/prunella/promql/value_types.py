"""What PromQL expressions are made of while they are evaluated, and what they yield."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from prunella.promql import series_store

Labels = Mapping[str, str]
"""Shared between values and never changed in place; an absent label is the empty string."""
Points = list[tuple[Labels, float]]
"""An instant vector under evaluation."""


class EvaluationError(Exception):
    """A query that Prometheus would refuse, or that this evaluator does not support."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One element of a result: labels, time of evaluation (seconds), value."""

    labels: dict[str, str]
    timestamp: float
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector; the order means something only after sort() and topk()."""

    samples: tuple[Sample, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Scalar:
    """A single number; time of evaluation in seconds."""

    timestamp: float
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """Where and when an expression is evaluated; times in milliseconds."""

    store: series_store.SeriesStore
    at: int
    query_at: int
    """The time asked for: what ``@ start()`` and ``@ end()`` mean, also inside a subquery."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """The samples of one series in ``(start, end]``; times in milliseconds, never empty."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int
    at: int
    """When the expression is evaluated: later than ``end`` when there is an offset."""


ScalarOf = Callable[[Moment], float]
VectorOf = Callable[[Moment], Points]
WindowsOf = Callable[[Moment], list[Window]]


def nameless(labels: Labels) -> Labels:
    """The labels without the metric name: a computed value is no longer that metric."""
    if series_store.NAME not in labels:
        return labels
    return {name: value for name, value in labels.items() if name != series_store.NAME}


def distinct(points: Points) -> Points:
    """The same points; raises EvaluationError when two of them have the same labels."""
    seen: set[frozenset[tuple[str, str]]] = set()
    for labels, _ in points:
        key = frozenset(labels.items())
        if key in seen:
            raise EvaluationError(
                f"vector cannot contain metrics with the same labelset: {show(labels)} occurs twice"
            )
        seen.add(key)
    return points


def show(labels: Labels) -> str:
    """The labels as PromQL writes them, for messages."""
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{pairs}}}"
