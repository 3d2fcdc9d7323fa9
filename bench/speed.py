"""One online tick and a whole history: the baseline detector beside others, in one run.

    python -m bench.speed [--series 1000] [--json]

1,000 series, a sample every 5 minutes, two weeks of history.  CPU time of one core, not wall.

- Prunella: the shipped baseline with default parameters.  History is two weeks tick by tick, as
  after a restart; a tick is one of the day after.
- Prometheus: a real one evaluates the adaptive chain of `bench.prometheus_chain` on the same data.
- river, statsmodels: the same samples, one series after the other, on fewer of them.  STL keeps no
  state: its points/s are those of one decomposition of a week, and a tick costs a whole one.

Left out for Prunella, river and STL: fetching the samples and storing results.  Prometheus reads
its own storage and answers over HTTP; left out for it: writing the series that its rules record.
The comparison favours what is in memory; quote it with this remark.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import importlib.util
import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
from numpy.typing import NDArray  # noqa: E402

from bench import operator_process, prometheus_chain, rule_series  # noqa: E402
from prunella.detectors import baseline  # noqa: E402

Floats = NDArray[np.float64]
STEP, DAY = 300, 288
HISTORY, TICKED = 14 * DAY, DAY
GOAL, FLOOR = 25.0, 10.0
MOMENTS = 24
REMARK = "without fetching and storing, which Prometheus does in part: it favours what is in memory"


@dataclasses.dataclass(frozen=True, slots=True)
class Speed:
    """What one core does in a second."""

    name: str
    ticks: float
    """Series that it moves on by one sample."""
    points: float | None = None
    """Points of a whole history."""


def samples(series: int) -> Floats:
    """Daily seasons of many phases with noise: shape (ticks, series), two decimals as stored."""
    rng = np.random.default_rng(7)
    day = np.arange(HISTORY + TICKED)[:, None] / DAY * 2.0 * np.pi
    season = 30.0 * np.sin(day + rng.uniform(0.0, 2.0 * np.pi, series))
    return np.round(100.0 + season + rng.normal(0.0, 5.0, season.shape), 2)


def ours(values: Floats) -> Speed:
    """The shipped detector, all series side by side."""
    detector = baseline.Baseline(baseline.Params(), values.shape[1])
    learning = _cpu(lambda: _feed(detector, values, 0, HISTORY))
    ticking = _cpu(lambda: _feed(detector, values, HISTORY, len(values)))
    count = values.shape[1]
    return Speed("Prunella baseline", TICKED * count / ticking, HISTORY * count / learning)


def _feed(detector: baseline.Baseline, values: Floats, begin: int, end: int) -> None:
    for row in range(begin, end):
        detector.tick(rule_series.START + row * float(STEP), values[row])


def others(values: Floats) -> Iterator[Speed]:
    """What is installed of what is compared with; on stderr, what is not."""
    for name, measured in (("river", rivers), ("statsmodels", stl)):
        if importlib.util.find_spec(name) is None:
            print(f"left out: {name} is not installed. Run: make bench-tools", file=sys.stderr)
        else:
            yield from measured(values)


def stl(values: Floats, count: int = 6) -> Iterator[Speed]:
    """Decompositions of one week."""
    weeks = [values[-7 * DAY :, number % values.shape[1]] for number in range(count)]
    kind = _module("statsmodels.tsa.seasonal").STL
    spent = _cpu(lambda: [kind(week, period=DAY).fit() for week in weeks])
    name = f"statsmodels {metadata.version('statsmodels')} STL({DAY})"
    yield Speed(name, count / spent, count * 7 * DAY / spent)


def rivers(values: Floats) -> Iterator[Speed]:
    """Two weeks of some series, each sample judged, then learned."""
    for name in ("river.time_series", "river.anomaly"):
        _module(name)
    for name, way, count in (("HoltWinters", _smooth, 10), ("GaussianScorer", _gaussian, 10),
                             ("HalfSpaceTrees", _trees, 2)):  # fmt: skip
        columns = values[:HISTORY, :count].T.tolist()
        rate = len(columns) * HISTORY / _cpu(functools.partial(_each, way, columns))
        yield Speed(f"river {metadata.version('river')} {name}", rate, rate)


def _module(name: str) -> Any:
    """What is compared with is not installed where nothing is measured."""
    return importlib.import_module(name)


def _each(way: Callable[[list[float]], None], columns: list[list[float]]) -> None:
    for column in columns:
        way(column)


def _smooth(column: list[float]) -> None:
    model = _module("river.time_series").HoltWinters(
        alpha=0.3, beta=0.1, gamma=0.5, seasonality=DAY
    )
    for number, value in enumerate(column):
        if number > 2 * DAY:
            model.forecast(1)
        model.learn_one(value)


def _gaussian(column: list[float]) -> None:
    model = _module("river.anomaly").GaussianScorer(window_size=DAY)
    for value in column:
        model.score_one(None, value)
        model.learn_one(None, value)


def _trees(column: list[float]) -> None:
    model = _module("river.anomaly").HalfSpaceTrees(
        n_trees=25, height=8, window_size=DAY, limits={"x": (0.0, 200.0)}, seed=1
    )
    for value in column:
        model.score_one({"x": value})
        model.learn_one({"x": value})


def prometheus(values: Floats) -> tuple[Speed, dict[str, float]]:
    """The chain on the same samples, with the CPU seconds of each of its expressions."""
    times = rule_series.START + np.arange(len(values)) * STEP
    with tempfile.TemporaryDirectory() as folder:
        text, storage = pathlib.Path(folder) / "samples.txt", pathlib.Path(folder) / "data"
        prometheus_chain.write_openmetrics(text, times, values)
        prometheus_chain.load(text, storage)
        text.unlink()
        with prometheus_chain.running(storage) as server:
            moments = [float(each) for each in times[-MOMENTS:]]
            stored = server.count(prometheus_chain.METRIC, moments[-1])
            if stored != values.shape[1]:
                raise RuntimeError(f"Prometheus holds {stored} of {values.shape[1]} series")
            parts = prometheus_chain.seconds_per_chain(server, moments)
            name = f"Prometheus {prometheus_chain.version()} adaptive chain"
    return Speed(name, values.shape[1] / sum(parts.values())), parts


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def table(found: list[Speed], reference: Speed) -> str:
    """Speeds with their ratio to the reference."""
    lines = [f"{'':36s} {'tick: series/s/core':>20s} {'history: points/s':>18s} {'ratio':>8s}"]
    for each in found:
        points = "-" if each.points is None else f"{each.points:,.0f}"
        ratio = each.ticks / reference.ticks
        lines.append(f"{each.name:36s} {each.ticks:20,.0f} {points:>18s} {ratio:8.3g}")
    return "\n".join(lines)


def verdict(ratio: float) -> str:
    """The ratio against what was aimed at."""
    reached = "goal" if ratio >= GOAL else "floor" if ratio >= FLOOR else "neither"
    return (
        f"baseline / Prometheus: {ratio:.1f} x (goal {GOAL:g}, floor {FLOOR:g}: {reached} reached)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of the baseline detector beside others.")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    operator_process.build_lab()
    values = samples(args.series)
    own = ours(values)
    chain, parts = prometheus(values)
    found = [own, chain, *others(values)]
    ratio = own.ticks / chain.ticks
    machine = operator_process.machine()
    if args.json:
        report = {
            "machine": machine,
            "series": args.series,
            "remark": REMARK,
            "speeds": [dataclasses.asdict(each) for each in found],
            "chainSeconds": parts,
            "ratio": ratio,
        }
        print(json.dumps(report, indent=2))
        return
    print(f"{machine}; {args.series} series, {STEP} s, {HISTORY // DAY} days; CPU time of one core")
    print(table(found, chain))
    print(verdict(ratio))
    print(f"{REMARK}.")


if __name__ == "__main__":
    main()
