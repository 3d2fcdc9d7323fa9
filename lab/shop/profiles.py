"""What each program of the shop needs and does, read from ``services.yaml``."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
from typing import Any

import yaml

REGISTRY = "registry.example/shop/"
_FILE = pathlib.Path(__file__).with_name("services.yaml")
_WEB_PATHS = ("/", "/healthz", "/livez", "/readyz", "/metrics")


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call that a program makes for a request; see the head of ``services.yaml``."""

    to: str
    address: str
    rate: float = 1.0
    required: bool = True
    credentials: tuple[str, str, str] | None = None
    pool: str | None = None
    hold: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """What a release, a flag or an annotation adds to the behaviour of a program."""

    errors: float = 0.0
    """Share of requests that fail in its own code."""
    delay: float = 0.0
    """Seconds of waiting for each request."""
    loss: float = 0.0
    """Share of packets lost: requests that end in a timeout."""
    cpu: float = 0.0
    """Cores burnt beside the requests."""
    cpu_factor: float = 1.0
    memory: float = 0.0
    """Bytes more."""
    leak: float = 0.0
    """Bytes more each second."""
    queries: float = 1.0
    """How many times as often data stores are asked."""
    crash: float | None = None
    """Seconds after which it exits."""

    def plus(self, other: Effect) -> Effect:
        """Both effects at once."""
        return Effect(
            errors=1 - (1 - self.errors) * (1 - other.errors),
            delay=self.delay + other.delay,
            loss=1 - (1 - self.loss) * (1 - other.loss),
            cpu=self.cpu + other.cpu,
            cpu_factor=self.cpu_factor * other.cpu_factor,
            memory=self.memory + other.memory,
            leak=self.leak + other.leak,
            queries=self.queries * other.queries,
            crash=self.crash if self.crash is not None else other.crash,
        )


NO_EFFECT = Effect()
MEBIBYTE = 2.0**20


def effect(numbers: dict[str, float]) -> Effect:
    """An effect in the units of ``services.yaml``: delay in ms, memory and leak in MiB."""
    units = {"delay": 0.001, "memory": MEBIBYTE, "leak": MEBIBYTE}
    return Effect(**{key: value * units.get(key, 1.0) for key, value in numbers.items()})


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """One program; times in seconds, memory in bytes."""

    name: str
    kind: str = "http"
    protocol: str = "http"
    port: int = 8080
    paths: tuple[str, ...] = _WEB_PATHS
    latency: float = 0.0
    cpu: float = 0.0
    workers: int = 16
    memory: float = 0.0
    per_request: float = 0.0
    greed_cpu: float = 0.0
    greed_memory: float = 0.0
    start: float = 1.0
    requires: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    accepts: tuple[str, str, str] | None = None
    connections: tuple[str, int] | None = None
    drives: float = 0.0
    flags: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    data: bool = False
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Environment variables that must be numbers where they are given."""
        pools = tuple(each.pool for each in self.calls if each.pool)
        limit = (self.connections[0],) if self.connections else ()
        return ("CALL_TIMEOUT_MS", *pools, *limit)


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What users do."""

    to: str
    namespace: str
    host: str
    rate: float
    day: float
    noise: float
    patience: float


@dataclasses.dataclass(frozen=True, slots=True)
class Catalogue:
    """All programs, releases and tools: what the registry holds."""

    load: Load
    services: dict[str, Profile]
    release_tags: re.Pattern[str]
    suffixes: dict[str, Effect]
    tool_names: frozenset[str]
    tool_tags: re.Pattern[str]


@functools.cache
def catalogue() -> Catalogue:
    """The contents of ``services.yaml``."""
    document = yaml.safe_load(_FILE.read_text())
    return Catalogue(
        load=Load(**document["load"]),
        services={name: _profile(name, each) for name, each in document["services"].items()},
        release_tags=re.compile(document["releases"]["tags"]),
        suffixes={key: effect(each) for key, each in document["releases"]["suffixes"].items()},
        tool_names=frozenset(document["tools"]["names"]),
        tool_tags=re.compile(document["tools"]["tags"]),
    )


def _profile(name: str, fields: dict[str, Any]) -> Profile:
    known = dict(fields)
    greed = known.pop("greed", {})
    limit = known.pop("connections", None)
    known["latency"] = known.get("latency", 0) / 1000
    known["cpu"] = known.get("cpu", 0) / 1000
    for key in ("memory", "per_request"):
        known[key] = known.get(key, 0) * MEBIBYTE
    for key in ("requires", "paths", "accepts", "writes", "reads"):
        if key in known:
            known[key] = tuple(known[key])
    known["drives"] = known.get("drives", {}).get("rate", 0.0)
    known["calls"] = tuple(_call(each) for each in known.get("calls", ()))
    known["flags"] = tuple(
        (flag, tuple(each.items())) for flag, each in known.get("flags", {}).items()
    )
    return Profile(
        name=name,
        greed_cpu=greed.get("cpu", 0.0),
        greed_memory=greed.get("memory", 0.0) * MEBIBYTE,
        connections=(limit["variable"], limit["default"]) if limit else None,
        **known,
    )


def _call(fields: dict[str, Any]) -> Call:
    known = dict(fields)
    if "credentials" in known:
        known["credentials"] = tuple(known["credentials"])
    return Call(**known)


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """An image that was pulled: the program in it (None: a tool), and what its release does."""

    profile: Profile | None
    effect: Effect = NO_EFFECT


@functools.lru_cache(maxsize=1024)
def pull(reference: str) -> Image | str:
    """Pull an image, or tell why the registry refuses, in containerd's words."""
    known = catalogue()
    repository, _, tag = reference.partition("@")[0].rpartition(":")
    if "/" in tag or not repository:
        repository, tag = reference, "latest"
    name = repository.removeprefix(REGISTRY)
    if repository.startswith(REGISTRY) and name in known.services:
        version, _, suffix = tag.partition("-")
        if known.release_tags.fullmatch(version) and (not suffix or suffix in known.suffixes):
            return Image(known.services[name], known.suffixes.get(suffix, NO_EFFECT))
    elif repository.rpartition("/")[2] in known.tool_names and known.tool_tags.fullmatch(tag):
        return Image(None)
    return (
        f'failed to pull and unpack image "{reference}": failed to resolve reference '
        f'"{reference}": {reference}: not found'
    )
