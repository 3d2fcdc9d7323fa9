"""How well the baseline detector does on series of a kind that nothing was chosen on.

    python -m bench.generalise --nab DIR --events DIR [--grid] [--without PART | all] [--for 10m]

Cross-validation by domain: one NAB folder, or one domain of the events, is left out; the threshold
(and with ``--grid`` the variant of ``GRID``) is chosen on the rest and scored on what was left
out.  The parts together are the out-of-fold figure; beside it stands the in-fold one, where all is
chosen on what is scored, and the one at the shipped trigger.  Three ways to choose:

- *own*: on the other folders of the same set;
- *both*: one choice for both sets, on all other folders, by the mean of NAB's score and F1;
- *other*: on the other set alone.

Then come series that nothing was tuned on (`strangers`), at the shipped trigger and at the
threshold that NAB's files would choose.  What is chosen here is left out cleanly; a constant of the
detector that someone chose by looking at these series is not.  NAB is scored with its standard
profile, events as in `events_score`.  *Episodes* are what an operator acts on: stretches of
Unhealthy at the shipped trigger that last at least ``--for``; found are the labelled windows or
events that one touches.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs

from bench import folds, side_by_side, strangers  # noqa: E402
from prunella.api import types  # noqa: E402
from prunella.detectors import baseline  # noqa: E402

GRID: Mapping[str, Mapping[str, Any]] = {
    "shipped": {},
    "adapt 12h": {"adapt": "12h"},
    "learn 1d": {"learn": "1d"},
    "state at 2.7": {"trigger": 2.7},
    "state at 3.3": {"trigger": 3.3},
}
"""Parameters that ``--grid`` chooses among, by name."""


def parts() -> tuple[str, ...]:
    """The parts of the score that the detector can leave out."""
    return tuple(getattr(baseline, "PARTS", ()))


def detector(fields: Mapping[str, Any], without: tuple[str, ...] = ()) -> side_by_side.Make:
    """The baseline with some parameters, or without some parts of its score."""
    params = baseline.Params(**fields)
    more: dict[str, Any] = {"without": without} if without else {}
    return functools.partial(baseline.Baseline, params, **more)


def main() -> None:
    """Judge all series with each variant and print the tables."""
    args = _arguments()
    begun = time.process_time()
    data = folds.load(args.nab, args.events)
    shipped = baseline.Params().trigger
    run = functools.partial(folds.judge, data, trigger=shipped, lasting=args.lasting)
    variants = GRID if args.grid else {"shipped": {}}
    tables = {name: run(detector(fields)) for name, fields in variants.items()}
    print(f"{len(data.nab)} NAB files, {len(data.events)} event series, trigger {shipped:g}")
    show_overall(tables)
    show_folders(tables)
    show_strangers(data, tables["shipped"])
    if args.without:
        left_out = {part: run(detector({}, (part,))) for part in args.without}
        show_without(tables["shipped"], left_out)
    print(f"{time.process_time() - begun:.0f} s of CPU")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The baseline on series of unknown kinds.")
    parser.add_argument("--nab", type=Path, required=True, help="data/ and labels/ of NAB")
    parser.add_argument("--events", type=Path, required=True, help="<domain>/<series>.csv in it")
    parser.add_argument("--grid", action="store_true", help="choose among variants too")
    parser.add_argument(
        "--without", action="append", default=[], help="a part of the score, or all"
    )
    parser.add_argument("--for", dest="lasting", default="10m", help="an episode lasts so long")
    args = parser.parse_args()
    args.lasting = types.duration(args.lasting).total_seconds()
    if args.without == ["all"]:
        args.without = list(parts())
    unknown = set(args.without) - set(parts())
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}: the parts are {', '.join(parts())}")
    return args


def show_overall(tables: Mapping[str, folds.Table]) -> None:
    """In fold and out of fold, for each way to choose."""
    print(f"\n{'chosen on':28s} {'NAB':>6s} {'false/w':>8s} {'F1':>8s} {'false/w':>8s}")
    for way in folds.WAYS:
        for fold in ("out of fold", "in fold"):
            chosen = folds.choose(tables, way, held_out=fold == "out of fold")
            _line(f"{way}, {fold}", folds.score(tables, chosen))
    shipped = tables["shipped"]
    _line("nothing: shipped trigger", folds.score({"shipped": shipped}, folds.at_trigger(shipped)))
    acts = shipped.episodes()
    print(
        f"episodes at the shipped trigger: NAB found {acts.nab_found} of {acts.windows} windows,"
        f" false {acts.nab_false:.3f}; events found {acts.events_found} of {acts.events},"
        f" F1 {acts.f1:.3f}, false {acts.events_false:.3f} per series-week"
    )


def _line(name: str, figures: folds.Figures) -> None:
    print(
        f"{name:28s} {figures.nab:6.1f} {figures.nab_false:8.3f}"
        f" {figures.f1:8.3f} {figures.events_false:8.3f}"
    )


def show_folders(tables: Mapping[str, folds.Table]) -> None:
    """Each folder as it was left out, chosen on the others of its set."""
    shipped = tables["shipped"]
    chosen = folds.choose(tables, "own", held_out=True)
    best = folds.choose(tables, "own", held_out=False)
    print(f"\n{'left out':42s} {'out':>6s} {'in':>6s} {'trigger':>7s}   {'false/w':>7s} chosen")
    for folder in shipped.folders():
        some = [
            folds.score(tables, each, folder) for each in (chosen, best, folds.at_trigger(shipped))
        ]
        is_nab = folder.startswith("nab/")
        values = [each.nab if is_nab else each.f1 for each in some]
        name, at = chosen[folder]
        false = some[0].nab_false if is_nab else some[0].events_false
        figures = " ".join(_figure(value, "6.1f" if is_nab else "6.3f") for value in values)
        print(f"{folder:42s} {figures}    {false:7.3f} {name} at {shipped.thresholds[at]:.2f}")


def _figure(value: float, how: str) -> str:
    return f"{value:{how}}" if np.isfinite(value) else f"{'-':>6s}"


def show_strangers(data: folds.Data, shipped: folds.Table) -> None:
    """What nothing was tuned on: at the shipped trigger, and at NAB's best threshold."""
    chosen = next(iter(folds.choose({"shipped": shipped}, "own", held_out=False).values()))
    at = [shipped.thresholds[shipped.trigger], shipped.thresholds[chosen[1]]]
    print(
        f"\n{'NAB standard':28s} {'trigger':>7s} {'false/w':>8s} {'at ' + format(at[1], '.2f'):>8s}"
    )
    rows = strangers.judge(data, detector({}), [float(each) for each in at])
    for row in rows:
        print(f"{row.name:28s} {row.nab[0]:7.1f} {row.false[0]:8.3f} {row.nab[1]:8.1f}")
    mean = np.mean([row.nab for row in rows[1:]], axis=0)
    print(f"{'mean of the perturbed':28s} {mean[0]:7.1f} {'':8s} {mean[1]:8.1f}")


def show_without(whole: folds.Table, left_out: Mapping[str, folds.Table]) -> None:
    """What each part is worth: figures out of fold, one choice for both sets."""
    print(f"\n{'out of fold, both':28s} {'NAB':>6s} {'false/w':>8s} {'F1':>8s} {'false/w':>8s}")
    everything: Iterable[tuple[str, folds.Table]] = [("whole", whole), *left_out.items()]
    for name, table in everything:
        chosen = folds.choose({"shipped": table}, "both", held_out=True)
        label = name if table is whole else f"without {name}"
        _line(label, folds.score({"shipped": table}, chosen))


if __name__ == "__main__":
    main()
