"""Services that lead nowhere: a selector that selects nothing, a port that nobody listens on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_LABELS = "spec.template.metadata.labels"
_PORTS = "spec.template.spec.containers"


def find(scene: Scene) -> Iterator[Fault]:
    """What is wrong between Services and the pods that they are meant for."""
    for service, raw in scene.of("Service").items():
        selector = read.labels(raw, "spec", "selector")
        if not selector:
            continue  # its EndpointSlices are somebody else's, or it is an ExternalName
        chosen = scene.selected[service]
        if not chosen:
            yield from _selects_nothing(scene, service, selector)
        elif not any(each.name == service.name for each in chosen):
            yield from _selects_another(scene, service, chosen)
        for port in read.items(raw, "spec", "ports"):
            yield from _nobody_listens(scene, service, port)


def _selects_nothing(
    scene: Scene, service: model.Ref, selector: Mapping[str, str]
) -> Iterator[Fault]:
    pods = sum(pod.namespace == service.namespace for pod in scene.of("Pod"))
    nearest = scene.behind[service] or _nearest(scene, service, selector)
    gone = model.Ref("Deployment", service.namespace, service.name)
    told = "".join(f"; {each} has {_differing(scene, each, selector)}" for each in sorted(nearest))
    sides = [Side(each, (_LABELS,), CauseKind.NETWORKING) for each in sorted(nearest)]
    if not nearest:
        sides = [Side(gone._replace(kind=kind), ("",), CauseKind.SCALE) for kind in _REPLICATED]
    yield Fault(
        service,
        "spec.selector",
        CauseKind.NETWORKING,
        "reference",
        f"selector {_written(selector)} selects none of {pods} pods{told}",
        faults.SURE,
        frozenset(nearest or {service}),
        sides=tuple(sides),
    )


_REPLICATED = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")


def _selects_another(
    scene: Scene, service: model.Ref, chosen: frozenset[model.Ref]
) -> Iterator[Fault]:
    """A Service that leads to others though there is a workload of its name."""
    meant = [each for each in scene.workloads if each[1:] == service[1:]]
    if not meant:
        return
    names = ", ".join(str(each) for each in sorted(chosen))
    yield Fault(
        service,
        "spec.selector",
        CauseKind.NETWORKING,
        "reference",
        f"selector selects pods of {names} and none of {meant[0]}",
        faults.LIKELY,
        frozenset(meant),
        sides=tuple(Side(each, (_LABELS,), CauseKind.NETWORKING) for each in meant),
    )


def _nearest(scene: Scene, service: model.Ref, selector: Mapping[str, str]) -> frozenset[model.Ref]:
    """The workload whose labels agree most with a selector, if any agree."""
    agree = {
        each: sum(scene.labels(each).get(key) == value for key, value in selector.items())
        for each in scene.workloads
        if each.namespace == service.namespace and service.name in each.name
    }
    most = max(agree.values(), default=0)
    return frozenset(each for each, count in agree.items() if count == most and most > 0)


def _differing(scene: Scene, workload: model.Ref, selector: Mapping[str, str]) -> str:
    found = scene.labels(workload)
    differing = {key: found.get(key, "") for key in selector if found.get(key) != selector[key]}
    return ",".join(f"{key}={value}" if value else f"no {key}" for key, value in differing.items())


def _nobody_listens(scene: Scene, service: model.Ref, port: read.Raw) -> Iterator[Fault]:
    """A target port that no container of the selected workloads declares."""
    wanted = read.text(port, "targetPort") or read.text(port, "port")
    number = read.text(port, "port")
    for workload in sorted(scene.selected[service]):
        declared = list(_declared(scene, workload))
        protocol = read.text(port, "protocol") or "TCP"
        if not declared and wanted.isdigit():
            continue  # a port need not be declared
        if (wanted, protocol) in declared:
            continue
        told = ", ".join(each for each, _ in declared if each.isdigit()) or "none"
        yield Fault(
            service,
            "spec.ports",
            CauseKind.NETWORKING,
            "reference",
            f"port {number} leads to target port {wanted}/{protocol}, which no container of "
            f"{workload} has (declared: {told})",
            faults.LIKELY if wanted.isdigit() else faults.SURE,
            frozenset({workload}),
            sides=(Side(workload, (f"{_PORTS}",), CauseKind.NETWORKING),),
        )


def _declared(scene: Scene, workload: model.Ref) -> Iterator[tuple[str, str]]:
    """Numbers and names of the ports that containers declare, with their protocols."""
    for container in scene.containers(workload):
        for each in read.items(container, "ports"):
            protocol = read.text(each, "protocol") or "TCP"
            yield read.text(each, "containerPort"), protocol
            if read.text(each, "name"):
                yield read.text(each, "name"), protocol


def _written(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
