"""Level, noise and short means: the scalars of each series."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import clock, fading, masks, rows, season

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HOUR, DAY = 3600.0, 86400.0
FEWEST = 20
"""Samples before anything is scored or clipped."""
CLIP = 8.0
_LEVEL, _NOISE = 2 * DAY, 14 * DAY
_SHORT, _LONG, _RETURN = HOUR, 4 * HOUR, HOUR / 4
_EARLY = 2.0
_UNCLIPPED = 28 * DAY
_FLOOR = 0.1
NEAR, FAR = 2.0, 4.0
"""Noises within which a sample is as expected, and beyond which it is far from it."""
_AT_HOME = 3.0
"""Noises within which it is as it was expected before the level moved."""
_CALM = 2.0
_TRIAL = 3 * DAY
"""Seconds for which the level before is remembered."""
_TINY = 1e-300


@dataclasses.dataclass(slots=True)
class Residual:
    """What a sample leaves of what was expected: shape (n,) each."""

    season: season.Expected
    over: Floats
    """Against the level alone."""
    raw: Floats
    """Against the middle of the season's band: what is learned."""
    rest: Floats
    """Against the band: what is judged."""
    hour_noise: Floats
    noise: Floats
    limit: Floats
    """Learning clips here."""
    near: Bools
    """Whether a sample is as expected."""

    def within(self, noises: float) -> Bools:
        """Whether a sample is that near to what is expected."""
        return np.asarray(np.abs(self.rest) < noises * self.hour_noise)


