"""Commands run as users run them: by arguments, with what they write and their exit code."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from prunella.cli import kube, main, options, terminal
from tests.cli import fakes


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run of the program left."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``prunella`` with these arguments, against this cluster, at `fakes.NOW`."""

    def runner(
        *arguments: str,
        cluster: kube.Cluster | None = None,
        name: str = "prunella",
        columns: int = 100,
    ) -> Result:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(terminal, "now", lambda: fakes.NOW)
        if cluster is not None:
            monkeypatch.setattr(options, "connect", lambda *_: cluster)
        with pytest.raises(SystemExit) as ended:
            main.main()
        written = capsys.readouterr()
        return Result(int(ended.value.code or 0), written.out, written.err)

    return runner


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Times are shown in UTC, or in the zone that a test sets."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    set_zone("UTC")
    yield set_zone
    monkeypatch.undo()
    time.tzset()
