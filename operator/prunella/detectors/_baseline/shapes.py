"""How rarely a series was in a situation like this one: a second opinion, without any season.

A situation is a pair of two things that are seen together, and four pairs are looked at:

- the sample and the mean of the hour before it;
- the sample and the mean of the four hours before it;
- those two means: rising, falling or settled, and at which level;
- how rough the last hour was, and its mean.

Each thing falls into one of 15 logarithmic bins, two per octave, by its distance from the series'
own middle in units of its own spread (roughness: by its size in that unit).  Middle and spread are
a mean and a mean absolute deviation over 7 days, clipped at 8 spreads: no range has to be known
in advance, and an outlier does not stretch it.  A table per pair counts how often two bins met; a
sample counts 1, or less where samples are denser than 5 minutes.  With N counted, the surprise of
a pair is ``log10((N + 1) / (c + 1/2))``, where c is the count of its cell and a quarter of the
counts of the four cells beside it.  The mean surprise of the four, smoothed over 15 minutes, is
ranked in the series' own past (`tail`), which gives ``-log10 p``.

The caller says what is counted.  An anomaly must not become usual because it lasts or comes again,
so its first hour is enough.

State: 4.2 kB per series.  The principle, to ask which contexts of recent samples were seen before,
is that of CAD OSE (M. Smirnov, "Contextual Anomaly Detector", 2016), which is told each range.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import clock, fading, masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Singles = NDArray[np.float32]

HOUR, DAY = 3600.0, 86400.0
BINS, PER_OCTAVE = 15, 2.0
PAIRS = 4
_MIDDLE = BINS // 2
_WIDTH = BINS + 1
"""A row and a column that stay empty lie between the first bins and the last ones, also where what
is beside a cell lies before the first one: such an index counts from the end."""
_CELLS = _WIDTH * _WIDTH
_BESIDE = np.array([0, -1, 1, -_WIDTH, _WIDTH])[:, None, None] * PAIRS
_WEIGHTS = np.array([1.0, 0.25, 0.25, 0.25, 0.25])
_SMOOTHEST = 2.0**-6
"""The least roughness that is told from none, in spreads."""
_USUAL = np.array([[_MIDDLE], [_MIDDLE], [_MIDDLE], [10.0]])
"""The bin of the middle, and that of a roughness of one spread."""
_ONE, _OTHER = np.array([0, 0, 1, 3]), np.array([1, 2, 2, 1])
"""The pairs, of sample, hour before, four hours before and roughness."""
_SPREAD = 7 * DAY
_SPANS = [HOUR, 4 * HOUR, HOUR / 4]
"""Of the two means, and of the surprise that is smoothed."""
_FEWEST_STEPS = [3.0, 12.0, 0.0]
"""Where samples are coarse, the means are over so many of them."""
_CLIP, _FEWEST = 8.0, 20
_DENSE, _REMEMBERED = 300.0, 4032.0
_CLASSES_PER_TEN = 10.0
"""Classes of the tail for a surprise of 1, which is a factor of ten."""
_TINY = 1e-150


@dataclasses.dataclass(slots=True)
class Situation:
    """What a tick shows, to be counted or not."""

    at: Floats
    """The smoothed surprise, as a place among the classes of the tail: shape (n,)."""
    cells: Ints
    """The place of each pair in all tables: shape (pairs, n)."""
    counts: Singles
    """What the tables hold there."""
    weight: Floats
    """What the tables count for it."""
    ready: Bools
    """Where something is sampled and enough is known."""


class Shapes(rows.Rows):
    """The tables and scalars of ``n`` series."""

    __slots__ = (
        "_rates",
        "counts",
        "means",
        "middle",
        "rough",
        "spread",
        "surprise",
        "total",
        "value",
    )

    def __init__(self, n: int) -> None:
        self._rates = fading.Rates(_SPANS, _FEWEST_STEPS)
        self.counts = np.zeros((_CELLS, PAIRS, n), np.float32)
        """Cells first: the few that are usual share their places in a processor's cache."""
        self.total = np.zeros(n)
        self.middle = np.zeros(n)
        self.spread = np.zeros(n)
        self.value = np.zeros(n)
        """The last sample."""
        self.means = np.zeros((2, n))
        self.rough = np.zeros(n)
        self.surprise = np.zeros(n)

    def judge(self, values: Floats, pace: clock.Pace) -> Situation:
        """Move on by a sample of each series.

        Middle, spread and means follow each sample, as they are units and no memory; what is
        counted is left to `learn`.
        """
        sampled, known = pace.dt > 0.0, pace.seen > _FEWEST
        x = self._filled(values, sampled, pace.seen)
        rates = self._rates.of(pace.dt, pace.step)
        self.rough += rates[0] * (np.abs(x - self.value) - self.rough)
        cells = self._cells(x)
        near = self.counts.reshape(-1).take(cells + _BESIDE * len(x))
        self.surprise += rates[2] * (self._surprise(near) - self.surprise)
        self.means += rates[:2] * (x - self.means)
        self._follow(x, pace, known)
        weight = np.minimum(pace.dt / _DENSE, 1.0)
        at = self.surprise * _CLASSES_PER_TEN
        return Situation(at, cells, near[0], weight, sampled & known)

    def learn(self, situation: Situation, counted: Bools) -> None:
        """Count the situation of some series, of those that are ready; older counts fade.

        The tables remember two weeks, or 4032 samples if those last longer.
        """
        weight = masks.pick(counted, situation.weight, 0.0)
        self.counts.reshape(-1)[situation.cells] = situation.counts + weight.astype(np.float32)
        self.total += weight
        full = masks.places(self.total > 1.1 * _REMEMBERED)
        if full.size:
            share = _REMEMBERED / self.total[full]
            self.counts[..., full] *= share.astype(np.float32)
            self.total[full] *= share

    def _filled(self, values: Floats, sampled: Bools, seen: Floats) -> Floats:
        """The last sample where there is none; a first sample is where all begins."""
        fresh = sampled & (seen == 0.0)
        if masks.any_of(fresh):
            self.middle = np.where(fresh, values, self.middle)
            self.value = np.where(fresh, values, self.value)
            self.means = np.where(fresh, values, self.means)
        return masks.pick(sampled, values, self.value)

    def _cells(self, x: Floats) -> Ints:
        """The bins of each pair, as one index into all tables."""
        # Rounding of the middle itself is no spread.
        spread = np.maximum(self.spread, 1e-9 * np.abs(self.middle) + _TINY)
        away = np.empty((4, len(x)))
        away[0], away[1:3], away[3] = x, self.means, self.rough
        away[:3] -= self.middle
        away /= spread
        octaves = np.abs(away)
        octaves[:3] += 1.0
        octaves[3] += _SMOOTHEST
        np.log2(octaves, out=octaves)
        np.copysign(octaves[:3], away[:3], out=octaves[:3])
        octaves *= PER_OCTAVE
        octaves += _USUAL
        np.rint(octaves, out=octaves)
        bins = octaves.clip(0.0, BINS - 1.0, out=octaves).astype(np.intp)
        cells = bins.take(_ONE, axis=0)
        bins *= _WIDTH
        cells += bins.take(_OTHER, axis=0)
        cells *= PAIRS * len(x)
        cells += _places(len(x))
        return cells

    def _surprise(self, near: Singles) -> Floats:
        """The mean over the pairs, in powers of ten; of the counts of each cell and beside it."""
        share = (_WEIGHTS @ near.reshape(len(_WEIGHTS), -1)).reshape(PAIRS, -1)
        share += 0.5
        share /= self.total + 1.0
        np.log10(np.minimum(share, 1.0, out=share), out=share)
        return np.asarray(np.add.reduce(share) / -PAIRS)

    def _follow(self, x: Floats, pace: clock.Pace, known: Bools) -> None:
        """Move middle and spread."""
        limit = masks.pick(known, _CLIP * self.spread, np.inf)
        rate = pace.dt / np.minimum(np.maximum(pace.age + pace.dt, pace.step), _SPREAD)
        away = np.minimum(np.maximum(x - self.middle, -limit), limit)
        self.middle += rate * away
        self.spread += rate * (np.abs(away) - self.spread)
        self.value = x


@functools.lru_cache(maxsize=64)
def _places(n: int) -> Ints:
    """The place of each pair of each series within a cell: shape (pairs, n)."""
    places = np.arange(PAIRS * n).reshape(PAIRS, n)
    places.flags.writeable = False
    return places
