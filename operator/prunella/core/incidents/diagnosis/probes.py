"""Probes that ask where nobody answers, and containers that their probes call not ready."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import events, faults, pods, read
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import Scene

PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_WORDS = {"readinessProbe": "Readiness", "livenessProbe": "Liveness", "startupProbe": "Startup"}
_ACTIONS = ("httpGet", "tcpSocket", "grpc")
_STARTING = 30.0
"""Seconds after its start in which a container need not be ready."""
_NOW = 60.0
"""Seconds for which a failed probe is of now, when the container is ready again."""
_OFTEN = 3
"""Failures of a probe from which they are no matter of starting."""


def find(scene: Scene) -> Iterator[Fault]:
    """Probes of workloads whose pods are not ready or restart."""
    failing = {
        (event.workload, word): event
        for event in events.recent(scene)
        for word in PROBES
        if event.reason in ("Unhealthy", "Killing", "ProbeWarning")
        and f"{_WORDS[word].lower()} probe" in event.message.lower()
        and event.workload is not None
        and event.count >= _OFTEN
        and (event.last or scene.view.at) > scene.view.at - _NOW
    }
    unready = _unready(scene)
    for workload in scene.workloads:
        for container in scene.containers(workload):
            for word in PROBES:
                probe = read.mapping(container, word)
                event = failing.get((workload, word))
                sick = (workload, read.text(container, "name")) in unready
                if probe and (sick or event):
                    yield _fault(workload, container, word, sick=sick, event=event)


def _unready(scene: Scene) -> set[tuple[model.Ref, str]]:
    """Containers that run for a while and are not ready, by workload."""
    found = set()
    for each in pods.states(scene):
        started = read.time(read.value(each.raw, "state", "running", "startedAt"))
        late = started is None or scene.view.at - started > _STARTING
        running = bool(read.mapping(each.raw, "state", "running"))
        if not each.init and running and late and each.raw.get("ready") is False:
            found.add((each.workload, each.name))
    return found


def _fault(
    workload: model.Ref,
    container: read.Raw,
    word: str,
    *,
    sick: bool,
    event: events.Event | None,
) -> Fault:
    name, probe = read.text(container, "name"), read.mapping(container, word)
    action = next((each for each in _ACTIONS if each in probe), "")
    port = read.text(probe, action, "port") if action else ""
    declared = [read.text(each, "containerPort") for each in read.items(container, "ports")]
    names = [read.text(each, "name") for each in read.items(container, "ports")]
    wrong = bool(port) and bool(declared) and port not in declared + names
    path = read.text(probe, "httpGet", "path")
    asks = f"asks {action} {port}{path}" if action else "runs a command"
    told = f"{word} of container {name} {asks}"
    if wrong:
        told += f", but the container declares port {', '.join(declared)}"
    if event is not None:
        told += f"; {event.count} times: {event.message[:200]}"
    elif sick:
        told += "; the container runs and is not ready"
    field = faults.container_path(name, f"{word}.{action}.port" if wrong else word)
    return Fault(
        workload, field, CauseKind.PROBE, "reference" if wrong else "pod", told,
        faults.SURE - 0.5 if wrong else faults.POSSIBLE if sick else faults.FAINT,
        frozenset({workload}), event.first if event else None, general=not wrong,
        fields=tuple(faults.container_path(name, each) for each in PROBES),
    )  # fmt: skip
