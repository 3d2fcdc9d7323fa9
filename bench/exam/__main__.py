"""Run every fault of the shop on the real control plane, and judge how it is named and healed.

    python -m bench.exam [--faults DIR] [--only NAME ...] [--at-once 9] [--out FILE]
                         [--no-heal | --no-operator]

Several shops stand side by side in one lab, each with namespaces and nodes of its own; each fault
gets a fresh one, with ready playbooks in mode Live. The exit code is 1 when a floor is missed. With
--no-heal nothing is done about the faults. With --no-operator only the symptoms are shown: whether
each fault has consequences, and a red herring none.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from bench import operator_process
from bench.exam import operating, report, telemetry
from bench.exam.healer import Healer
from bench.exam.run import Examiner, Outcome, Patience
from bench.exam.shops import Items
from bench.exam.sightings import Watcher
from lab import addons, lifecycle
from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import faults

LAB = "exam"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the exam and return the exit code."""
    options = _options(arguments)
    try:
        folders = _chosen(options.faults, options.only)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            lab = stack.enter_context(standing(options.lab))
            items = operating.lists(lab)
            heals = not options.no_operator and not options.no_heal
            seen = None
            if not options.no_operator:
                seen = stack.enter_context(watching(lab, items, heals=heals))
            patience = Patience(options.usual, options.settle, options.limit, options.heal)
            ask = telemetry.prometheus(lab.prometheus_url)
            healer = Healer(lab, items, ask) if heals else None
            keep = options.keep
            examiner = Examiner(lab, items, ask, seen, patience, keep, healer=healer)
            outcomes = run(examiner, folders, options.at_once)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.table(outcomes))
    if options.out:
        options.out.write_text(json.dumps(report.document(outcomes), indent=1) + "\n")
    if options.no_operator:
        return 0
    print(f"\n{report.summary(outcomes)}")
    return 0 if all(each.met for each in report.totals(outcomes)) else 1


def run(examiner: Examiner, folders: Sequence[pathlib.Path], at_once: int) -> list[Outcome]:
    """Examine all faults, so many at the same time; tells of each when it is done.

    A shop is removed while the next one is raised: nobody waits for that.
    """
    began = time.monotonic()
    removing = concurrent.futures.ThreadPoolExecutor(2)

    def one(numbered: tuple[int, pathlib.Path]) -> Outcome:
        number, folder = numbered
        shop = f"x{number:02d}"
        outcome = examiner.examine(folder, shop)
        removing.submit(examiner.remove, shop)
        line = " | ".join(report.row(outcome))
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr, flush=True)
        return outcome

    with removing, concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, enumerate(folders, 1)))


@contextlib.contextmanager
def standing(name: str) -> Iterator[Lab]:
    """A lab fit for shops; one that was not up before is taken down at the end."""
    was_up = lifecycle.status(name).is_up
    lab = lifecycle.up(name, nodes=1, shop=True, say=_say)
    try:
        addons.start_kube_state_metrics(lab)
        addons.start_shop(lab)
        yield lab
    finally:
        if not was_up:
            lifecycle.down(name, say=_say)


@contextlib.contextmanager
def watching(lab: Lab, items: Items, *, heals: bool = False) -> Iterator[Watcher]:
    """The operator at work, and a watcher of its incidents that looks."""
    with operating.operating(lab, items, heals=heals) as watcher:
        thread = threading.Thread(target=watcher.run, daemon=True)
        thread.start()
        try:
            yield watcher
        finally:
            watcher.stop()
            thread.join()


def _chosen(root: pathlib.Path, only: Sequence[str]) -> list[pathlib.Path]:
    """The folders to examine; each is read once, so that a mistake is told before the start."""
    found = faults.folders(root)
    names = [each.name for each in found]
    if unknown := [name for name in only if name not in names]:
        raise LabError(f"{root} has no fault {unknown[0]}: it has {', '.join(names)}")
    chosen = [each for each in found if not only or each.name in only]
    for each in chosen:
        faults.load(each, "x00")
    return chosen


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Patience()
    parser = argparse.ArgumentParser(prog="python -m bench.exam", description=__doc__)
    parser.add_argument("--faults", type=pathlib.Path, default=faults.FOLDER, metavar="DIR")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these faults")
    shops = "shops side by side (default: 9)"
    parser.add_argument("--at-once", type=int, default=9, help=shops)
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="write all as JSON")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="keep all Incidents there")
    parser.add_argument("--lab", default=LAB, help="the lab's name (default: exam)")
    parser.add_argument("--no-operator", action="store_true", help="show the symptoms only")
    parser.add_argument("--no-heal", action="store_true", help="diagnose only: nothing is done")
    for name, seconds in (
        ("usual", usual.usual),
        ("settle", usual.settle),
        ("limit", usual.limit),
        ("heal", usual.heal),
    ):
        parser.add_argument(f"--{name}", type=float, default=seconds, metavar="SECONDS")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(f"machine: {operator_process.machine()}", file=sys.stderr)
    sys.exit(main())
