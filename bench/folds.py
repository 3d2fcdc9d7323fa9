"""Scores of many series at many thresholds, and choices that leave a folder out."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import events_score, nab_score, side_by_side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WAYS = ("own", "both", "other")
THRESHOLDS = np.round(np.arange(1.0, 12.0, 0.05), 2)
"""Rarities to choose among: steps of 0.05, so that no threshold is cut to fit one row."""
_PROFILE = "standard"
_PER_WINDOW = nab_score.PROFILES[_PROFILE][0] + nab_score.PROFILES[_PROFILE][2]

Choice = Mapping[str, tuple[str, int]]
"""The variant and the index of the threshold of each folder."""


@dataclasses.dataclass(frozen=True)
class NabFile:
    """A labelled file of NAB; its labels are joined with scores later."""

    name: str
    times: Floats
    values: Floats
    windows: list[list[str]]
    weeks: float


@dataclasses.dataclass(frozen=True)
class Data:
    """The series of both sets."""

    nab: list[NabFile]
    events: list[events_score.Labelled]


@dataclasses.dataclass(frozen=True)
class Figures:
    """Scores over some folders; NaN where a set has none of them or no labels in them."""

    nab: float
    nab_false: float
    """Stretches of false alarms per series-week."""
    f1: float
    events_false: float


@dataclasses.dataclass(frozen=True)
class Episodes:
    """What acts at the shipped trigger."""

    nab_found: int
    windows: int
    nab_false: float
    events_found: int
    events: int
    f1: float
    events_false: float


@dataclasses.dataclass(frozen=True)
class Table:
    """One detector's results: a row per series, a column per threshold.

    ``gain`` is NAB's raw score above that of silence; 2 per window is all that could be had.
    For events it is 0, and ``labelled`` counts events instead of windows.
    """

    folder: NDArray[np.str_]
    is_nab: Bools
    weeks: Floats
    labelled: Floats
    gain: Floats
    found: Floats
    false: Floats
    acted: Floats
    """Windows or events found, and false ones, by episodes: shape (series, 2)."""
    thresholds: Floats
    trigger: int
    """The column of the shipped trigger."""

    def folders(self) -> list[str]:
        """All folders, in order."""
        return list(dict.fromkeys(self.folder.tolist()))

    def episodes(self) -> Episodes:
        """What acts, over all series."""
        nab, events = self.is_nab, ~self.is_nab
        found, false = self.acted[:, 0], self.acted[:, 1]
        counts = events_score.Counts(
            int(found[events].sum()),
            int(self.labelled[events].sum()),
            int(false[events].sum()),
            float(self.weeks[events].sum()),
        )
        return Episodes(
            int(found[nab].sum()),
            int(self.labelled[nab].sum()),
            float(false[nab].sum() / max(self.weeks[nab].sum(), 1e-9)),
            counts.found,
            counts.events,
            counts.f1,
            counts.false_per_week,
        )


def load(nab: Path, events: Path) -> Data:
    """Read both sets; exits with what is missing."""
    labels = json.loads((nab / "labels" / "combined_windows.json").read_text())
    files = []
    for name in sorted(labels):
        path = nab / "data" / name
        if path.exists():
            times = nab_score.read_times(path)
            values = np.array(nab_score.read_column(path, "value"), np.float64)
            weeks = len(times) * float(np.median(np.diff(times))) / nab_score.WEEK
            files.append(NabFile(name, times, values, labels[name], weeks))
    series = [events_score.read(path) for path in sorted(events.glob("*/*.csv"))]
    if not files or not series:
        sys.exit(
            f"{len(files)} NAB files in {nab}, {len(series)} <domain>/<series>.csv in {events}"
        )
    return Data(files, series)


def judge(data: Data, make: side_by_side.Make, *, trigger: float, lasting: float) -> Table:
    """Run a detector over both sets and score it at all thresholds and at the trigger."""
    thresholds = np.unique(np.append(THRESHOLDS, trigger))
    pairs = [(each.times, each.values) for each in (*data.nab, *data.events)]
    runs = side_by_side.judge(pairs, make)
    rows = [
        _nab_row(file, run, thresholds, lasting) for file, run in zip(data.nab, runs, strict=False)
    ] + [
        _events_row(series, run, thresholds, lasting)
        for series, run in zip(data.events, runs[len(data.nab) :], strict=True)
    ]
    folder = [f"nab/{Path(file.name).parent}" for file in data.nab] + [
        f"events/{series.path.parent.name}" for series in data.events
    ]
    labelled, weeks, gain, found, false, acted = (
        np.array(x, float) for x in zip(*rows, strict=True)
    )
    return Table(
        np.array(folder),
        np.arange(len(rows)) < len(data.nab),
        weeks,
        labelled,
        gain,
        found,
        false,
        acted,
        thresholds,
        int(np.searchsorted(thresholds, trigger)),
    )


_Row = tuple[int, float, Floats, Floats, Floats, tuple[int, int]]


def _nab_row(file: NabFile, run: side_by_side.Run, thresholds: Floats, lasting: float) -> _Row:
    scored = nab_score.label(file.name, run.onset, file.times, file.windows, file.weeks)
    gain, found, false = np.zeros((3, len(thresholds)))
    for column, threshold in enumerate(thresholds):
        value, _ = nab_score.score([scored], _PROFILE, threshold)
        gain[column] = value * scored.windows * _PER_WINDOW / 100 if scored.windows else value
        counts = nab_score.count([scored], threshold)
        found[column], false[column] = counts["windows_found"], counts["false_alarm_runs"]
    acting = side_by_side.episodes(file.times, run.unhealthy & ~scored.probation, lasting)
    seen = [scored.window[first : last + 1] for first, last in acting]
    hit = {int(w) for window in seen for w in window if w >= 0}
    wrong = sum(bool((window < 0).all()) for window in seen)
    return scored.windows, file.weeks, gain, found, false, (len(hit), wrong)


def _events_row(
    series: events_score.Labelled, run: side_by_side.Run, thresholds: Floats, lasting: float
) -> _Row:
    each = [events_score.count(series, run.onset, threshold) for threshold in thresholds]
    found, false = (np.array([getattr(c, name) for c in each]) for name in ("found", "false"))
    unhealthy = run.unhealthy.copy()
    unhealthy[: series.start] = False
    acting, near = side_by_side.episodes(series.times, unhealthy, lasting), series.near()
    hit = sum(
        any(first <= end and begin <= last for begin, end in acting)
        for first, last in series.events()
    )
    wrong = sum(not near[begin : end + 1].any() for begin, end in acting)
    return each[0].events, series.weeks, np.zeros(len(thresholds)), found, false, (hit, wrong)


def choose(tables: Mapping[str, Table], way: str, *, held_out: bool) -> Choice:
    """A variant and a threshold for each folder, chosen without it if it is held out."""
    first = next(iter(tables.values()))
    return {folder: _best(tables, way, folder, held_out=held_out) for folder in first.folders()}


def _best(tables: Mapping[str, Table], way: str, folder: str, *, held_out: bool) -> tuple[str, int]:
    first = next(iter(tables.values()))
    own = first.is_nab == folder.startswith("nab/")
    rest = first.folder != folder if held_out else np.ones(len(own), np.bool_)
    use = {"own": own & rest, "both": rest, "other": ~own}[way]
    worth = {name: _worth(table, use) for name, table in tables.items()}
    best = max(worth, key=lambda name: worth[name].max())
    # The middle of all equals: the edge of a plateau is the least sure place.
    equal = np.flatnonzero(worth[best] >= worth[best].max() - 1e-12)
    return best, int(equal[len(equal) // 2])


def _worth(table: Table, use: Bools) -> Floats:
    """What each threshold is worth over some series: NAB's score, F1, or their mean."""
    nab, events = use & table.is_nab, use & ~table.is_nab
    parts = []
    if table.labelled[nab].any():
        parts.append(table.gain[nab].sum(axis=0) / (_PER_WINDOW * table.labelled[nab].sum()))
    if table.labelled[events].any():
        found, false = table.found[events].sum(axis=0), table.false[events].sum(axis=0)
        # 2 PR / (P + R), with recall and precision written out.
        parts.append(2 * found / np.maximum(found + false + table.labelled[events].sum(), 1))
    return np.asarray(np.mean(parts, axis=0))


