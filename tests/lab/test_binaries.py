"""Building the lab's programs into a cache."""

from __future__ import annotations

import pathlib

import pytest

from lab import binaries
from lab.binaries import LabError


@pytest.fixture
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty cache of our own, on a machine that has Go."""
    monkeypatch.setenv("PRUNELLA_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/go")
    return tmp_path / "cache"


def _fake_go(command: list[str], folder: pathlib.Path, extra: dict[str, str]) -> None:
    """Write the program where ``go build -o`` or ``go install`` would."""
    if command[1] == "install":
        target = pathlib.Path(extra["GOBIN"]) / command[-1].split("@")[0].rsplit("/", 1)[-1]
        target.parent.mkdir()
    else:
        target = pathlib.Path(command[command.index("-o") + 1])
    target.write_text(f"built in {folder.name}")


def test_build_makes_every_program_once(
    cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each program lands in a folder of its version; the second build has nothing to do."""
    monkeypatch.setattr(binaries, "_run", _fake_go)
    said: list[str] = []

    binaries.build_all(said.append)
    first = len(said)
    binaries.build_all(said.append)

    assert binaries.missing(cache) == []
    assert first == len(said) == 2 * len(binaries.BINARIES)
    assert binaries.locate("etcd") == cache / "etcd-3.6.11" / "etcd"


def test_failed_build_leaves_no_half_program(
    cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program appears under its name only when it is complete."""

    def half(command: list[str], _folder: pathlib.Path, _extra: dict[str, str]) -> None:
        pathlib.Path(command[command.index("-o") + 1]).write_text("half")
        raise LabError("the compiler ran out of memory")

    monkeypatch.setattr(binaries, "_run", half)

    with pytest.raises(LabError, match="out of memory"):
        binaries.build_all(lambda _text: None)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_missing_go_is_named(cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go the error says what to install, before anything is made."""
    monkeypatch.setattr("shutil.which", lambda _name: None)

    with pytest.raises(LabError, match=r"install Go 1\.25 or newer"):
        binaries.build_all(lambda _text: None)
    assert not cache.exists()


def test_program_that_is_not_built_is_an_error_with_the_command(cache: pathlib.Path) -> None:
    """Asking for a program before it is built tells how to build it."""
    with pytest.raises(LabError, match="etcd is not built yet: run `make lab-build`"):
        binaries.locate("etcd")
    assert not cache.exists()


def test_api_server_is_stamped_with_its_version() -> None:
    """Without the stamp kube-apiserver would report v0.0.0."""
    server = next(each for each in binaries.BINARIES if each.name == "kube-apiserver")

    assert "version.gitVersion=v1.35.4" in server.ldflags
    assert "version.gitMinor=35" in server.ldflags
