"""Scores of detected events on labelled series, at one threshold for all.

Labelled rows at most 3 apart are one event.  It is found when a row within it, or within 2 rows of
it, reaches the threshold.  A stretch of such rows near no event is one false run for each 5 rows
begun.  The first 15 % of a series teach and are not judged.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEAR, GAP, RUN = 2, 3, 5
TAUGHT = 0.15
WEEK = 7 * 86400.0


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A series with its labels: arrays of one row per sample."""

    path: Path
    times: Floats
    """Unix seconds."""
    values: Floats
    """NaN where the file has none."""
    labels: Bools

    @property
    def start(self) -> int:
        """The first row that is judged."""
        return int(len(self.labels) * TAUGHT)

    @property
    def weeks(self) -> float:
        """How long it is judged."""
        return float(self.times[-1] - self.times[self.start]) / WEEK

    def events(self) -> list[tuple[int, int]]:
        """First and last row of each event that is judged, with the rows around it."""
        return [
            (max(0, first - NEAR), last + NEAR)
            for first, last in stretches(self.labels, GAP)
            if last >= self.start
        ]

    def near(self) -> Bools:
        """Rows in any event or around it."""
        out = np.zeros(len(self.labels), np.bool_)
        for first, last in stretches(self.labels, GAP):
            out[max(0, first - NEAR) : last + NEAR + 1] = True
        return out


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a threshold finds, over one series or many."""

    found: int = 0
    events: int = 0
    false: int = 0
    weeks: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.found + other.found,
            self.events + other.events,
            self.false + other.false,
            self.weeks + other.weeks,
        )

    @property
    def recall(self) -> float:
        """Share of the events that are found."""
        return self.found / max(self.events, 1)

    @property
    def precision(self) -> float:
        """Share of the detections that are events."""
        return self.found / max(self.found + self.false, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        both = self.recall + self.precision
        return 2.0 * self.recall * self.precision / both if both else 0.0

    @property
    def false_per_week(self) -> float:
        """False runs per series-week."""
        return self.false / self.weeks if self.weeks else 0.0


def read(path: Path) -> Labelled:
    """A file with the columns TimeStamp (ISO 8601, taken for UTC), Value and Label."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [c for c in ("TimeStamp", "Value", "Label") if not rows or c not in rows[0]]
    if missing:
        raise ValueError(f"{path} has no rows with the columns {', '.join(missing)}")
    stamps = np.array([row["TimeStamp"].rstrip("Z") for row in rows], "datetime64[s]")
    return Labelled(
        path,
        stamps.astype(np.int64).astype(np.float64),
        np.array([float(row["Value"] or "nan") for row in rows]),
        np.array([float(row["Label"] or 0) > 0 for row in rows]),
    )


def stretches(marked: Bools, gap: int = 1) -> list[tuple[int, int]]:
    """First and last row of each stretch of marked rows at most ``gap`` apart."""
    rows = np.flatnonzero(marked)
    if not len(rows):
        return []
    parts = np.split(rows, np.flatnonzero(np.diff(rows) > gap) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


def count(series: Labelled, scores: Floats, threshold: float) -> Counts:
    """Events found and false runs of one series."""
    over = scores >= threshold
    over[: series.start] = False
    events = series.events()
    found = sum(bool(over[first : last + 1].any()) for first, last in events)
    wrong = stretches(over & ~series.near())
    false = sum(-(-(last - first + 1) // RUN) for first, last in wrong)
    return Counts(found, len(events), false, series.weeks)


def total(each: Iterable[Counts]) -> Counts:
    """Counts of many series."""
    return sum(each, Counts())
