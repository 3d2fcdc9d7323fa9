"""Workloads that have too little, and neighbours that take too much, by what pods use.

These are states that any fault may bring about: only what nothing else explains is named by them.
"""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read, values
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import Scene

THROTTLED = 0.25
"""Share of throttled periods from which requests wait for it: kubernetes-mixin's alert has it."""
FULL = 0.9
"""Share of a node's CPU, or of a memory limit, from which it is called full."""
SOON = 600.0
"""Seconds within which a growing working set reaches its limit."""
WARM = 180.0
"""Seconds from a container's start in which its memory may grow: caches fill."""
GREEDY = 2.0
"""How many times its request a workload uses when it is blamed for a full node."""


def find(scene: Scene) -> Iterator[Fault]:
    """Throttling, memory that grows into its limit, full nodes."""
    for workload, pods in scene.pods.items():
        used = {pod: scene.view.usage[pod] for pod in pods if pod in scene.view.usage}
        yield from _throttled(workload, list(used.values()))
        warm = [each for pod, each in used.items() if _is_warm(scene, pod)]
        yield from _leak(scene, workload, warm)
    for node in scene.of("Node"):
        yield from _full(scene, node)


def _throttled(workload: model.Ref, used: list[values.Usage]) -> Iterator[Fault]:
    most = max((each.throttled or 0.0 for each in used), default=0.0)
    if most >= THROTTLED:
        yield Fault(
            workload, f"{faults.CONTAINERS}.resources.limits.cpu", CauseKind.SATURATION,
            "saturation", f"held at its CPU limit in {most:.0%} of periods",
            faults.FAINT, frozenset({workload}), general=True, fields=(faults.CONTAINERS,),
        )  # fmt: skip


def _leak(scene: Scene, workload: model.Ref, used: list[values.Usage]) -> Iterator[Fault]:
    limits = [
        read.quantity(read.value(each, "resources", "limits", "memory"))
        for each in scene.containers(workload)
    ]
    limit = sum(each for each in limits if each is not None)
    if not limit or None in limits:
        return
    for each in used:
        memory, growth = each.memory or 0.0, each.growth or 0.0
        if growth > 0 and memory + growth * SOON > limit:
            yield Fault(
                workload, f"{faults.CONTAINERS}.resources.limits.memory", CauseKind.SATURATION,
                "saturation",
                f"memory {memory / 2**20:.0f} MiB of {limit / 2**20:.0f} MiB, growing by "
                f"{growth * 60 / 2**20:.1f} MiB a minute",
                faults.POSSIBLE if memory > FULL * limit else faults.FAINT,
                frozenset({workload}), general=True, fields=(faults.CONTAINERS,),
            )  # fmt: skip
            return


def _is_warm(scene: Scene, pod: model.Ref) -> bool:
    started = [
        read.time(read.value(each, "state", "running", "startedAt"))
        for each in read.items(scene.get(pod), "status", "containerStatuses")
    ]
    return all(each is None or scene.view.at - each > WARM for each in started)


def _full(scene: Scene, node: model.Ref) -> Iterator[Fault]:
    """A node whose CPU is used up, by somebody without a limit far beyond his request."""
    have = read.quantity(read.value(scene.get(node), "status", "allocatable", "cpu")) or 0.0
    used: dict[model.Ref, float] = {}
    for pod, owner in scene.owners.items():
        usage = scene.view.usage.get(pod)
        here = read.text(scene.get(pod), "spec", "nodeName") == node.name
        if here and usage is not None and usage.cpu is not None:
            used[owner] = used.get(owner, 0.0) + usage.cpu
    total = sum(used.values())
    if not have or total < FULL * have:
        return
    greedy = [each for each in used if _unbound(scene, each, used[each])]
    if not greedy:
        return
    eater = max(greedy, key=lambda each: used[each])
    yield Fault(
        eater, f"{faults.CONTAINERS}.resources.limits.cpu", CauseKind.RESOURCES, "saturation",
        f"uses {used[eater]:.1f} of {have:.1f} cores of node {node.name}, which is full, and has "
        f"no CPU limit; {len(used) - 1} other workloads have pods there",
        faults.LIKELY, frozenset(used), fields=(faults.CONTAINERS,),
    )  # fmt: skip


def _unbound(scene: Scene, workload: model.Ref, used: float) -> bool:
    """Whether a workload has no CPU limit and uses much more than it asked for."""
    containers = scene.containers(workload)
    unlimited = any(not read.text(each, "resources", "limits", "cpu") for each in containers)
    asked = sum(
        read.quantity(read.value(each, "resources", "requests", "cpu")) or 0.0
        for each in containers
    )
    return unlimited and used > GREEDY * asked
