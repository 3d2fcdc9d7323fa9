"""The score of the Numenta Anomaly Benchmark (NAB 1.1), re-implemented.

    python -m bench.nab_score RESULTS_DIR --nab DIR [--folders a,b] [--threshold X]
                              [--per-folder] [--json]

``RESULTS_DIR`` holds one CSV per data file in NAB's folders, with a column ``anomaly_score``:
one row per data row, higher is more anomalous.  A detection counts once per labelled window, by
a sigmoid that pays early ones better; each false row costs; the result is 100 for all that could
be had and 0 for no detection at all.  One threshold serves all files: the best one of each
profile, or the one given.  The first 15 % of a file (at most 750 rows) are not scored.

Source: A. Lavin and S. Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta
Anomaly Benchmark" (2015).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

PROFILES = {
    "standard": (1.0, 0.11, 1.0),
    "reward_low_FP_rate": (1.0, 0.22, 1.0),
    "reward_low_FN_rate": (1.0, 0.11, 2.0),
}
"""Weights of a true positive, a false positive and a false negative."""
RUN_GAP = 12
"""Rows without an alarm after which the next one begins another run."""
WEEK = 7 * 86400.0


@dataclasses.dataclass(frozen=True)
class Scored:
    """A file's scores with its labels: arrays of one row per data row."""

    name: str
    scores: Floats
    worth: Floats
    """What a detection at this row is worth, before the profile's weights."""
    window: Ints
    """The labelled window it is in; -1 outside."""
    probation: NDArray[np.bool_]
    windows: int
    weeks: float


