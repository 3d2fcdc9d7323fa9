"""What the baseline says of a sample of each series."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.api import reasons
from prunella.core import model

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SPOKE: Final = ("level alone", "the hour of the day", "the hour of the week")


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
    expected: Floats
    lower: Floats
    upper: Floats
    """Beyond these a sample by itself is as rare as the trigger says."""
    spoke: Ints
    """What the expectation is made of: 0 the level, 1 also the day, 2 also the week."""

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
