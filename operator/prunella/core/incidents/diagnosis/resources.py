"""Containers killed for their memory, and pods evicted or crowded out by others on their node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import events, faults, pods, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene


def find(scene: Scene) -> Iterator[Fault]:
    """Kills by the kernel, evictions by the kubelet, preemptions by the scheduler."""
    yield from _killed(scene)
    yield from _evicted(scene)
    yield from _preempted(scene)


def _killed(scene: Scene) -> Iterator[Fault]:
    """OOMKilled: the limit is below the need, because either has changed."""
    counts: Counter[tuple[model.Ref, str]] = Counter()
    for each in pods.states(scene):
        if read.text(each.terminated, "reason") == "OOMKilled":
            ended = read.time(read.value(each.terminated, "finishedAt"))
            if ended is None or ended > scene.view.at - events.WINDOW:
                counts[each.workload, each.name] += max(1, each.restarts)
    for (workload, name), count in counts.items():
        container = next(
            (each for each in scene.containers(workload) if each.get("name") == name), read.NOTHING
        )
        limit = read.text(container, "resources", "limits", "memory") or "none"
        yield Fault(
            workload, faults.container_path(name, "resources.limits.memory"),
            CauseKind.RESOURCES, "pod",
            f"container {name} was killed for its memory (OOMKilled) {count} times, limit {limit}",
            faults.LIKELY + 0.5, frozenset({workload}),
            sides=tuple(_limit_ranges(scene, workload)),
            fields=(faults.container_path(name, "resources"), faults.container_path(name)),
        )  # fmt: skip


def _limit_ranges(scene: Scene, workload: model.Ref) -> Iterator[Side]:
    for each in sorted(scene.of("LimitRange", workload.namespace)):
        yield Side(each, ("spec.limits",), CauseKind.QUOTA)


def _evicted(scene: Scene) -> Iterator[Fault]:
    """The kubelet evicts when its node runs short: blamed is who has no limit there."""
    for event in events.recent(scene):
        if event.reason != "Evicted" or "low on resource" not in event.message:
            continue
        victim = event.workload
        if victim is None:
            continue
        resource = "memory" if "memory" in event.message else "ephemeral-storage"
        for eater in sorted(_unlimited(scene, victim, resource)):
            yield Fault(
                eater, f"{faults.CONTAINERS}.resources.limits.{resource}",
                CauseKind.RESOURCES, "node",
                f"{eater} has no {resource} limit and shares a node with {victim}, which was "
                f"evicted: {event.message[:200]}",
                faults.POSSIBLE, frozenset({victim, eater}), event.first,
                fields=(f"{faults.CONTAINERS}",),
            )  # fmt: skip


def _unlimited(scene: Scene, victim: model.Ref, resource: str) -> frozenset[model.Ref]:
    nodes = scene.nodes_of.get(victim, frozenset()) or frozenset(scene.of("Node"))
    return frozenset(
        workload
        for node in nodes
        for workload in scene.on_node(node) | {victim}
        for container in scene.containers(workload)
        if not read.text(container, "resources", "limits", resource)
    )


def _preempted(scene: Scene) -> Iterator[Fault]:
    """Pods that had to go for pods of a higher priority: blamed is whose those are."""
    told: set[tuple[model.Ref, model.Ref]] = set()
    uids = {read.text(scene.get(pod), "metadata", "uid"): pod for pod in scene.of("Pod")}
    for event in events.recent(scene):
        victim = event.workload
        if event.reason != "Preempted" or victim is None:
            continue
        eater = _preemptor(scene, event, uids) or _highest(scene, victim)
        if eater is None or (eater, victim) in told:
            continue
        told.add((eater, victim))
        name = read.text(scene.template(eater), "spec", "priorityClassName")
        yield Fault(
            eater, "spec.template.spec.priorityClassName", CauseKind.SCHEDULING, "pod",
            f"pods of {eater} (priority class {name or 'none'}) have preempted pods of {victim}: "
            f"{event.message[:160]}",
            faults.LIKELY, frozenset({victim}), event.first,
            (Side(model.Ref("PriorityClass", "", name), ("value", ""), CauseKind.SCHEDULING),),
            general=True,
            fields=("spec.template.spec.priorityClassName", "spec.replicas", faults.CONTAINERS),
        )  # fmt: skip


def _preemptor(scene: Scene, event: events.Event, uids: dict[str, model.Ref]) -> model.Ref | None:
    """The workload of the pod that the Event names, by its uid or as the related object."""
    for word in event.message.replace("/", " ").split():
        if word in uids:
            return scene.owners.get(uids[word])
    return scene.owners.get(event.source) if event.source else None


def _highest(scene: Scene, victim: model.Ref) -> model.Ref | None:
    """The workload of the highest priority above the victim's, if one stands out."""
    own = _priority(scene, victim)
    above = {each: _priority(scene, each) for each in scene.workloads if each != victim}
    most = max(above.values(), default=0)
    top = [each for each, value in above.items() if value == most > own]
    return top[0] if len(top) == 1 else None


def _priority(scene: Scene, workload: model.Ref) -> int:
    name = read.text(scene.template(workload), "spec", "priorityClassName")
    known = read.whole(scene.get(model.Ref("PriorityClass", "", name)), "value")
    pod = next((scene.get(each) for each in scene.pods.get(workload, ())), read.NOTHING)
    return known if known is not None else read.whole(pod, "spec", "priority") or 0