def read_column(path: Path, name: str) -> list[str]:
    """One column of a CSV file with a header."""
    with path.open(newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def read_times(path: Path) -> Floats:
    """The column ``timestamp`` as Unix seconds, taken for UTC."""
    stamps = np.array(read_column(path, "timestamp"), dtype="datetime64[s]")
    return stamps.astype(np.int64).astype(np.float64)


def sigmoid(place: Floats) -> Floats:
    """1 before a window's end, 0 at it, towards -1 after it; -1 beyond 3 widths."""
    return np.where(place > 3.0, -1.0, 2.0 / (1.0 + np.exp(np.minimum(5.0 * place, 700.0))) - 1.0)


def label(
    name: str, scores: Floats, times: Floats, windows: list[list[str]], weeks: float
) -> Scored:
    """Join scores with labelled windows: pairs of first and last timestamp."""
    n = len(times)
    window, worth = np.full(n, -1), np.full(n, -1.0)
    start, before = 0, None
    for number, pair in enumerate(windows):
        ends = np.array([stamp[:19] for stamp in pair], dtype="datetime64[s]").astype(np.int64)
        left, right = (int(np.flatnonzero(times == end)[0]) for end in ends)
        _fade(worth, start, left, before)
        rows, width = np.arange(left, right + 1), float(right - left + 1)
        ahead = sigmoid(-(right - rows + 1) / width) / sigmoid(np.array(-1.0))
        worth[left : right + 1], window[left : right + 1] = ahead, number
        start, before = right + 1, (right, width)
    _fade(worth, start, n, before)
    probation = np.arange(n) < min(int(0.15 * n), 750)
    return Scored(name, scores, worth, window, probation, len(windows), weeks)


def _fade(worth: Floats, start: int, end: int, before: tuple[int, float] | None) -> None:
    """Rows after a window cost the less, the nearer they are to it."""
    if before is not None and end > start:
        worth[start:end] = sigmoid((np.arange(start, end) - before[0]) / (before[1] - 1.0))


def load(nab: Path, results: Path, folders: list[str] | None = None) -> list[Scored]:
    """Join all result files of the folders; labelled files that are not at hand are left out."""
    labels = json.loads((nab / "labels" / "combined_windows.json").read_text())
    out = []
    for name in sorted(labels):
        folder, file = name.split("/")
        data = nab / "data" / name
        if (folders and folder not in folders) or not data.exists():
            continue
        exact = [
            p
            for p in (results / folder).glob(f"*{file}")
            if p.name == file or p.name.endswith("_" + file)
        ]
        if len(exact) != 1:
            sys.exit(f"{name}: {len(exact)} result files in {results / folder}, expected one")
        scores = np.array(read_column(exact[0], "anomaly_score"), np.float64)
        times = read_times(data)
        if len(scores) != len(times):
            sys.exit(f"{name}: {len(scores)} rows of scores, {len(times)} of data")
        weeks = len(times) * float(np.median(np.diff(times))) / WEEK
        out.append(label(name, scores, times, labels[name], weeks))
    return out


def best_threshold(files: list[Scored], profile: str) -> float:
    """The threshold with the highest score over all files; the highest of equals."""
    tp, fp, fn = PROFILES[profile]
    base = np.cumsum([0] + [file.windows for file in files])
    keep = [~file.probation for file in files]
    scores = np.concatenate([f.scores[k] for f, k in zip(files, keep, strict=True)])
    worth = np.concatenate([f.worth[k] for f, k in zip(files, keep, strict=True)])
    window = np.concatenate(
        [
            np.where(f.window[k] >= 0, f.window[k] + base[i], -1)
            for i, (f, k) in enumerate(zip(files, keep, strict=True))
        ]
    )
    order = np.argsort(-scores, kind="stable")
    scores, worth, window = scores[order], worth[order], window[order]
    gain = np.where(window < 0, worth * fp, 0.0)
    for number in np.unique(window[window >= 0]):
        rows = np.flatnonzero(window == number)
        best = np.maximum.accumulate(np.concatenate([[-fn], worth[rows] * tp]))
        gain[rows] = np.diff(best)
    last = np.append(scores[1:] != scores[:-1], np.True_)
    totals = np.concatenate([[0.0], np.cumsum(gain)[last]])
    return float(np.concatenate([[np.inf], scores[last]])[int(np.argmax(totals))])


def score(files: list[Scored], profile: str, threshold: float | None = None) -> tuple[float, float]:
    """The normalised score and its threshold: the best one unless one is given."""
    tp, fp, fn = PROFILES[profile]
    windows = sum(file.windows for file in files)
    at = best_threshold(files, profile) if threshold is None else threshold
    raw = sum(_raw(file, (tp, fp, fn), at) for file in files)
    return (100.0 * (raw + fn * windows) / ((tp + fn) * windows) if windows else raw), at


def _raw(file: Scored, weights: tuple[float, float, float], threshold: float) -> float:
    tp, fp, fn = weights
    hit = (file.scores >= threshold) & ~file.probation
    total = fp * float(file.worth[hit & (file.window < 0)].sum())
    for number in np.unique(file.window[~file.probation & (file.window >= 0)]):
        rows = hit & (file.window == number)
        total += tp * float(file.worth[rows].max()) if rows.any() else -fn
    return total


def count(files: list[Scored], threshold: float) -> dict[str, Any]:
    """Windows found, rows and runs of false alarms, and those per series-week."""
    found = rows = runs = 0
    for file in files:
        hit = (file.scores >= threshold) & ~file.probation
        found += sum(bool((hit & (file.window == w)).any()) for w in range(file.windows))
        false = np.flatnonzero(hit & (file.window < 0))
        rows += len(false)
        runs += int(len(false) > 0) + int((np.diff(false) > RUN_GAP).sum())
    weeks = sum(file.weeks for file in files)
    return {
        "windows_found": found,
        "windows": sum(file.windows for file in files),
        "false_rows": rows,
        "false_alarm_runs": runs,
        "series_weeks": round(weeks, 1),
        "false_alarm_runs_per_series_week": round(runs / weeks, 3),
        "rows": sum(len(file.scores) for file in files),
    }


def report(
    files: list[Scored], threshold: float | None = None, *, per_folder: bool = False
) -> dict[str, Any]:
    """All figures, as they are printed with ``--json``."""
    out: dict[str, Any] = {}
    for profile in PROFILES:
        value, at = score(files, profile, threshold)
        out[profile] = {"score": round(value, 4), "threshold": at}
    common = out["standard"]["threshold"]
    out["at_standard_threshold"] = count(files, common)
    if per_folder:
        out["per_folder"] = {}
        for folder in sorted({file.name.split("/")[0] for file in files}):
            some = [file for file in files if file.name.startswith(folder + "/")]
            windows = sum(file.windows for file in some)
            out["per_folder"][folder] = {
                "standard_at_common_threshold": round(score(some, "standard", common)[0], 2),
                "standard_own_threshold": round(score(some, "standard")[0], 2) if windows else None,
                **count(some, common),
            }
    return out


def show(figures: dict[str, Any]) -> None:
    """Print a report as a table."""
    for profile in PROFILES:
        value = figures[profile]
        print(f"{profile:20s} {value['score']:7.2f}   threshold {value['threshold']:.6g}")
    print(figures["at_standard_threshold"])
    for folder, value in figures.get("per_folder", {}).items():
        print(f"  {folder:22s}", value)


def main() -> None:
    """Score a directory of result files."""
    parser = argparse.ArgumentParser(description="Score result files as NAB does.")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--nab", type=Path, required=True, help="data/ and labels/ of NAB")
    parser.add_argument("--folders", help="only these, separated by commas")
    parser.add_argument("--threshold", type=float, help="instead of each profile's best one")
    parser.add_argument("--per-folder", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    files = load(args.nab, args.dir, args.folders.split(",") if args.folders else None)
    figures = report(files, args.threshold, per_folder=args.per_folder)
    if args.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)


if __name__ == "__main__":
    main()
