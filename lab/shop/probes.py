"""Probes: what the kubelet asks a container, and what it hears."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any

from lab.shop.commands import Program

Probe = Mapping[str, Any]

_CLIENTS = {"postgres": {"pg_isready", "psql"}, "valkey": {"valkey-cli", "redis-cli"}}
"""Commands that an image has beside its program and that succeed while it serves."""
_PLAIN = {"true": 0, "false": 1, "cat": 1, "test": 1, "ls": 0, "echo": 0}


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The container that is probed."""

    program: Program
    address: str
    running_for: float
    response: float
    """Seconds that the program takes for a trivial request now."""
    ports: Mapping[str, int]
    """Named container ports."""

    @property
    def serves(self) -> bool:
        """Whether the program listens already."""
        profile = self.program.profile
        return profile is not None and self.running_for >= profile.start


def failure(probe: Probe, target: Target) -> str | None:
    """Why the probe fails, in the kubelet's words; None when it succeeds."""
    if (command := probe.get("exec")) is not None:
        return _command(command.get("command") or [], target)
    for kind in ("httpGet", "tcpSocket", "grpc"):
        if (fields := probe.get(kind)) is not None:
            return _connection(kind, fields, probe, target)
    return None


def _connection(kind: str, fields: Mapping[str, Any], probe: Probe, target: Target) -> str | None:
    port = fields.get("port")
    number = target.ports.get(port) if isinstance(port, str) and not port.isdigit() else port
    if number is None:
        return f"couldn't find port: {port!r}"
    where = f"{target.address}:{number}"
    if not target.serves or int(number) != target.program.port:
        prefix = _url(fields, where) if kind == "httpGet" else ""
        return f"{prefix}dial tcp {where}: connect: connection refused"
    if target.response > float(probe.get("timeoutSeconds", 1)):
        prefix = _url(fields, where) if kind == "httpGet" else ""
        return f"{prefix}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    return _answer(kind, fields, where, target)


def _url(fields: Mapping[str, Any], where: str) -> str:
    scheme = str(fields.get("scheme", "HTTP")).lower()
    path = str(fields.get("path", "/")).lstrip("/")
    return f'Get "{scheme}://{where}/{path}": '


def _answer(kind: str, fields: Mapping[str, Any], where: str, target: Target) -> str | None:
    profile = target.program.profile
    assert profile is not None  # noqa: S101 - it serves
    if kind == "tcpSocket":
        return None
    if kind == "grpc":
        if profile.protocol != "grpc":
            return f'timeout: failed to connect service "{where}" within 1s'
        asked = fields.get("service")
        return None if not asked else f'error: unknown service "{asked}"'
    if fields.get("scheme", "HTTP") == "HTTPS":
        return f"{_url(fields, where)}http: server gave HTTP response to HTTPS client"
    if profile.protocol != "http":
        return f"{_url(fields, where)}net/http: HTTP/1.x transport connection broken: EOF"
    path = str(fields.get("path", "/")).partition("?")[0]
    return None if path in profile.paths else "HTTP probe failed with statuscode: 404"


def _command(command: list[str], target: Target) -> str | None:
    words = command[2:] if command[:1] and command[0].endswith("sh") else command
    name = posixpath.basename(" ".join(words).split(" ")[0]) if words else ""
    profile = target.program.profile
    if profile is not None and name in _CLIENTS.get(profile.name, ()):
        return None if target.serves else f"{target.address} - no response"
    if name in _PLAIN:
        code = _PLAIN[name]
        return None if code == 0 else f"command {command} exited with {code}"
    return f'OCI runtime exec failed: exec: "{name}": executable file not found in $PATH'
