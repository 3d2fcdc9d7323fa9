"""When samples come: how far apart, and for how long each series is known.

Series that began together and are sampled together share all of it.  Then each number of a `Pace`
is one for all of them, and what depends on time alone is computed once a tick, not once a series.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_TAIL, _TAIL_SAMPLES = 28 * 86400.0, 8064.0
_YOUNG_WAIT = 1 / 96
"""How long the anomalies of a young series must last, as a share of the time it is young."""


@dataclasses.dataclass(slots=True)
class Pace:
    """The time of a tick: shape (n,) each, or (1,) where all series share all of it.

    No array may be written, and while the pace stays the same, ``dt`` and ``step`` are the same
    arrays.  ``age`` and ``seen`` move on with `Clock.learn`.
    """

    dt: Floats
    """Weight of this sample in seconds, 0 where there is none: at most two steps."""
    step: Floats
    """Usual seconds between samples."""
    age: Floats
    """Seconds that were learned."""
    seen: Floats
    """Samples that were learned."""
    gap: Floats | None = None
    """Seconds that were lost before this sample; None where none were."""

    def of(self, rows: Ints) -> tuple[Floats, Floats]:
        """Age and step of some series, of the shape of rows or (1,)."""
        if len(self.age) == 1:
            return self.age, self.step
        return self.age[rows], self.step[rows]

    def experience(self, young: float) -> Floats | float:
        """How much of a score counts: shape (n,), or one number for all.

        It begins with a half and is one after ``young`` seconds: who has seen some hours can't
        know what is rare, nor what the other hours bring.
        """
        if not masks.any_of(self.age < max(young, 1.0)):
            return 1.0
        return np.asarray(0.5 + 0.5 * np.minimum(self.age / max(young, 1.0), 1.0))

    def lasts(self, seconds: Floats, young: float) -> Bools:
        """Whether an anomaly that is so old is one: a young series' first job does not last."""
        return np.asarray((self.age >= young) | (seconds >= _YOUNG_WAIT * young))


class Clock(rows.Rows):
    """The time of ``n`` series: 6 numbers, 48 bytes each."""

    __slots__ = ("_paced", "age", "density", "last", "memory", "seen", "step")

    def __init__(self, n: int) -> None:
        self._paced: tuple[Floats, Pace] | None = None
        """Steps, and the pace of samples that come by them."""
        self.age = np.zeros(n)
        self.seen = np.zeros(n)
        self.step = np.full(n, 300.0)
        self.density = np.zeros(n)
        """Powers of ten by which samples are denser than one in 5 minutes."""
        self.memory = np.full(n, _TAIL_SAMPLES)
        """Samples that the tail remembers: 4 weeks, and no fewer than 8064."""
        self.last = np.full(n, np.nan)

    def advance(self, t: Floats, sampled: Bools) -> Pace:
        """The pace of a tick, whose samples are at ``t``."""
        since = t - self.last
        regular = masks.all_of(since == self.step)
        if regular and masks.all_of(sampled):
            self.last[:] = t
            return self._usual()
        gap = None
        if not regular:
            fresh = np.isnan(since)
            since = np.where(fresh, self.step, since)
            self._follow(since, sampled & ~fresh & (since > 0.0))
        dt = np.minimum(np.maximum(since, 1.0), 2.0 * self.step)
        if not regular:
            gap = np.where(sampled, np.maximum(since - dt, 0.0), 0.0)
        self.last = np.where(sampled, np.fmax(self.last, t), self.last)
        return Pace(np.where(sampled, dt, 0.0), self.step, self.age, self.seen, gap)

    def learn(self, passed: Floats) -> None:
        """Move on by so many seconds; 0 is no sample."""
        self.age += passed
        self.seen += passed > 0.0

    def _usual(self) -> Pace:
        """Of samples that come at their pace: the same arrays while that is the same.

        Before it comes here again, who missed a sample was late, which made other steps.
        """
        if self._paced is None or self._paced[0] is not self.step:
            dt = np.minimum(np.maximum(self.step, 1.0), 2.0 * self.step)
            dt.flags.writeable = False
            pace = Pace(dt, self.step, self.age, self.seen)
            self._paced = self.step, _shared(pace)
        return self._paced[1]

    def _follow(self, since: Floats, later: Bools) -> None:
        """Follow the interval of the samples."""
        least = 0.2 * self.step
        drift = np.minimum(np.maximum(since - self.step, -least), least)
        step = np.where(self.seen < 3, since, self.step + 0.05 * drift)
        self.step = np.where(later, step, self.step)
        self.density = np.log10(np.maximum(300.0 / self.step, 1.0))
        self.memory = np.maximum(_TAIL / self.step, _TAIL_SAMPLES)


def _shared(pace: Pace) -> Pace:
    """One number for all series where they are the same, as they then stay."""
    if any(masks.any_of(each != each[:1]) for each in (pace.step, pace.age, pace.seen)):
        return pace
    return Pace(pace.dt[:1], pace.step[:1], pace.age[:1], pace.seen[:1])
