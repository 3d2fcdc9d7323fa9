"""Seeded series of several kinds, in 5-minute steps, with labelled incidents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

START = 1_767_571_200
"""Monday, 2026-01-05 00:00 UTC."""
STEP, DAY, HOUR = 300, 288, 12
INCIDENTS = ((4.3, 1.0, 10.0), (8.6, 3.0, -20.0), (14.45, 0.5, 40.0))
"""Day, hours and size in units of the kind's noise; a drop only where the kind has room for it.

Each is twice the one before: what was seen not long ago is not rare.
"""
Floats = np.ndarray


@dataclasses.dataclass(frozen=True)
class Series:
    """Values, and the rows at which each incident begins and is over."""

    name: str
    kind: str
    values: Floats
    incidents: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Clock:
    """Hour of the day and day of each row."""

    hour: Floats
    day: Floats

    def wave(self, peak: float = 15.0) -> Floats:
        """One sine a day, from -1 to 1."""
        return np.asarray(np.cos((self.hour - peak) * np.pi / 12))


def _daily(rng: np.random.Generator, at: Clock) -> Floats:
    return 50 + 20 * at.wave() + rng.normal(0, 2, len(at.day))


def _nightly(rng: np.random.Generator, at: Clock) -> Floats:
    return 20 + 70.0 * (at.hour // 1 == 3) + rng.normal(0, 1, len(at.day))


def _traffic(rng: np.random.Generator, at: Clock) -> Floats:
    weekend = np.where(at.day % 7 >= 5, 0.6, 1.0)
    return 200 * np.exp(at.wave()) * weekend * rng.lognormal(0, 0.08, len(at.day))


def _ratio(rng: np.random.Generator, at: Clock) -> Floats:
    total = rng.poisson(3000 * (1 + 0.6 * at.wave()))
    return np.asarray(rng.binomial(total, 0.004) / total)


def _latency(rng: np.random.Generator, at: Clock) -> Floats:
    return 0.1 * rng.lognormal(0, 0.35, len(at.day)) * (1 + 0.3 * at.wave())


def _wander(rng: np.random.Generator, at: Clock) -> Floats:
    values = np.empty(len(at.day))
    last = 0.0
    for row, push in enumerate(rng.normal(0, 1, len(values))):
        last = 0.97 * last + push
        values[row] = 100 + last
    return values


def _spiky(rng: np.random.Generator, at: Clock) -> Floats:
    count = len(at.day)
    spikes = np.where(rng.random(count) < 0.004, rng.exponential(15, count), 0)
    return rng.normal(10, 0.5, count) + spikes


def _steady(rng: np.random.Generator, at: Clock) -> Floats:
    return rng.normal(50, 1, len(at.day))


def _step(rng: np.random.Generator, at: Clock) -> Floats:
    return 50 + 10 * at.wave() + 25.0 * (at.day >= 10) + rng.normal(0, 1, len(at.day))


@dataclasses.dataclass(frozen=True)
class Kind:
    """How values are made, the unit of its incidents, and whether one may be a drop."""

    make: Callable[[np.random.Generator, Clock], Floats]
    unit: float
    drops: bool = False


KINDS = {
    "steady": Kind(_steady, 1.0, drops=True),
    "daily": Kind(_daily, 2.0, drops=True),
    "nightly": Kind(_nightly, 10.0),
    "traffic": Kind(_traffic, 60.0),
    "ratio": Kind(_ratio, 0.0015),
    "latency": Kind(_latency, 0.06),
    "wander": Kind(_wander, 4.0, drops=True),
    "spiky": Kind(_spiky, 6.0),
    "step": Kind(_step, 1.0),
}


def make(kind: str, seed: int, days: int) -> Series:
    """One series; incidents are the kind's, the step's own is its first day at the new level."""
    what = KINDS[kind]
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    rows = np.arange(days * DAY)
    values = np.array(what.make(rng, Clock(rows % DAY / HOUR, rows // DAY)))
    windows = []
    for day, hours, size in INCIDENTS[:1] if kind == "step" else INCIDENTS:
        begin = round((day + rng.uniform(-0.2, 0.2)) * DAY)
        end = begin + round(hours * HOUR)
        values[begin:end] += (size if what.drops else abs(size)) * what.unit
        windows.append((begin, end))
    if kind == "step":
        windows.append((10 * DAY, 11 * DAY))
    return Series(f"{kind}-{seed}", kind, values, tuple(windows))


def batch(seeds: Sequence[int], days: int, kinds: Sequence[str] = tuple(KINDS)) -> list[Series]:
    """Series of each kind and seed."""
    return [make(kind, seed, days) for kind in kinds for seed in seeds]


def times(days: int) -> Floats:
    """Unix times of the rows."""
    return START + np.arange(days * DAY) * float(STEP)


def open_metrics(series: Sequence[Series], metric: str, namespace: str) -> str:
    """The samples as text for promtool, a workload for each series."""
    lines = [f"# TYPE {metric} gauge"]
    for each in series:
        labels = f'{{namespace="{namespace}",deployment="{each.name}"}}'
        lines += [
            f"{metric}{labels} {value!r} {START + row * STEP}"
            for row, value in enumerate(each.values.tolist())
            if value == value  # noqa: PLR0124 - a gap
        ]
    return "\n".join([*lines, "# EOF\n"])
