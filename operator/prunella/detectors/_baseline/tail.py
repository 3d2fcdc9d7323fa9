"""How rare a size is in a series' own past: the calibrated tail that all scores come from.

Sizes (deviations in units of their usual size) are counted in 64 logarithmic classes, four
per octave from 2^-6, as survival counts: ``C[b]`` is how many were of class b or higher.
With N counted, the rarity of a size f is ``-log10 p``:

- up to the largest class u that ``Q`` = 3 % reach: the rank, ``p = (C[f] + 1/2) / (N + 1)``;
- above it: peaks over a threshold. Logarithms of excesses are taken as exponential, which is
  a Pareto tail with Hill's index: ``p = (C[u] + 1/2) / (N + 1) * (f / u) ** (-1 / h)``, where h
  is the mean of ``log2(f / u)`` of what was beyond u, drawn to ``PRIOR`` as by 25 observations.
  Never below ``C[f] / (N + 1)``: what was seen k times is as rare as k in N.

Sources: B. Hill, "A simple general approach to inference about the tail of a distribution"
(1975); A. Siffer and others, "Anomaly detection in streams with extreme value theory" (SPOT,
2017); the rank is a conformal p-value (R. Laxhammar, "Conformal anomaly detection", 2014).
"""

from __future__ import annotations

import dataclasses
import functools
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

CLASSES = 64
PER_OCTAVE = 4.0
LOWEST = -6.0
Q = 0.03
PRIOR = 0.4
PRIOR_WEIGHT = 25.0
MAX_RARITY = 12.0
_LOG2_E, _LN_10 = np.log2(np.e), np.log(10.0)
_WIDTH = CLASSES + 1
"""One more than classes: none are of a higher class than the highest."""
_ADDED = np.tril(np.ones((_WIDTH, _WIDTH), np.float32), -1)
"""Row c + 1 is what a size of class c adds to the survival counts; row 0 adds nothing."""
_FADED = 1e-6
"""Before single precision suffers, the counts are written anew."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Sizes among the classes: shape (kinds, n) each."""

    at: Floats
    """The class with its fraction; not limited above."""
    classes: Ints


