"""Routes from outside that lead nowhere: to a Service that is not there, or to no port of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

KINDS = ("Ingress", "HTTPRoute")


class Backend(NamedTuple):
    """A Service that a route names, and the port: its number or name, empty when none is given."""

    service: model.Ref
    port: str
    field: str


def find(scene: Scene) -> Iterator[Fault]:
    """What is wrong between routes and the Services that they name."""
    for kind in KINDS:
        for route, raw in scene.of(kind).items():
            for backend in sorted(set(backends(route, raw))):
                yield from _broken(scene, route, backend)


def backends(route: model.Ref, raw: read.Raw) -> Iterator[Backend]:
    """The backends of an Ingress (networking.k8s.io/v1) or of an HTTPRoute."""
    default = read.mapping(raw, "spec", "defaultBackend", "service")
    if default:
        yield _of_ingress(route, default, "spec.defaultBackend")
    for rule in read.items(raw, "spec", "rules"):
        for path in read.items(rule, "http", "paths"):
            found = read.mapping(path, "backend", "service")
            if found:
                yield _of_ingress(route, found, "spec.rules")
        for each in read.items(rule, "backendRefs"):
            if (read.text(each, "kind") or "Service") == "Service":
                namespace = read.text(each, "namespace") or route.namespace
                service = model.Ref("Service", namespace, read.text(each, "name"))
                yield Backend(service, read.text(each, "port"), "spec.rules")


def _of_ingress(route: model.Ref, raw: read.Raw, field: str) -> Backend:
    port = read.text(raw, "port", "number") or read.text(raw, "port", "name")
    return Backend(model.Ref("Service", route.namespace, read.text(raw, "name")), port, field)


def _broken(scene: Scene, route: model.Ref, backend: Backend) -> Iterator[Fault]:
    service = backend.service
    raw = scene.get(service)
    if not raw:
        if service.namespace in scene.namespaces and scene.missing(service):
            told = f"leads to Service {service.name}, which does not exist"
            yield _fault(scene, route, backend, told, "")
        return
    ports = read.items(raw, "spec", "ports")
    numbers = [read.text(each, "port") for each in ports]
    names = [read.text(each, "name") for each in ports]
    if backend.port and ports and backend.port not in [*numbers, *names]:
        told = f"leads to port {backend.port} of Service {service.name}, which has "
        yield _fault(scene, route, backend, told + ", ".join(numbers), "spec.ports")


def _fault(scene: Scene, route: model.Ref, backend: Backend, told: str, theirs: str) -> Fault:
    """Users feel it at what the route is meant for; the Service is to blame when it changed."""
    return Fault(
        route, backend.field, CauseKind.NETWORKING, "reference", told, faults.SURE,
        scene.workloads_of(backend.service) | {route},
        sides=(Side(backend.service, (theirs,), CauseKind.NETWORKING),), fields=("spec",),
    )  # fmt: skip
