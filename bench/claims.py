"""What the shipped baseline detector claims, one row each, on series that are made for it.

    python -m bench.claims [--seeds 100] [--only WORD]

Each claim makes a batch of series, one for each seed, judges it online with default parameters
and measures what would act: Unhealthy that lasts for ``FOR``.  Beside each figure stand the goal
and the floor.  The generators hold no more than the claim needs; real series are in
`bench.generalise`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
from numpy.typing import NDArray  # noqa: E402

from bench import claim_series  # noqa: E402
from bench.claim_series import DAY, HOUR, Batch  # noqa: E402
from prunella.detectors import baseline  # noqa: E402

Bools = NDArray[np.bool_]
FOR = 3
"""Samples in a row that must be Unhealthy before anything acts: ``for: 10m`` at 5 minutes."""
AFTER = 3
"""Samples that recovery may take: 15 minutes."""
WEEK = 7 * DAY


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, and what was aimed at."""

    name: str
    value: float
    goal: float
    floor: float
    more: bool = False
    """Whether more is better."""
    unit: str = "%"

    def line(self) -> str:
        """The row as it is printed."""
        met = [self.value >= x if self.more else self.value <= x for x in (self.goal, self.floor)]
        said = "goal" if met[0] else "floor" if met[1] else "MISSED"
        return (
            f"{self.name:66s} {self.value:8.2f} {self.unit:4s}"
            f" {self.goal:7g} ({self.floor:g}) {said}"
        )


def judge(batch: Batch) -> Bools:
    """Unhealthy for so long that it acts: shape (ticks, n)."""
    detector = baseline.Baseline(baseline.Params(), batch.values.shape[1])
    given = batch.given
    sick = np.array(
        [
            detector.tick(moment, row, None if given is None else given[number]).unhealthy
            for number, (moment, row) in enumerate(zip(batch.times, batch.values, strict=True))
        ]
    )
    return acts(sick, batch.hold)


def acts(sick: Bools, hold: int = FOR) -> Bools:
    """Where the last ``hold`` samples were all Unhealthy."""
    held = sick.copy()
    for back in range(1, hold):
        held[back:] &= sick[:-back]
        held[:back] = False
    return held


def episodes(held: Bools) -> int:
    """How many times acting begins, over all series."""
    return int((held[1:] & ~held[:-1]).sum() + held[0].sum())


def percent(hit: NDArray[np.bool_]) -> float:
    """Share of true ones."""
    return 100.0 * float(np.mean(hit))


def repeats(seeds: int) -> list[Figure]:
    """5 x usual for 60 minutes every 1.6 days."""
    batch = claim_series.repeated(seeds, every=1.6, count=10)
    held = judge(batch)
    found = [percent(held[first:last].any(axis=0)) for first, last in batch.spans]
    return [
        Figure("an incident of 60 min, the first time: found", found[0], 95, 85, more=True),
        Figure("the same, the 10th time in 16 days: found", found[-1], 95, 85, more=True),
        Figure("the same, the worst of ten: found", min(found), 95, 85, more=True),
    ]


def returns(seeds: int) -> list[Figure]:
    """What is Unhealthy later than 15 minutes after normal is back, within a day."""
    out = []
    for name, make in claim_series.RETURNS.items():
        batch = make(seeds)
        held = judge(batch)
        (_, last), *_ = batch.spans
        late = held[last + AFTER : last + DAY].any(axis=0)
        out.append(Figure(f"Unhealthy > 15 min after {name}", percent(late), 1, 5))
    return out


def quiet(seeds: int) -> list[Figure]:
    """Unhealthy episodes per series-week where nothing is wrong."""
    rates = {}
    for name, make in claim_series.QUIET.items():
        batch = make(seeds)
        held = judge(batch)
        weeks = (batch.times[-1] - batch.times[0]) / 604_800 * held.shape[1]
        rates[name] = episodes(held) / weeks
    rows = [
        Figure(f"false runs, {name}", rate, 0.1, 0.25, unit="/wk") for name, rate in rates.items()
    ]
    mean = float(np.mean(list(rates.values())))
    return [
        Figure("false runs on series without anomalies, mean", mean, 0.1, 0.25, unit="/wk"),
        *rows,
    ]


