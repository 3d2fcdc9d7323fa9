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

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLASSES = 64
PER_OCTAVE = 4.0
LOWEST = -6.0
Q = 0.03
PRIOR = 0.35
PRIOR_WEIGHT = 25.0
MAX_RARITY = 12.0
_EDGES = np.arange(CLASSES)


@dataclasses.dataclass(frozen=True, slots=True)
class Edges:
    """Where the tail of each size begins: shape (n, kinds) each."""

    total: Floats
    edge: Floats
    """The class u that Q reach, as a number."""
    reached: Floats
    index: Floats
    """Hill's h, in octaves."""

    def size_of(self, rarity: Floats, kind: int) -> Floats:
        """The size whose rarity that is, from the tail alone: shape (n,)."""
        share = (self.reached[:, kind] + 0.5) / (self.total[:, kind] + 1.0)
        odds = np.maximum(np.log10(share) + rarity, 0.0)
        octaves = self.index[:, kind] * odds * np.log(10.0)
        return np.asarray(np.exp2(LOWEST + self.edge[:, kind] / PER_OCTAVE + octaves))


class Tail:
    """Survival counts of ``kinds`` sizes of each of ``n`` series: 256 bytes per size."""

    __slots__ = ("counts",)

    def __init__(self, n: int, kinds: int) -> None:
        self.counts = np.zeros((n, kinds, CLASSES), np.float32)

    def rarity(self, sizes: Floats, edges: Edges) -> Floats:
        """``-log10 p`` of each size: shape (n, kinds) in and out; sizes are not negative."""
        at = _position(sizes)
        total, edge, reached, index = edges.total, edges.edge, edges.reached, edges.index
        beyond = (
            (reached + 0.5)
            / (total + 1.0)
            * np.exp2(-np.maximum(at - edge, 0.0) / PER_OCTAVE / index * np.log2(np.e))
        )
        seen = self._at_least(at)
        rank = (seen + 0.5) / (total + 1.0)
        p = np.where(at > edge, np.maximum(beyond, seen / (total + 1.0)), rank)
        return np.asarray(-np.log10(np.clip(p, 10.0**-MAX_RARITY, 1.0)))

    def count(self, sizes: Floats, counted: NDArray[np.bool_], memory: Floats) -> None:
        """Count the sizes of some series; beyond ``memory`` in all, older ones fade."""
        classes = np.minimum(_position(sizes).astype(np.intp), CLASSES - 1)
        hit = classes[:, :, None] >= _EDGES
        hit &= counted[:, None, None]
        self.counts += hit
        total = self.counts[:, 0, 0]
        full = np.flatnonzero(total > memory)
        if full.size:
            self.counts[full] *= (memory[full] / total[full])[:, None, None].astype(np.float32)

    def edges(self) -> Edges:
        """The class that Q reach, how many did, and the tail index."""
        total = self.counts[:, :, 0].astype(np.float64)
        rarer = self.counts < (Q * total)[:, :, None]
        edge = CLASSES - 1 - np.count_nonzero(rarer, axis=2)
        reached = np.take_along_axis(self.counts, edge[:, :, None], 2)[:, :, 0].astype(np.float64)
        # The sum of survival counts above a class is the sum of the excesses over it.
        excess = np.einsum("ijk,ijk->ij", self.counts, rarer) + 0.5 * reached
        index = (excess / PER_OCTAVE + PRIOR * PRIOR_WEIGHT) / (reached + PRIOR_WEIGHT)
        return Edges(total, edge.astype(np.float64), reached, index)

    def _at_least(self, at: Floats) -> Floats:
        """How many were as large: those of higher classes and half of its own."""
        classes = np.minimum(at.astype(np.intp), CLASSES - 1)[:, :, None]
        own = np.take_along_axis(self.counts, classes, 2)[:, :, 0]
        above = np.take_along_axis(self.counts, np.minimum(classes + 1, CLASSES - 1), 2)[:, :, 0]
        above = np.where(classes[:, :, 0] == CLASSES - 1, 0.0, above)
        return np.asarray(0.5 * (own + above), np.float64)


def _position(sizes: Floats) -> Floats:
    """The class of a size with its fraction; not limited above."""
    return np.asarray((np.log2(np.maximum(sizes, 2.0**LOWEST)) - LOWEST) * PER_OCTAVE)
