"""Mutation testing of the guards and of the decision: ``python -m tests.faults.mutation``.

Each fault is put in, in a child of this process, and the tests that run its line are run until one
fails.  What no test sees is printed; what can't be seen is listed in `equivalent`.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import importlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Final

import pytest

from tests.faults.mutation import equivalent, graft, mutate, trace

ROOT: Final = pathlib.Path(__file__).parents[3]
DECISIONS: Final = ROOT / "operator" / "prunella" / "core" / "decisions"
FILES: Final = (
    *sorted((DECISIONS / "guards").glob("*.py")),
    DECISIONS / "step.py",
    DECISIONS / "decide.py",
)
TESTS: Final = ("tests/unit/core/decisions",)
MOST_SECONDS: Final = 60
MOST_TESTS: Final = 60
"""Tests that are run for one fault at most, the fastest first."""
OF_CHAINS: Final = (
    "tests/unit/core/decisions/test_guard_chain.py",
    "tests/unit/core/decisions/test_decide.py",
    "tests/unit/core/decisions/test_returning.py",
)
"""What is run for a chain that lacks a guard."""
QUIET: Final = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")
NOT_RUN: Final = 99
"""How a child ends that could not put its fault in."""
KILLED, SURVIVED = "killed", "survived"


def main(arguments: Sequence[str]) -> int:
    """Print what has survived, and a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutation")
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    found = [each for each in every_mutant() if options.only in str(each)]
    tracer = trace_tests()
    if tracer.failed:
        _say(f"these tests fail without any fault: {tracer.failed}")
        return 1
    results = judge(found, tracer, options.jobs)
    return report(found, results, whole=not options.only)


def every_mutant() -> list[mutate.Mutant]:
    """The faults of all files."""
    return [
        each
        for path in FILES
        for each in mutate.mutants(str(path.relative_to(DECISIONS)), path.read_text())
    ]


def trace_tests() -> trace.Tracer:
    """Which test runs which line."""
    tracer = trace.Tracer([str(path) for path in FILES])
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        pytest.main([*QUIET[1:], *(str(ROOT / each) for each in TESTS)], plugins=[tracer])
    return tracer


def judge(found: Sequence[mutate.Mutant], tracer: trace.Tracer, jobs: int) -> dict[str, str]:
    """Killed or survived, by the mutants' names."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        verdicts = pool.map(lambda each: _judge(each, tracer), found)
        results: dict[str, str] = {}
        for each, verdict in zip(found, verdicts, strict=True):
            results[str(each)] = verdict
            if verdict == SURVIVED and str(each) not in equivalent.REASONS:
                _say(f"survived: {each}")
    return results


def _judge(mutant: mutate.Mutant, tracer: trace.Tracer) -> str:
    path = str(DECISIONS / mutant.path)
    if mutant.of_module:
        return _in_a_new_process(mutant, path)
    tests = tracer.tests.get((path, mutant.line), set())
    chosen = sorted(tests, key=lambda each: tracer.seconds[each])[:MOST_TESTS]
    return _in_a_child(mutant, chosen) if chosen else SURVIVED


def _in_a_new_process(mutant: mutate.Mutant, path: str) -> str:
    """What is done at import needs an import; those of the chains are run."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(mutant.source)
        file.flush()
        done = subprocess.run(  # noqa: S603 - Python and pytest
            [
                sys.executable,
                "-m",
                "pytest",
                *QUIET,
                "-p",
                "tests.faults.mutation.graft",
                *OF_CHAINS,
            ],
            cwd=ROOT,
            env={**os.environ, graft.FILE: path, graft.SOURCE: file.name},
            capture_output=True,
            check=False,
        )
    return SURVIVED if done.returncode == 0 else KILLED


def _in_a_child(mutant: mutate.Mutant, tests: Sequence[str]) -> str:
    """Fork: all is imported there already."""
    child = os.fork()
    if child == 0:
        code = NOT_RUN
        try:
            code = _run(mutant, tests)
        finally:
            os._exit(code)
    deadline = time.monotonic() + MOST_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _verdict(mutant, os.waitstatus_to_exitcode(status))
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return KILLED


def _verdict(mutant: mutate.Mutant, code: int) -> str:
    if code == NOT_RUN:
        raise LookupError(f"{mutant}: it could not be put in")
    return SURVIVED if code == 0 else KILLED


def _run(mutant: mutate.Mutant, tests: Sequence[str]) -> int:
    with pathlib.Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        name = f"prunella.core.decisions.{mutant.path.removesuffix('.py').replace('/', '.')}"
        if not graft.graft(importlib.import_module(name), mutant):
            raise LookupError(f"{mutant}: no such function")
        return int(pytest.main([*QUIET, *tests]))


def report(found: Sequence[mutate.Mutant], results: dict[str, str], *, whole: bool) -> int:
    """The table; 1 when a fault is listed as equivalent that a test has seen."""
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for each in found:
        verdict = "equivalent" if str(each) in equivalent.REASONS else results[str(each)]
        table[each.path][verdict] += 1
        table["all"][verdict] += 1
    _say(f"{'file':<24} {'mutants':>8} {KILLED:>8} {SURVIVED:>8} {'equivalent':>10} {'score':>8}")
    for path, counts in table.items():
        numbers = f"{counts.total():>8} {counts[KILLED]:>8} {counts[SURVIVED]:>8}"
        _say(f"{path:<24} {numbers} {counts['equivalent']:>10} {_score(counts):>7.1f}%")
    known = {str(each) for each in found}
    gone = set(equivalent.REASONS) - known if whole else set()
    wrong = {name for name in known & set(equivalent.REASONS) if results[name] == KILLED} | gone
    for name in sorted(wrong):
        _say(f"not equivalent, or not there any more: {name}")
    return int(bool(wrong))


def _score(counts: collections.Counter[str]) -> float:
    """Per cent of what can be seen that was."""
    seen = counts[KILLED] + counts[SURVIVED]
    return 100 * counts[KILLED] / seen if seen else 100.0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