def at_trigger(table: Table) -> Choice:
    """The shipped trigger for every folder."""
    return dict.fromkeys(table.folders(), ("shipped", table.trigger))


def score(tables: Mapping[str, Table], chosen: Choice, only: str | None = None) -> Figures:
    """Figures over all folders, or over one, each at what was chosen for it."""
    first = next(iter(tables.values()))
    gain, found, false = np.zeros((3, len(first.folder)))
    for folder, (name, column) in chosen.items():
        rows = first.folder == folder
        for total, part in ((gain, "gain"), (found, "found"), (false, "false")):
            total[rows] = getattr(tables[name], part)[rows, column]
    use = np.ones(len(gain), np.bool_) if only is None else first.folder == only
    nab, events = use & first.is_nab, use & ~first.is_nab
    windows, several = first.labelled[nab].sum(), first.labelled[events].sum()
    hits, wrong = found[events].sum(), false[events].sum()
    return Figures(
        float(100 * gain[nab].sum() / (_PER_WINDOW * windows)) if windows else np.nan,
        float(false[nab].sum() / first.weeks[nab].sum()) if nab.any() else np.nan,
        float(2 * hits / (hits + wrong + several)) if several else np.nan,
        float(wrong / first.weeks[events].sum()) if events.any() else np.nan,
    )
