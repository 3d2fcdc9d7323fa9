"""Nodes: what a ClusterRemediationPolicy sees of them, and what it may do to them."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types

ConditionType = Annotated[
    str, pydantic.Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-/]*$")
]


class ConditionStatus(enum.StrEnum):
    """The status of a condition of a node; written in quotes, as YAML reads ``True`` else."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class NodeCondition(base.ApiModel):
    """A condition that the API server shows of each node, and the status at which it is sick."""

    type: ConditionType = pydantic.Field(
        description=(
            "Type of the condition: Ready, MemoryPressure, DiskPressure, PIDPressure, "
            "NetworkUnavailable, or one of node-problem-detector, such as KernelDeadlock."
        )
    )
    status: ConditionStatus = pydantic.Field(
        description=(
            'The status at which the node is Unhealthy, in quotes: "True" of a pressure, "False" '
            'or "Unknown" of Ready (one signal for each).'
        )
    )


class Cordon(base.ApiModel):
    """Let no new pods be placed on the node, as `kubectl cordon` does. Its pods stay."""

    uncordon_after: types.Duration = pydantic.Field(
        types.duration("10m"),
        description=(
            "How long all signals of the node must have been Healthy until it is uncordoned. Only "
            "what the operator itself has cordoned, in modes Live and Approve."
        ),
    )
    keep: bool = pydantic.Field(
        default=False, description="Leave it cordoned: a person uncordons it."
    )


class Drain(Cordon):
    """Cordon the node and evict its pods, as `kubectl drain` does, within a deadline."""

    deadline: types.Duration = pydantic.Field(
        types.duration("15m"),
        description=(
            "How long disruption budgets and pods that end slowly are waited for. Then it is given "
            "up: no further pod is evicted, and the node is uncordoned."
        ),
    )
    local_storage: bool = pydantic.Field(
        default=False,
        description="Evict pods with emptyDir volumes, too; what is in these is lost.",
    )
    unmanaged: bool = pydantic.Field(
        default=False,
        description="Evict pods without a controller, too; nothing makes them again.",
    )


class Uncordon(base.ApiModel):
    """Let pods be placed again on a node that the operator itself has cordoned."""


ACTIONS: tuple[str, ...] = ("cordon", "drain", "uncordon")
"""Those for targets of kind Node alone, in a ClusterRemediationPolicy."""
