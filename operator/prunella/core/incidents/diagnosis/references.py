"""References to what is not there: addresses, ConfigMaps and their keys, claims, accounts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.addresses import Address
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_VOLUMES = "spec.template.spec.volumes"
_GIVEN = ("default", "kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert")
"""Objects that controllers put into every namespace: the journal leaves them out."""


def find(scene: Scene) -> Iterator[Fault]:
    """References of workloads, and of what their environments name."""
    for address in scene.addresses:
        yield from _address(scene, address)
    for workload in scene.workloads:
        yield from _config(scene, workload)
        yield from _volumes(scene, workload)
        yield from _account(scene, workload)


def _address(scene: Scene, address: Address) -> Iterator[Fault]:
    """An address without a Service, or with a port that the Service does not have."""
    service = scene.get(address.service)
    if not service:
        if _surely_missing(scene, address):
            yield from _no_service(scene, address)
        return
    ports = [read.text(each, "port") for each in read.items(service, "spec", "ports")]
    if address.port is None or not ports or str(address.port) in ports:
        return
    same = [each for each in scene.addresses if each.service == address.service]
    agree = sum(str(each.port) in ports for each in same)
    theirs = _side(address)
    yield Fault(
        address.source if agree or len(same) == 1 else address.service,
        address.field if agree or len(same) == 1 else "spec.ports",
        CauseKind.CONFIGURATION if agree or len(same) == 1 else CauseKind.NETWORKING,
        "reference",
        f"{address.variable}={address.text} of {address.workload}: Service "
        f"{address.service.name} has port {', '.join(ports)} and no {address.port}",
        faults.SURE,
        frozenset({address.workload}),
        sides=(theirs, Side(address.service, ("spec.ports",), CauseKind.NETWORKING)),
    )


def _surely_missing(scene: Scene, address: Address) -> bool:
    namespace = address.service.namespace
    there = namespace in scene.namespaces
    if not there and not address.plain:
        return scene.missing(model.Ref("Namespace", "", namespace))
    return there and scene.missing(address.service)


def _no_service(scene: Scene, address: Address) -> Iterator[Fault]:
    """The Service is gone when several name it, or one of its name has pods; else a bad address."""
    users = {each.workload for each in scene.addresses if each.service == address.service}
    served = scene.workloads_of(address.service)
    gone = len(users) > 1 or bool(served)
    near = difflib.get_close_matches(
        address.service.name, sorted({ref.name for ref in scene.of("Service")}), 1
    )
    hint = f"; the nearest is Service {near[0]}" if near and not gone else ""
    yield Fault(
        address.service if gone else address.source,
        "" if gone else address.field,
        CauseKind.NETWORKING if gone else CauseKind.CONFIGURATION,
        "reference",
        f"{address.variable}={address.text} of {address.workload}: there is no Service "
        f"{address.service.name} in {address.service.namespace}{hint}",
        faults.LIKELY if address.plain else faults.SURE,
        frozenset({address.workload}) | served,
        sides=(_side(address), Side(address.service, ("",), CauseKind.NETWORKING)),
    )


def _side(address: Address) -> Side:
    return Side(address.source, (address.field,), CauseKind.CONFIGURATION)


def _config(scene: Scene, workload: model.Ref) -> Iterator[Fault]:
    """ConfigMaps and keys of them that containers need to start."""
    for init in (False, True):
        part = "initContainers" if init else "containers"
        for container in read.items(scene.template(workload), "spec", part):
            name = read.text(container, "name")
            for each in read.items(container, "env"):
                needed = read.mapping(each, "valueFrom", "configMapKeyRef")
                path = faults.container_path(
                    name, f"env[name={read.text(each, 'name')}]", init=init
                )
                yield from _entry(scene, workload, needed, path)
            for each in read.items(container, "envFrom"):
                needed = read.mapping(each, "configMapRef")
                path = faults.container_path(name, "envFrom", init=init)
                yield from _entry(scene, workload, needed, path)
    for volume in read.items(scene.template(workload), "spec", "volumes"):
        needed = read.mapping(volume, "configMap")
        path = f"{_VOLUMES}[name={read.text(volume, 'name')}]"
        yield from _entry(scene, workload, needed, path)
        for item in read.items(needed, "items"):
            yield from _entry(scene, workload, {**needed, **item}, path)


def _entry(scene: Scene, workload: model.Ref, needed: read.Raw, path: str) -> Iterator[Fault]:
    name, key = read.text(needed, "name"), read.text(needed, "key")
    if not name or name in _GIVEN or needed.get("optional") is True:
        return
    config = model.Ref("ConfigMap", workload.namespace, name)
    raw = scene.get(config)
    if scene.missing(config):
        told, field = f"{workload} needs ConfigMap {name}, which does not exist", ""
    elif (
        raw and key and key not in {**read.mapping(raw, "data"), **read.mapping(raw, "binaryData")}
    ):
        told, field = (
            f"{workload} needs key {key} of ConfigMap {name}, which has none",
            faults.child("data", key),
        )
    else:
        return
    yield Fault(
        config,
        field,
        CauseKind.CONFIGURATION,
        "reference",
        told,
        faults.LIKELY,  # containers that run already do not notice
        frozenset({workload}),
        sides=(Side(workload, (path,), CauseKind.CONFIGURATION),),
    )


def _volumes(scene: Scene, workload: model.Ref) -> Iterator[Fault]:
    """Claims that do not exist, or have no volume."""
    for volume in read.items(scene.template(workload), "spec", "volumes"):
        name = read.text(volume, "persistentVolumeClaim", "claimName")
        if name:
            claim = model.Ref("PersistentVolumeClaim", workload.namespace, name)
            path = f"{_VOLUMES}[name={read.text(volume, 'name')}].persistentVolumeClaim.claimName"
            yield from _claim(scene, workload, claim, path)
    raw = scene.workloads[workload]
    for each in read.items(raw, "spec", "volumeClaimTemplates"):
        for number in range(min(scene.wanted(workload), 3)):
            name = f"{read.text(each, 'metadata', 'name')}-{workload.name}-{number}"
            claim = model.Ref("PersistentVolumeClaim", workload.namespace, name)
            if scene.get(claim):
                yield from _claim(scene, workload, claim, "spec.volumeClaimTemplates")


def _claim(scene: Scene, workload: model.Ref, claim: model.Ref, path: str) -> Iterator[Fault]:
    raw = scene.get(claim)
    users = frozenset({workload})
    theirs = Side(workload, (path,), CauseKind.STORAGE)
    if scene.missing(claim):
        yield Fault(
            workload, path, CauseKind.STORAGE, "reference",
            f"{workload} needs claim {claim.name}, which does not exist",
            faults.SURE, users, sides=(Side(claim, ("",), CauseKind.STORAGE),),
        )  # fmt: skip
    elif raw and read.text(raw, "status", "phase") in ("Pending", "Lost"):
        wanted = read.text(raw, "spec", "storageClassName")
        kind = model.Ref("StorageClass", "", wanted)
        lacks = f"; there is no StorageClass {wanted}" if wanted and scene.missing(kind) else ""
        waits = not lacks and _waits_for_pod(scene, kind)
        yield Fault(
            claim, "spec.storageClassName" if lacks else "spec", CauseKind.STORAGE, "reference",
            f"claim {claim.name} of {workload} is {read.text(raw, 'status', 'phase')}, without a "
            f"volume{lacks}",
            faults.FAINT if waits else faults.SURE, users,
            sides=(theirs, Side(kind, ("",), CauseKind.STORAGE)),
        )  # fmt: skip


def _waits_for_pod(scene: Scene, kind: model.Ref) -> bool:
    """A claim of such a class is bound when a pod is placed: that it waits is no fault of it."""
    return read.text(scene.get(kind), "volumeBindingMode") == "WaitForFirstConsumer"


def _account(scene: Scene, workload: model.Ref) -> Iterator[Fault]:
    name = read.text(scene.template(workload), "spec", "serviceAccountName")
    account = model.Ref("ServiceAccount", workload.namespace, name)
    if name and name not in _GIVEN and scene.missing(account):
        path = "spec.template.spec.serviceAccountName"
        yield Fault(
            account, "", CauseKind.ACCESS, "reference",
            f"{workload} needs ServiceAccount {name}, which does not exist",
            faults.LIKELY, frozenset({workload}),
            sides=(Side(workload, (path,), CauseKind.ACCESS),),
        )  # fmt: skip
