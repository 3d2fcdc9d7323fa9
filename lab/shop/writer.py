"""Writes what the kubelets say: pod statuses, Events, nodes and their leases."""

from __future__ import annotations

import asyncio
import datetime
import zlib
from collections.abc import Coroutine
from typing import Any

from lab.shop import api, chaos, plane
from lab.shop.containers import Note
from lab.shop.objects import SHOP_LABEL, Object, annotations_of, labels_of
from lab.shop.plane import NodeUse, Second
from lab.shop.status import node_address, timestamp

MANAGER = "fieldManager=kubelet"
LEASE_SECONDS = 40
RENEW = 10.0
HEARTBEAT = 300.0
REPEAT = 10.0
"""Seconds between two writes of the same Event; it counts on meanwhile."""


class Writer:
    """Sends writes side by side, but the statuses of one pod one after another."""

    def __init__(self, server: api.ApiServer) -> None:
        self._server = server
        self._gate = asyncio.Semaphore(24)
        self._tasks: set[asyncio.Task[None]] = set()
        self._latest: dict[str, tuple[Object, dict[str, Any]]] = {}
        self._busy: set[str] = set()
        self._deleted: dict[str, float] = {}
        self._events: dict[tuple[str, str, str], list[Any]] = {}
        """By uid, reason and message: name, count, last write, first time."""
        self._renewed: dict[str, float] = {}
        self._nodes: dict[str, tuple[object, float]] = {}

    def send(self, second: Second, nodes: list[Object], now: float) -> None:
        """Start all writes of one second."""
        for pod, status in second.writes.statuses:
            self._latest[pod["metadata"]["uid"]] = (pod, status)
            self._spawn(self._status(pod["metadata"]["uid"]))
        for pod in second.writes.deletions:
            if now - self._deleted.get(pod["metadata"]["uid"], 0.0) > REPEAT:
                self._deleted[pod["metadata"]["uid"]] = now
                self._spawn(self._delete(pod))
        for subject, note in second.writes.notes:
            self._note(subject, note, now)
        for node in nodes:
            if SHOP_LABEL in labels_of(node):
                self._node(node, second.nodes.get(node["metadata"]["name"]), now)
        self._forget(second)

    def _forget(self, second: Second) -> None:
        if len(self._events) > 4000:
            alive = second.records.keys()
            self._events = {k: v for k, v in self._events.items() if k[0] in alive}
        if len(self._deleted) > 1000:
            self._deleted.clear()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _status(self, uid: str) -> None:
        """Write the newest status of a pod; one that came meanwhile is written next."""
        if uid in self._busy:
            return
        self._busy.add(uid)
        try:
            while (entry := self._latest.pop(uid, None)) is not None:
                pod, status = entry
                body = {"metadata": {"uid": uid}, "status": status}
                path = f"{_path(pod)}/status?{MANAGER}"
                async with self._gate:
                    await self._server.write("PATCH", path, body, api.STRATEGIC)
        finally:
            self._busy.discard(uid)

    async def _delete(self, pod: Object) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": pod["metadata"]["uid"]},
        }
        async with self._gate:
            await self._server.write("DELETE", _path(pod), body)

    def _note(self, subject: Object, note: Note, now: float) -> None:
        """An Event, or one more count of it."""
        uid = subject["metadata"].get("uid", "")
        key = (uid, note.reason, note.message)
        known = self._events.get(key)
        if known is None:
            digest = zlib.crc32("/".join((*key, str(now))).encode())
            name = f"{subject['metadata']['name']}.{digest:08x}"
            self._events[key] = [name, 1, now, now]
            self._spawn(self._create_event(subject, note, name, now))
            return
        known[1] += 1
        if now - known[2] >= REPEAT:
            known[2] = now
            self._spawn(self._count_event(subject, known[0], known[1], now))

    async def _create_event(self, subject: Object, note: Note, name: str, now: float) -> None:
        namespace = subject["metadata"].get("namespace", "default")
        is_pod = "namespace" in subject["metadata"]
        node = subject["spec"].get("nodeName", "") if is_pod else subject["metadata"]["name"]
        involved = {
            "apiVersion": "v1",
            "kind": "Pod" if is_pod else "Node",
            "name": subject["metadata"]["name"],
            "uid": subject["metadata"].get("uid", ""),
        }
        if is_pod:
            involved["namespace"] = namespace
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": note.reason,
            "message": note.message[:1000],
            "type": "Warning" if note.warning else "Normal",
            "source": {"component": "kubelet", "host": node},
            "reportingComponent": "kubelet",
            "reportingInstance": node,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "count": 1,
        }
        async with self._gate:
            path = f"/api/v1/namespaces/{namespace}/events?{MANAGER}"
            await self._server.write("POST", path, body)

    async def _count_event(self, subject: Object, name: str, count: int, now: float) -> None:
        namespace = subject["metadata"].get("namespace", "default")
        body = {"count": count, "lastTimestamp": timestamp(now)}
        path = f"/api/v1/namespaces/{namespace}/events/{name}?{MANAGER}"
        async with self._gate:
            await self._server.write("PATCH", path, body, api.MERGE)

    def _node(self, node: Object, use: NodeUse | None, now: float) -> None:
        name = node["metadata"]["name"]
        if chaos.node_state(node) in ("down", "kubelet-stopped"):
            self._nodes.pop(name, None)
            self._renewed.pop(name, None)
            return
        if now - self._renewed.get(name, 0.0) >= RENEW:
            self._renewed[name] = now
            self._spawn(self._renew(name, now))
        wanted = plane.conditions(node, use, now)
        written, when = self._nodes.get(name, (None, 0.0))
        if wanted != written or now - when >= HEARTBEAT or _differs(node, wanted, now - when):
            self._nodes[name] = (wanted, now)
            self._spawn(self._node_status(node, wanted, now))

    async def _renew(self, name: str, now: float) -> None:
        moment = datetime.datetime.fromtimestamp(now, tz=datetime.UTC)
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        base = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        async with self._gate:
            code = await self._server.write("PATCH", f"{base}/{name}", {"spec": spec}, api.MERGE)
            if code == 404:
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "namespace": "kube-node-lease"},
                    "spec": spec,
                }
                await self._server.write("POST", base, body)

    async def _node_status(
        self, node: Object, wanted: dict[str, tuple[str, str, str]], now: float
    ) -> None:
        name = node["metadata"]["name"]
        held = {
            c["type"]: (c["status"], c.get("lastTransitionTime"))
            for c in node.get("status", {}).get("conditions") or []
        }
        conditions = []
        for kind, (status, reason, message) in wanted.items():
            before = held.get(kind)
            since = before[1] if before and before[0] == status else timestamp(now)
            conditions.append(
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": timestamp(now),
                    "lastTransitionTime": since,
                }
            )
        body = {"status": {"conditions": conditions, **_machine(node)}}
        async with self._gate:
            path = f"/api/v1/nodes/{name}/status?{MANAGER}"
            await self._server.write("PATCH", path, body, api.STRATEGIC)


def _path(pod: Object) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _machine(node: Object) -> dict[str, Any]:
    """What the machine has, as the node's annotations say."""
    notes = annotations_of(node)
    cpu, memory = (
        notes.get("lab.prunella.dev/cpu", "4"),
        notes.get("lab.prunella.dev/memory", "8Gi"),
    )
    amounts = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            {"type": "InternalIP", "address": node_address(node) or "192.0.2.1"},
            {"type": "Hostname", "address": node["metadata"]["name"]},
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.12.0",
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.35.4",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Debian GNU/Linux 13",
            "systemUUID": "",
        },
    }


def _differs(node: Object, wanted: dict[str, tuple[str, str, str]], age: float) -> bool:
    """Whether the API server holds another readiness than was written a while ago."""
    held = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions") or []}
    return age > 5 and held.get("Ready") != wanted["Ready"][0]
