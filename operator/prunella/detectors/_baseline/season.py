"""What a series usually does at this hour: deviations from its level, by day and by week.

Two tables per series: 96 quarters of the day, and on top of them 168 hours of the week, each
a mean over the last 10 days or 6 weeks of visits, updated with clipped deviations (Huber's
way to be robust), and drawn to zero as long as they say little:

- the day by ``w / (w + k)``, where w is the days seen and ``k = noise^2 / signal^2`` is the
  James-Stein ratio of what is left over to what the table explains;
- the week by ``w / (w + 1/2)``, with w the weeks seen.

*Who speaks.* The day speaks from its second visit on and the week from its third on, each only
while its forecasts were no worse than those of the simpler one on the series' own last 7 days.

A job that begins up to an hour sooner or later is no deviation, be it its own doing or that of
the clocks: the expectation is the band of this quarter and of those within the hour around it.
Source of the additive decomposition: R. Cleveland and others, "STL" (1990), done here in one
pass; of the clipping: P. Huber, "Robust estimation of a location parameter" (1964).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import masks, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

DAY, HOUR = 86400.0, 3600.0
QUARTERS, WEEK = 96, 168
SLOTS = QUARTERS + WEEK + 24
_DAYS_KEPT, _HOURS_KEPT, _WEEKS_KEPT = 10.0, 10.0, 6.0
_KEPT = np.array([[_DAYS_KEPT], [_HOURS_KEPT], [_WEEKS_KEPT]])
_AROUND = 4
"""Quarters within which a habit may move."""
_BEFORE, _AFTER, _OWN = _AROUND - 1, _AROUND, 2 * _AROUND
_NOISE, _OWN_WEEK = _OWN + 1, _OWN + 2
_BESIDE = np.array([*range(-_AROUND, 0), *range(1, _AROUND + 1), 0])[:, None]
_QUARTER_SLOTS = (np.arange(QUARTERS) + _BESIDE) % QUARTERS
_HOUR_SLOTS = QUARTERS + WEEK + np.arange(WEEK)[None] % 24
_WEEK_SLOTS = QUARTERS + (np.arange(WEEK) + np.array([[0], [-1], [1]])) % WEEK
_BY_HOUR = np.concatenate((_HOUR_SLOTS, _WEEK_SLOTS))
_DAYS, _LEARNED, _WEEKS = slice(0, _OWN + 1), slice(_OWN, _OWN_WEEK + 1), slice(_OWN_WEEK, None)
"""What is read of the slots lies side by side: the quarters, with the present one last, the noise
of the hour, the hours of the week, with the present one first; so does what is learned."""
_NOW = slice(0, _OWN_WEEK + 1)
"""The hours of the week beside this one are read only where the week speaks."""
_WEEK_SHRINK = 0.5
_DAYS_BEFORE, _WEEKS_BEFORE, _TWICE = 0.95, 1.95, 1.95
"""Visits before the day and the week may speak, and before what the day holds is a habit."""
_LEAST_SHRINK, _MOST_SHRINK = 0.1, 5.0
_ERRORS = 7 * DAY
"""Seconds over which forecasts are compared."""


@dataclasses.dataclass(slots=True)
class Now:
    """Where a tick is in the day and the week, once for all series or for each of them."""

    slots: Ints
    """Shape (13, 1) or (13, n): the quarters around this one and this one, the hour of the day,
    this hour of the week and those beside it."""
    learned: Ints
    """The present ones among them: shape (3, 1) or (3, n)."""
    past: Floats
    """Place within the quarter, -0.5 to 0.5."""

    def towards(self, before: Floats, after: Floats) -> Floats:
        """What lies between here and the quarter that is nearer, before this one or after."""
        if len(self.past) == 1:
            return before if self.past[0] < 0.0 else after
        return np.where(self.past < 0.0, before, after)


def place(local: Floats) -> Now:
    """Place of local times (seconds since 1970-01-01, a Thursday): shape (1,) or (n,)."""
    if len(local) == 1:
        return _place_of_one(float(local[0]))
    in_day = np.mod(local, DAY) * (QUARTERS / DAY)
    quarter = in_day.astype(np.intp)
    week_hour = (np.mod(local, 7 * DAY) / HOUR).astype(np.intp)
    return Now(*_slots(quarter, week_hour), in_day - quarter - 0.5)


def _place_of_one(local: float) -> Now:
    """The same of one moment of all series, without arrays of one number."""
    in_day = local % DAY * (QUARTERS / DAY)
    quarter, week_hour = int(in_day), int(local % (7 * DAY) / HOUR)
    return Now(*_slots_of_one(quarter, week_hour), np.array([in_day - quarter - 0.5]))


def _slots(quarter: Ints, week_hour: Ints) -> tuple[Ints, Ints]:
    """The slots that are read there, and those that are learned."""
    read = np.concatenate((_QUARTER_SLOTS.take(quarter, axis=1), _BY_HOUR.take(week_hour, axis=1)))
    return read, read[_LEARNED]


@functools.lru_cache(maxsize=4 * WEEK)
def _slots_of_one(quarter: int, week_hour: int) -> tuple[Ints, Ints]:
    """The same of one moment: there are few of them."""
    slots = _slots(np.array([quarter]), np.array([week_hour]))
    for each in slots:
        each.flags.writeable = False
    return slots


@dataclasses.dataclass(slots=True)
class Expected:
    """Deviations from the level that are expected now: shape (n,) each."""

    middle: Floats
    lower: Floats
    upper: Floats
    own: Floats
    """The present quarter's own share, without its neighbours."""
    day: Floats
    """What the day alone says, whether it speaks or not."""
    week: Floats
    """What the week adds to it, whether it speaks or not."""
    weekly: Floats
    """The same where it speaks, else 0."""
    noise: Floats
    """Mean absolute deviation at this hour, drawn to that of all hours."""
    means: Floats
    """What this quarter, this hour of the day and this hour of the week hold: shape (3, n)."""
    seen: Floats
    """Their visits."""
    by_day: Bools
    by_week: Bools
    least: Floats
    """The band that the day alone says, whether it speaks or not."""
    most: Floats

    def known(self, over: Floats, noise: Floats, noises: float, rows: Ints) -> Bools:
        """Whether the day, which does not speak yet, has seen some series so at this hour twice.

        "So" is no further off than so many times the noise.
        """
        visits, _, _ = self.seen
        twice = ~self.by_day[rows]
        if masks.any_of(twice):
            twice &= visits[rows] >= _TWICE
        if not masks.any_of(twice):
            return np.asarray(twice)
        over = over[rows]
        away = over - np.minimum(np.maximum(over, self.least[rows]), self.most[rows])
        return np.asarray(twice & (np.abs(away) < noises * noise[rows]))


