"""What a series usually does at this hour: deviations from its level, by day and by week.

Two tables per series: 96 quarters of the day, and on top of them 168 hours of the week, each
a mean over the last 10 days or 6 weeks of visits, updated with clipped deviations (Huber's
way to be robust), and drawn to zero as long as they say little:

- the day by ``w / (w + k)``, where w is the days seen and ``k = noise^2 / signal^2`` is the
  James-Stein ratio of what is left over to what the table explains;
- the week by ``w / (w + 2)``, with w the weeks seen.

A job that begins some minutes sooner or later is no deviation: the day's expectation is the
band of this quarter and its neighbours.  The usual noise is kept per hour of the day too.
Source of the additive decomposition: R. Cleveland and others, "STL" (1990), done here in one
pass; of the clipping: P. Huber, "Robust estimation of a location parameter" (1964).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

DAY, HOUR = 86400.0, 3600.0
QUARTERS, WEEK = 96, 168
_DAYS_KEPT, _WEEKS_KEPT, _HOURS_KEPT = 10.0, 6.0, 10.0
_WEEK_SHRINK = 2.0
_LEAST_SHRINK, _MOST_SHRINK = 0.1, 5.0


@dataclasses.dataclass(slots=True)
class Now:
    """Where a tick is in the day and the week: shape (n,) each."""

    quarter: Ints
    offset: Floats
    """Place within the quarter, 0 to 1."""
    week_hour: Ints
    hour: Ints


def place(local: Floats) -> Now:
    """Place of local times (seconds since 1970-01-01, a Thursday) in day and week."""
    in_day = np.mod(local, DAY) * (QUARTERS / DAY)
    quarter = in_day.astype(np.intp)
    week_hour = (np.mod(local, 7 * DAY) / HOUR).astype(np.intp)
    return Now(quarter, in_day - quarter, week_hour, week_hour % 24)


@dataclasses.dataclass(slots=True)
class Expected:
    """Deviations from the level that are expected now: shape (n,) each."""

    middle: Floats
    lower: Floats
    upper: Floats
    week: Floats
    own: Floats
    """The present quarter's own share, without its neighbours."""


class Season:
    """The tables of ``n`` series: 2.3 kB each, in single precision."""

    __slots__ = ("day", "day_seen", "noise", "noise_seen", "power", "rows", "week", "week_seen")

    def __init__(self, n: int) -> None:
        self.day = np.zeros((n, QUARTERS), np.float32)
        self.day_seen = np.zeros((n, QUARTERS), np.float32)
        self.week = np.zeros((n, WEEK), np.float32)
        self.week_seen = np.zeros((n, WEEK), np.float32)
        self.noise = np.zeros((n, 24), np.float32)
        self.noise_seen = np.zeros((n, 24), np.float32)
        self.power = np.zeros(n)
        self.rows = np.arange(n)

    def expect(self, now: Now, spread: Floats) -> Expected:
        """The deviation that is expected, with the band of the neighbouring quarters."""
        power = np.where(self.power > 0.0, self.power, 1.0)
        shrink = np.clip(spread * (spread / power), _LEAST_SHRINK, _MOST_SHRINK)
        shrink = np.where(self.power > 0.0, shrink, _MOST_SHRINK)
        around = (now.quarter[:, None] + np.arange(-1, 2)) % QUARTERS
        seen = self.day_seen[self.rows[:, None], around].astype(np.float64)
        near = self.day[self.rows[:, None], around] * (seen / (seen + shrink[:, None]))
        before, own, after = near[:, 0], near[:, 1], near[:, 2]
        past = now.offset - 0.5
        middle = own + np.where(past < 0.0, own - before, after - own) * past
        weeks = self.week_seen[self.rows, now.week_hour].astype(np.float64)
        week = self.week[self.rows, now.week_hour] * (weeks / (weeks + _WEEK_SHRINK))
        return Expected(middle, near.min(axis=1), near.max(axis=1), week, own)

    def usual_noise(self, now: Now, spread: Floats) -> Floats:
        """Mean absolute deviation at this hour, drawn to that of all hours."""
        seen = self.noise_seen[self.rows, now.hour].astype(np.float64)
        here = (self.noise[self.rows, now.hour] * seen + spread) / (seen + 1.0)
        return np.asarray(0.5 * (here + spread))

    def learn(self, now: Now, expected: Expected, left: Floats, limit: Floats, dt: Floats) -> None:
        """Move to what was left over after level and season; ``dt`` 0 learns nothing."""
        rows, quarter, clipped = self.rows, now.quarter, np.clip(left, -limit, limit)
        share = np.minimum(dt * (QUARTERS / DAY), 1.0)
        old = self.day[rows, quarter].astype(np.float64)
        beyond = np.clip(left + expected.middle - expected.own, -limit, limit)
        rate = _visit(self.day_seen, rows, quarter, share, _DAYS_KEPT)
        new = old + rate * (beyond + expected.own - old)
        self.day[rows, quarter] = new
        self.power = np.maximum(self.power + (new**2 - old**2) / QUARTERS, 0.0)
        share = np.minimum(dt / HOUR, 1.0)
        rate = _visit(self.week_seen, rows, now.week_hour, share, _WEEKS_KEPT)
        old = self.week[rows, now.week_hour].astype(np.float64)
        self.week[rows, now.week_hour] = old + rate * (clipped + expected.week - old)
        rate = _visit(self.noise_seen, rows, now.hour, share, _HOURS_KEPT)
        old = self.noise[rows, now.hour].astype(np.float64)
        self.noise[rows, now.hour] = old + rate * (np.abs(clipped) - old)


def _visit(
    table: NDArray[np.float32], rows: Ints, slot: Ints, share: Floats, kept: float
) -> Floats:
    """Add a share of a visit to a slot; returns the weight of the new value in its mean."""
    seen = np.minimum(table[rows, slot] + share, kept)
    table[rows, slot] = seen
    return np.where(seen > 0.0, share / np.where(seen > 0.0, seen, 1.0), 0.0)
