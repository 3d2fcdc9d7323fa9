"""Which part of a comparison is settled: warm-ups, restarts and other passing states left out.

A line is put through blocks of samples so that it fits the best half of them (least trimmed
squares: Rousseeuw 1984; every pair of blocks is tried).  Blocks that are far from it, and that
stand together, are a state that passed: the start of a pod, or the restart of one of those that
it is compared with.  Chance alone rarely puts two neighbours there.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from prunella.detectors._trends import trend

_FAR: Final = 5.0
"""Blocks so many standard deviations from the line are not of the same state."""
_FEWEST: Final = 8
"""Fewest blocks that are left; fewer and nothing is left out."""

Mask = npt.NDArray[np.bool_]


def settled(means: trend.Floats, errors: trend.Floats) -> Mask:
    """Which of (blocks,) belong to the state that most are in; ``errors`` are the means' own.

    All of them where nothing stands apart.
    """
    rest, spread = _trimmed(means)
    noise = max(spread, float(np.median(errors)))
    far = np.abs(rest) > _FAR * noise
    together = far & (np.append(far[1:], False) | np.insert(far[:-1], 0, False))
    # The first block has one neighbour only, and is where a start shows.
    together[0] |= far[0]
    # What is beside them is on its way, there or back.
    apart = together | np.append(together[1:], False) | np.insert(together[:-1], 0, False)
    if not together.any() or np.count_nonzero(~apart) < _FEWEST:
        return np.ones(len(means), dtype=bool)
    kept: Mask = ~apart
    return kept


def _trimmed(means: trend.Floats) -> tuple[trend.Floats, float]:
    """Residuals of the line through two blocks that fits the best half, and their spread."""
    first, second = _pairs(len(means))
    slopes = (means[second] - means[first]) / (second - first)
    places = np.arange(len(means))
    rests = means - means[first, None] - slopes[:, None] * (places - first[:, None])
    half = len(means) // 2 + 1
    nearest = np.sort(np.abs(rests), axis=1)[:, :half]
    best = int((nearest**2).sum(axis=1).argmin())
    # Of normal values the best-fitted half has about a third of the whole's deviation.
    return rests[best], 3.0 * float(np.sqrt((nearest[best] ** 2).mean()))


@functools.lru_cache(maxsize=32)
def _pairs(blocks: int) -> tuple[trend.Indices, trend.Indices]:
    first, second = np.triu_indices(blocks, k=max(1, blocks // 4))
    return first, second
