"""The baseline detector on labelled series of production services, with default parameters.

    python -m bench.events --data DIR --out DIR

``DIR`` holds ``<domain>/<series>.csv`` with TimeStamp, Value and Label.  Writes the same files to
``OUT`` with a column ``score`` beside each row: the detector's onset score, online, in one pass,
without labels.  Prints what it finds at the shipped trigger, by domain.
"""

from __future__ import annotations

import argparse
import csv
import functools
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
from numpy.typing import NDArray  # noqa: E402

from bench import events_score, side_by_side  # noqa: E402
from prunella.detectors import baseline  # noqa: E402


def write(source: Path, target: Path, scores: NDArray[np.float64]) -> None:
    """Copy a data file with its scores beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open(newline="") as file:
        header, *rows = (row for row in csv.reader(file) if row)
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "score"])
        for row, score in zip(rows, scores, strict=True):
            writer.writerow([*row, f"{score:.6g}"])


def load(folder: Path) -> list[events_score.Labelled]:
    """All series of a folder; exits with what is missing when there are none."""
    series = [events_score.read(path) for path in sorted(folder.glob("*/*.csv"))]
    if not series:
        sys.exit(f"no <domain>/<series>.csv in {folder}: give the folder of the domains")
    return series


def show(name: str, counts: events_score.Counts) -> None:
    """Print a line of the table."""
    print(
        f"{name:36s} {counts.f1:6.3f} {counts.recall:6.3f} {counts.precision:9.3f}"
        f" {counts.found:5d}/{counts.events:<5d} {counts.false_per_week:10.3f}"
    )


def main() -> None:
    """Score all series, write the results, print the table."""
    parser = argparse.ArgumentParser(description="Events found by the shipped baseline detector.")
    parser.add_argument("--data", type=Path, required=True, help="<domain>/<series>.csv in it")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    series, params = load(args.data), baseline.Params()
    runs = side_by_side.judge(
        [(each.times, each.values) for each in series],
        functools.partial(baseline.Baseline, params),
    )
    domains: dict[str, events_score.Counts] = {}
    for each, run in zip(series, runs, strict=True):
        write(each.path, args.out / each.path.relative_to(args.data), run.onset)
        domain, none = each.path.parent.name, events_score.Counts()
        found = events_score.count(each, run.onset, params.trigger)
        domains[domain] = domains.get(domain, none) + found
    print(f"{len(series)} series, trigger {params.trigger:g}")
    print(f"{'':36s} {'F1':>6s} recall precision found/events false/series-week")
    for domain, counts in domains.items():
        show(domain, counts)
    show("all", events_score.total(domains.values()))


if __name__ == "__main__":
    main()
