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
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]

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
_CLASS = np.arange(_WIDTH, dtype=np.uint8)[:, None, None]
_FADED = 1e-6
"""Before single precision suffers, the counts are written anew."""


@dataclasses.dataclass(slots=True)
class Ends:
    """Where some tails begin and how far they go: arrays of one shape."""

    edge: Bytes
    share: Floats
    """How many are of the class u or higher, among all."""
    index: Floats
    """Hill's h, in octaves."""

    def sizes(self, rarity: Floats) -> Floats:
        """The sizes that are so rare, from the tail alone."""
        octaves = self.index * np.maximum(np.log10(self.share) + rarity, 0.0)
        octaves *= _LN_10
        return np.asarray(np.exp2(LOWEST + self.edge / PER_OCTAVE + octaves))


@dataclasses.dataclass(slots=True)
class Place:
    """Sizes among the classes: shape (kinds, n) each."""

    at: Floats
    """The class with its fraction; not limited above."""
    classes: Bytes
    far: Ints
    """The flat places of those of the class of their tail's edge or a higher one."""
    ends: Ends
    """Their tails."""


class Tail(rows.Rows):
    """Survival counts of ``kinds`` sizes of each of ``n`` series: 305 bytes per size.

    Where the tail begins is kept beside the counts and moved on with them.
    """

    __slots__ = ("above", "counts", "edge", "excess", "fade", "reached", "total", "weight")

    def __init__(self, n: int, kinds: int) -> None:
        self.counts = np.zeros((_WIDTH, kinds, n), np.float32)
        """By class, kind and series; true counts are ``fade`` times these."""
        self.fade = np.ones((kinds, n))
        self.weight = np.ones((kinds, n), np.float32)
        """What a size adds to the counts: 1, or more where they faded."""
        self.total = np.zeros((kinds, n))
        self.edge = np.full((kinds, n), CLASSES - 1, np.uint8)
        """The class u that Q reach."""
        self.reached = np.zeros((kinds, n))
        """How many are of class u or higher."""
        self.above = np.full((kinds, n), -1.0)
        """How many are of a higher class than u; less than any before the first is counted."""
        self.excess = np.zeros((kinds, n))
        """The sum of the classes by which they are higher."""

    def place(self, at: Floats) -> Place:
        """Where sizes are among the classes."""
        classes = classes_of(at)
        far = masks.places(classes >= self.edge)
        total, reached, excess = (each.take(far) for each in self._counted())
        return Place(at, classes, far, _ends(self.edge.take(far), total, reached, excess))

    def rarity(self, place: Place, *groups: slice) -> Floats:
        """``-log10 p`` of the rarest size of each group of kinds: shape (groups, n).

        All kinds of a group were counted together.
        """
        seen = self._at_least(place.classes)
        far, beyond = self._beyond(place, seen)
        seen.put(far, np.inf)
        n = seen.shape[1]
        p = np.empty((len(groups), n))
        for group, kinds in enumerate(groups):
            # The fewest are the rarest, so that the others need no probability.
            true = np.minimum.reduce(seen[kinds]) * (0.5 * self.fade[kinds.start])
            true += 0.5
            np.divide(true, self.total[kinds.start] + 1.0, out=p[group])
            some = slice(*far.searchsorted((kinds.start * n, kinds.stop * n)))
            np.minimum.at(p[group], far[some] % n, beyond[some])
        np.log10(p.clip(10.0**-MAX_RARITY, 1.0, out=p), out=p)
        return np.negative(p, out=p)

    def ends(self, kinds: slice) -> Callable[[], Ends]:
        """The tails of some kinds as they are now, whatever is counted before they are asked for.

        Their shape is (kinds, n).
        """
        total, reached, excess = (each[kinds].copy() for each in self._counted())
        return functools.partial(_ends, self.edge[kinds].copy(), total, reached, excess)

    def _counted(self) -> tuple[Floats, Floats, Floats]:
        return self.total, self.reached, self.excess

    def limited(self, place: Place, rarity: Floats, kinds: int) -> Bytes:
        """The classes, those of the first kinds no higher than that of the size so rare."""
        limited, n = place.classes.copy(), len(rarity)
        # That size is of the tail, so that nothing below it is limited.
        most = classes_of(at(place.ends.sizes(rarity.take(place.far % n))))
        some = slice(place.far.searchsorted(kinds * n))
        high = place.far[some]
        limited.put(high, np.minimum(limited.take(high), most[some]))
        return limited

    def count(self, classes: Bytes, counted: Bools, memory: Floats) -> None:
        """Count some sizes, ``counted`` of shape (kinds, n); beyond ``memory`` older ones fade."""
        every, added = masks.all_of(counted), classes + np.uint8(1)
        if not every:
            added *= counted
        top = int(np.maximum.reduce(added, axis=None, initial=0))
        more = (added > _CLASS[:top]).astype(np.float32)
        more *= self.weight
        self.counts[:top] += more
        self.total += 1.0 if every else counted
        high = masks.places(added > self.edge)
        far = classes.take(high) - self.edge.take(high)
        self.reached.reshape(-1)[high] += 1.0
        self.above.reshape(-1)[high] += far > 0
        self.excess.reshape(-1)[high] += far
        if masks.any_of(self.total > memory):
            self._forget(memory)
        enough = Q * self.total
        moved = masks.places((self.reached < enough) | (self.above >= enough))
        if moved.size:
            self._find(moved, enough.take(moved))

    def _forget(self, memory: Floats) -> None:
        factor = np.minimum(memory / np.maximum(self.total, 1.0), 1.0)
        for some in (self.fade, self.total, self.reached, self.above, self.excess):
            np.multiply(some, factor, out=some)
        faded = masks.places(self.fade < _FADED)
        if faded.size:
            fade = self.fade.reshape(-1)
            self.counts.reshape(_WIDTH, -1)[:, faded] *= fade[faded].astype(np.float32)
            fade[faded] = 1.0
        self.weight = (1.0 / self.fade).astype(np.float32)

    def _find(self, cells: Ints, enough: Floats) -> None:
        """Look up anew where the tail begins, for some kinds of some series."""
        faded = self.counts.reshape(_WIDTH, -1).take(cells, axis=1)
        counts = np.array(faded.T, np.float64, order="C")
        counts *= self.fade.take(cells)[:, None]
        rarer = counts < enough[:, None]
        rarer[:, CLASSES] = True
        edge = rarer.argmax(axis=1) - 1
        row = np.arange(len(cells))
        self.edge.put(cells, edge)
        self.reached.put(cells, counts[row, edge])
        self.above.put(cells, counts[row, edge + 1])
        # The sum of survival counts above a class is the sum of the excesses over it.
        self.excess.put(cells, np.einsum("ij,ij->i", counts, rarer))

    def _at_least(self, classes: Bytes) -> Singles:
        """Twice how many were as large, not faded: those of higher classes and half of its own."""
        seen: Singles = self.counts[0] + self.counts[1]
        # Of two opposite sizes one is none, of the lowest class: most need not be looked up.
        higher = masks.places(classes > 0)
        table, row = self.counts.reshape(-1), classes.size
        cells = classes.take(higher) * np.intp(row)
        cells += higher
        above = table.take(cells)
        cells += row
        above += table.take(cells)
        seen.reshape(-1)[higher] = above
        return seen

    def _beyond(self, place: Place, seen: Singles) -> tuple[Ints, Floats]:
        """Which sizes are beyond the tail's edge, as flat places, and their probabilities."""
        far, ends = place.far, place.ends
        over = place.at.take(far) - ends.edge
        p = np.exp2(over / PER_OCTAVE / ends.index * -_LOG2_E)
        p *= ends.share
        half = 0.5 * self.fade.take(far)
        np.maximum(p, seen.take(far) * half / (self.total.take(far) + 1.0), out=p)
        more = over > 0.0
        return far[more], p[more]


def at(sizes: Floats, out: Floats | None = None) -> Floats:
    """The places of sizes among the classes; none is lower than the lowest."""
    found: Floats = np.maximum(sizes, 2.0**LOWEST, out=out)
    np.log2(found, out=found)
    found -= LOWEST
    found *= PER_OCTAVE
    return found


def classes_of(places: Floats) -> Bytes:
    """The whole classes of places."""
    return np.minimum(places, CLASSES - 1.0).astype(np.uint8)


def _ends(edge: Bytes, total: Floats, reached: Floats, excess: Floats) -> Ends:
    """From where tails begin, and what was counted of them."""
    index = excess + 0.5 * reached
    index /= PER_OCTAVE
    index += PRIOR * PRIOR_WEIGHT
    index /= reached + PRIOR_WEIGHT
    return Ends(edge, (reached + 0.5) / (total + 1.0), index)
