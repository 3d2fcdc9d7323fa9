"""Level, noise, short means and the share of a given series: the scalars of each series."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors import _season

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HOUR, DAY = 3600.0, 86400.0
FEWEST = 20
"""Samples before anything is scored or clipped."""
CLIP = 8.0
_LEVEL, _NOISE, _GIVEN = 2 * DAY, 7 * DAY, 7 * DAY
_SHORT, _LONG, _RETURN = HOUR, 4 * HOUR, HOUR / 4
_FLOOR = 0.1
_TINY = 1e-300


@dataclasses.dataclass(slots=True)
class Residual:
    """What a sample leaves of what was expected: shape (n,) each."""

    season: _season.Expected
    raw: Floats
    """Against the middle of the season's band: what is learned."""
    rest: Floats
    """Against the band: what is judged."""
    hour_noise: Floats
    noise: Floats
    limit: Floats
    """Learning clips here."""


class Level:
    """Scalars of ``n`` series: 14 numbers, 112 bytes each."""

    def __init__(self, n: int) -> None:
        self.level = np.full(n, np.nan)
        self.noise = np.zeros(n)
        self.unclipped = np.zeros(n)
        self.short = np.zeros(n)
        self.long = np.zeros(n)
        self.age = np.zeros(n)
        self.seen = np.zeros(n)
        self.step = np.full(n, 300.0)
        self.last = np.full(n, np.nan)
        self.given = np.full(n, np.nan)
        self.value = np.full(n, np.nan)
        self.together = np.zeros(n)
        self.square = np.zeros(n)
        self.paired = np.zeros(n)

    def advance(self, t: Floats, sampled: Bools) -> Floats:
        """Weight of this sample in seconds, 0 where there is none: at most two steps."""
        since = t - self.last
        fresh = np.isnan(since)
        since = np.where(fresh, self.step, since)
        later = sampled & ~fresh & (since > 0.0)
        drift = np.clip(since - self.step, -0.2 * self.step, 0.2 * self.step)
        step = np.where(self.seen < 3, since, self.step + 0.05 * drift)
        self.step = np.where(later, step, self.step)
        dt = np.clip(since, 1.0, 2.0 * self.step)
        # Short means fade over a gap: what was unusual before it is no news after it.
        gap = np.where(sampled, np.maximum(since - dt, 0.0), 0.0)
        if gap.any():
            self.short *= np.exp(-gap / _SHORT)
            self.long *= np.exp(-gap / _LONG)
        self.last = np.where(sampled & ~(since < 0.0), t, self.last)
        return np.where(sampled, dt, 0.0)

    def explained(self, given: Floats) -> Floats:
        """The part of each value that the given series explains."""
        slope = self.together / np.where(self.square > 0.0, self.square, 1.0)
        away = given - np.where(np.isnan(self.given), given, self.given)
        return np.asarray(slope * away)

    def learn_given(self, values: Floats, given: Floats, dt: Floats) -> None:
        """Move the least-squares slope of the values over the given series."""
        use = np.where(np.isfinite(values) & np.isfinite(given), dt, 0.0)
        values, given = np.where(use > 0.0, values, 0.0), np.where(use > 0.0, given, 0.0)
        fresh = (use > 0.0) & np.isnan(self.given)
        self.given = np.where(fresh, given, self.given)
        self.value = np.where(fresh, values, self.value)
        self.paired += use
        rate = use / np.clip(self.paired, _TINY, _GIVEN)
        rate = np.where(use > 0.0, rate, 0.0)
        dx, dg = values - self.value, given - self.given
        dx, dg = np.where(rate > 0.0, dx, 0.0), np.where(rate > 0.0, dg, 0.0)
        self.value = self.value + rate * dx
        self.given = self.given + rate * dg
        self.together += rate * ((1.0 - rate) * dx * dg - self.together)
        self.square += rate * ((1.0 - rate) * dg * dg - self.square)

    def residual(self, season: _season.Season, now: _season.Now, x: Floats) -> Residual:
        """Compare with level and season; a first sample is the level."""
        self.level = np.where(np.isnan(self.level), x, self.level)
        self.noise = np.maximum(self.noise, _FLOOR * self.unclipped)
        expected = season.expect(now, self.noise)
        over = x - self.level - expected.week
        rest = over - np.clip(over, expected.lower, expected.upper)
        # Rounding of the level itself is no deviation.
        least = 1e-9 * np.abs(self.level) + _TINY
        limit = np.where(self.seen > FEWEST, CLIP * self.noise, np.inf)
        hour_noise = np.maximum(season.usual_noise(now, self.noise), least)
        raw = over - expected.middle
        return Residual(expected, raw, rest, hour_noise, np.maximum(self.noise, least), limit)

    def sizes(self, residual: Residual) -> Floats:
        """Sample, jump and shift, upward then downward, in units of noise: shape (n, 6)."""
        sample = residual.rest / residual.hour_noise
        jump = residual.rest - self.short
        # A return to what is expected is no anomaly.
        jump = np.where(np.sign(residual.rest) == np.sign(jump), jump, 0.0) / residual.hour_noise
        shift = (self.short - self.long) / residual.noise
        up = np.stack((sample, jump, shift), axis=1)
        return np.maximum(np.concatenate((up, -up), axis=1), 0.0)

    def learn(self, residual: Residual, dt: Floats, passed: Floats, active: Bools) -> None:
        """Move by ``dt`` seconds, which an anomaly holds at 0.

        The shortest mean goes on by the seconds that passed, and sees an anomaly's end sooner.
        """
        rest, limit = residual.rest, residual.limit
        memory = np.where(active & (np.abs(rest) < np.abs(self.short)), _RETURN, _SHORT)
        self.short += _rate(passed, np.maximum(memory, 2.0 * self.step)) * (rest - self.short)
        far = 4.0 * limit
        towards = np.clip(rest, -far, far) - self.long
        self.long += _rate(dt, np.maximum(_LONG, 4.0 * self.step)) * towards
        clipped = np.clip(residual.raw, -limit, limit)
        memory = np.clip(self.age, self.step, _LEVEL)
        self.level += _rate(dt, memory) * clipped
        self.age += passed
        self.seen += passed > 0.0
        age = np.maximum(self.age, _TINY)
        size = np.abs(residual.raw)
        self.noise += dt / np.minimum(age, _NOISE) * (np.abs(clipped) - self.noise)
        self.unclipped += passed / np.minimum(age, 4.0 * _NOISE) * (size - self.unclipped)

    def settle(self, shifted: Bools) -> None:
        """Take what lasted for the new level."""
        self.level = np.where(shifted, self.level + self.short, self.level)
        self.short = np.where(shifted, 0.0, self.short)
        self.long = np.where(shifted, 0.0, self.long)

    def density(self) -> Floats:
        """Powers of ten by which samples are denser than one in 5 minutes."""
        return np.log10(np.maximum(300.0 / self.step, 1.0))

    def memory(self) -> Floats:
        """Samples that the tail remembers: 4 weeks, and no fewer than 8064."""
        return np.maximum(28.0 * DAY / self.step, 8064.0)


def _rate(dt: Floats, memory: Floats) -> Floats:
    return -np.expm1(-dt / memory)
