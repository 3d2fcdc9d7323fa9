"""The benchmark programs are run by name or by path, from anywhere."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).parents[2] / "bench"
PROGRAMS = [
    "backtest",
    "canary",
    "canary_warmup",
    "claims",
    "events",
    "failover",
    "forecast",
    "generalise",
    "heal",
    "history",
    "intake",
    "journal",
    "latency",
    "nab",
    "petshop",
    "rules",
    "scale",
    "storm",
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_starts_when_it_is_called_by_its_path(name: str, tmp_path: pathlib.Path) -> None:
    """Given another working folder, when a program is asked for help, then it gives it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(BENCH / f"{name}.py"), "--help"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith(f"usage: {name}.py")