class Level(rows.Rows):
    """Scalars of ``n`` series: 8 numbers, 64 bytes each."""

    __slots__ = (
        "_rates_of_means",
        "calm",
        "home",
        "level",
        "long",
        "noise",
        "short",
        "trial",
        "unclipped",
    )

    def __init__(self, n: int) -> None:
        self._rates_of_means = fading.Rates([_SHORT, _LONG], [2.0, 4.0])
        self.level = np.full(n, np.nan)
        self.home = np.full(n, np.nan)
        """The level before what lasted became the new one."""
        self.trial = np.zeros(n)
        """Seconds for which that is still remembered."""
        self.noise = np.zeros(n)
        self.unclipped = np.zeros(n)
        self.short = np.zeros(n)
        self.long = np.zeros(n)
        self.calm = np.zeros(n)
        """Samples in a row that are as expected."""

    def fade(self, gap: Floats) -> None:
        """Let the short means fade: what was unusual before a gap is no news after it."""
        self.short *= np.exp(-gap / _SHORT)
        self.long *= np.exp(-gap / _LONG)

    def residual(
        self, season: season.Season, now: season.Now, x: Floats, sampled: Bools, seen: Floats
    ) -> Residual:
        """Compare with level and season; a first sample is the level.

        Without a sample the level stands in for it.  ``seen`` are the samples before it.
        """
        x, level = masks.pick(sampled, x, self.level), self.level
        if masks.any_of(np.isnan(level)):
            level = self.level = np.where(sampled & np.isnan(level), x, level)
            x, level = np.where(np.isnan(level), 0.0, x), np.where(np.isnan(level), 0.0, level)
        self.noise = np.maximum(self.noise, _FLOOR * self.unclipped)
        expected = season.expect(now, self.noise)
        over = x - level
        if masks.any_of(self.trial):
            over = self._at_home(x, over, expected)
        rest = _beyond(over, expected)
        # Rounding of the level itself is no deviation.
        least = 1e-9 * np.abs(level) + _TINY
        limit = masks.pick(seen > FEWEST, CLIP * self.noise, np.inf)
        hour_noise = np.maximum(expected.noise, least)
        noise = np.maximum(self.noise, least)
        raw, near = over - expected.middle, np.abs(rest) < NEAR * hour_noise
        return Residual(expected, over, raw, rest, hour_noise, noise, limit, near)

    def _at_home(self, x: Floats, over: Floats, expected: season.Expected) -> Floats:
        """Go back to the level before, where a value is as it was usual there."""
        home = np.where(self.trial > 0.0, self.home, np.inf)
        before = x - home
        then = np.abs(_beyond(before, expected))
        nearer = 2.0 * then < np.abs(_beyond(over, expected))
        back = (then < _AT_HOME * self.noise) & nearer
        if not masks.any_of(back):
            return over
        self.level = np.where(back, home, self.level)
        self.short = np.where(back, 0.0, self.short)
        self.long = np.where(back, 0.0, self.long)
        self.trial = np.where(back, 0.0, self.trial)
        return np.where(back, before, over)

    def ease(self, residual: Residual, sampled: Bools) -> Bools:
        """Count samples in a row that are as expected; true where they are two or more."""
        self.calm = masks.pick(sampled, (self.calm + 1.0) * residual.near, self.calm)
        return self.calm >= _CALM

    def size(self, residual: Residual, sizes: Floats) -> None:
        """Sample, jump and shift, upward then downward, in units of noise: shape (6, n).

        One of two opposite ones is negative: it has no size.
        """
        rest = residual.rest
        sizes[0] = rest
        np.subtract(rest, self.short, out=sizes[1])
        np.subtract(self.short, self.long, out=sizes[2])
        # A return to what is expected is no anomaly, nor is its echo in the longer mean.
        place = np.empty((2, len(rest)))
        place[0], place[1] = rest, self.short
        least, most = np.minimum(place, 0.0), np.maximum(place, 0.0)
        np.minimum(np.maximum(sizes[1:3], least, out=sizes[1:3]), most, out=sizes[1:3])
        sizes[:2] /= residual.hour_noise
        sizes[2] /= residual.noise
        np.negative(sizes[:3], out=sizes[3:])

    def learn(self, residual: Residual, dt: Floats, pace: clock.Pace, active: Bools) -> None:
        """Move by ``dt`` seconds, which an anomaly holds at 0.

        The shortest mean goes on by the seconds that passed, and sees an anomaly's end sooner.
        """
        raw, rest, limit = residual.raw, residual.rest, residual.limit
        short, long = self._rates(rest, dt, pace, active)
        level = _rate(dt / np.minimum(np.maximum(pace.age, pace.step), _LEVEL))
        self.short += short * (rest - self.short)
        far = 4.0 * limit
        self.long += long * (np.minimum(np.maximum(rest, -far), far) - self.long)
        clipped = np.minimum(np.maximum(raw, -limit), limit)
        self.level += level * clipped
        if masks.any_of(self.trial):
            self.trial = np.maximum(self.trial - pace.dt, 0.0)
        age = np.maximum(pace.age + pace.dt, _TINY)
        noise = dt / np.minimum(np.maximum(age / _EARLY, dt + _TINY), _NOISE)
        self.noise += noise * (np.abs(clipped) - self.noise)
        unclipped = pace.dt / np.minimum(age, _UNCLIPPED)
        self.unclipped += unclipped * (np.abs(raw) - self.unclipped)

    def _rates(
        self, rest: Floats, dt: Floats, pace: clock.Pace, active: Bools
    ) -> tuple[Floats, Floats]:
        """By how much the short and the long mean move; ``dt`` is 0 in anomalies."""
        short, long = self._rates_of_means.of(pace.dt, pace.step)
        if not masks.any_of(active):
            return short, long
        twice, away = 2.0 * pace.step, np.abs(rest)
        returns = active & (away < np.abs(self.short))
        # An incident too common to trigger was learned: its end must not look like a shift down.
        fades = active & (away < np.abs(self.long))
        slow = _rate(dt / np.maximum(_LONG, 2.0 * twice))
        fast = _rate(pace.dt / np.maximum(_RETURN, twice))
        return np.where(returns, fast, short), np.where(fades, short, slow)

    def begin_anew(self, ended: Bools, residual: Residual) -> None:
        """After an anomaly the means begin with what is as expected."""
        if masks.any_of(ended):
            self.short = np.where(ended, residual.rest, self.short)
            self.long = np.where(ended, residual.rest, self.long)

    def settle(self, shifted: Bools) -> None:
        """Take what lasted for the new level; the one before is remembered for a while."""
        if masks.any_of(shifted):
            first = shifted & ~(self.trial > 0.0)
            self.home = np.where(first, self.level, self.home)
            self.trial = np.where(shifted, _TRIAL, self.trial)
            self.level = np.where(shifted, self.level + self.short, self.level)
            self.short = np.where(shifted, 0.0, self.short)
            self.long = np.where(shifted, 0.0, self.long)


def _rate(times: Floats) -> Floats:
    """By how much a mean moves in so many times its span."""
    return np.asarray(-np.expm1(-times))


def _beyond(over: Floats, expected: season.Expected) -> Floats:
    """What the band leaves."""
    inside = np.minimum(np.maximum(over, expected.lower), expected.upper)
    return np.asarray(over - inside)
