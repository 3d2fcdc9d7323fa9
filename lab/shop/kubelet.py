"""The kubelets of the shop's nodes: pods from being bound to their end, and their status.

`Kubelet.sync` is told the time and returns what to write; it writes nothing itself.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab.shop import chaos, containers, environment, profiles
from lab.shop.containers import Container, Note, Situation
from lab.shop.network import Network
from lab.shop.objects import SHOP_LABEL, Object, Picture, annotations_of, is_ready, labels_of

DRAIN = 1.5
"""Seconds from the request to delete a pod until it is gone."""
REWRITE = 5.0
"""Seconds until a status that did not arrive is written again."""


@dataclasses.dataclass(slots=True)
class PodRecord:
    """What a kubelet knows of one pod."""

    pod: Object
    containers: dict[str, Container]
    inits: dict[str, Container]
    address: str = ""
    started_at: float = 0.0
    conditions: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
    """Status and last transition of each condition."""
    written: dict[str, Any] | None = None
    wrote_at: float = 0.0
    mount_noted: float = 0.0
    stopping_at: float | None = None
    ended: dict[str, Any] | None = None
    """The final status of a pod that was evicted."""
    profile: profiles.Profile | None = None
    """The program of the shop that runs in it."""
    effect: profiles.Effect = profiles.NO_EFFECT

    @property
    def main(self) -> Container | None:
        """The container that runs a program of the shop."""
        return next((c for c in self.containers.values() if c.program.profile), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Writes:
    """What one pass asks to be written."""

    statuses: list[tuple[Object, dict[str, Any]]]
    notes: list[tuple[Object, Note]]
    deletions: list[Object]


class Kubelet:
    """All kubelets of a lab's shops."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.records: dict[str, PodRecord] = {}
        self.network = Network(picture, self._listens, self._alive)
        self.response: Callable[[str], float] = lambda _uid: 0.0
        """Seconds that a pod (by uid) takes for a trivial request; set by who knows the load."""
        self._now = 0.0
        self._next_address = 0
        self._used: set[str] = set()

    def sync(self, now: float) -> Writes:
        """Advance every pod on the shop's nodes to ``now``."""
        self._now = now
        writes = Writes([], [], [])
        seen: set[str] = set()
        for pod in self.picture.all("Pod"):
            node = self._node_of(pod)
            if node is None:
                continue
            uid = pod["metadata"]["uid"]
            seen.add(uid)
            record = self._record(uid, pod)
            if chaos.node_state(node) == "":
                self._sync_pod(record, writes)
            elif chaos.node_state(node) == "down":
                _lose_power(record)
        for gone in self.records.keys() - seen:
            self._used.discard(self.records.pop(gone).address)
        return writes

    def evict(self, record: PodRecord, message: str) -> None:
        """End a pod because its node runs short of something."""
        record.ended = {"phase": "Failed", "reason": "Evicted", "message": message}

    def _node_of(self, pod: Object) -> Object | None:
        """The pod's node, if it is one of the shop's."""
        name = pod["spec"].get("nodeName")
        node = self.picture.get("Node", "", name) if name else None
        return node if node is not None and SHOP_LABEL in labels_of(node) else None

    def _record(self, uid: str, pod: Object) -> PodRecord:
        record = self.records.get(uid)
        if record is None:
            record = self.records[uid] = adopt(pod, self._now)
            self._used.add(record.address)
        record.pod = pod
        return record

    def _sync_pod(self, record: PodRecord, writes: Writes) -> None:
        pod = record.pod
        if "deletionTimestamp" in pod["metadata"]:
            self._terminate(record, writes)
            return
        if record.written is not None and record.written.get("phase") in ("Succeeded", "Failed"):
            return
        notes = self._advance(record)
        writes.notes.extend((pod, note) for note in notes)
        status = record.ended or self._status(record)
        if status != record.written or self._overwritten(record):
            record.written, record.wrote_at = status, self._now
            writes.statuses.append((pod, status))

    def _terminate(self, record: PodRecord, writes: Writes) -> None:
        """Containers finish their requests before they are gone."""
        if record.stopping_at is None:
            record.stopping_at = self._now
            writes.notes.extend(
                (record.pod, Note("Killing", f"Stopping container {each.name}"))
                for each in record.containers.values()
                if each.running
            )
        if self._now - record.stopping_at >= DRAIN or not record.address:
            writes.deletions.append(record.pod)

    def _overwritten(self, record: PodRecord) -> bool:
        """Whether the API server says otherwise: a write was lost, or a controller took over."""
        ready = record.conditions.get("Ready", ("False", 0.0))[0] == "True"
        return self._now - record.wrote_at > REWRITE and is_ready(record.pod) != ready

    def _advance(self, record: PodRecord) -> list[Note]:
        if record.ended is not None:
            for each in record.containers.values():
                each.state, each.ready = "terminated", False
            return [Note("Evicted", record.ended["message"], warning=True)]
        pod = record.pod
        problem = environment.missing_volume(self.picture, pod)
        if problem is not None and not record.address:
            return self._mount_failed(record, problem)
        if not record.address:
            record.address = self._allocate()
            record.started_at = record.started_at or self._now
        record.effect = chaos.of_pod(self.picture, pod)
        notes: list[Note] = []
        for spec in pod["spec"].get("initContainers") or []:
            init = record.inits[spec["name"]]
            if _completed(init):
                continue
            policy = "Never" if _policy(pod) == "Never" else "OnFailure"
            notes += containers.advance(init, self._situation(record, spec, policy))
            if not _completed(init):
                return notes
        for spec in pod["spec"]["containers"]:
            container = record.containers[spec["name"]]
            notes += containers.advance(container, self._situation(record, spec, _policy(pod)))
        main = record.main
        record.profile = main.program.profile if main else None
        return notes

    def _mount_failed(self, record: PodRecord, problem: str) -> list[Note]:
        if self._now - record.mount_noted < 20:
            return []
        record.mount_noted = self._now
        return [Note("FailedMount", problem, warning=True)]

    def _situation(self, record: PodRecord, spec: Mapping[str, Any], policy: str) -> Situation:
        return Situation(
            now=self._now,
            picture=self.picture,
            pod=record.pod,
            spec=spec,
            policy=policy,
            address=record.address,
            response=self.response(record.pod["metadata"]["uid"]),
            reaches=lambda address: self._reaches(record, address),
            effect=record.effect,
        )

    def _reaches(self, record: PodRecord, address: str) -> bool:
        """Whether the pod gets a connection; it has an address before its status says so."""
        route = self.network.route(record.pod, address)
        return route.failure is None and any(each.failure is None for each in route.endpoints)

    def _allocate(self) -> str:
        """A pod address nobody has."""
        while True:
            self._next_address += 1
            high, low = divmod(self._next_address, 250)
            address = f"10.{64 + high // 250 % 64}.{high % 250}.{low + 1}"
            if address not in self._used:
                self._used.add(address)
                return address

    def _listens(self, pod: Object, port: int, protocol: str) -> bool:
        record = self.records.get(pod["metadata"].get("uid", ""))
        if record is None or protocol != "TCP":
            return False
        return any(
            each.serves(self._now) and each.program.port == port
            for each in record.containers.values()
        )

    def _alive(self, pod: Object) -> bool:
        node = self._node_of(pod)
        return node is None or chaos.node_state(node) != "down"

    def _status(self, record: PodRecord) -> dict[str, Any]:
        pod, spec = record.pod, record.pod["spec"]
        initialized = all(_completed(each) for each in record.inits.values())
        ready = initialized and all(each.ready for each in record.containers.values())
        phase = _phase(record, _policy(pod), initialized=initialized)
        done = phase in ("Succeeded", "Failed")
        states = {
            "PodReadyToStartContainers": (bool(record.address) and not done, ""),
            "Initialized": (initialized, "ContainersNotInitialized"),
            "Ready": (ready, "PodCompleted" if done else "ContainersNotReady"),
            "ContainersReady": (ready, "PodCompleted" if done else "ContainersNotReady"),
        }
        conditions = [
            self._condition(record, kind, reason, holds=holds)
            for kind, (holds, reason) in states.items()
        ]
        status: dict[str, Any] = {"phase": phase, "conditions": conditions}
        status["containerStatuses"] = [
            _container_status(record.containers[each["name"]], each, initialized=initialized)
            for each in spec["containers"]
        ]
        if record.inits:
            status["initContainerStatuses"] = [
                _container_status(record.inits[each["name"]], each, initialized=True)
                for each in spec["initContainers"]
            ]
        if record.address:
            status["podIP"], status["podIPs"] = record.address, [{"ip": record.address}]
            status["startTime"] = timestamp(record.started_at)
            status["hostIP"] = node_address(self._node_of(pod))
        return status

    def _condition(
        self, record: PodRecord, kind: str, reason: str, *, holds: bool
    ) -> dict[str, Any]:
        text = "True" if holds else "False"
        before = record.conditions.get(kind)
        if before is None or before[0] != text:
            record.conditions[kind] = (text, self._now)
        found: dict[str, Any] = {"type": kind, "status": text}
        found["lastTransitionTime"] = timestamp(record.conditions[kind][1])
        if not holds and reason:
            found["reason"] = reason
            unready = [each.name for each in record.containers.values() if not each.ready]
            found["message"] = f"containers with unready status: [{' '.join(unready)}]"
            if kind == "Initialized":
                waiting = [each.name for each in record.inits.values() if not _completed(each)]
                found["message"] = f"containers with incomplete status: [{' '.join(waiting)}]"
        return found


