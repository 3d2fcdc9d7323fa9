"""Known incidents, and how well a policy's findings and actions agree with them."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from prunella.adapters.recorded import timestamps
from prunella.backtest import kept_samples

WEEK = datetime.timedelta(weeks=1)


class LabelsError(Exception):
    """Labels that can't be read: which file, where, what is wanted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A time in which something was wrong; with ``target`` only with that one."""

    start: datetime.datetime
    end: datetime.datetime
    target: str = ""

    def is_about(self, target: str) -> bool:
        """Whether the window counts for a target, by name."""
        return self.target in ("", target)

    def overlaps(self, start: datetime.datetime, end: datetime.datetime) -> bool:
        """Whether a stretch of time has a moment in the window."""
        return start <= self.end and end >= self.start


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """How well findings agree with the labels. Shares are None where nothing can be divided."""

    windows: int
    found: int
    fired: int
    """Findings that lasted for long enough to act on."""
    true: int
    actions: int
    false_actions: int
    series_weeks: float
    leads: tuple[float, ...]
    """Seconds by which each found window was found before its begin; negative when after."""

    @property
    def precision(self) -> float | None:
        """Of what fired, the share within a window."""
        return self.true / self.fired if self.fired else None

    @property
    def recall(self) -> float | None:
        """Of the windows, the share in which something fired."""
        return self.found / self.windows if self.windows else None

    @property
    def median_lead(self) -> float | None:
        """Seconds; the lower one of two in the middle."""
        return sorted(self.leads)[(len(self.leads) - 1) // 2] if self.leads else None

    @property
    def false_actions_per_series_week(self) -> float | None:
        """Actions outside all windows, for each target and week."""
        return self.false_actions / self.series_weeks if self.series_weeks else None


@dataclasses.dataclass(frozen=True, slots=True)
class Fired:
    """A finding that was held for long enough, and when it was."""

    finding: kept_samples.Finding
    at: datetime.datetime


def score(
    windows: Sequence[Window],
    fired: Sequence[Fired],
    actions: Sequence[tuple[str, datetime.datetime]],
    series_weeks: float,
) -> Score:
    """Compare; ``actions`` are names of targets with the times of the decisions."""
    hits = [
        [each for each in fired if w.is_about(each.finding.target.name) and _hit(w, each)]
        for w in windows
    ]
    leads = tuple(
        (window.start - min(each.at for each in found)).total_seconds()
        for window, found in zip(windows, hits, strict=True)
        if found
    )
    true = sum(
        any(w.is_about(each.finding.target.name) and _hit(w, each) for w in windows)
        for each in fired
    )
    false = sum(
        not any(w.is_about(target) and w.overlaps(at, at) for w in windows)
        for target, at in actions
    )
    found_windows = sum(bool(found) for found in hits)
    return Score(
        len(windows), found_windows, len(fired), true, len(actions), false, series_weeks, leads
    )


def _hit(window: Window, fired: Fired) -> bool:
    return window.overlaps(fired.finding.start, fired.finding.end)


def read(path: pathlib.Path) -> list[Window]:
    """Windows of a CSV file (columns start, end, target) or JSON file. Raises LabelsError.

    JSON is a list of objects with the same fields, or lists of [start, end] by target.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabelsError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LabelsError(f"can't read {path}: not UTF-8 text (byte {error.start})") from error
    try:
        rows = _json(text) if path.suffix == ".json" else list(csv.DictReader(io.StringIO(text)))
    except (json.JSONDecodeError, csv.Error) as error:
        raise LabelsError(f"{path} is not {path.suffix[1:].upper()}: {error}") from error
    windows = []
    for number, row in enumerate(rows, 1):
        try:
            windows.append(_window(row))
        except (KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            hint = "give start, end and perhaps target"
            raise LabelsError(f"{path}: window {number}: {what}: {hint}") from error
    return windows


def _json(text: str) -> list[Mapping[str, Any]]:
    document = json.loads(text)
    if isinstance(document, dict):
        return [
            {"target": target, "start": pair[0], "end": pair[1]}
            for target, pairs in document.items()
            for pair in pairs
        ]
    return list(document)


def _window(row: Mapping[str, Any]) -> Window:
    start, end = (
        datetime.datetime.fromtimestamp(timestamps.parse_seconds(row[each]), datetime.UTC)
        for each in ("start", "end")
    )
    if end < start:
        raise ValueError(f"it ends ({end:%Y-%m-%dT%H:%M:%SZ}) before it starts")
    return Window(start, end, (row.get("target") or "").rpartition("/")[2])
