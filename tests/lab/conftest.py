"""Processes that stand in for programs of a lab."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from lab import processes

Start = Callable[[pathlib.Path], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that does nothing under any name; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(program: pathlib.Path) -> subprocess.Popen[bytes]:
        command = [str(program), "-S", "-c", "import signal; signal.pause()"]
        process = subprocess.Popen(command, executable=sys.executable)  # noqa: S603
        started.append(process)
        while (process.pid, tuple(command)) not in processes.running():
            time.sleep(0.01)  # a program that has just been started has no command line yet
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()
