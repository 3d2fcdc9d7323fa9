"""Start, find and end the programs of a lab, and ask whether they answer."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence

from lab import binaries, config, ports

PROGRAMS = frozenset(
    {*(each.name for each in (*binaries.BINARIES, *binaries.FLUX)), "kwok-controller"}
)
"""Names of the programs that a lab runs; kwokctl calls kwok ``kwok-controller``."""
MODULES: dict[tuple[str, ...], str] = {("lab.shop", "serve"): "shop"}
"""Programs of a lab that are Python modules: what is after ``python -m``, and the name."""

_PROC = pathlib.Path("/proc")
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy from the environment must not stand between us and 127.0.0.1."""

Process = tuple[int, tuple[str, ...]]
"""A process id and its command line."""


def running() -> Iterator[Process]:
    """Every process that can be seen, with its arguments; zombies have none and are left out."""
    if not (_PROC / "self").exists():
        yield from _running_by_ps()
        return
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            if arguments := tuple(line.rstrip("\0").split("\0")):
                yield int(entry.name), arguments


def _running_by_ps() -> Iterator[Process]:
    """For systems without /proc."""
    done = subprocess.run(
        ["ps", "-axww", "-o", "pid=,args="], stdout=subprocess.PIPE, text=True, check=True
    )
    for line in done.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), tuple(command.split())


def owned(folder: pathlib.Path, processes: Iterable[Process] | None = None) -> dict[int, str]:
    """The processes of the lab in ``folder``, by id, with the program's name.

    A recorded process id may have been given to somebody else since. So a process is
    ours only when it runs one of our programs *and* has our folder on its command line.
    """
    inside = f"{folder}{os.sep}"
    found = running() if processes is None else processes
    return {
        pid: program
        for pid, arguments in found
        if (program := _program(arguments)) and any(inside in argument for argument in arguments)
    }


def _program(arguments: Sequence[str]) -> str:
    """The lab's name for the program of a command line; empty when it is none of ours."""
    name = pathlib.PurePath(arguments[0]).name
    if name.startswith("python") and "-m" in arguments[:-1]:
        after = arguments.index("-m") + 1
        return MODULES.get(tuple(arguments[after : after + 2]), "")
    return name if name in PROGRAMS else ""


def start(command: Sequence[str], log: pathlib.Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that a Ctrl-C for us does not reach it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )


QUIET_SECONDS = 0.25


def end_all(folder: pathlib.Path, *, within: float = 15.0) -> int:
    """Kill every process of the lab in ``folder`` and return how many there were.

    They get no time to say goodbye: their data is thrown away. The search is repeated until it
    has found nothing for a while: kwokctl may have started one more program after we looked, and
    a program that has just been started has no command line for a moment.
    """
    seen: set[int] = set()
    deadline = time.monotonic() + within
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        processes = owned(folder)
        if not processes:
            time.sleep(0.02)
            continue
        seen.update(processes)
        quiet_since = time.monotonic()
        for pid in sorted(processes, key=lambda each: processes[each] != "kwokctl"):
            _signal(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            names = ", ".join(f"{name} ({pid})" for pid, name in processes.items())
            raise binaries.LabError(
                f"these processes could not be ended, end them by hand: {names}"
            )
        time.sleep(0.05)
        quiet_since = time.monotonic()
    return len(seen)


def end(folder: pathlib.Path, program: str, *, within: float = 20.0) -> int:
    """End one program of a lab in good order (SIGTERM), and hard when that takes too long."""
    deadline = time.monotonic() + within
    ended = [pid for pid, name in owned(folder).items() if name == program]
    for pid in ended:
        _signal(pid, signal.SIGTERM)
    while alive := set(ended) & owned(folder).keys():
        if time.monotonic() > deadline:
            for pid in alive:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    return len(ended)


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone by now."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def free_ports() -> config.Ports:
    """Free ports, one for each of a lab's programs. Raises LabError."""
    names = config.Ports.__dataclass_fields__
    return config.Ports(**{name: ports.free_port() for name in names})


def fetch(url: str, *, data: bytes | None = None, seconds: float = 5.0) -> bytes:
    """The body at a local address; POST when there is ``data``. Raises OSError."""
    with _LOCAL.open(url, data=data, timeout=seconds) as response:
        body: bytes = response.read()
        return body


def post_json(url: str, document: object, *, seconds: float = 10.0) -> bytes:
    """The body that a local address answers to a JSON document. Raises OSError."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(  # noqa: S310 - only local addresses are asked
        url, json.dumps(document).encode(), headers
    )
    with _LOCAL.open(request, timeout=seconds) as response:
        body: bytes = response.read()
        return body


def wait_for(url: str, log: pathlib.Path, *, within: float = 30.0) -> None:
    """Wait until ``url`` answers with 200; raises LabError that quotes the program's log."""
    deadline = time.monotonic() + within
    while True:
        try:
            fetch(url)
        except OSError as error:
            if time.monotonic() > deadline:
                raise binaries.LabError(
                    f"{url} did not answer within {within:.0f} s ({error}); {_last_words(log)}"
                ) from error
            time.sleep(0.1)
        else:
            return


def run(
    command: Sequence[str], *, stdin: str | None = None, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; LabError quotes what it said when ``check`` finds a failure."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
        )
    except FileNotFoundError as error:
        raise binaries.LabError(f"{command[0]} was not found: install it, or set PATH") from error
    if check and done.returncode != 0:
        raise binaries.LabError(f"`{shlex.join(command)}` failed: {done.stderr.strip()}")
    return done


def _last_words(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return f"the end of {log}: {' / '.join(lines[-3:])}" if lines else f"{log} is empty"