def adopt(pod: Object, now: float) -> PodRecord:
    """A record of a pod, as its status has it when an earlier program has left one."""
    spec, status = pod["spec"], pod.get("status", {})
    record = PodRecord(
        pod,
        {each["name"]: Container(each["name"]) for each in spec["containers"]},
        {each["name"]: Container(each["name"]) for each in spec.get("initContainers") or []},
        address=status.get("podIP", ""),
        started_at=now,
    )
    if status.get("phase") in ("Succeeded", "Failed"):
        record.written = {"phase": status["phase"]}
    for condition in status.get("conditions") or []:
        record.conditions[condition["type"]] = (condition["status"], now)
    for field, known in (
        ("containerStatuses", record.containers),
        ("initContainerStatuses", record.inits),
    ):
        for each in status.get(field) or []:
            if each["name"] in known:
                _restore(known[each["name"]], each, now)
    return record


def _restore(container: Container, status: Mapping[str, Any], now: float) -> None:
    """Restart counts go on; what runs is started anew in our memory, with its variables of now."""
    container.restarts = int(status.get("restartCount", 0))
    ended = (status.get("state") or {}).get("terminated")
    if ended is not None:
        container.state, container.reason = "terminated", ended.get("reason", "")
        container.code, container.since = int(ended.get("exitCode", 0)), now


