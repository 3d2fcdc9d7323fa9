"""Who else disrupts: rollouts, cordoned nodes, budgets at zero, Leases of other remediators.

Pure: adapters hand in what they have read, in the API server's own shape.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prunella.core import disruptions, model

Raw = Mapping[str, Any]
CORDONED: Final = "node.kubernetes.io/unschedulable"
"""The taint of a cordoned node."""


def rollouts(workloads: Iterable[model.Workload]) -> list[disruptions.Disruption]:
    """Workloads whose pods are being replaced. One that is stuck no longer moves."""
    return [
        disruptions.Disruption(
            each.ref,
            f"rollout, {each.updated} of {each.replicas} replicas updated, "
            f"{each.available} available",
        )
        for each in workloads
        if each.replicas and each.rolling and not each.stuck
    ]


def budget_at_zero(
    namespace: str, budget: model.Budget, covers: Iterable[model.Ref]
) -> disruptions.Disruption | None:
    """A PodDisruptionBudget that allows nothing since pods are down.

    One that allows nothing with all pods healthy says nothing of a disruption.
    """
    if budget.disruptions_allowed or budget.current_healthy >= budget.expected:
        return None
    return disruptions.Disruption(
        ("PodDisruptionBudget", namespace, budget.name),
        f"allows no disruption, {budget.current_healthy} of {budget.expected} pods are healthy",
        frozenset(covers),
        mark=(budget.current_healthy, budget.expected),
    )


def cordoned(node: Raw) -> disruptions.Disruption | None:
    """A node that takes no new pods, as it does while it is drained.

    Since when is on the taint that the node lifecycle controller adds.
    """
    spec = node.get("spec") or {}
    if not spec.get("unschedulable"):
        return None
    taints = (each for each in spec.get("taints") or () if each.get("key") == CORDONED)
    since = next((_time(each.get("timeAdded")) for each in taints), None)
    return disruptions.Disruption(("Node", "", node["metadata"]["name"]), "is cordoned", at=since)


def held(lease: Raw, now: datetime.datetime) -> disruptions.Disruption | None:
    """A Lease that somebody holds, as medik8s' remediators do while they work on a node.

    One whose times can't be read counts as held, and has no end.
    https://github.com/medik8s/common/blob/main/pkg/lease/manager.go
    """
    spec, metadata = lease.get("spec") or {}, lease["metadata"]
    holder = spec.get("holderIdentity")
    until = _until(spec)
    if not holder or (until is not None and now > until):
        return None
    name = f"{metadata['namespace']}/{metadata['name']}"
    return disruptions.Disruption(
        ("Lease", "", name),
        f"is held by {holder}",
        at=_time(spec.get("renewTime")),
        ends=until is not None,
    )


def _until(spec: Raw) -> datetime.datetime | None:
    renewed = _time(spec.get("renewTime"))
    if renewed is None:
        return None
    try:
        return renewed + datetime.timedelta(seconds=spec["leaseDurationSeconds"])
    except (KeyError, TypeError, OverflowError):
        return None


def _time(written: Any) -> datetime.datetime | None:
    """A time of the API server; None for what is none, or has no time zone."""
    try:
        time = datetime.datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else None


def write_units(units: Iterable[disruptions.Unit]) -> str:
    """Units as they are kept on the Lease."""
    told = [
        {
            "namespace": unit.namespace,
            "remediation": unit.record,
            "target": list(unit.place),
            "at": unit.at.isoformat(),
        }
        for unit in units
    ]
    return json.dumps(told, separators=(",", ":"))


def read_units(text: str) -> tuple[disruptions.Unit, ...]:
    """Units as they were kept. Raises ValueError for what is none."""
    try:
        return tuple(_unit(each) for each in json.loads(text or "[]"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _unit(told: Raw) -> disruptions.Unit:
    kind, namespace, name = (str(each) for each in told["target"])
    at = datetime.datetime.fromisoformat(told["at"])
    if at.tzinfo is None:
        raise ValueError(f"{told['at']} has no time zone")
    return disruptions.Unit(
        str(told["namespace"]), str(told["remediation"]), (kind, namespace, name), at
    )
