"""Plays the chosen cases of all tests, several at a time: each is a process's work of seconds."""

from __future__ import annotations

import concurrent.futures
import fnmatch
import multiprocessing
import os
from collections.abc import Iterator, Sequence

from rich import progress

from prunella import logs
from prunella.cli import errors, terminal
from prunella.cli.testing import load, report
from prunella.policytest import run, stage

LEAST_CASES = 2
"""For each process: one more takes a second to start."""
_Chosen = tuple[load.TestFile, int]


def play(tests: Sequence[load.TestFile], pattern: str, jobs: int) -> list[report.FileResult]:
    """The results of the cases whose name fits, by file; files without any are left out.

    ``jobs`` 0 is one for each CPU.  Raises CliError when a story can't be told.
    """
    chosen = [(test, number) for test in tests for number in _numbers(test, pattern)]
    out = terminal.err()
    shown = progress.track(
        _results(chosen, min(jobs or os.cpu_count() or 1, len(chosen) // LEAST_CASES)),
        "playing",
        total=len(chosen),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    results = dict(zip([(test.file, number) for test, number in chosen], shown, strict=True))
    return [
        report.FileResult(test, tuple(results[test.file, each] for each in numbers), numbers)
        for test in tests
        if (numbers := _numbers(test, pattern))
    ]


def _results(chosen: Sequence[_Chosen], workers: int) -> Iterator[run.CaseResult]:
    """The results of the cases, in their order."""
    if workers < 2:
        logs.quiet()
        yield from map(_play, chosen)
        return
    # Not forked: the parent has threads, of numpy and of the progress bar.
    fresh = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, fresh, logs.quiet) as pool:
        yield from pool.map(_play, chosen)


def _numbers(test: load.TestFile, pattern: str) -> tuple[int, ...]:
    cases = enumerate(test.test.cases)
    return tuple(number for number, case in cases if fnmatch.fnmatchcase(case.name, pattern))


def _play(chosen: _Chosen) -> run.CaseResult:
    test, number = chosen
    case = test.test.cases[number]
    try:
        return run.run_case(test.test, case, test.policies)
    except stage.StoryError as error:
        where = f"{test.file}:{test.line(number, ())}"
        raise errors.CliError(f"{where}: {case.name}: {error}") from error
