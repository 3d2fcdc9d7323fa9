"""The side that takes traffic over: whether it is Healthy, whose pods it has, and its headroom."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from prunella.api import reasons, traffic
from prunella.core import model
from prunella.core.decisions import action, ledger, restoring

Refused = reasons.Refused
SHIFT_TRAFFIC: Final = ledger.SHIFT_TRAFFIC
RETURN_TRAFFIC: Final = ledger.RETURN_TRAFFIC
OTHER_SIDE_UNHEALTHY: Final = "OtherSideUnhealthy"
"""Reason of a shift that is undone because the side that took over fell ill."""
MOVES: Final = ledger.MOVES
_COUNTS: Final = ("updatedReplicas", "readyReplicas")
_COUNTS_OF_DAEMONS: Final = ("updatedNumberScheduled", "numberReady")


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """A workload that is Healthy, all of whose replicas are ready."""

    ref: model.Ref
    ready: int
    labels: Mapping[str, str]
    """Of its pod template."""


def other(
    request: action.Request, params: traffic.ShiftTraffic
) -> Side | model.Refusal | tuple[model.Need, ...]:
    """The side that is to take over; a Refusal unless it is Healthy, by signals and readiness."""
    target = request.live_state.workload.ref
    ref = target._replace(name=params.to.workload)
    if ref == target:
        message = f"to names {ref}, which is the target itself"
        return model.Refusal(Refused.NOT_ALLOWED, message, skip_step=True)
    if ref not in request.looked:
        return (model.Need(model.NeedKind.OBJECT, ref),)
    looked = request.looked[ref]
    if looked.problem:
        return model.Refusal(Refused.FORBIDDEN, looked.problem)
    if looked.manifest is None:
        return _unfit(f"{ref} is not there")
    emptied = _emptied(request, ref)
    if isinstance(emptied, tuple):
        return emptied
    return emptied or _unproved(request, params, ref) or _ready(ref, looked.manifest)


def _emptied(
    request: action.Request, ref: model.Ref
) -> model.Refusal | tuple[model.Need, ...] | None:
    """Whether its own traffic was moved away, and nobody has written there since."""
    if ref not in request.emptied:
        return None
    record = request.emptied[ref]
    (effect,) = ledger.effects_of(record)
    if effect.target not in request.looked:
        return (model.Need(model.NeedKind.OBJECT, effect.target),)
    looked = request.looked[effect.target]
    if not looked.problem and restoring.as_written(effect, looked.manifest) is not True:
        return None
    return _unfit(
        f"{record.name} has moved traffic of {effect.target} away from {ref}, and it is not all "
        "back: without traffic, Healthy proves nothing"
    )


def _unfit(message: str, *, skip_step: bool = True) -> model.Refusal:
    return model.Refusal(Refused.OTHER_SIDE_NOT_HEALTHY, message, skip_step=skip_step)


def _unproved(
    request: action.Request, params: traffic.ShiftTraffic, ref: model.Ref
) -> model.Refusal | None:
    """What policies say of it. Doubt is a reason to wait, not to try something harsher."""
    verdict = request.verdicts.get(ref)
    if verdict is None and params.judged_by is traffic.JudgedBy.SIGNALS:
        return _unfit(
            f"no policy of {ref.namespace} judges {ref}: let the target's selector cover both "
            "sides, or write judgedBy: Readiness"
        )
    if verdict in {None, model.Verdict.HEALTHY}:
        return None
    return _unfit(f"{ref} is {verdict}", skip_step=verdict is model.Verdict.UNHEALTHY)


def _ready(ref: model.Ref, manifest: Mapping[str, Any]) -> Side | model.Refusal:
    """Whether all wanted replicas are of the newest template, and ready."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    status = manifest.get("status") or {}
    daemons = ref.kind == "DaemonSet"
    updated, ready = (
        int(status.get(name) or 0) for name in (_COUNTS_OF_DAEMONS if daemons else _COUNTS)
    )
    default = 0 if daemons else 1
    told = status.get("desiredNumberScheduled") if daemons else spec.get("replicas")
    wanted = default if told is None else int(told)
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    if metadata.get("deletionTimestamp"):
        return _unfit(f"{ref} is being deleted")
    if not seen or not wanted or updated < wanted or ready < wanted:
        newest = "" if seen else ", its newest spec not seen yet"
        return _unfit(f"{ref}: {updated} of {wanted} replicas updated, {ready} ready{newest}")
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    return Side(ref, ready, labels)


def service(
    request: action.Request, name: str
) -> Mapping[str, str] | model.Refusal | tuple[model.Need, ...]:
    """The selector of a Service of the target's namespace."""
    ref = model.Ref("Service", request.live_state.workload.ref.namespace, name)
    if ref not in request.looked:
        return (model.Need(model.NeedKind.OBJECT, ref),)
    return selector(request.looked[ref])


def selector(looked: restoring.Looked) -> Mapping[str, str] | model.Refusal:
    """The selector of a Service that was looked at; a Refusal without one."""
    if looked.problem:
        return model.Refusal(Refused.FORBIDDEN, looked.problem)
    spec = looked.manifest["spec"] if looked.manifest is not None else {}
    if spec.get("type") == "ExternalName":
        message = f"{looked.ref} is of type ExternalName: its traffic goes to a name, not to pods"
        return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)
    found = spec.get("selector") or {}
    if not found:
        state = "is not there" if looked.manifest is None else "has no selector"
        message = f"{looked.ref} {state}: nobody knows whose pods are behind it"
        return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)
    return dict(found)


def selects(chosen: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a selector chooses pods with these labels."""
    return all(labels.get(key) == value for key, value in chosen.items())


def labels_of(workload: model.Workload) -> Mapping[str, str]:
    """The labels of a workload's pods."""
    metadata = workload.template.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """Shares of the traffic, in percent, and the replicas that bear them."""

    left: float
    taken: tuple[float, float]
    """Of the side that takes over: now, and then."""
    left_replicas: int
    taking_replicas: int

    @property
    def more(self) -> float:
        """How much more a replica of the other side gets than one gets now where it gets most."""
        now = max(
            self.left / max(1, self.left_replicas), self.taken[0] / max(1, self.taking_replicas)
        )
        then = self.taken[1] / max(1, self.taking_replicas)
        return 100 * (then / now - 1) if now else 0.0


def crowded(load: Load, limit: int, ref: model.Ref) -> model.Refusal | None:
    """Why the other side has no room for what would come, by its ready replicas."""
    if load.more <= limit + 1e-9:
        return None
    message = (
        f"{load.taking_replicas} ready replicas of {ref} would get {load.taken[1]:.3g} % of the "
        f"traffic: {load.more:.0f} % more for each than a replica gets now where it gets most, "
        f"maxMorePerReplica is {limit} %"
    )
    return model.Refusal(Refused.NO_HEADROOM, message, skip_step=True)