class Season(rows.Rows):
    """The tables of ``n`` series: 2.3 kB each, in single precision.

    The first slots are the quarters of the day, then come the hours of the week, then the noise
    of the hours of the day.
    """

    __slots__ = ("_shared", "_without", "errors", "means", "power", "seen")

    def __init__(self, n: int, without: Collection[str] = ()) -> None:
        self._without = frozenset(without)
        self._shared: tuple[Floats, Floats, Floats] | None = None
        """Weights of a tick, and the shares of a visit that they are."""
        self.means = np.zeros((SLOTS, n), np.float32)
        self.seen = np.zeros((SLOTS, n), np.float32)
        self.power = np.zeros(n)
        self.errors = np.zeros((3, n))
        """Mean absolute errors of level, of day, and of day and week."""

    def expect(self, now: Now, spread: Floats) -> Expected:
        """The deviation that is expected, with the band of what is near in time."""
        means, seen = _read(self.means, now.slots[_NOW]), _read(self.seen, now.slots[_NOW])
        days = _drawn(means[_DAYS], seen[_DAYS], self._shrink(spread))
        week = _drawn(means[_OWN_WEEK], seen[_OWN_WEEK], _WEEK_SHRINK)
        level_off, day_off, week_off = self.errors
        by_day = (seen[_OWN] >= _DAYS_BEFORE) & (day_off <= level_off)
        by_week = (seen[_OWN_WEEK] >= _WEEKS_BEFORE) & (week_off <= day_off)
        if self._without:
            by_day &= "day" not in self._without
            by_week &= "week" not in self._without
        before, own, after = days[_BEFORE], days[_OWN], days[_AFTER]
        day = own + now.towards(own - before, after - own) * now.past
        least, most = np.minimum.reduce(days), np.maximum.reduce(days)
        lower, upper, middle = (masks.pick(by_day, each, 0.0) for each in (least, most, day))
        weekly = np.zeros(len(middle))
        if masks.any_of(by_week):
            slots = now.slots[_WEEKS]
            weeks = _drawn(_read(self.means, slots), _read(self.seen, slots), _WEEK_SHRINK)
            weekly = np.where(by_week, week, 0.0)
            middle = middle + weekly
            lower = lower + np.minimum.reduce(weeks) * by_week
            upper = upper + np.maximum.reduce(weeks) * by_week
        here = (means[_NOISE] * seen[_NOISE] + spread) / (seen[_NOISE] + 1.0)
        noise = 0.5 * (here + spread)
        return Expected(
            middle,
            lower,
            upper,
            own,
            day,
            week,
            weekly,
            noise,
            means[_LEARNED],
            seen[_LEARNED],
            by_day,
            by_week,
            least,
            most,
        )

    def learn(
        self, now: Now, expected: Expected, over: Floats, limit: Floats, dt: Floats, passed: Floats
    ) -> None:
        """Move to what was over the level; ``dt`` 0 learns nothing of the day.

        The week learns by the seconds that ``passed``, in anomalies too: a habit of one day a week
        is one at first.  What is learned is clipped.
        """
        targets, share = np.empty((3, len(over))), self._share(dt, passed)
        np.subtract(over - expected.weekly, expected.own, out=targets[0])
        np.subtract(over, expected.middle, out=targets[1])
        np.subtract(over - expected.day, expected.week, out=targets[2])
        np.minimum(np.maximum(targets, -limit, out=targets), limit, out=targets)
        targets[0] += expected.own
        np.abs(targets[1], out=targets[1])
        targets[2] += expected.week
        seen = np.minimum(expected.seen + share, _KEPT)
        # A slot without a visit keeps what it holds.
        rate = share / (seen if masks.all_of(share > 0.0) else np.where(seen > 0.0, seen, 1.0))
        targets -= expected.means
        targets *= rate
        targets += expected.means
        _write(self.seen, now.learned, seen)
        _write(self.means, now.learned, targets)
        before, own = expected.means[0], targets[0]
        explained = (own * own - before * before) / QUARTERS
        self.power = np.maximum(self.power + explained, 0.0)

    def compare(
        self, expected: Expected, over: Floats, limit: Floats, age: Floats, passed: Floats
    ) -> None:
        """Note how far off each forecast was, an anomaly no more than is clipped."""
        found = np.empty((3, len(over)))
        # Without what lies between two quarters: where a peak begins at once, it would cost the
        # day as much there as the peak brings it.
        found[0] = over
        np.subtract(over, expected.own, out=found[1])
        np.subtract(found[1], expected.week, out=found[2])
        np.abs(found, out=found)
        np.minimum(found, limit, out=found)
        found -= self.errors
        found *= passed / np.maximum(np.minimum(age, _ERRORS), 1.0)
        self.errors += found

    def _share(self, dt: Floats, passed: Floats) -> Floats:
        """Of a visit to a quarter, an hour of the day and one of the week: (3, n) or (3, 1).

        As with `fading.Rates` it is that of the tick before where the arrays are the same ones.
        """
        shared = self._shared
        if shared is None or shared[0] is not dt or shared[1] is not passed:
            share = np.empty((3, len(dt)))
            share[0], share[1], share[2] = dt * (QUARTERS / DAY), dt / HOUR, passed / HOUR
            np.minimum(share, 1.0, out=share)
            share.flags.writeable = False
            self._shared = shared = dt, passed, share
        return shared[2]

    def lowest(self, series: Ints) -> Floats:
        """What some series are at the quietest time of their day, against the level."""
        return np.asarray(self.means[:QUARTERS, series].min(axis=0), np.float64)

    def _shrink(self, spread: Floats) -> Floats:
        """The James-Stein ratio; the most while the table explains nothing."""
        explains = self.power > 0.0
        ratio = spread * (spread / masks.pick(explains, self.power, 1.0))
        ratio = ratio.clip(_LEAST_SHRINK, _MOST_SHRINK)
        return masks.pick(explains, ratio, _MOST_SHRINK)


def _drawn(means: Floats, seen: Floats, shrink: Floats | float) -> Floats:
    """Means drawn to zero as long as few visits were seen."""
    drawn = seen + shrink
    np.divide(seen, drawn, out=drawn)
    drawn *= means
    return drawn


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
