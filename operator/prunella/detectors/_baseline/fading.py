"""By how much means that forget exponentially move with a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Rates:
    """Of means over some spans, in seconds or in samples where those are farther apart.

    Samples nearly always come at their usual pace, whose arrays are the same from tick to tick:
    then the rates are those of the tick before.
    """

    __slots__ = ("_known", "_samples", "_spans")

    def __init__(self, spans: list[float], samples: list[float]) -> None:
        self._spans = np.array(spans)[:, None]
        self._samples = np.array(samples)[:, None]
        self._known: tuple[Floats, Floats, Floats] | None = None

    def of(self, dt: Floats, step: Floats) -> Floats:
        """Rates for ``dt`` seconds, ``step`` between samples: shape (spans, n), not to be written.

        Neither array may be written after: who changes it makes another.
        """
        known = self._known
        if known is None or known[0] is not dt or known[1] is not step:
            rates = -np.expm1(-dt / np.maximum(self._spans, self._samples * step))
            rates.flags.writeable = False
            self._known = known = dt, step, rates
        return known[2]
