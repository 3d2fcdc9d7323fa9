"""Samples of many series over time, on one grid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from prunella.core import model

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A complete answer to a range query.

    ``times`` are Unix seconds, of shape (points,), in equal steps; ``values`` has the shape
    (series, points), NaN where a series has no sample; ``labels`` has one mapping for each series.
    """

    times: Floats
    labels: tuple[Mapping[str, str], ...]
    values: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """The grid of a range query: Unix seconds of the first and the last point, and the step."""

    start: float
    end: float
    step: float

    def pieces(self, points: int) -> Iterator[Span]:
        """The same span in pieces of so many points, so that no answer is too large."""
        start = self.start
        while start <= self.end:
            end = min(start + (points - 1) * self.step, self.end)
            yield Span(start, end, self.step)
            start = end + self.step


Answer = Matrix | model.Failure


def grid(start: float, end: float, step: float) -> Floats:
    """The times of a range query: from ``start`` in steps, up to and with ``end``."""
    points = int(np.floor((end - start) / step + 1e-9)) + 1
    return start + step * np.arange(max(points, 0), dtype=np.float64)


def last_point(now: float, step: float) -> float:
    """The newest point of a grid: a multiple of the step since the epoch."""
    return math.floor(now / step) * step
