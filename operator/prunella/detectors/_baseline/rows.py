"""State as arrays, a place for each series, where series come and go."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray


class Rows:
    """A state of which each slot is an array; its last axis is that of the series.

    Series last: what belongs to one moment of all series lies side by side in memory.  A slot whose
    name begins with an underscore is no state.
    """

    __slots__ = ()

    def absorb(self, other: Self) -> None:
        """Append the other's series."""
        for name in self._names():
            both = (getattr(self, name), getattr(other, name))
            setattr(self, name, np.concatenate(both, axis=-1))

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Keep the series at these places only, in this order."""
        for name in self._names():
            setattr(self, name, np.take(getattr(self, name), rows, axis=-1))

    def _names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.__slots__
        return tuple(name for name in names if not name.startswith("_"))