def weekly(seeds: int) -> list[Figure]:
    """A backup on Sundays only, and a fault on a Wednesday."""
    batch = claim_series.sundays(seeds)
    held = judge(batch)
    *sundays, fault = batch.spans
    late = np.array([held[a : b + HOUR].any(axis=0) for a, b in sundays[3:]])
    found = held[fault[0] : fault[1]].any(axis=0)
    return [
        Figure("a backup on Sundays only, from week 4 on: alarms", percent(late), 5, 15),
        Figure("the same series, a fault on a Wednesday: found", percent(found), 95, 85, more=True),
    ]


def clocks(seeds: int) -> list[Figure]:
    """A nightly job in local time that nobody named, and the clocks change."""
    out = []
    for name, hours in (("forward", -1), ("back", 1)):
        batch = claim_series.clock_change(seeds, hours)
        held = judge(batch)
        changed = batch.spans[0][0]
        nights = held[changed:].reshape(-1, DAY, held.shape[1]).any(axis=1)
        out.append(
            Figure(f"clocks go {name}, no timeZone: nights with an alarm", percent(nights), 5, 10)
        )
    return out


def habits(seeds: int) -> list[Figure]:
    """Nights of backups and first weekends."""
    batch = claim_series.backups(seeds)
    held = judge(batch)[3 * DAY :]
    ends = held.reshape(-1, DAY, held.shape[1]).any(axis=1)
    weekends = claim_series.QUIET["working week"](seeds)
    first = episodes(judge(weekends)[: 2 * WEEK]) / (2 * weekends.values.shape[1])
    begun = claim_series.new_habit(seeds)
    later = judge(begun)[begun.spans[0][0] + 4 * DAY :]
    later_nights = later.reshape(-1, DAY, later.shape[1]).any(axis=1)
    return [
        Figure("nightly backups of unequal length: nights with an alarm", percent(ends), 5, 10),
        Figure(
            "a nightly job that is new, from its 5th night on: alarms", percent(later_nights), 5, 15
        ),
        Figure("weekends of the first two weeks: false runs", first, 0.3, 0.6, unit="/wk"),
    ]


def explained(seeds: int) -> list[Figure]:
    """What a given series explains."""
    out = []
    for name, make in claim_series.GIVEN.items():
        batch = make(seeds)
        held = judge(batch)
        surge, fault = batch.spans
        alarms = held[surge[0] : surge[1] + HOUR].any(axis=0)
        found = held[fault[0] : fault[1]].any(axis=0)
        out.append(Figure(f"given, {name}: surges that alarm", percent(alarms), 5, 10))
        out.append(Figure(f"given, {name}: faults found", percent(found), 95, 85, more=True))
    return out


def departures(seeds: int) -> list[Figure]:
    """Faults of other shapes than a step."""
    out = []
    for name, (make, goal, floor) in claim_series.FAULTS.items():
        batch = make(seeds)
        held = judge(batch)
        first, last = batch.spans[0]
        early = held[first - DAY : first].any(axis=0)
        found = held[first : last + FOR].any(axis=0)
        out.append(Figure(f"{name}: found", percent(found), goal, floor, more=True))
        out.append(Figure(f"{name}: alarm on the day before", percent(early), 2, 5))
    return out


CLAIMS: tuple[Callable[[int], list[Figure]], ...] = (
    repeats,
    returns,
    quiet,
    weekly,
    clocks,
    habits,
    explained,
    departures,
)


def main() -> None:
    """Measure and print each claim."""
    parser = argparse.ArgumentParser(description="What the shipped baseline detector claims.")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", help="claims whose function has this in its name")
    args = parser.parse_args()
    begun = time.process_time()
    print(f"{'':66s} {'figure':>13s} {'goal':>7s} (floor)")
    for claim in CLAIMS:
        if args.only is None or args.only in claim.__name__:
            for figure in claim(args.seeds):
                print(figure.line(), flush=True)
    print(f"{args.seeds} seeds, {time.process_time() - begun:.0f} s of CPU")


if __name__ == "__main__":
    main()
