"""From scores to anomalies: when one begins, lasts, ends, is news, or is the new normal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RARER = 0.5
"""Powers of ten by which a report that follows must be rarer than the one before."""
FOLLOWS = 6 * 3600.0
"""Seconds after a report in which another one is no news unless it is rarer."""
COUNTED = 3
"""Samples of an anomaly that the tail counts: it is an event, not a habit."""
SITUATION = 3600.0
"""Seconds of an anomaly whose situations are counted."""
_EASED = 4 * 3600.0
"""Seconds after an anomaly in which its echo fades."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Rarities and seconds."""

    trigger: float
    recover: float
    adapt: float


@dataclasses.dataclass(slots=True)
class Change:
    """What a tick changes: shape (n,) each."""

    begun: Bools
    ended: Bools
    """Because samples were as expected."""
    shifted: Bools
    frozen: Bools
    """Nothing of level, season and noise is learned."""
    counted: Bools
    """The tail counts the sizes."""
    situated: Bools
    """The situation is counted."""


class Events(rows.Rows):
    """The anomaly of each of ``n`` series: 8 numbers, 43 bytes each."""

    __slots__ = ("active", "eased", "far", "peak", "reported", "samples", "sick", "since")

    def __init__(self, n: int) -> None:
        self.active = np.zeros(n, np.bool_)
        """What is rare, be it excused or not."""
        self.far = np.zeros(n, np.bool_)
        """Whether it was ever far from what is expected."""
        self.sick = np.zeros(n, np.bool_)
        """What is rare and not excused."""
        self.since = np.zeros(n)
        self.samples = np.zeros(n)
        self.eased = np.full(n, -np.inf)
        self.reported = np.full(n, -np.inf)
        self.peak = np.zeros(n)

    def follow(
        self,
        t: Floats,
        score: Floats,
        sampled: Bools,
        near: Bools,
        calm: Bools,
        echo: Callable[[], Bools],
        limits: Limits,
    ) -> Change:
        """Move on by one score of each series. Without a sample nothing changes.

        ``near`` are samples as expected, ``calm`` is two of them in a row.  What was far ends by
        it; for hours after that a score is taken for its ``echo`` where the sample is not far.
        """
        triggers = sampled & (score >= limits.trigger)
        if not masks.any_of(triggers | self.active):
            return self._nothing(sampled)
        triggers &= ~(echo() & (t - self.eased < _EASED))
        begun = triggers & ~self.active
        self.since = np.where(begun, t, self.since)
        self.far = (~near & (triggers | self.active)) | (self.far & self.active)
        ended = sampled & self.active & self.far & calm
        self.eased = np.where(ended, t, self.eased)
        recovers = (sampled & (score < limits.recover)) | ended
        self.active = (triggers | (self.active & ~recovers)) & ~ended
        self.samples = np.where(sampled, (self.samples + 1.0) * self.active, self.samples)
        lasted = t - self.since
        old = self.active & (lasted >= limits.adapt)
        shifted = sampled & old & (lasted < np.inf)
        frozen = ~sampled | (self.active & ~old)
        counted = sampled & (~frozen | (self.samples <= COUNTED))
        situated = sampled & (~frozen | (lasted < SITUATION))
        # The clock starts anew, so that what still goes on is taken for normal only once a day.
        self.since = np.where(shifted, t, self.since)
        return Change(begun, ended, shifted, frozen, counted, situated)

    def _nothing(self, sampled: Bools) -> Change:
        """Where no series has an anomaly, or begins one: each sample is learned."""
        none = np.zeros(len(sampled), np.bool_)
        self.far = none
        self.samples = np.where(sampled, 0.0, self.samples)
        return Change(none, none, none, ~sampled, sampled, sampled)

    def report(self, t: Floats, score: Floats, sampled: Bools, limits: Limits) -> Floats:
        """Note who is sick by what is left of the score; the score where it is news, else 0."""
        if not masks.any_of(self.active):
            return self._calm(t, score, sampled, limits)
        rare = score >= limits.trigger
        triggers = sampled & self.active & rare
        held = self.sick & self.active
        recovers = sampled & (score < limits.recover)
        self.sick = triggers | (held & ~recovers)
        quiet = ~held & (t - self.reported > FOLLOWS)
        self.peak = np.where(quiet, 0.0, self.peak)
        news = sampled & (quiet | (score > self.peak + RARER))
        told = news & triggers
        if masks.any_of(told):
            self.peak = np.where(told, score, self.peak)
            self.reported = np.where(told, t, self.reported)
        return np.where(news & (triggers | ~rare), score, 0.0)

    def _calm(self, t: Floats, score: Floats, sampled: Bools, limits: Limits) -> Floats:
        """Where no series has an anomaly nobody is sick, and what is rare is no news."""
        self.sick = np.zeros(len(score), np.bool_)
        quiet = t - self.reported > FOLLOWS
        self.peak = np.where(quiet, 0.0, self.peak)
        news = sampled & (quiet | (score > self.peak + RARER))
        news &= ~(score >= limits.trigger)
        return np.where(news, score, 0.0)
