"""From scores to anomalies: when one begins, lasts, ends, is news, or is the new normal."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import rows
from prunella.detectors._baseline import x as xx

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RARER = 0.5
"""Powers of ten by which a report in the cool-down must be rarer than the one before."""
COUNTED = 4 * 3600.0
"""Seconds of an anomaly that the tail counts: it is an event, not a habit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Rarities and seconds."""

    trigger: float
    recover: float
    cooldown: float
    adapt: float


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What a tick changes: shape (n,) each."""

    begun: Bools
    ended: Bools
    shifted: Bools
    frozen: Bools
    """Nothing of level, season and noise is learned."""
    counted: Bools
    """The tail counts the sizes."""


class Events(rows.Rows):
    """The anomaly of each of ``n`` series: 5 numbers, 34 bytes each."""

    __slots__ = ("active", "eased", "far", "peak", "reported", "samples", "sick", "since")

    def __init__(self, n: int) -> None:
        self.active = np.zeros(n, np.bool_)
        self.since = np.zeros(n)
        self.eased = np.full(n, -np.inf)
        self.far = np.zeros(n, np.bool_)
        self.samples = np.zeros(n)
        self.sick = np.zeros(n, np.bool_)
        self.reported = np.full(n, -np.inf)
        self.peak = np.zeros(n)

    def follow(self, t: Floats, score: Floats, sampled: Bools, limits: Limits, base: Floats, calm: Bools, far: Bools) -> Change:
        """Move on by one score of each series. Without a sample nothing changes."""
        triggers = sampled & (score >= limits.trigger)
        triggers &= ~(calm & (t - self.eased < xx.get('ease', 4*3600.0)))
        begun = triggers & ~self.active
        self.since = np.where(begun, t, self.since)
        self.far = far & (triggers | self.active) | (self.far & self.active)
        ended = sampled & self.active & self.far & calm
        self.eased = np.where(ended, t, self.eased)
        self.active = (triggers | (self.active & ~(sampled & (score < limits.recover)))) & ~ended
        lasted = t - self.since
        old = self.active & (lasted >= limits.adapt)
        shifted = sampled & old & (lasted < np.inf)
        frozen = ~sampled | (self.active & ~old)
        self.samples = np.where(sampled, np.where(self.active, self.samples + 1.0, 0.0), self.samples)
        counted = sampled & (~frozen | (self.samples <= xx.get('counted', 12.0)))
        # The clock starts anew, so that what still goes on is taken for normal only once a day.
        self.since = np.where(shifted, t, self.since)
        return Change(begun, ended, shifted, frozen, counted)

    def report(self, t: Floats, score: Floats, sampled: Bools, limits: Limits) -> Floats:
        """Who is sick, and what is news."""
        triggers = sampled & (score >= limits.trigger) & self.active
        held = self.sick & ~(triggers & ~self.sick)
        self.sick = self.active & (triggers | (self.sick & ~(sampled & (score < limits.recover))))
        quiet = ~(held & self.sick) & (t - self.reported > limits.cooldown)
        self.peak = np.where(quiet, 0.0, self.peak)
        news = sampled & (quiet | (score > self.peak + xx.get('rarer', RARER)))
        told = news & triggers
        self.peak = np.where(told, score, self.peak)
        self.reported = np.where(told, t, self.reported)
        return np.where(news & (triggers | (score < limits.trigger)), score, 0.0)
