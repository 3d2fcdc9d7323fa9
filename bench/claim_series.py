"""Series that are made for the claims of `bench.claims`: habits, incidents and what looks like one.

All begin on a Monday at 00:00 UTC and have a sample every 5 minutes, unless they say otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
START = 1_767_571_200.0
"""Monday, 2026-01-05 00:00 UTC."""
STEP, HOUR, DAY = 300.0, 12, 288


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Values of shape (ticks, seeds), and the rows at which what happens begins and is over."""

    times: Floats
    values: Floats
    spans: tuple[tuple[int, int], ...] = ()
    given: Floats | None = None
    hold: int = 3
    """Samples that an alarm must last before it acts: ten minutes, or the next sample."""


def at(day: float, hour: float = 0.0) -> int:
    """The sample at that time."""
    return round(day * DAY + hour * HOUR)


def clock(days: float, step: float = STEP) -> Floats:
    """Unix times."""
    return START + np.arange(round(days * 86_400 / step)) * step


def wave(times: Floats, seeds: int, size: float = 0.3, peak: float = 15.0) -> Floats:
    """A day around 100, whose peak is at another hour for each seed: shape (ticks, seeds)."""
    hours = (times[:, None] - START) / 3_600 % 24 - peak - np.linspace(-3, 3, seeds)
    return np.asarray(100.0 * (1.0 + size * np.cos(hours * np.pi / 12)))


def usual(days: float, seeds: int, key: int, noise: float = 0.06) -> tuple[Floats, Floats]:
    """Times and a day with noise that grows with the value."""
    times = clock(days)
    rng = np.random.default_rng(key)
    return times, wave(times, seeds) * rng.lognormal(0.0, noise, (len(times), seeds))


def repeated(seeds: int, every: float, count: int) -> Batch:
    """The same incident, five times the usual for an hour, again and again."""
    times, values = usual(12 + every * count, seeds, 1)
    spans = tuple((at(10 + every * k, 5), at(10 + every * k, 6)) for k in range(count))
    for first, last in spans:
        values[first:last] *= 5.0
    return Batch(times, values, spans)


def _returned(seeds: int, first: int, last: int, shape: Callable[[Floats], Floats]) -> Batch:
    """A departure in units of the level, by its share that is over; then as before."""
    times, values = usual(12, seeds, 2)
    values[first:last] += 100.0 * shape(np.linspace(0.0, 1.0, last - first))[:, None]
    return Batch(times, values, ((first, last),))


RETURNS: Mapping[str, Callable[[int], Batch]] = {
    "an hour at five times the usual": lambda n: _returned(
        n, at(9, 9), at(9, 10), lambda x: 0 * x + 4
    ),
    "six hours at a third": lambda n: _returned(n, at(9, 9), at(9, 15), lambda x: 0 * x - 0.6),
    "a slow fall over a day": lambda n: _returned(n, at(9, 9), at(10, 9), lambda x: -0.6 * x),
    "a slow rise over a day": lambda n: _returned(n, at(9, 9), at(10, 9), lambda x: 1.5 * x),
    "a day and a half at double": lambda n: _returned(n, at(9, 9), at(10, 21), lambda x: 0 * x + 1),
    "a slow rise and fall over six hours": lambda n: _returned(
        n, at(9, 9), at(9, 15), lambda x: 1.5 * np.sin(np.pi * x)
    ),
}


