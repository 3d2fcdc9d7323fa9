"""Build the lab's programs once, from pinned and hashed Go modules, into a user cache.

Every program lands at ``<cache>/<name>-<version>/<name>``: a new version is a new
folder, so an old lab keeps running while the next one is built.  A build goes to a
temporary file and is renamed when complete, so an interrupted one leaves nothing behind.
Only the standard library is used: this runs before anything else is installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

TOOLS = pathlib.Path(__file__).parent / "tools"
KUBERNETES_VERSION = "1.35.4"
_VERSION_PACKAGE = "k8s.io/component-base/version"


class LabError(Exception):
    """What went wrong with the lab and what to do about it, in one line."""


@dataclasses.dataclass(frozen=True)
class Binary:
    """One program of the lab: where its source comes from and how it is built."""

    name: str
    version: str
    package: str
    module: str | None = None
    """Folder below ``lab/tools`` whose go.mod pins it; None builds ``package@v{version}``."""
    tags: str = ""
    ldflags: str = "-s -w"

    def path(self, cache: pathlib.Path) -> pathlib.Path:
        """The finished program below ``cache``."""
        return cache / f"{self.name}-{self.version}" / self.name


def _kubernetes(name: str) -> Binary:
    """Without the -X flags the server would report version v0.0.0."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamps = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X {_VERSION_PACKAGE}.{key}={value}" for key, value in stamps.items())
    package = f"k8s.io/kubernetes/cmd/{name}"
    return Binary(name, KUBERNETES_VERSION, package, "kubernetes", ldflags=f"-s -w {flags}")


def _prometheus(name: str) -> Binary:
    package = f"github.com/prometheus/prometheus/cmd/{name}"
    tags = "netgo,remove_all_sd,enable_kubernetes_sd"
    return Binary(name, "3.12.0", package, "prometheus", tags=tags)


def _kube_state_metrics() -> Binary:
    """Version 2.18.0: ``go install`` needs the list of its versions, which not every proxy has."""
    version = "2.18.0"
    flags = f"-s -w -X github.com/prometheus/common/version.Version=v{version}"
    package = "k8s.io/kube-state-metrics/v2"
    return Binary("kube-state-metrics", version, package, "kube-state-metrics", ldflags=flags)


def _flux(name: str, version: str, module: str) -> Binary:
    """Their go.mod files have replacements, which `go install` does not take."""
    return Binary(name, version, f"github.com/fluxcd/{name}", module)


BINARIES: tuple[Binary, ...] = (
    Binary("etcd", "3.6.11", "go.etcd.io/etcd/server/v3", "kubernetes"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    Binary("kwok", "0.8.0", "sigs.k8s.io/kwok/cmd/kwok"),
    Binary("kwokctl", "0.8.0", "sigs.k8s.io/kwok/cmd/kwokctl"),
    _prometheus("prometheus"),
    _prometheus("promtool"),
    Binary("alertmanager", "0.28.1", "github.com/prometheus/alertmanager/cmd/alertmanager"),
    Binary("helm", "3.21.4", "helm.sh/helm/v3/cmd/helm"),
    _kube_state_metrics(),
)
FLUX: tuple[Binary, ...] = (
    _flux("source-controller", "1.8.0", "flux-source"),
    _flux("kustomize-controller", "1.9.6", "flux-kustomize"),
)
"""Built only when asked for: they need Go 1.26, and some minutes more."""


def cache_dir() -> pathlib.Path:
    """The user's cache folder for the lab: ``PRUNELLA_LAB_CACHE`` or the XDG cache."""
    if chosen := os.environ.get("PRUNELLA_LAB_CACHE"):
        return pathlib.Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "prunella-lab"


def locate(name: str) -> pathlib.Path:
    """The path of a built program; raises LabError when it has not been built."""
    binary = next(each for each in (*BINARIES, *FLUX) if each.name == name)
    path = binary.path(cache_dir())
    if not path.exists():
        how = "python -m lab build --flux" if binary in FLUX else "make lab-build"
        raise LabError(f"{name} is not built yet: run `{how}`")
    return path


def sources(binary: Binary) -> pathlib.Path:
    """The folder of a pinned module in Go's own cache, downloaded if it is not there.

    Raises LabError.
    """
    if binary.module is None:
        raise LabError(f"{binary.name} is no module of lab/tools: its folder is not known")
    command = ["go", "mod", "download", "-json", binary.package]
    return pathlib.Path(json.loads(_run(command, TOOLS / binary.module, {}))["Dir"])


def build_all(
    say: Callable[[str], None] = print, wanted: Sequence[Binary] = BINARIES
) -> pathlib.Path:
    """Build what is missing, one line of progress for each, and return the cache folder.

    A second build at the same time waits for the first one and then finds nothing to do.
    """
    cache = cache_dir()
    if not missing(cache, wanted):
        return cache
    if shutil.which("go") is None:
        raise LabError("the lab builds its programs from source: install Go 1.25 or newer")
    with _one_build(cache, say):
        todo = missing(cache, wanted)
        for number, binary in enumerate(todo, 1):
            say(f"[{number}/{len(todo)}] building {binary.name} {binary.version} ...")
            started = time.monotonic()
            _build(binary, cache)
            say(f"[{number}/{len(todo)}] {binary.name} done in {time.monotonic() - started:.0f} s")
    return cache


def missing(cache: pathlib.Path, wanted: Sequence[Binary] = BINARIES) -> list[Binary]:
    """The programs that are not in ``cache`` yet."""
    return [each for each in wanted if not each.path(cache).exists()]


@contextlib.contextmanager
def _one_build(cache: pathlib.Path, say: Callable[[str], None]) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    handle = os.open(cache, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running, waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _build(binary: Binary, cache: pathlib.Path) -> None:
    target = binary.path(cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{binary.name}.{os.getpid()}")
    try:
        if binary.module is None:
            _go_install(binary, partial)
        else:
            command = ["go", "build", *_flags(binary), "-o", str(partial), binary.package]
            _run(command, TOOLS / binary.module, {})
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _go_install(binary: Binary, partial: pathlib.Path) -> None:
    """``go install`` chooses the file's name itself, so it gets a folder of its own."""
    folder = partial.with_name(partial.name + ".d")
    try:
        command = ["go", "install", *_flags(binary), f"{binary.package}@v{binary.version}"]
        _run(command, partial.parent, {"GOBIN": str(folder)})
        (folder / binary.name).replace(partial)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _flags(binary: Binary) -> list[str]:
    tags = ["-tags", binary.tags] if binary.tags else []
    return ["-trimpath", *tags, "-ldflags", binary.ldflags]


def _run(command: list[str], folder: pathlib.Path, extra: dict[str, str]) -> str:
    """What the command prints. Raises LabError with the end of what it complained about."""
    environment = {**os.environ, "CGO_ENABLED": "0", **extra}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise LabError(f"`{' '.join(command)}` failed in {folder}:\n{tail}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(f"the lab's programs are in {build_all()}", flush=True)
    except LabError as error:
        sys.exit(f"error: {error}")
