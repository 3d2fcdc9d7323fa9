"""Series that nothing was tuned on: other domains in NAB's terms, and NAB's files perturbed.

A detector that fits the files falls on both; one that fits the job does not.

- *other domain*: the events' series with NAB's windows: a tenth of each series' length, shared
  among its events, around each of them; NAB's scoring and probation.
- NAB's files with noise of 3 % of their deviation added; with every second sample only; with the
  first 15 % cut off; turned upside down; multiplied by a factor that wanders slowly within 30 %.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bench import events_score, folds, nab_score, side_by_side

Floats = NDArray[np.float64]

_SHARE, _NOISE, _CUT = 0.1, 0.03, 0.15
_FACTOR, _PERIOD = 0.3, 11 * 86400.0
"""A period that is no multiple of a day or a week."""


def windows(series: events_score.Labelled) -> list[list[str]]:
    """NAB's windows for labelled events; those that overlap are one."""
    rows = events_score.stretches(series.labels, events_score.GAP)
    n, out = len(series.times), list[list[int]]()
    half = int(_SHARE * n / max(len(rows), 1) / 2)
    for first, last in rows:
        middle = (first + last) // 2
        begin, end = max(0, min(first, middle - half)), min(n - 1, max(last, middle + half))
        if out and begin <= out[-1][1]:
            out[-1][1] = max(out[-1][1], end)
        else:
            out.append([begin, end])
    return [[_stamp(series.times[row]) for row in pair] for pair in out]


def other_domain(series: events_score.Labelled) -> folds.NabFile:
    """A series of events as a file of NAB; of samples at one time the first is kept."""
    _, once = np.unique(series.times, return_index=True)
    kept = dataclasses.replace(
        series, times=series.times[once], values=series.values[once], labels=series.labels[once]
    )
    weeks = float(kept.times[-1] - kept.times[0]) / nab_score.WEEK
    name = f"{series.path.parent.name}/{series.path.name}"
    return folds.NabFile(name, kept.times, kept.values, windows(kept), weeks)


def _noisy(file: folds.NabFile) -> folds.NabFile:
    rng = np.random.default_rng(len(file.times))
    noise = rng.normal(0.0, _NOISE * float(np.nanstd(file.values)), len(file.values))
    return dataclasses.replace(file, values=file.values + noise)


def _every_second(file: folds.NabFile) -> folds.NabFile:
    return _only(file, slice(0, None, 2))


def _cut(file: folds.NabFile) -> folds.NabFile:
    return _only(file, slice(int(_CUT * len(file.times)), None))


def _upside_down(file: folds.NabFile) -> folds.NabFile:
    return dataclasses.replace(file, values=-file.values)


def _wandering(file: folds.NabFile) -> folds.NabFile:
    phase = 2.0 * np.pi * (file.times - file.times[0]) / _PERIOD
    return dataclasses.replace(file, values=file.values * (1.0 + _FACTOR * np.sin(phase)))


PERTURBED: Mapping[str, Callable[[folds.NabFile], folds.NabFile]] = {
    "3 % of noise added": _noisy,
    "every second sample": _every_second,
    "first 15 % cut off": _cut,
    "upside down": _upside_down,
    "slowly wandering factor": _wandering,
}


def _only(file: folds.NabFile, rows: slice) -> folds.NabFile:
    """Some rows of a file; windows are drawn in to the rows that are left."""
    times = file.times[rows]
    left = list[list[str]]()
    for pair in file.windows:
        begin, end = (
            np.datetime64(stamp[:19]).astype("datetime64[s]").astype(int) for stamp in pair
        )
        inside = times[(times >= begin) & (times <= end)]
        if len(inside) > 1:
            left.append([_stamp(inside[0]), _stamp(inside[-1])])
    share = (times[-1] - times[0]) / (file.times[-1] - file.times[0])
    return folds.NabFile(file.name, times, file.values[rows], left, file.weeks * float(share))


def _stamp(time: float) -> str:
    return str(np.datetime64(int(time), "s")).replace("T", " ")


@dataclasses.dataclass(frozen=True)
class Row:
    """NAB's standard score and false stretches per series-week, at each of some thresholds."""

    name: str
    nab: list[float]
    false: list[float]


def judge(data: folds.Data, make: side_by_side.Make, thresholds: list[float]) -> list[Row]:
    """Score a detector on all of them."""
    sets = {"other domain": [other_domain(series) for series in data.events]}
    for name, change in PERTURBED.items():
        sets[name] = [change(file) for file in data.nab]
    files = [file for some in sets.values() for file in some]
    runs = side_by_side.judge([(file.times, file.values) for file in files], make)
    scored = [
        nab_score.label(file.name, run.onset, file.times, file.windows, file.weeks)
        for file, run in zip(files, runs, strict=True)
    ]
    out, begin = list[Row](), 0
    for name, some in sets.items():
        part = scored[begin : begin + len(some)]
        begin += len(some)
        counts = [nab_score.count(part, threshold) for threshold in thresholds]
        out.append(
            Row(
                name,
                [nab_score.score(part, "standard", threshold)[0] for threshold in thresholds],
                [each["false_alarm_runs_per_series_week"] for each in counts],
            )
        )
    return out
