"""Findings of a signal that is a condition of nodes, as the API server shows it.

A node is Unhealthy while the condition has the status that the policy names, and Healthy while it
has another one that is known.  A condition that is missing, that is Unknown, or that nobody has
written for a long time is doubt.  Kubelets and node-problem-detector write theirs anew every 5
minutes, changed or not (``nodeStatusReportFrequency``; ``--k8s-exporter-heartbeat-period``).
Source: Kubernetes documentation, "Node Status"; kubernetes/node-problem-detector, README.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Final

from prunella.api import nodes as nodes_api
from prunella.api import reasons
from prunella.core import model, node_state
from prunella.core.signals import compiled

STALE_SECONDS: Final = 900.0
"""Three times what lies between two heartbeats at most."""
UNKNOWN: Final = nodes_api.ConditionStatus.UNKNOWN


@dataclasses.dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes as they were seen in one round."""

    states: Mapping[model.Ref, node_state.NodeState]
    now: datetime.datetime


def detect(
    signal: compiled.Signal, seen: Nodes, targets: Sequence[model.Ref]
) -> list[model.Finding]:
    """One finding for each target, in the order of ``targets``."""
    return [_judge(signal, seen, target) for target in targets]


def _judge(signal: compiled.Signal, seen: Nodes, target: model.Ref) -> model.Finding:
    wanted = _wanted(signal)
    state = seen.states.get(target, node_state.NodeState())
    found = state.conditions.get(wanted.type)
    if found is None:
        message = f"{target} has no condition {wanted.type}; it has: {_types(state)}"
        return _unknown(signal, target, reasons.Doubt.NO_DATA, message)
    told = f"{wanted.type} is {found.status}{_why(found)}"
    if found.status == UNKNOWN and wanted.status != UNKNOWN:
        message = f"{told}; Unhealthy is {wanted.status}"
        return _unknown(signal, target, reasons.Doubt.NO_DATA, message)
    # What is Unknown the control plane has written, because nobody else has for long enough.
    if found.status != UNKNOWN and (stale := _stale(signal, found, seen.now)):
        return _unknown(signal, target, reasons.Doubt.STALE, f"{told}; {stale}")
    sick = found.status == wanted.status
    verdict = model.Verdict.UNHEALTHY if sick else model.Verdict.HEALTHY
    reason = "ConditionMet" if sick else "ConditionNotMet"
    return model.Finding(
        signal.name, target, verdict, reason, told, float(sick), mapped_by="status.conditions"
    )


def _stale(
    signal: compiled.Signal, found: node_state.Condition, now: datetime.datetime
) -> str | None:
    """Why the condition is too old to be believed, with the numbers."""
    given = signal.spec.stale_after
    limit = STALE_SECONDS if given is None else given.total_seconds()
    if found.heartbeat is None:
        return None
    age = (now - found.heartbeat).total_seconds()
    return f"written {age:.0f} s ago, the limit is {limit:.0f} s" if age > limit else None


def _why(found: node_state.Condition) -> str:
    text = ": ".join(each for each in (found.reason, found.message) if each)
    return f" ({text[:500]})" if text else ""


def _types(state: node_state.NodeState) -> str:
    return ", ".join(sorted(state.conditions)) or "none"


def _wanted(signal: compiled.Signal) -> nodes_api.NodeCondition:
    if signal.spec.node_condition is None:
        raise ValueError(f"signal {signal.name} is no condition of nodes")
    return signal.spec.node_condition


def _unknown(
    signal: compiled.Signal, target: model.Ref, reason: str, message: str
) -> model.Finding:
    return model.Finding(signal.name, target, model.Verdict.UNKNOWN, reason, message)
