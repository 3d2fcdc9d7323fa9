"""The kubelets of the shop's nodes: pods from being bound to their end.

`Kubelet.sync` is told the time and returns what to write; it writes nothing itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lab.shop import chaos, containers, pods, status, volumes
from lab.shop.containers import Note, Situation
from lab.shop.network import Network
from lab.shop.objects import SHOP_LABEL, Object, Picture, is_ready, labels_of
from lab.shop.pods import PodRecord, completed, restart_policy

DRAIN = 1.5
"""Seconds from the request to delete a pod until it is gone."""
REWRITE = 5.0
"""Seconds until a status that did not arrive is written again."""


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
                pods.lose_power(record)
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
            record = self.records[uid] = pods.adopt(pod, self._now)
            self._used.add(record.address)
            self._resume(record)
        record.pod = pod
        return record

    def _resume(self, record: PodRecord) -> None:
        """Containers that ran before this program did go on."""
        spec, status = record.pod["spec"], record.pod.get("status", {})
        for known, kind in ((record.inits, "initContainer"), (record.containers, "container")):
            running = {
                each["name"]: each
                for each in status.get(f"{kind}Statuses") or []
                if "running" in (each.get("state") or {})
            }
            for each in spec.get(f"{kind}s") or []:
                if each["name"] in running and each["name"] in known:
                    at = self._situation(record, each, restart_policy(record.pod))
                    containers.resume(known[each["name"]], at, running[each["name"]])

    def _sync_pod(self, record: PodRecord, writes: Writes) -> None:
        pod = record.pod
        if "deletionTimestamp" in pod["metadata"]:
            self._terminate(record, writes)
            return
        if record.written is not None and record.written.get("phase") in ("Succeeded", "Failed"):
            return
        notes = self._advance(record)
        writes.notes.extend((pod, note) for note in notes)
        found = record.ended or status.of(record, self._node_of(pod), self._now)
        if found != record.written or self._overwritten(record):
            record.written, record.wrote_at = found, self._now
            writes.statuses.append((pod, found))

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
        problem = volumes.unmountable(self.picture, pod)
        if problem is not None and not record.address:
            return self._mount_failed(record, problem)
        if not record.address:
            record.address = self._allocate()
            record.started_at = record.started_at or self._now
        record.effect = chaos.of_pod(self.picture, pod)
        notes: list[Note] = []
        for spec in pod["spec"].get("initContainers") or []:
            init = record.inits[spec["name"]]
            if completed(init):
                continue
            policy = "Never" if restart_policy(pod) == "Never" else "OnFailure"
            notes += containers.advance(init, self._situation(record, spec, policy))
            if not completed(init):
                return notes
        for spec in pod["spec"]["containers"]:
            container = record.containers[spec["name"]]
            notes += containers.advance(
                container, self._situation(record, spec, restart_policy(pod))
            )
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
