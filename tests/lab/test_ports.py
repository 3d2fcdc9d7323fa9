"""Ports for programs: free, and nobody else's."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import pytest

from lab import ports
from lab.binaries import LabError


def only(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let there be one port to choose from."""
    monkeypatch.setattr(ports, "FIRST", port)
    monkeypatch.setattr(ports, "LAST", port)


def elsewhere(port: int) -> str:
    """What another process says that wants the same port."""
    code = (
        "from lab import binaries, ports\n"
        f"ports.FIRST = ports.LAST = {port}\n"
        "try:\n"
        "    print(ports.free_port())\n"
        "except binaries.LabError:\n"
        "    print('taken')\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def test_a_port_is_free_and_given_once() -> None:
    """Each can be listened on, and no two are the same."""
    chosen = [ports.free_port() for _ in range(50)]
    assert 50 == len(set(chosen))
    for port in chosen:
        with socket.socket() as probe:
            probe.bind((ports.LOCALHOST, port))


def test_a_port_is_nobody_elses_although_nobody_listens() -> None:
    """Given a choice, then no other process is given it, of whatever test run."""
    assert "taken" == elsewhere(ports.free_port())


def test_a_port_of_a_process_that_has_ended_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system drops its claims."""
    port = ports.free_port()
    monkeypatch.setattr(ports, "_OWN", set())
    ports.fcntl.lockf(ports._file(), ports.fcntl.LOCK_UN, 1, port)
    assert str(port) == elsewhere(port)
    only(monkeypatch, port)
    assert port == ports.free_port()


def test_claims_that_can_not_be_written_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Given a link in their place, then nobody is told to stop labs."""
    (tmp_path / f"prunella-ports-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ports, "_file", ports._file.__wrapped__)
    with pytest.raises(LabError, match=r"can't claim ports in .*: .*; remove it, or set TMPDIR"):
        ports.free_port()


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every port taken the error says so, and nothing is chosen."""
    with socket.socket() as taken:
        taken.bind((ports.LOCALHOST, 0))
        only(monkeypatch, taken.getsockname()[1])
        with pytest.raises(LabError, match="no free port between"):
            ports.free_port()
