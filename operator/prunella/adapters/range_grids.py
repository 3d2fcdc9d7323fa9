"""The grid of a range query, counted as Prometheus counts it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella import ports
from prunella.api import reasons
from prunella.core import model


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Points in whole milliseconds: the first, the distance between two, how many."""

    start: int
    step: int
    points: int

    @classmethod
    def of(cls, span: ports.Span) -> Grid | model.Failure:
        """The grid of a span; without points when it ends before it starts."""
        start, end, step = (round(each * 1000) for each in (span.start, span.end, span.step))
        if step < 1:
            return model.Failure(
                reasons.Doubt.QUERY_REJECTED,
                f"the step of a range query must be at least 1 ms, found {span.step} s",
            )
        return cls(start, step, max((end - start) // step + 1, 0))

    def part(self, first: int, points: int) -> Grid:
        """At most so many of the points, from the one numbered ``first``."""
        points = min(points, self.points - first)
        return Grid(self.start + first * self.step, self.step, points)

    def milliseconds(self) -> NDArray[np.int64]:
        """Times of the points."""
        return self.start + self.step * np.arange(self.points, dtype=np.int64)

    def times(self) -> NDArray[np.float64]:
        """Times of the points in Unix seconds."""
        return np.asarray(self.milliseconds() / 1000)
