"""Objects for the tests, and a whole shop that runs in virtual time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop import manifests
from lab.shop.graph import Edge
from lab.shop.objects import Object, Picture, labels_of
from lab.shop.plane import DataPlane, Second

NAME = "shop"
START = 1_000_000.0


def pod(name: str, namespace: str = "shop-core", **fields: Any) -> Object:
    """A pod on a node of the shop; ``fields``: labels, address, and parts of the spec."""
    labels = fields.pop("labels", {"app": name})
    address = fields.pop("address", "10.64.0.9")
    fields.setdefault("containers", [container(name)])
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels},
        "spec": {"nodeName": "shop-node-1", **fields},
        "status": {"podIP": address, "phase": "Running"},
    }


def container(name: str, image: str = "busybox:1.37", **fields: Any) -> dict[str, Any]:
    """One container of a pod's spec."""
    return {"name": name, "image": image, **fields}


def namespace(name: str, **labels: str) -> Object:
    """A namespace with its name's label."""
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}}


def service(name: str, namespace: str = "shop-core", **spec: Any) -> Object:
    """A Service; port 8080 unless ``ports`` says otherwise."""
    spec.setdefault("ports", [{"port": 8080, "targetPort": 8080}])
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def endpoints(service: str, *pods: Object, port: int = 8080, ready: bool = True) -> Object:
    """The EndpointSlice of a Service."""
    return {
        "metadata": {
            "name": f"{service}-x",
            "namespace": pods[0]["metadata"]["namespace"] if pods else "shop-core",
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": each["metadata"]["name"]},
            }
            for each in pods
        ],
    }


def policy(spec: Mapping[str, Any], namespace: str = "shop-core", name: str = "p") -> Object:
    """A NetworkPolicy."""
    return {"metadata": {"name": name, "namespace": namespace}, "spec": dict(spec)}


def picture(**kinds: list[Object]) -> Picture:
    """A picture of these objects, by kind."""
    found = Picture()
    for kind, objects in kinds.items():
        for each in objects:
            found.put(kind, each)
    return found


