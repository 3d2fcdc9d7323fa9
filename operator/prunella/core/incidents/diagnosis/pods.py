"""What pods say of themselves: images, exit codes, init containers, missing configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError")
_RUN = ("RunContainerError", "StartError", "ContainerCannotRun")
_NO_COMMAND = (126, 127, 128)
"""Exit codes by which shells and runtimes say that a command can't be run."""
_OBJECT = re.compile(r'(secret|configmap) "([^"]+)" not found')
_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}
_STUCK = 45.0
"""Seconds after which an init container that still runs is called stuck."""


class State(NamedTuple):
    """One container of a pod."""

    workload: model.Ref
    pod: model.Ref
    raw: read.Raw
    init: bool

    @property
    def name(self) -> str:
        """Its name."""
        return read.text(self.raw, "name")

    def path(self, rest: str = "") -> str:
        """The path of a field of it in the workload."""
        return faults.container_path(self.name, rest, init=self.init)

    @property
    def waiting(self) -> read.Raw:
        """Why it waits."""
        return read.mapping(self.raw, "state", "waiting")

    @property
    def terminated(self) -> read.Raw:
        """How it ended, now or the last time."""
        return read.mapping(self.raw, "state", "terminated") or read.mapping(
            self.raw, "lastState", "terminated"
        )

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return read.whole(self.raw, "restartCount") or 0

    @property
    def down(self) -> bool:
        """Whether it waits or has ended, and not as init containers do."""
        ended = read.mapping(self.raw, "state", "terminated")
        return bool(self.waiting) or (bool(ended) and read.whole(ended, "exitCode") != 0)


def states(scene: Scene) -> Iterator[State]:
    """The containers of all pods that have a workload and are not being deleted."""
    for pod, workload in scene.owners.items():
        raw = scene.get(pod)
        if read.text(raw, "metadata", "deletionTimestamp"):
            continue
        for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
            for each in read.items(raw, "status", key):
                yield State(workload, pod, each, init)


def find(scene: Scene) -> Iterator[Fault]:
    """One fault for each workload, container and sort; pods that say the same are counted."""
    found: dict[tuple[model.Ref, str, str], list[Fault]] = {}
    for each in states(scene):
        fault = _fault(scene, each)
        if fault is not None:
            found.setdefault((each.workload, each.name, fault.field), []).append(fault)
    for some in found.values():
        yield some[0]


def _fault(scene: Scene, each: State) -> Fault | None:
    reason, message = read.text(each.waiting, "reason"), read.text(each.waiting, "message")
    if reason in _IMAGE:
        return _image(scene, each, reason, message)
    if reason in _CONFIG:
        return _configuration(each, reason, message)
    if reason in _RUN or _cannot_run(each):
        return _command(each, reason)
    if each.init and read.mapping(each.raw, "state", "running"):
        return _stuck(scene, each)
    if each.down and reason not in ("ContainerCreating", "PodInitializing"):
        return _crash(scene, each, reason)
    return None


def _image(scene: Scene, each: State, reason: str, message: str) -> Fault:
    part = "initContainers" if each.init else "containers"
    spec = read.items(scene.get(each.pod), "spec", part)
    image = next((read.text(one, "image") for one in spec if one.get("name") == each.name), "")
    return Fault(
        each.workload, each.path("image"), CauseKind.RELEASE, "pod",
        f"{reason} for image {image} in pod {each.pod.name}{_tail(message)}",
        faults.SURE, frozenset({each.workload}),
        fields=(each.path("image"), "spec.template.spec.imagePullSecrets"),
    )  # fmt: skip


def _configuration(each: State, reason: str, message: str) -> Fault:
    """What the pod says is missing; else, or if it has changed, what its template asks for."""
    told = f"{reason} in pod {each.pod.name}{_tail(message)}"
    fields = (
        each.path("env"), each.path("envFrom"), each.path("volumeMounts"),
        each.path("securityContext"), "spec.template.spec.volumes",
        "spec.template.spec.securityContext",
    )  # fmt: skip
    hurts = frozenset({each.workload})
    missing = _missing(each.workload.namespace, message)
    if missing is None:
        return Fault(
            each.workload, each.path("env"), CauseKind.CONFIGURATION, "pod", told, faults.SURE,
            hurts, fields=fields,
        )  # fmt: skip
    own = Side(each.workload, fields, missing.cause_kind)
    return Fault(
        missing.target, missing.fields[0], missing.cause_kind, "pod", told, faults.SURE, hurts,
        sides=(own,),
    )  # fmt: skip