def _lose_power(record: PodRecord) -> None:
    """The node is off: nothing runs, nobody says so."""
    for each in record.containers.values():
        if each.running:
            each.state, each.reason, each.ready = "waiting", "", False
            each.retry_at, each.memory, each.cpu = 0.0, 0.0, 0.0


def _policy(pod: Object) -> str:
    return str(pod["spec"].get("restartPolicy", "Always"))


def _completed(container: Container) -> bool:
    return container.state == "terminated" and container.code == 0


def _phase(record: PodRecord, policy: str, *, initialized: bool) -> str:
    held = list(record.containers.values())
    if not initialized:
        failed = [c for c in record.inits.values() if c.state == "terminated" and c.code]
        return "Failed" if failed and policy == "Never" else "Pending"
    if all(each.state == "terminated" for each in held) and policy != "Always":
        codes = [each.code for each in held]
        if not any(codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    begun = any(each.running or each.last is not None for each in held)
    return "Running" if begun else "Pending"


def _container_status(
    container: Container, spec: Mapping[str, Any], *, initialized: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": container.name,
        "image": spec["image"],
        "imageID": f"{spec['image']}@sha256" if container.image else "",
        "ready": container.ready or _completed(container),
        "started": container.started,
        "restartCount": container.restarts,
        "state": _state(container, initialized=initialized),
        "lastState": {},
    }
    if container.last is not None and container.state != "terminated":
        found["lastState"] = {"terminated": _terminated(container.last)}
    return found


def _state(container: Container, *, initialized: bool) -> dict[str, Any]:
    if container.running:
        return {"running": {"startedAt": timestamp(container.since)}}
    if container.state == "terminated" and container.last is not None:
        return {"terminated": _terminated(container.last)}
    if container.state == "terminated":
        return {"terminated": {"exitCode": container.code, "reason": container.reason}}
    reason = container.reason if initialized else "PodInitializing"
    waiting = {"reason": reason}
    if container.message:
        waiting["message"] = container.message
    return {"waiting": waiting}


def _terminated(last: Mapping[str, Any]) -> dict[str, Any]:
    times = {key: timestamp(last[key]) for key in ("startedAt", "finishedAt")}
    return {**last, **times}


def timestamp(moment: float) -> str:
    """Seconds since 1970 as the API writes times."""
    found = datetime.datetime.fromtimestamp(int(moment), tz=datetime.UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def node_address(node: Object | None) -> str:
    """A node's internal address, as its annotation gives it."""
    return annotations_of(node).get("lab.prunella.dev/address", "") if node else ""


def running(records: Mapping[str, PodRecord], now: float) -> Iterator[PodRecord]:
    """The pods whose program of the shop serves by now."""
    for record in records.values():
        if any(each.serves(now) for each in record.containers.values()):
            yield record
