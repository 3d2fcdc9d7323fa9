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


NO_CONDITIONS: Final[Mapping[str, Condition]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class NodeState:
    """What is looked at of a node."""

    conditions: Mapping[str, Condition] = dataclasses.field(default_factory=lambda: NO_CONDITIONS)
    unschedulable: bool = False
    """Cordoned, by whomever."""

    @property
    def ready(self) -> bool:
        """Whether the control plane knows that its kubelet works."""
        found = self.conditions.get("Ready")
        return found is not None and found.status == "True"


def of(spec: Mapping[str, Any], status: Mapping[str, Any]) -> NodeState:
    """What a node's spec and status tell, as the API server shows them."""
    conditions = status.get("conditions") or ()
    return NodeState(
        conditions={each["type"]: _condition(each) for each in conditions},
        unschedulable=bool(spec.get("unschedulable")),
    )


def _condition(raw: Mapping[str, Any]) -> Condition:
    heartbeat = raw.get("lastHeartbeatTime")
    return Condition(
        status=str(raw["status"]),
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("message") or ""),
        heartbeat=datetime.datetime.fromisoformat(heartbeat) if heartbeat else None,
    )