def _weekdays(times: Floats) -> Floats:
    return np.asarray((times - START) // 86_400 % 7)


def _steady(n: int) -> Batch:
    times = clock(28)
    return Batch(times, np.random.default_rng(3).normal(50.0, 1.0, (len(times), n)))


def _daily(n: int) -> Batch:
    return Batch(*usual(28, n, 4))


def _working_week(n: int) -> Batch:
    times, values = usual(28, n, 5)
    weekend = np.where(_weekdays(times) >= 5, 0.55, 1.0)
    return Batch(times, values * weekend[:, None])


def _latency(n: int) -> Batch:
    times = clock(28)
    rng = np.random.default_rng(6)
    return Batch(times, 0.001 * wave(times, n) * rng.lognormal(0.0, 0.35, (len(times), n)))


def _wander(n: int) -> Batch:
    times = clock(28)
    push = np.random.default_rng(7).normal(0.0, 1.0, (len(times), n))
    values = np.empty_like(push)
    last = np.zeros(n)
    for row, each in enumerate(push):
        last = 0.97 * last + each
        values[row] = 100.0 + last
    return Batch(times, values)


def _spikes(n: int) -> Batch:
    """A busy series: a spike of one or two samples about once in four hours."""
    times = clock(28)
    rng = np.random.default_rng(8)
    begins = rng.random((len(times), n)) < 0.02
    spikes = np.where(begins, rng.exponential(15.0, begins.shape), 0.0)
    spikes[1:] += np.where(rng.random(begins[1:].shape) < 0.5, spikes[:-1], 0.0)
    return Batch(times, rng.normal(10.0, 0.5, begins.shape) + spikes)


def _zeros(n: int) -> Batch:
    """Errors that are nearly always none: a few now and then."""
    times = clock(28)
    rng = np.random.default_rng(9)
    return Batch(
        times, (rng.random((len(times), n)) < 0.01) * rng.integers(1, 4, (len(times), n)) * 1.0
    )


def _counts(n: int) -> Batch:
    """A handful of events in each sample, more by day."""
    times = clock(28)
    return Batch(times, np.random.default_rng(10).poisson(wave(times, n, 0.6) / 25.0) * 1.0)


def _hourly(n: int) -> Batch:
    times = clock(56, 3_600.0)
    rng = np.random.default_rng(11)
    weekend = np.where(_weekdays(times) >= 5, 0.7, 1.0)[:, None]
    values = wave(times, n) * weekend * rng.lognormal(0.0, 0.15, (len(times), n))
    return Batch(times, values, hold=1)


def _batches(n: int) -> Batch:
    """A batch job about six times a day, at no fixed hour, for half an hour."""
    times = clock(28)
    rng = np.random.default_rng(12)
    busy = np.zeros((len(times), n), np.bool_)
    begins = rng.random(busy.shape) < 6.0 / DAY
    for back in range(6):
        busy[back:] |= begins[: len(times) - back]
    return Batch(times, rng.normal(10.0, 0.5, busy.shape) + 20.0 * busy)


QUIET: Mapping[str, Callable[[int], Batch]] = {
    "noise": _steady,
    "a day's wave": _daily,
    "working week": _working_week,
    "latency": _latency,
    "a wandering level": _wander,
    "spikes, six a day": _spikes,
    "batch jobs, six a day": _batches,
    "nearly always zero": _zeros,
    "a few events": _counts,
    "an hour apart": _hourly,
}


def sundays(seeds: int) -> Batch:
    """A backup on Sundays from 3 to 4, twelve weeks, and a fault on a Wednesday of the tenth."""
    times, values = usual(84, seeds, 20)
    spans = [(at(7 * week + 6, 3), at(7 * week + 6, 4)) for week in range(12)]
    spans.append((at(7 * 10 + 2, 3), at(7 * 10 + 2, 4)))
    for first, last in spans:
        values[first:last] += 200.0
    return Batch(times, values, tuple(spans))


def clock_change(seeds: int, hours: int) -> Batch:
    """A job from 3 to 4 in the night that comes ``hours`` later from the fifth week on."""
    times, values = usual(42, seeds, 21)
    changed = at(28)
    moved = np.arange(len(times)) - np.where(np.arange(len(times)) >= changed, hours * HOUR, 0)
    hour = moved % DAY // HOUR
    wave_moved = np.roll(values, hours * HOUR, axis=0)
    values[changed:] = wave_moved[changed:]
    values[hour == 3] += 200.0
    return Batch(times, values, ((changed, changed),))


def backups(seeds: int) -> Batch:
    """Nightly backups that take from 40 to 80 minutes and begin some minutes late."""
    times, values = usual(28, seeds, 22)
    rng = np.random.default_rng(23)
    for day in range(28):
        begin = at(day, 3) + rng.integers(0, 3, seeds)
        length = rng.integers(8, 17, seeds)
        rows = np.arange(at(day, 3), at(day, 6))[:, None]
        within = (rows >= begin) & (rows < begin + length)
        values[at(day, 3) : at(day, 6)] += 200.0 * within
    return Batch(times, values)


def new_habit(seeds: int) -> Batch:
    """A nightly job that begins in the third week."""
    times, values = usual(28, seeds, 24)
    for day in range(15, 28):
        values[at(day, 3) : at(day, 4)] += 200.0
    return Batch(times, values, ((at(15), at(15)),))


def _given(seeds: int, effect: Callable[[Floats], Floats], lag: int) -> Batch:
    """An effect of traffic, with a surge that explains it and a fault that nothing explains."""
    times, traffic = usual(14, seeds, 25)
    surge, fault = (at(12, 6), at(12, 8)), (at(13, 6), at(13, 7))
    traffic[surge[0] : surge[1]] *= 2.2
    rng = np.random.default_rng(26)
    values = effect(np.roll(traffic, lag, axis=0) / 100.0) * rng.lognormal(0.0, 0.05, traffic.shape)
    values[fault[0] : fault[1]] *= 2.5
    return Batch(times, values, (surge, fault), traffic)


GIVEN: Mapping[str, Callable[[int], Batch]] = {
    "in proportion": lambda n: _given(n, lambda x: 10 * x, 0),
    "like latency": lambda n: _given(n, lambda x: 10 / np.maximum(1 - x / 4, 0.05), 0),
    "5 minutes late": lambda n: _given(n, lambda x: 10 * x, 1),
}


def _fault(
    seeds: int, hours: float, change: Callable[[Floats, Floats, np.random.Generator], Floats],
    day: float = 12, hold: int = 3,
) -> Batch:  # fmt: skip
    times, values = usual(day + 2, seeds, 30)
    first = at(day, 6)
    last = first + round(hours * HOUR)
    x = np.linspace(0.0, 1.0, last - first)[:, None]
    values[first:last] = change(values[first:last], x, np.random.default_rng(31))
    return Batch(times, values, ((first, last),), hold=hold)


FAULTS: Mapping[str, tuple[Callable[[int], Batch], float, float]] = {
    "five times the usual, 8 hours after the first sample": (
        lambda n: _fault(n, 1, lambda v, _x, _r: v * 5, day=0.2), 95, 85),
    "half of the usual for two hours": (lambda n: _fault(n, 2, lambda v, _x, _r: v * 0.5), 95, 85),
    "a slow rise by 60 % over six hours": (
        lambda n: _fault(n, 6, lambda v, x, _r: v * (1 + 0.6 * x)), 95, 85),
    "noise four times as wide for six hours": (
        lambda n: _fault(n, 6, lambda v, _x, r: v * r.lognormal(0, 0.24, v.shape)), 90, 70),
    "stuck at one value for six hours": (
        lambda n: _fault(n, 6, lambda v, _x, _r: 0 * v + v[0]), 90, 70),
    "one sample at double": (lambda n: _fault(n, 1 / 12, lambda v, _x, _r: v * 2, hold=1), 90, 70),
}  # fmt: skip
