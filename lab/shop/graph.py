"""A shop's call graph in one second: pods, the calls between them, and where those land."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

from lab.shop.objects import workload_of
from lab.shop.pods import PodRecord
from lab.shop.profiles import Call, Effect, Profile


@dataclasses.dataclass(slots=True)
class Flow:
    """What goes through one pod in this second."""

    record: PodRecord
    profile: Profile
    variables: Mapping[str, str]
    effect: Effect
    cores: float
    """What requests can have of the CPU."""
    contention: float = 1.0
    """How much longer computing takes because the node is full."""
    arrivals: float = 0.0
    """Requests per second that reach it."""
    load: float = 0.0
    """The same, as its queues have noticed it."""
    success: float = 1.0
    latency: float = 0.0
    failure_latency: float = 0.0
    served: float = 1.0
    response: float = 0.0
    edges: list[Edge] = dataclasses.field(default_factory=list)

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return str(self.record.pod["metadata"]["uid"])

    @property
    def cpu_work(self) -> float:
        """Core-seconds for one request."""
        return self.profile.cpu * self.effect.cpu_factor

    @property
    def in_flight(self) -> float:
        """Requests at the same time, on average."""
        return self.arrivals * self.latency


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where a share of an edge's calls lands, and how it ends there."""

    flow: Flow | None
    weight: float
    failure: str | None


@dataclasses.dataclass(slots=True)
class Edge:
    """The calls of one caller (a pod, or the users) to one of its callees."""

    caller: Flow | None
    call: Call
    timeout: float
    rate: float
    targets: list[Target]
    success: float = 1.0
    latency: float = 0.0
    failure_latency: float = 0.0
    outcomes: list[tuple[float, float, float]] = dataclasses.field(default_factory=list)
    """For each target: share of success, seconds of a good call, seconds of a bad one."""
    kept: float = 1.0
    """What the caller's own pool and full callees leave of the success."""
    refused: float = 0.0
    """Share of connections that a full callee turns away."""
    pool_wait: float = 0.0
    pool_used: float = 0.0
    pool_size: int = 0


@dataclasses.dataclass(slots=True)
class Graph:
    """One shop's flows in this second."""

    shop: str
    flows: dict[str, Flow]
    """By the pod's uid."""
    users: Edge

    def edges(self) -> Iterator[Edge]:
        """Every edge, the users' first."""
        yield self.users
        for flow in self.flows.values():
            yield from flow.edges


@functools.lru_cache(maxsize=8)
def order(names: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    """Services so that every caller comes before its callees (Kahn, 1962)."""
    callees = dict(names)
    waits = dict.fromkeys(callees, 0)
    for targets in callees.values():
        for each in targets:
            waits[each] += 1
    ready = [name for name, count in waits.items() if count == 0]
    found: list[str] = []
    while ready:
        name = ready.pop()
        found.append(name)
        for each in callees[name]:
            waits[each] -= 1
            if waits[each] == 0:
                ready.append(each)
    return tuple(found)


def owner_name(record: PodRecord) -> str:
    """The name of a pod's workload, or of the pod itself."""
    owner = workload_of(record.pod)
    return owner[1] if owner else str(record.pod["metadata"]["name"])
