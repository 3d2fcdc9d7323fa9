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

from prunella.detectors._baseline import rows

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

DAY, HOUR = 86400.0, 3600.0
QUARTERS, WEEK = 96, 168
SLOTS = QUARTERS + WEEK + 24
_DAYS_KEPT, _WEEKS_KEPT, _HOURS_KEPT = 10.0, 6.0, 10.0
_KEPT = np.array([[_DAYS_KEPT], [_WEEKS_KEPT], [_HOURS_KEPT]])
_QUARTER_SLOTS = (np.arange(QUARTERS) + np.array([[-1], [1], [0]])) % QUARTERS
_HOUR_SLOTS = QUARTERS + np.stack((np.arange(WEEK), WEEK + np.arange(WEEK) % 24))
_WEEK_SHRINK = 2.0
_LEAST_SHRINK, _MOST_SHRINK = 0.1, 5.0


@dataclasses.dataclass(slots=True)
class Now:
    """Where a tick is in the day and the week, once for all series or for each of them."""

    slots: Ints
    """Shape (5, 1) or (5, n): the quarters before and after, this one, the hours of the week and
    of the day."""
    past: Floats
    """Place within the quarter, -0.5 to 0.5."""


def place(local: Floats) -> Now:
    """Place of local times (seconds since 1970-01-01, a Thursday): shape (1,) or (n,)."""
    in_day = np.mod(local, DAY) * (QUARTERS / DAY)
    quarter = in_day.astype(np.intp)
    week_hour = (np.mod(local, 7 * DAY) / HOUR).astype(np.intp)
    slots = np.concatenate(
        (_QUARTER_SLOTS.take(quarter, axis=1), _HOUR_SLOTS.take(week_hour, axis=1))
    )
    return Now(slots, in_day - quarter - 0.5)


@dataclasses.dataclass(slots=True)
class Expected:
    """Deviations from the level that are expected now: shape (n,) each."""

    middle: Floats
    lower: Floats
    upper: Floats
    week: Floats
    own: Floats
    """The present quarter's own share, without its neighbours."""
    noise: Floats
    """Mean absolute deviation at this hour, drawn to that of all hours."""
    means: Floats
    """What this quarter, this hour of the week and this hour of the day hold: shape (3, n)."""
    seen: Floats
    """Their visits."""


class Season(rows.Rows):
    """The tables of ``n`` series: 2.3 kB each, in single precision.

    The first slots are the quarters of the day, then come the hours of the week, then the noise
    of the hours of the day.
    """

    __slots__ = ("means", "power", "seen")

    def __init__(self, n: int) -> None:
        self.means = np.zeros((SLOTS, n), np.float32)
        self.seen = np.zeros((SLOTS, n), np.float32)
        self.power = np.zeros(n)

    def expect(self, now: Now, spread: Floats) -> Expected:
        """The deviation that is expected, with the band of the neighbouring quarters."""
        means, seen = _read(self.means, now.slots), _read(self.seen, now.slots)
        shrink = np.empty((4, len(spread)))
        shrink[:3], shrink[3] = self._shrink(spread), _WEEK_SHRINK
        before, after, own, week = means[:4] * (seen[:4] / (seen[:4] + shrink))
        middle = own + np.where(now.past < 0.0, own - before, after - own) * now.past
        lower = np.minimum(np.minimum(before, own), after)
        upper = np.maximum(np.maximum(before, own), after)
        here = (means[4] * seen[4] + spread) / (seen[4] + 1.0)
        noise = 0.5 * (here + spread)
        return Expected(middle, lower, upper, week, own, noise, means[2:], seen[2:])

    def learn(self, now: Now, expected: Expected, left: Floats, limit: Floats, dt: Floats) -> None:
        """Move to what was left over after level and season; ``dt`` 0 learns nothing."""
        targets, share = np.empty((3, len(dt))), np.empty((3, len(dt)))
        beyond = np.minimum(np.maximum(left + expected.middle - expected.own, -limit), limit)
        clipped = np.minimum(np.maximum(left, -limit), limit)
        targets[0] = beyond + expected.own
        targets[1] = clipped + expected.week
        np.abs(clipped, out=targets[2])
        share[0] = dt * (QUARTERS / DAY)
        share[1:] = dt / HOUR
        np.minimum(share, 1.0, out=share)
        seen = np.minimum(expected.seen + share, _KEPT)
        # A slot without a visit keeps what it holds.
        rate = share / np.where(seen > 0.0, seen, 1.0)
        new = expected.means + rate * (targets - expected.means)
        _write(self.seen, now.slots[2:], seen)
        _write(self.means, now.slots[2:], new)
        explained = (new[0] * new[0] - expected.means[0] * expected.means[0]) / QUARTERS
        self.power = np.maximum(self.power + explained, 0.0)

    def _shrink(self, spread: Floats) -> Floats:
        """The James-Stein ratio; the most while the table explains nothing."""
        explains = self.power > 0.0
        ratio = spread * (spread / np.where(explains, self.power, 1.0))
        ratio = np.minimum(np.maximum(ratio, _LEAST_SHRINK), _MOST_SHRINK)
        return np.where(explains, ratio, _MOST_SHRINK)


def _read(table: NDArray[np.float32], slots: Ints) -> Floats:
    """The slots' values of each series: shape (slots, n)."""
    if slots.shape[1] == 1:
        return np.asarray(table.take(slots[:, 0], axis=0), np.float64)
    n = table.shape[1]
    return np.asarray(table.reshape(-1).take(slots * n + np.arange(n)), np.float64)


def _write(table: NDArray[np.float32], slots: Ints, values: Floats) -> None:
    if slots.shape[1] == 1:
        table[slots[:, 0]] = values
    else:
        table[slots, np.arange(table.shape[1])] = values
