"""What a container's command does: serve, run for a while and exit, or fail to start.

The programs of the shop are their images' entrypoint. Anything else is read as a small shell
would: enough for init containers that wait or fail, and for commands that are wrong.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from lab.shop.environment import expand
from lab.shop.profiles import Image, Profile

FOREVER = float("inf")


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What runs in a container. ``after`` seconds it exits with ``code``."""

    profile: Profile | None = None
    """The program of the shop that serves, if it is one."""
    port: int = 0
    after: float = FOREVER
    code: int = 0
    message: str = ""
    burns: float = 0.0
    """Cores that a tool burns."""
    takes: float = 0.0
    """Bytes of memory that a tool takes."""
    start_error: str | None = None
    """Why the container could not even be started (exit code 128)."""
    waits_for: tuple[str, bool] | None = None
    """An address, and whether to try again (True) or to fail (False) while it is not reached."""


_SHELLS = frozenset({"sh", "bash", "ash"})
_TOOLS = frozenset(
    [
        "true",
        "false",
        "sleep",
        "echo",
        "cat",
        "env",
        "date",
        "ls",
        "nc",
        "wget",
        "curl",
        "tail",
        "test",
        "printf",
        "mkdir",
        "cp",
        "chown",
        "chmod",
        "stress",
        "stress-ng",
        "pause",
        "nginx",
        "python",
        "python3",
        "nslookup",
        "until",
        "while",
    ]
)
_FLAGS = frozenset({"--port", "--log-level", "--config", "--listen", "--verbose", "-c", "serve"})


def plan(image: Image, container: Mapping[str, Any], variables: Mapping[str, str]) -> Program:
    """What a container of this image does with its command, arguments and environment."""
    command = [expand(each, variables) for each in container.get("command") or []]
    arguments = [expand(each, variables) for each in container.get("args") or []]
    if not command and image.profile is not None:
        return _service(image, arguments, variables)
    if not command:
        return _shell(arguments) if arguments else _default_tool(container)
    name = posixpath.basename(command[0])
    if image.profile is not None and name == image.profile.name:
        return _service(image, [*command[1:], *arguments], variables)
    if name in _SHELLS:
        script = [each for each in command[1:] if not each.startswith("-")] + arguments
        return _script(script[0], image, variables) if script else Program(after=0)
    if name in _TOOLS:
        return _shell([*command, *arguments])
    return Program(start_error=_not_found(command[0]))


def _default_tool(container: Mapping[str, Any]) -> Program:
    """Busybox and the like run a shell without input, which ends at once; servers stay."""
    image = str(container.get("image", ""))
    stays = any(each in image for each in ("pause", "nginx", "stress"))
    return _stress([image]) if stays else Program(after=0)


def _not_found(program: str) -> str:
    what = f"stat {program}: no such file or directory"
    if "/" not in program:
        what = "executable file not found in $PATH"
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create "
        f'failed: runc create failed: unable to start container process: exec: "{program}": '
        f"{what}: unknown"
    )


def _service(image: Image, arguments: list[str], variables: Mapping[str, str]) -> Program:
    profile = image.profile
    assert profile is not None  # noqa: S101 - the callers have looked
    flags = _flags(arguments)
    unknown = [each for each in flags if each.startswith("-") and each not in _FLAGS]
    if unknown:
        return Program(after=0.5, code=2, message=f"flag provided but not defined: {unknown[0]}")
    if "migrate" in flags:
        return Program(after=2, code=0)
    listen = flags.get("--port") or flags.get("--listen") or variables.get("PORT", "")
    port = listen.rpartition(":")[2] or str(profile.port)
    if not port.isdigit() or not 0 < int(port) < 65536:
        return Program(after=0.5, code=1, message=f"invalid PORT: {port!r}")
    if (problem := _bad_variable(profile, variables)) is not None:
        return Program(after=1, code=1, message=problem)
    crash = image.effect.crash
    if crash is not None:
        return Program(profile, int(port), crash, 1, "panic: runtime error: nil pointer")
    return Program(profile, int(port))


