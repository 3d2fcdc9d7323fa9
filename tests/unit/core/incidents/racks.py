"""A fleet on three racks, and what a switch that drops packets makes sick of it.

Each rack has three nodes. Workloads have two pods on two nodes, mostly of two racks, and call
others.  Alerts come as Alertmanager sends them: all of one name and namespace at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis.values import View

RACKS, NODES_EACH, SERVICES = 3, 3, 45
NODE_ALERTS = ("NodeNetworkReceiveErrs", "NodeNetworkTransmitErrs")
POD_ALERTS = ("TCPRetransmitsHigh", "HighLatency", "ConnectionsReset", "ProbeFailing")
CALLER_ALERTS = ("HighErrorRate", "UpstreamTimeouts")
BEGIN = 1_800_000_000.0


def node(rack: int, number: int) -> model.Ref:
    """A node of a rack."""
    return model.Ref("Node", "", f"node-{rack}-{number}")


def rack(number: int) -> model.Ref:
    """A rack."""
    return model.Ref("Rack", "", f"r{number}")


def service(number: int) -> model.Ref:
    """A workload in one of three namespaces."""
    return model.Ref("Deployment", f"team-{number % 3}", f"svc-{number:02}")


NODES = [node(which, number) for which in range(RACKS) for number in range(NODES_EACH)]


class Fleet:
    """Where pods are placed, and who calls whom, by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a story's dice, and no secret
        self.on = {service(i): self.random.sample(NODES, 2) for i in range(SERVICES)}
        self.places = {ref: set(nodes) for ref, nodes in self.on.items()}
        self.places |= {node(r, i): {rack(r)} for r in range(RACKS) for i in range(NODES_EACH)}
        self.calls: dict[model.Ref, set[model.Ref]] = {}
        for i in range(SERVICES):
            later = [service(each) for each in range(i + 1, SERVICES)]
            callees = self.random.sample(later, min(len(later), self.random.randint(0, 2)))
            if callees:
                self.calls[service(i)] = set(callees)

    def storm(self, racks: set[int], count: int = 400) -> list[values.Alert]:
        """So many alerts of nodes and pods in some racks, and of who calls what is there."""
        inside = [node(which, i) for which in sorted(racks) for i in range(NODES_EACH)]
        told = [(ref, name, "") for name in NODE_ALERTS for ref in inside]
        hurt = {ref for ref, nodes in self.on.items() if set(nodes) & set(inside)}
        callers = {ref for ref, callees in self.calls.items() if callees & hurt} - hurt
        told += [(ref, name, "") for ref in sorted(callers) for name in CALLER_ALERTS]
        pods = [(ref, place) for ref in sorted(hurt) for place in self.on[ref] if place in inside]
        told += list(self._of_pods(pods, count - len(told)))
        return [self._alert(*each) for each in told]

    def _of_pods(
        self, pods: list[tuple[model.Ref, model.Ref]], count: int
    ) -> Iterator[tuple[model.Ref, str, str]]:
        """From pod to pod, alert by alert, with another peer in each turn."""
        each_turn = len(pods) * len(POD_ALERTS)
        for number in range(count):
            turn, rest = divmod(number, each_turn)
            name, (ref, place) = POD_ALERTS[rest // len(pods)], pods[rest % len(pods)]
            yield ref, name, f"{ref.name}-{place.name}/{turn}"

    def _alert(self, target: model.Ref, name: str, pod: str) -> values.Alert:
        at = BEGIN + self.random.uniform(0, 20)
        return values.Alert(BEGIN + 25, at, True, name, target, {"pod": pod})

    def view(self, at: float, incidents: tuple[values.Incident, ...]) -> View:
        """The workloads, nodes and pods: all of them look well."""
        objects: dict[model.Ref, Any] = {ref: _workload(ref) for ref in self.on}
        objects |= {ref: _node(ref) for ref in NODES}
        for ref, nodes in self.on.items():
            objects |= {_pod_ref(ref, i): _pod(ref, i, place) for i, place in enumerate(nodes)}
        seen = frozenset({"Deployment", "Pod", "Node"})
        sick = values.sick(incidents)
        return View(at, objects, seen, calls=self.calls, places=self.places, sick=sick)


def _workload(ref: model.Ref) -> dict[str, Any]:
    labels = {"app": ref.name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}}
    meta = {"name": ref.name, "namespace": ref.namespace}
    return {"kind": ref.kind, "metadata": meta, "spec": {"replicas": 2, "template": template}}


def _node(ref: model.Ref) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"kind": "Node", "metadata": {"name": ref.name}, "spec": {}, "status": status}


def _pod_ref(owner: model.Ref, number: int) -> model.Ref:
    return model.Ref("Pod", owner.namespace, f"{owner.name}-5d4f8-{number}")


def _pod(owner: model.Ref, number: int, place: model.Ref) -> dict[str, Any]:
    above = [{"kind": "ReplicaSet", "name": f"{owner.name}-5d4f8", "controller": True}]
    meta = {
        "name": _pod_ref(owner, number).name,
        "namespace": owner.namespace,
        "labels": {"app": owner.name, "pod-template-hash": "5d4f8"},
        "ownerReferences": above,
    }
    spec = {"nodeName": place.name, "containers": [{"name": "app"}]}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}
