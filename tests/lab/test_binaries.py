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


def test_the_controllers_of_flux_are_built_only_when_asked_for(
    cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take minutes, and a newer Go: a plain build leaves them out."""
    monkeypatch.setattr(binaries, "_run", _fake_go)

    binaries.build_all(lambda _text: None)
    left_out = binaries.missing(cache, binaries.FLUX)
    binaries.build_all(lambda _text: None, (*binaries.BINARIES, *binaries.FLUX))

    assert list(binaries.FLUX) == left_out
    assert [] == binaries.missing(cache, binaries.FLUX)
    path = binaries.locate("source-controller")
    assert "built in flux-source" == path.read_text()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", [each.name for each in binaries.FLUX])
def test_a_controller_that_is_not_built_is_an_error_with_its_command(name: str) -> None:
    """Its command is another one than that of the rest."""
    with pytest.raises(LabError, match=f"{name} is not built yet: .*python -m lab build --flux"):
        binaries.locate(name)


@pytest.mark.parametrize("binary", binaries.FLUX, ids=lambda each: each.name)
def test_a_controller_has_the_version_that_its_module_pins(binary: binaries.Binary) -> None:
    """The version of its folder in the cache is that of go.mod, and go.sum has its hash."""
    assert binary.module is not None
    pinned = (binaries.TOOLS / binary.module / "go.mod").read_text().splitlines()
    hashed = (binaries.TOOLS / binary.module / "go.sum").read_text()

    assert f"{binary.package} v{binary.version}" in {
        line.strip().removesuffix(" // indirect") for line in pinned
    }
    assert f"{binary.package} v{binary.version} h1:" in hashed


def test_a_module_of_flux_is_found_in_the_cache_of_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go itself says where it is: its resource definitions are read there."""
    asked: list[str] = []

    def run(command: list[str], folder: pathlib.Path, _extra: dict[str, str]) -> str:
        asked.extend([*command, folder.name])
        return '{"Dir": "/cache/source-controller@v1.8.0"}'

    monkeypatch.setattr(binaries, "_run", run)

    found = binaries.sources(binaries.FLUX[0])

    assert pathlib.Path("/cache/source-controller@v1.8.0") == found
    package = "github.com/fluxcd/source-controller"
    assert ["go", "mod", "download", "-json", package, "flux-source"] == asked


def test_a_program_without_a_module_has_no_known_folder() -> None:
    """`go install` keeps none for it."""
    kwok = next(each for each in binaries.BINARIES if each.name == "kwok")

    with pytest.raises(LabError, match="kwok is no module of lab/tools"):
        binaries.sources(kwok)
