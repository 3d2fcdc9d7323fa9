"""What the baseline says of a sample of each series."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.api import reasons
from prunella.core import model

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SPOKE: Final = ("level alone", "the hour of the day", "the hour of the week")


@dataclasses.dataclass(slots=True)
class Band:
    """What is usual, as a `Tick` tells it: arrays of shape (n,)."""

    expected: Floats
    lower: Floats
    upper: Floats
    spoke: Ints


class Later:
    """A band that is worked out when it is first asked for: of most of a history nobody asks.

    Until then it keeps what it is made of, four times as much as itself.
    """

    __slots__ = ("_band", "_work_out")

    def __init__(self, work_out: Callable[[], Band]) -> None:
        self._work_out: Callable[[], Band] | None = work_out
        self._band: Band

    def band(self) -> Band:
        """The same each time."""
        if self._work_out is not None:
            self._band = self._work_out()
            self._work_out = None
        return self._band


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """What one sample of each series says: arrays of shape (n,)."""

    score: Floats
    """Rarity in powers of ten; NaN without a sample."""
    onset: Floats
    """The score where it is news, else 0: for reports and benchmarks."""
    unhealthy: Bools
    unknown: Bools
    """No sample, a day that is not judged, or still learning."""
    learning: Bools
    shifted: Bools
    """The level moved to where the series has been for ``adapt``."""
    later: Later
    """Expected value, lower and upper limit, and what spoke."""

    @property
    def expected(self) -> Floats:
        """The middle of what is usual."""
        return self.later.band().expected

    @property
    def lower(self) -> Floats:
        """Below this a sample by itself is as rare as the trigger says."""
        return self.later.band().lower

    @property
    def upper(self) -> Floats:
        """Above this it is."""
        return self.later.band().upper

    @property
    def spoke(self) -> Ints:
        """What the expectation is made of: 0 the level, 1 also the day, 2 also the week."""
        return self.later.band().spoke

    def judgement(self, row: int, value: float) -> model.Judgement:
        """One series' verdict, with the numbers that it compared."""
        if self.learning[row]:
            message = "the history is shorter than `learn`"
            return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.LEARNING, message)
        if self.unknown[row]:
            message = f"the value is {value:.6g}, on a day or in a gap that is not judged"
            return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NOT_JUDGED, message)
        band = f"usual {self.lower[row]:.6g} to {self.upper[row]:.6g}"
        band += f" by {_SPOKE[self.spoke[row]]}"
        message = f"{value:.6g}, {band}, rarity {self.score[row]:.2f}"
        if self.unhealthy[row]:
            return model.Judgement(model.Verdict.UNHEALTHY, "Unusual", message)
        return model.Judgement(model.Verdict.HEALTHY, "Usual", message)
