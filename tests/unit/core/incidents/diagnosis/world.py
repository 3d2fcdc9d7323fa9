"""A small shop as the API server shows it, changed for each case: what diagnosis looks at."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping
from typing import Any

import orjson

from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes import packing
from prunella.core.changes.values import Change
from prunella.core.incidents import anomalies, values
from prunella.core.incidents.diagnosis.values import View

NOW = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC).timestamp()
ONSET = NOW - 60
Raw = dict[str, Any]
COMPLETE = frozenset(
    (
        "Deployment", "StatefulSet", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy",
        "PersistentVolumeClaim", "StorageClass", "ResourceQuota", "Node", "Pod", "Namespace",
    )
)  # fmt: skip


def iso(at: float) -> str:
    """A time as the API writes it."""
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def deployment(name: str, **env: str) -> Raw:
    """A Deployment of two pods with one container, which listens on 8080 and has probes."""
    labels = {"app": name}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": "default",
                    "containers": [
                        {
                            "name": "app",
                            "image": f"registry.example/shop/{name}:1.4.2",
                            "ports": [{"containerPort": 8080, "name": "http"}],
                            "env": [{"name": key, "value": each} for key, each in env.items()],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "64Mi"},
                                "limits": {"memory": "128Mi"},
                            },
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                        }
                    ],
                },
            },
        },
        "status": {"replicas": 2},
    }


def service(name: str) -> Raw:
    """A Service before the Deployment of its name."""
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8080, "targetPort": 8080}]},
    }


def pod(owner: str, number: int, node: str = "node-1") -> Raw:
    """A running pod of a Deployment."""
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{owner}-5d4f8-{number}",
            "namespace": "shop",
            "uid": f"uid-{owner}-{number}",
            "labels": {"app": owner, "pod-template-hash": "5d4f8"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"{owner}-5d4f8", "controller": True}
            ],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "app", "image": f"registry.example/shop/{owner}:1.4.2"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {"name": "app", "ready": True, "state": {"running": {"startedAt": iso(NOW - 9000)}}}
            ],
        },
    }


def node(name: str, **labels: str) -> Raw:
    """A node that works, with 4 CPUs."""
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def event(reason: str, message: str, about: model.Ref, at: float = ONSET) -> Raw:
    """An Event about an object."""
    return {
        "kind": "Event",
        "metadata": {"name": f"{about.name}.{reason}", "namespace": about.namespace or "default"},
        "involvedObject": {"kind": about.kind, "namespace": about.namespace, "name": about.name},
        "reason": reason,
        "message": message,
        "firstTimestamp": iso(at),
        "lastTimestamp": iso(at),
        "count": 3,
    }


class World:
    """Front -> cart -> store, and mail that nobody calls; on two nodes."""

    def __init__(self) -> None:
        self.objects: dict[model.Ref, Raw] = {}
        self.changes: list[Change] = []
        self.measurements: list[anomalies.Measurement] = []
        for name, callee in (("front", "cart"), ("cart", "store"), ("store", ""), ("mail", "")):
            env = {f"{callee.upper()}_ADDR": f"{callee}.shop.svc:8080"} if callee else {}
            self.add(deployment(name, **env), service(name))
            self.add(pod(name, 1), pod(name, 2, "node-2"))
        self.add(node("node-1"), node("node-2"))
        self.add({"kind": "Namespace", "metadata": {"name": "shop"}})
        self.add({"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"}})

    def add(self, *manifests: Raw) -> None:
        """Put objects in, or in the place of others."""
        for each in manifests:
            self.objects[ref(each)] = copy.deepcopy(each)

    def get(self, kind: str, name: str) -> Raw:
        """An object, to be changed in place."""
        namespace = "" if kind in ("Node", "Namespace", "StorageClass") else "shop"
        return self.objects[model.Ref(kind, namespace, name)]

    def container(self, name: str) -> Raw:
        """The container of a Deployment."""
        found: Raw = self.get("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
        return found

    def pods(self, owner: str) -> list[Raw]:
        """The pods of a Deployment."""
        return [
            each
            for ref, each in sorted(self.objects.items())
            if ref.kind == "Pod" and each["metadata"]["labels"]["app"] == owner
        ]

    def state(self, owner: str, **status: Any) -> None:
        """Give the containers of all pods of a Deployment a state; they are not ready."""
        for each in self.pods(owner):
            each["status"]["containerStatuses"] = [
                {"name": "app", "ready": False, "restartCount": 4, **status}
            ]

    def pending(self, owner: str, message: str) -> None:
        """Have the scheduler say why it places no pod of a Deployment."""
        for each in self.pods(owner):
            each["spec"].pop("nodeName", None)
            each["status"] = {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": message,
                        "lastTransitionTime": iso(ONSET),
                    }
                ],
            }

    def change(
        self,
        kind: str,
        name: str,
        path: str = "",
        old: object = None,
        new: object = None,
        *,
        before: float = 40,
        verb: change_api.Verb = change_api.Verb.MODIFIED,
        was: Raw | None = None,
    ) -> None:
        """Journal a change some seconds before the first symptom; ``was`` is the object before."""
        namespace = "" if kind == "Node" else "shop"
        fields = [change_api.FieldChange(path=path, old=_json(old), new=_json(new))] if path else []
        spec = change_api.ChangeSpec(
            object=change_api.ObjectReference(kind=kind, namespace=namespace, name=name),
            verb=verb,
            at=datetime.datetime.fromtimestamp(ONSET - before, datetime.UTC),
            by=change_api.Author(manager="kubectl-edit"),
            summary=f"{kind} {name} changed",
            fields=fields,
            before=packing.to_text(packing.pack(packing.dump(was))) if was else "",
        )
        self.changes.append(Change(f"chg-{len(self.changes)}", namespace or "ops", spec))

    def view(self) -> View:
        """All of it as a view."""
        return View(
            NOW,
            self.objects,
            COMPLETE,
            tuple(self.changes),
            measurements=tuple(self.measurements),
        )


def ref(manifest: Mapping[str, Any]) -> model.Ref:
    """The reference of a manifest."""
    meta = manifest["metadata"]
    return model.Ref(manifest["kind"], meta.get("namespace", ""), meta["name"])


def incident(*names: str, kind: str = "Deployment", onset: float = ONSET) -> values.Incident:
    """An incident in which an alert fires for each of some objects, at once."""
    members = tuple(
        values.Member(model.Ref(kind, "" if kind == "Node" else "shop", name), "Sick", onset, 1, 1)
        for name in names
    )
    return values.Incident("inc-1", values.State.OPEN, onset, onset, members, ())


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