def _flags(arguments: list[str]) -> dict[str, str]:
    """Arguments as names with values: ``--port=1`` and ``--port 1`` are the same."""
    found: dict[str, str] = {}
    last = ""
    for each in arguments:
        if last and not each.startswith("-"):
            found[last], last = each, ""
            continue
        name, mark, value = each.partition("=")
        found[name] = value
        last = name if name.startswith("-") and not mark else ""
    return found


def _bad_variable(profile: Profile, variables: Mapping[str, str]) -> str | None:
    """Why a program ends at once because of its environment, or None."""
    for name in profile.requires:
        if not variables.get(name):
            return f"environment variable {name} is not set"
    for name in profile.numbers:
        text = variables.get(name, "")
        if text and not text.isdigit():
            return f"environment variable {name} is no number: {text!r}"
    return None


def _script(script: str, image: Image, variables: Mapping[str, str]) -> Program:
    """Statement after statement until one does not end, fails under ``exit``, or waits."""
    after, code = 0.0, 0
    if (loop := _WAIT.search(script)) is not None:
        return Program(waits_for=(_address(loop[1]), True), after=FOREVER)
    if re.search(r"while\s+(true|:)", script):
        return Program()
    for statement in re.split(r"&&|\|\||;|\n", script):
        words = _words(statement)
        if not words:
            continue
        name = posixpath.basename(words[0])
        if name == "exec":
            words, name = words[1:], posixpath.basename(words[1]) if words[1:] else ""
        if name == "exit":
            return Program(after=after, code=int(words[1]) if words[1:] else code)
        if image.profile is not None and name == image.profile.name:
            return _service(image, words[1:], variables)
        if name not in _TOOLS:
            return Program(after=after, code=127, message=f"sh: {words[0]}: not found")
        step = _shell(words)
        if step.after == FOREVER or step.waits_for:
            return step
        after, code = after + step.after, step.code
    return Program(after=after, code=code)


_WAIT = re.compile(r"(?:until|while\s+!)\s+((?:nc|wget|curl|nslookup)\b[^;\n]*)")


def _words(statement: str) -> list[str]:
    try:
        return shlex.split(statement)
    except ValueError:
        return statement.split()


def _shell(words: list[str]) -> Program:
    """One simple command."""
    name = posixpath.basename(words[0])
    if name == "sleep":
        return Program(after=_duration(words[1] if words[1:] else "0"))
    if name == "tail" and "-f" in words:
        return Program()
    if name in ("nc", "wget", "curl"):
        return Program(waits_for=(_address(" ".join(words)), False))
    if name in ("pause", "nginx", "stress", "stress-ng"):
        return _stress(words)
    if name in _TOOLS:
        return Program(after=0, code=1 if name == "false" else 0)
    return Program(start_error=_not_found(words[0]))


def _stress(words: list[str]) -> Program:
    """A tool that stays; ``stress --cpu 2 --vm-bytes 1G`` burns and takes what it says."""
    line = " ".join(words)
    cores = re.search(r"(?:-c|--cpu)[ =](\d+)", line)
    size = re.search(r"--vm-bytes[ =](\d+)([KMG]?)", line)
    unit = {"": 1.0, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30}
    return Program(
        burns=float(cores[1]) if cores else 0.0,
        takes=float(size[1]) * unit[size[2]] if size else 0.0,
    )


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)([smhd]?)", text)
    if found is None:
        return FOREVER if text in ("inf", "infinity") else 0.0
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _address(command: str) -> str:
    """The host and port that nc, wget or curl is told to connect to."""
    if (url := re.search(r"https?://([^\s/:]+)(?::(\d+))?", command)) is not None:
        return f"{url[1]}:{url[2] or 80}"
    words = [each for each in _words(command)[1:] if not each.startswith("-")]
    words = [each for each in words if each not in (">", "/dev/null", "2>&1")]
    if len(words) >= 2 and words[-1].isdigit():
        return f"{words[-2]}:{words[-1]}"
    return words[-1] if words else ""


Reaches = Callable[[str], bool]
"""Whether the pod reaches an address."""