def _missing(namespace: str, message: str) -> Side | None:
    """The Secret or ConfigMap that a pod's message names, and the key of it."""
    absent, key = _OBJECT.search(message), _KEY.search(message)
    if absent is not None:
        kind, name, field = _KINDS[absent[1]], absent[2], ""
    elif key is not None:
        kind, name, field = key[2], key[3], faults.child("data", key[1])
    else:
        return None
    cause = CauseKind.ACCESS if kind == "Secret" else CauseKind.CONFIGURATION
    return Side(model.Ref(kind, namespace, name), (field,), cause)


def _cannot_run(each: State) -> bool:
    code = read.whole(each.terminated, "exitCode")
    reason = read.text(each.terminated, "reason")
    return each.down and (code in _NO_COMMAND or reason in _RUN)


def _command(each: State, reason: str) -> Fault:
    code = read.whole(each.terminated, "exitCode")
    message = read.text(each.terminated, "message") or read.text(each.waiting, "message")
    return Fault(
        each.workload, each.path("command"), CauseKind.RELEASE, "pod",
        f"{reason or 'not started'} of container {each.name} in pod {each.pod.name}, exit code "
        f"{code}: its command can't be run{_tail(message)}",
        faults.SURE - 0.5, frozenset({each.workload}),
        fields=(each.path("command"), each.path("args"), each.path("image")),
    )  # fmt: skip


def _stuck(scene: Scene, each: State) -> Fault | None:
    since = read.time(read.value(each.raw, "state", "running", "startedAt"))
    if since is None or scene.view.at - since < _STUCK:
        return None
    return Fault(
        each.workload, each.path(), CauseKind.RELEASE, "pod",
        f"init container {each.name} of pod {each.pod.name} has been running for "
        f"{scene.view.at - since:.0f} s and keeps the pod from starting",
        faults.LIKELY, frozenset({each.workload}), since, _config_sides(scene, each.workload),
    )  # fmt: skip


def _crash(scene: Scene, each: State, reason: str) -> Fault | None:
    """A container that ends: its release, its configuration or somebody whom it needs."""
    ended = each.terminated
    if read.text(ended, "reason") in ("OOMKilled", "Completed"):
        return None
    code, message = read.whole(ended, "exitCode"), read.text(ended, "message")
    if code is None and not reason:
        return None
    return Fault(
        each.workload, each.path(), CauseKind.RELEASE, "pod",
        f"{reason or 'ended'} of {'init ' if each.init else ''}container {each.name} in pod "
        f"{each.pod.name}: exit code {code}, {each.restarts} restarts{_tail(message)}",
        faults.LIKELY if each.init else faults.POSSIBLE + 0.5, frozenset({each.workload}),
        sides=_config_sides(scene, each.workload), general=not each.init,
        fields=(each.path("image"), each.path("command"), each.path("args"), each.path("env"),
                each.path("livenessProbe"), each.path("securityContext"), each.path("volumeMounts"),
                "spec.template.spec.volumes", "spec.template.metadata.annotations", each.path()),
    )  # fmt: skip


def _config_sides(scene: Scene, workload: model.Ref) -> tuple[Side, ...]:
    """The ConfigMaps that a workload's containers get, whose data may be wrong."""
    names = sorted(set(config_names(scene.template(workload))))
    refs = [model.Ref("ConfigMap", workload.namespace, name) for name in names]
    return tuple(Side(ref, ("data",), CauseKind.CONFIGURATION) for ref in refs)


def config_names(template: read.Raw) -> Iterator[str]:
    """Names of the ConfigMaps that a pod template refers to."""
    for volume in read.items(template, "spec", "volumes"):
        yield read.text(volume, "configMap", "name")
        for source in read.items(volume, "projected", "sources"):
            yield read.text(source, "configMap", "name")
    for part in ("containers", "initContainers"):
        for container in read.items(template, "spec", part):
            for each in read.items(container, "env"):
                yield read.text(each, "valueFrom", "configMapKeyRef", "name")
            for each in read.items(container, "envFrom"):
                yield read.text(each, "configMapRef", "name")


def _tail(message: str) -> str:
    return f": {message[:200].strip()}" if message.strip() else ""