class Shop:
    """The shop's manifests with stand-ins for the controllers that the lab has real ones of.

    Pods are made of templates and bound at once; EndpointSlices follow the pods' readiness, as
    the real controllers do a moment later.
    """

    def __init__(self) -> None:
        self.picture = Picture()
        self.now = START
        for document in manifests.documents(NAME):
            self.put(document)
        self.plane = DataPlane(self.picture, seed=1)
        self.second: Second | None = None
        self.statuses: dict[str, dict[str, Any]] = {}
        self.notes: list[tuple[str, str, str]] = []
        """Name of the object, reason and message of every Event."""

    def put(self, document: Object) -> None:
        """Create or replace an object; a workload makes its pods anew."""
        found, kind = copy.deepcopy(document), document["kind"]
        if kind == "Secret":
            found["data"] = found.pop("stringData", None) or found.get("data") or {}
        if kind == "Node":
            found["status"] = {"allocatable": {"cpu": "2", "memory": "4Gi"}}
        if kind in self.picture.kinds:
            self.picture.put(kind, found)
        if kind in ("Deployment", "StatefulSet"):
            self._make_pods(found)
            claim = {"name": "data-postgres-0", "namespace": "shop-data"}
            self.picture.put("PersistentVolumeClaim", {"metadata": claim})

    def get(self, kind: str, where: str, name: str) -> Object:
        """A copy of an object, to be changed and put back."""
        found = self.picture.get(kind, f"{NAME}-{where}" if where else "", name)
        assert found is not None, f"{kind} {where}/{name}"
        return {"kind": kind, **copy.deepcopy(found)}

    def delete(self, kind: str, where: str, name: str) -> None:
        """Delete an object."""
        self.picture.drop(kind, (f"{NAME}-{where}", name))

    def change_container(self, where: str, name: str, **fields: Any) -> None:
        """Change the first container of a workload's template, which rolls it out."""
        kind = "StatefulSet" if name == "postgres" else "Deployment"
        workload = self.get(kind, where, name)
        target = workload["spec"]["template"]["spec"]["containers"][0]
        for key, value in fields.items():
            target[key] = value(target.get(key)) if callable(value) else value
        self.put(workload)

    def change_pod(self, where: str, name: str, **fields: Any) -> None:
        """Change the pod spec of a Deployment's template, which rolls it out."""
        workload = self.get("Deployment", where, name)
        workload["spec"]["template"]["spec"].update(fields)
        self.put(workload)

    def run(self, seconds: float) -> Second:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self._follow()
            second = self.plane.step(self.now)
            for pod, status in second.writes.statuses:
                self.statuses[pod["metadata"]["name"]] = status
                stored = self.picture.get("Pod", pod["metadata"]["namespace"], _name(pod))
                if stored is not None:
                    stored["status"] = status
                    self.picture.put("Pod", stored)
            for pod in second.writes.deletions:
                self.picture.drop("Pod", (pod["metadata"]["namespace"], _name(pod)))
            self.notes += [(_name(s), n.reason, n.message) for s, n in second.writes.notes]
            self.second = second
            self.now += 1
        assert self.second is not None
        return self.second

    def pods(self, where: str, name: str) -> list[Object]:
        """The pods of a workload."""
        found = self.picture.inside("Pod", f"{NAME}-{where}")
        return [each for each in found if labels_of(each).get("app.kubernetes.io/name") == name]

    def container_of(self, where: str, name: str, index: int = 0) -> dict[str, Any]:
        """The status of the container of a workload's first pod."""
        status = self.pods(where, name)[0]["status"]
        found: dict[str, Any] = status["containerStatuses"][index]
        return found

    def edges(self, client: str, server: str) -> Iterator[Edge]:
        """The edges from one service to another; the users are "load-generator"."""
        assert self.second is not None
        for edge in self.second.graphs[0].edges():
            caller = edge.caller.profile.name if edge.caller else "load-generator"
            if (caller, edge.call.to) == (client, server):
                yield edge

    def success(self, client: str, server: str) -> float:
        """The share of calls that succeed, over all callers."""
        found = list(self.edges(client, server))
        return sum(each.success for each in found) / len(found) if found else 0.0

    def latency(self, client: str, server: str) -> float:
        """Mean seconds of the calls that succeed."""
        found = list(self.edges(client, server))
        return sum(each.latency for each in found) / len(found) if found else 0.0

    def _make_pods(self, workload: Object) -> None:
        metadata, spec = workload["metadata"], workload["spec"]
        where, name = metadata["namespace"], metadata["name"]
        for old in list(self.picture.inside("Pod", where)):
            if labels_of(old).get("lab/workload") == name:
                self.picture.drop("Pod", (where, _name(old)))
        self._generation = getattr(self, "_generation", 0) + 1
        for number in range(spec["replicas"]):
            made = copy.deepcopy(spec["template"])
            made["metadata"].update(
                name=f"{name}-{self._generation}-{number}",
                namespace=where,
                uid=f"{name}-{self._generation}-{number}",
                ownerReferences=[{"kind": workload["kind"], "name": name, "controller": True}],
            )
            made["metadata"]["labels"] = {**made["metadata"]["labels"], "lab/workload": name}
            made["spec"]["nodeName"] = f"{NAME}-node-{(self._generation + number) % 4 + 1}"
            made["status"] = {"phase": "Pending"}
            self.picture.put("Pod", made)

    def _follow(self) -> None:
        """Stand in for the EndpointSlice controller."""
        for each in self.picture.all("Service"):
            metadata, spec = each["metadata"], each["spec"]
            where, chosen = metadata["namespace"], spec.get("selector") or {}
            pods = [
                p
                for p in self.picture.inside("Pod", where)
                if chosen and chosen.items() <= labels_of(p).items()
            ]
            piece = _slice(metadata["name"], where, spec, pods)
            before = self.picture.get("EndpointSlice", where, metadata["name"])
            if before != piece:
                self.picture.put("EndpointSlice", piece)
        for piece in self.picture.all("EndpointSlice"):
            where, name = piece["metadata"]["namespace"], piece["metadata"]["name"]
            if self.picture.get("Service", where, name) is None:
                self.picture.drop("EndpointSlice", (where, name))


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _slice(name: str, where: str, spec: Mapping[str, Any], pods: list[Object]) -> Object:
    ports = []
    for port in spec["ports"]:
        target = port.get("targetPort", port["port"])
        if isinstance(target, str):
            named = [
                p["containerPort"]
                for each in pods
                for c in each["spec"]["containers"]
                for p in c.get("ports") or []
                if p.get("name") == target
            ]
            if not named:
                continue
            target = named[0]
        ports.append({"name": port.get("name", ""), "port": target, "protocol": "TCP"})
    return {
        "metadata": {
            "name": name,
            "namespace": where,
            "labels": {"kubernetes.io/service-name": name},
        },
        "ports": ports,
        "endpoints": [
            {"conditions": {"ready": _is_ready(each)}, "targetRef": {"name": _name(each)}}
            for each in pods
        ],
    }


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
