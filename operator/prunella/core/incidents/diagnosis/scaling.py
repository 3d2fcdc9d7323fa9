"""Workloads with no pods by intent, and autoscalers that can't do their work."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, fields, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_HPA = "HorizontalPodAutoscaler"
_SCALED = "ScaledObject"
_BOUNDS = ("spec.maxReplicas", "spec.minReplicas", "spec.maxReplicaCount", "spec.minReplicaCount")


def find(scene: Scene) -> Iterator[Fault]:
    """Zero replicas of what is called, autoscalers at their limit or without a target."""
    for workload, raw in scene.workloads.items():
        if read.whole(raw, "spec", "replicas") == 0:
            yield from _zero(scene, workload)
    for kind in (_HPA, _SCALED):
        for scaler, raw in scene.of(kind).items():
            yield from _scaler(scene, scaler, raw)


def _zero(scene: Scene, workload: model.Ref) -> Iterator[Fault]:
    callers = scene.callers.get(workload, frozenset())
    told = f"{len(callers)} workloads call it" if callers else "nobody is known to call it"
    sides = tuple(Side(each, _BOUNDS, CauseKind.SCALE) for each in scalers(scene, workload))
    yield Fault(
        workload, "spec.replicas", CauseKind.SCALE, "reference",
        f"replicas is 0, so there is no pod; {told}",
        faults.SURE if callers else faults.POSSIBLE, frozenset({workload}), sides=sides,
    )  # fmt: skip


def scalers(scene: Scene, workload: model.Ref) -> list[model.Ref]:
    """The autoscalers that target a workload."""
    found = {**scene.of(_HPA, workload.namespace), **scene.of(_SCALED, workload.namespace)}
    return sorted(ref for ref, raw in found.items() if target(ref, raw) == workload)


def target(scaler: model.Ref, raw: read.Raw) -> model.Ref:
    """The workload that an autoscaler targets."""
    named = read.mapping(raw, "spec", "scaleTargetRef")
    kind = read.text(named, "kind") or "Deployment"
    return model.Ref(kind, scaler.namespace, read.text(named, "name"))


def _scaler(scene: Scene, scaler: model.Ref, raw: read.Raw) -> Iterator[Fault]:
    aim = target(scaler, raw)
    if scene.missing(aim):
        yield _fault(
            scaler, "spec.scaleTargetRef", f"scales {aim}, which does not exist", faults.LIKELY,
            frozenset(scene.workloads_of(aim) or {aim}), raw, "AbleToScale",
        )  # fmt: skip
        return
    limited, active = read.condition(raw, "ScalingLimited"), read.condition(raw, "ScalingActive")
    current, most = read.whole(raw, "status", "currentReplicas"), _most(raw)
    had = _had(scene, aim)
    if most is not None and had is not None and had > most:
        yield _fault(
            scaler, "spec.maxReplicas", f"lets {aim} have {most} replicas, which had {had} before",
            faults.LIKELY, frozenset({aim}), raw, "AbleToScale",
        )  # fmt: skip
    elif limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        yield _fault(
            scaler, "spec.maxReplicas",
            f"holds {aim} at maxReplicas {most} (now {current}) though its metric asks for more",
            faults.LIKELY, frozenset({aim}), raw, "ScalingLimited",
        )  # fmt: skip
    elif active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
        yield _fault(
            scaler, "spec.metrics",
            f"can't scale {aim}: {read.text(active, 'message')[:200]}",
            faults.FAINT, frozenset({aim}), raw, "ScalingActive",
        )  # fmt: skip


def _had(scene: Scene, workload: model.Ref) -> int | None:
    """The replicas that a workload had before they were last lowered; None when nobody did."""
    for change in reversed(scene.view.changes):
        for field in change.spec.fields:
            if change.object == workload and field.path == "spec.replicas":
                old, new = fields.number(field.old), fields.number(field.new)
                lowered = old is not None and new is not None and new < old
                return int(old) if lowered and old is not None else None
    return None


def _most(raw: read.Raw) -> int | None:
    found = read.whole(raw, "spec", "maxReplicas")
    return read.whole(raw, "spec", "maxReplicaCount") if found is None else found


def _fault(
    scaler: model.Ref,
    field: str,
    told: str,
    weight: float,
    hurts: frozenset[model.Ref],
    raw: read.Raw,
    condition: str,
) -> Fault:
    since = read.time(read.condition(raw, condition).get("lastTransitionTime"))
    return Fault(
        scaler, field, CauseKind.SCALE, "reference", told, weight, hurts, since, fields=("spec",)
    )
