"""What a node tells of itself beside its labels: conditions, and whether pods are placed on it."""

from __future__ import annotations

import dataclasses
import datetime
import types
from collections.abc import Mapping
from typing import Any, Final


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a node (``status.conditions``)."""

    status: str
    """``True``, ``False`` or ``Unknown``."""
    reason: str = ""
    message: str = ""
    heartbeat: datetime.datetime | None = None
    """When whoever writes it wrote it last, by the node's clock."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodePod:
    """A pod on a node, with what a drain needs to know."""

    namespace: str
    name: str
    uid: str
    controller: str = ""
    """What controls it, as ``Kind/name``; empty when nothing does."""
    mirror: bool = False
    """A static pod of the kubelet, which the API server only mirrors."""
    local_storage: bool = False
    critical: bool = False
    """Of one of the two classes of priority that the system keeps for itself."""
    ended: bool = False
    deleting: bool = False

    @property
    def of_daemons(self) -> bool:
        """Whether a DaemonSet would place it there again at once."""
        return self.controller.startswith("DaemonSet/")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


CONTROL_PLANE: Final = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/etcd",
)
"""Labels and taints of nodes that run the control plane (kubeadm, k3s, RKE2)."""
NO_CONDITIONS: Final[Mapping[str, Condition]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class NodeState:
    """What is looked at of a node."""

    conditions: Mapping[str, Condition] = dataclasses.field(default_factory=lambda: NO_CONDITIONS)
    unschedulable: bool = False
    """Cordoned, by whomever."""
    control_plane: bool = False
    """Whether a label or taint says that it runs the control plane."""
    pods: tuple[NodePod, ...] = ()
    """Those on it, where it was looked at closely."""

    @property
    def ready(self) -> bool:
        """Whether the control plane knows that its kubelet works."""
        found = self.conditions.get("Ready")
        return found is not None and found.status == "True"

    @property
    def takes_pods(self) -> bool:
        """Whether pods of a node that is taken out of service can be placed here."""
        return self.ready and not self.unschedulable and not self.control_plane


def of(spec: Mapping[str, Any], status: Mapping[str, Any], labels: Mapping[str, str]) -> NodeState:
    """What a node's spec, status and labels tell, as the API server shows them."""
    conditions = status.get("conditions") or ()
    taints = (taint["key"] for taint in spec.get("taints") or ())
    return NodeState(
        conditions={each["type"]: _condition(each) for each in conditions},
        unschedulable=bool(spec.get("unschedulable")),
        control_plane=not {*labels, *taints}.isdisjoint(CONTROL_PLANE),
    )


def _condition(raw: Mapping[str, Any]) -> Condition:
    heartbeat = raw.get("lastHeartbeatTime")
    return Condition(
        status=str(raw["status"]),
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("message") or ""),
        heartbeat=datetime.datetime.fromisoformat(heartbeat) if heartbeat else None,
    )


CRITICAL: Final = frozenset({"system-cluster-critical", "system-node-critical"})
MIRROR: Final = "kubernetes.io/config.mirror"
"""Annotation of a pod that the API server only mirrors."""


def pod(raw: Mapping[str, Any]) -> NodePod:
    """A pod as the API server shows it."""
    meta, spec = raw["metadata"], raw.get("spec") or {}
    owners = meta.get("ownerReferences") or ()
    controllers = (f"{each['kind']}/{each['name']}" for each in owners if each.get("controller"))
    return NodePod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        controller=next(controllers, ""),
        mirror=MIRROR in (meta.get("annotations") or {}),
        local_storage=any("emptyDir" in each for each in spec.get("volumes") or ()),
        critical=spec.get("priorityClassName") in CRITICAL,
        ended=(raw.get("status") or {}).get("phase") in {"Succeeded", "Failed"},
        deleting="deletionTimestamp" in meta,
    )
