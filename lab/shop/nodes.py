"""What nodes have to give: CPU shared by weight, memory until it runs short."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lab.shop import chaos
from lab.shop.containers import Container
from lab.shop.objects import Object, Picture, quantity
from lab.shop.pods import PodRecord
from lab.shop.profiles import MEBIBYTE, NO_EFFECT, Effect

IDLE_CPU = 0.004
MODEST = 0.4
"""A greedy program keeps to this share of its CPU limit, and to twice this share of memory."""
LEAST_WEIGHT = 0.002
"""What a container without a request weighs: cpu.shares 2."""
GROWTH = 40 * MEBIBYTE
"""How fast a greedy program's memory grows each second."""
EVICTION_THRESHOLD = 100 * MEBIBYTE
TOOL_MEMORY = 8 * MEBIBYTE


@dataclasses.dataclass(slots=True)
class Claim:
    """One running container's part of its node's CPU, in cores."""

    record: PodRecord
    container: Container
    request: float
    limit: float | None
    requests: float = 0.0
    """What serving requests needs."""
    beside: float = 0.0
    """What it burns beside that."""
    greed: float = 0.0
    """What it takes besides when nobody holds it back; its own requests go first."""
    used: float = 0.0
    available: float = 0.0
    """What serving requests could have at most."""
    throttled: float = 0.0
    """Share of periods in which it was stopped by its limit."""

    @property
    def demand(self) -> float:
        """What it would use if it could."""
        wanted = self.requests + self.beside + self.greed
        return wanted if self.limit is None else min(wanted, self.limit)


def amounts(pod: Object, name: str) -> Mapping[str, Any]:
    """The resources of a container by name, as the spec has them."""
    specs = pod["spec"]["containers"]
    return next((s.get("resources") or {} for s in specs if s["name"] == name), {})


def claim(record: PodRecord, container: Container) -> Claim:
    """A container's claim, from its requests and limits."""
    found = amounts(record.pod, container.name)
    limit = quantity((found.get("limits") or {}).get("cpu"))
    request = quantity((found.get("requests") or {}).get("cpu"))
    return Claim(record, container, request if request is not None else limit or 0.0, limit)


def share(claims: Sequence[Claim], cores: float) -> float:
    """Divide a node's cores by weight, nobody more than he asks; returns how full the node is."""
    left, open_claims = cores, list(claims)
    for each in claims:
        each.used = 0.0
    while open_claims and left > 1e-6:
        weight = sum(max(each.request, LEAST_WEIGHT) for each in open_claims)
        fair = left / weight
        content = [c for c in open_claims if c.demand <= fair * max(c.request, LEAST_WEIGHT)]
        if not content:
            for each in open_claims:
                each.used = fair * max(each.request, LEAST_WEIGHT)
            left = 0.0
            break
        for each in content:
            each.used = each.demand
            left -= each.demand
        open_claims = [each for each in open_claims if each not in content]
    left = max(0.0, left)
    weight = sum(max(each.request, LEAST_WEIGHT) for each in claims) or 1.0
    for each in claims:
        own = cores * max(each.request, LEAST_WEIGHT) / weight
        _available(each, max(each.used + left, own))
    return 1 - left / cores if cores else 1.0


def _available(claimed: Claim, room: float) -> None:
    """What serving requests could have: its part of what is there, within the limit."""
    if claimed.limit is not None:
        room = min(room, claimed.limit)
        over = (claimed.requests + claimed.beside) / claimed.limit if claimed.limit else 2.0
        claimed.throttled = min(1.0, max(0.0, (over - 0.75) / 0.25))
    together = claimed.requests + claimed.beside
    fair = room * claimed.requests / together if together else room
    claimed.available = max(room - claimed.beside, fair, 0.001)


def grow(record: PodRecord, container: Container, extra: Effect, in_flight: float) -> None:
    """One second's change of a container's working set."""
    profile = container.program.profile
    container.leaked += extra.leak
    if profile is None:
        takes = max(TOOL_MEMORY, container.program.takes)
        container.memory = takes + extra.memory + container.leaked
        return
    need = profile.memory + profile.per_request * in_flight + extra.memory + container.leaked
    if profile.greed_memory:
        found = amounts(record.pod, container.name)
        limit = quantity((found.get("limits") or {}).get("memory"))
        most = profile.greed_memory if limit is None else max(0.0, limit * 2 * MODEST - need)
        before = max(0.0, container.memory - need)
        need += min(most, before + GROWTH, profile.greed_memory)
    container.memory = need


def short_of_memory(records: Sequence[PodRecord], allocatable: float) -> PodRecord | None:
    """Whom the kubelet evicts when a node's memory runs short, or None.

    Order of the kubelet: who uses more than he requested first, then lower priority, then
    whoever is most above his request.
    """
    total = sum(used(each) for each in records)
    if total <= allocatable - EVICTION_THRESHOLD:
        return None
    live = [each for each in records if each.ended is None]
    return max(live, key=_eviction_rank, default=None)


def used(record: PodRecord) -> float:
    """A pod's working set in bytes."""
    return sum(each.memory for each in record.containers.values())


def requested(record: PodRecord) -> float:
    """The memory that a pod requests, in bytes."""
    found = (amounts(record.pod, each).get("requests") or {} for each in record.containers)
    return sum(quantity(each.get("memory")) or 0.0 for each in found)


def _eviction_rank(record: PodRecord) -> tuple[bool, int, float]:
    over = used(record) - requested(record)
    return over > 0, -int(record.pod["spec"].get("priority", 0)), over


def eviction_message(record: PodRecord, available: float) -> str:
    """Why a pod was evicted, in the kubelet's words."""
    uses, wants = used(record) / 1024, requested(record) / MEBIBYTE
    return (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: "
        f"{max(0.0, available) / 1024:.0f}Ki. Container {next(iter(record.containers))} was "
        f"using {uses:.0f}Ki, request is {wants:.0f}Mi, has larger consumption of memory. "
    )


def capacity(picture: Picture, name: str) -> tuple[float, float]:
    """Cores and bytes that a node has for pods, less what chaos on the node takes."""
    node = picture.get("Node", "", name)
    status = node.get("status", {}) if node else {}
    found = status.get("allocatable") or status.get("capacity") or {}
    taken = chaos.of_node(picture, name) if node else NO_EFFECT
    cores = (quantity(found.get("cpu")) or 4.0) - taken.cpu
    return max(0.05, cores), (quantity(found.get("memory")) or 8 * 2.0**30) - taken.memory
