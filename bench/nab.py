"""The shipped baseline detector on the Numenta Anomaly Benchmark, with default parameters.

    python -m bench.nab --data DIR --out DIR

``DIR`` is NAB's root (with ``data/`` and ``labels/``) or its ``data`` folder.  Writes
``OUT/<folder>/<file>.csv`` with timestamp, value and anomaly_score: the detector's onset score,
online, in one pass, without labels.  All files are judged side by side, a row of each per tick,
as the operator does with the series of a signal.  When labels are there, prints the scores:
with the threshold chosen on the labels, and at the shipped trigger.
"""

from __future__ import annotations

import argparse
import csv
import functools
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
from numpy.typing import NDArray  # noqa: E402

from bench import nab_score, side_by_side  # noqa: E402
from prunella.detectors import baseline  # noqa: E402

Floats = NDArray[np.float64]

GROUPS = {
    "tuned on: realTweets, realAdExchange, artificial*": [
        "realTweets",
        "realAdExchange",
        "artificialNoAnomaly",
        "artificialWithAnomaly",
    ],
    "realAWSCloudwatch": ["realAWSCloudwatch"],
    "realKnownCause": ["realKnownCause"],
    "all": None,
}


def onsets(series: list[tuple[Floats, Floats]], params: baseline.Params) -> list[Floats]:
    """Scores of series given as (times, values), each as long as its series."""
    make = functools.partial(baseline.Baseline, params)
    return [run.onset for run in side_by_side.judge(series, make)]


def write(source: Path, target: Path, scores: Floats) -> None:
    """Copy a data file with its scores beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    stamps = nab_score.read_column(source, "timestamp")
    values = nab_score.read_column(source, "value")
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "value", "anomaly_score"])
        for stamp, value, score in zip(stamps, values, scores, strict=True):
            writer.writerow([stamp, value, f"{score:.6g}"])


def table(root: Path, out: Path, trigger: float) -> None:
    """Print the scores of each group of folders."""
    print(f"{'':52s} standard low-FP low-FN threshold  found   false/series-week")
    for name, folders in GROUPS.items():
        files = nab_score.load(root, out, folders)
        if not sum(file.windows for file in files):
            continue
        for threshold in (None, trigger):
            scores = [nab_score.score(files, p, threshold) for p in nab_score.PROFILES]
            counts = nab_score.count(files, scores[0][1])
            print(
                f"{name if threshold is None else '  at the shipped trigger':52s} "
                + " ".join(f"{value:7.1f}" for value, _ in scores)
                + f" {scores[0][1]:8.3f} {counts['windows_found']:5d}/{counts['windows']:<3d}"
                + f" {counts['false_alarm_runs_per_series_week']:8.3f}"
            )


def main() -> None:
    """Score all data files, write the results, print the table."""
    parser = argparse.ArgumentParser(description="NAB scores of the shipped baseline detector.")
    parser.add_argument("--data", type=Path, required=True, help="NAB's root or data folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    data = args.data / "data" if (args.data / "data").is_dir() else args.data
    paths = sorted(data.glob("*/*.csv"))
    if not paths:
        parser.error(f"no <folder>/<file>.csv in {data}: give the folder of NAB's data files")
    series = [
        (nab_score.read_times(p), np.array(nab_score.read_column(p, "value"), np.float64))
        for p in paths
    ]
    params, begun = baseline.Params(), time.process_time()
    scores = onsets(series, params)
    rows = sum(len(times) for times, _ in series)
    print(f"{len(paths)} files, {rows} rows, {time.process_time() - begun:.1f} s of CPU")
    for path, some in zip(paths, scores, strict=True):
        write(path, args.out / path.parent.name / path.name, some)
    if (data.parent / "labels" / "combined_windows.json").exists():
        table(data.parent, args.out, params.trigger)


if __name__ == "__main__":
    main()