class Tail(rows.Rows):
    """Survival counts of ``kinds`` sizes of each of ``n`` series: 292 bytes per size.

    Where the tail begins is kept beside the counts and moved on with them.
    """

    __slots__ = ("above", "counts", "edge", "excess", "fade", "reached", "total")
    AXES = MappingProxyType({"counts": 1})

    def __init__(self, n: int, kinds: int) -> None:
        self.counts = np.zeros((kinds, n, _WIDTH), np.float32)
        """By kind, series and class; true counts are ``fade`` times these."""
        self.fade = np.ones(n)
        self.total = np.zeros(n)
        self.edge = np.full((kinds, n), CLASSES - 1.0)
        """The class u that Q reach, as a number."""
        self.reached = np.zeros((kinds, n))
        """How many are of class u or higher."""
        self.above = np.full((kinds, n), -1.0)
        """How many are of a higher class than u; less than any before the first is counted."""
        self.excess = np.zeros((kinds, n))
        """The sum of the classes by which they are higher."""

    def share(self, place: Place, kinds: slice) -> Floats:
        """The probability of each size among some kinds: shape (kinds, n)."""
        total = self.total + 1.0
        over = (place.at[kinds] - self.edge[kinds]).reshape(-1)
        seen = self._at_least(place.classes[kinds], kinds)
        p = (seen + 0.5) / total
        far = np.flatnonzero(over > 0.0)
        if far.size:
            reached = self.reached[kinds].reshape(-1)[far]
            index = _index(reached, self.excess[kinds].reshape(-1)[far])
            total = total[far % len(total)]
            beyond = np.exp2(over[far] / PER_OCTAVE / index * -_LOG2_E)
            beyond *= (reached + 0.5) / total
            p.reshape(-1)[far] = np.maximum(beyond, seen.reshape(-1)[far] / total)
        return np.asarray(np.minimum(np.maximum(p, 10.0**-MAX_RARITY), 1.0))

    def rarity(self, place: Place, kinds: slice) -> Floats:
        """``-log10 p`` of the rarest size among some kinds: shape (n,)."""
        return np.asarray(-np.log10(self.share(place, kinds).min(axis=0)))

    def sizes_of(self, rarity: Floats, kinds: slice, series: Ints | slice = slice(None)) -> Floats:
        """The sizes whose rarity that is, from the tail alone: shape (kinds, n)."""
        reached = self.reached[kinds][:, series]
        share = (reached + 0.5) / (self.total[series] + 1.0)
        index = _index(reached, self.excess[kinds][:, series])
        octaves = index * np.maximum(np.log10(share) + rarity, 0.0) * _LN_10
        return np.asarray(np.exp2(LOWEST + self.edge[kinds][:, series] / PER_OCTAVE + octaves))

    def count(self, place: Place, counted: Bools, memory: Floats) -> None:
        """Count the sizes of some series; beyond ``memory`` in all, older ones fade."""
        added = _ADDED.take(np.where(counted, place.classes + 1, 0), axis=0)
        if (self.fade < 1.0).any():
            added *= (1.0 / self.fade).astype(np.float32)[:, None]
        self.counts += added
        far = np.where(counted, place.classes - self.edge, -1.0)
        self.total += counted
        self.reached += far >= 0.0
        self.above += far > 0.0
        self.excess += np.maximum(far, 0.0)
        if (self.total > memory).any():
            self._forget(memory)
        enough = Q * self.total
        moved = np.flatnonzero((self.reached < enough) | (self.above >= enough))
        if moved.size:
            self._find(moved)

    def _forget(self, memory: Floats) -> None:
        factor = np.minimum(memory / np.maximum(self.total, 1.0), 1.0)
        for some in (self.fade, self.total, self.reached, self.above, self.excess):
            np.multiply(some, factor, out=some)
        faded = np.flatnonzero(self.fade < _FADED)
        if faded.size:
            self.counts[:, faded] *= self.fade[faded, None].astype(np.float32)
            self.fade[faded] = 1.0

    def _find(self, cells: Ints) -> None:
        """Look up anew where the tail begins, for some kinds of some series."""
        series = cells % len(self.total)
        counts = self.counts.reshape(-1, _WIDTH)[cells] * self.fade[series, None]
        rarer = counts < (Q * self.total[series])[:, None]
        rarer[:, CLASSES] = True
        edge = rarer.argmax(axis=1) - 1
        row = np.arange(len(cells))
        self.edge.reshape(-1)[cells] = edge
        self.reached.reshape(-1)[cells] = counts[row, edge]
        self.above.reshape(-1)[cells] = counts[row, edge + 1]
        # The sum of survival counts above a class is the sum of the excesses over it.
        self.excess.reshape(-1)[cells] = np.einsum("ij,ij->i", counts, rarer)

    def _at_least(self, classes: Ints, kinds: slice) -> Floats:
        """How many were as large: those of higher classes and half of its own."""
        cells = classes + _first_cells(len(self.counts), len(self.total))[kinds]
        counts = self.counts.reshape(-1)
        return (counts.take(cells) + counts.take(cells + 1)) * (0.5 * self.fade)


def place(sizes: Floats) -> Place:
    """The classes of sizes, which are not negative: shape (kinds, n)."""
    at = (np.log2(np.maximum(sizes, 2.0**LOWEST)) - LOWEST) * PER_OCTAVE
    return Place(at, np.minimum(at, CLASSES - 1.0).astype(np.intp))


def _index(reached: Floats, excess: Floats) -> Floats:
    """Hill's h, in octaves."""
    sums = excess + 0.5 * reached
    return (sums / PER_OCTAVE + PRIOR * PRIOR_WEIGHT) / (reached + PRIOR_WEIGHT)


@functools.lru_cache(maxsize=64)
def _first_cells(kinds: int, n: int) -> Ints:
    """Where the classes of each kind of each series begin in the table."""
    cells = np.arange(0, kinds * n * _WIDTH, _WIDTH).reshape(kinds, n)
    cells.flags.writeable = False
    return cells
