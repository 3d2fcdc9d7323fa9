"""What a change of a field can do: which sort of cause it would be, and how dangerous it is.

The table says what an on-call engineer would: a new image may do anything, a label on the object
itself nothing.  The first row that fits a path counts.  Where numbers have a direction, a change
the harmless way - a higher limit, a larger quota, more replicas - is called harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import orjson

from prunella.api import change as change_api
from prunella.api.incident import CauseKind
from prunella.core.incidents.diagnosis import read

HARMLESS = -6.0
"""Log-odds of a change that has no effect on what runs."""
NEW = "nobody can have depended on what is new"
UNLIKELY = -1.0
PLAUSIBLE = 0.5
DANGEROUS = 1.0

Worse = Callable[[float, float], bool]


def _lower(old: float, new: float) -> bool:
    return new < old


def _higher(old: float, new: float) -> bool:
    return new > old


class Row(NamedTuple):
    """Fields of some kinds: what they are about and how dangerous their change is."""

    kinds: str
    """Expression for kinds."""
    path: str
    """Expression that the beginning of the path matches."""
    cause_kind: CauseKind
    danger: float
    worse: Worse | None = None
    """Which way a number can do harm; None when either may."""


_POD = r"(?:spec\.jobTemplate\.)?spec\.template\.spec\."
_CONTAINER = _POD + r"(?:initContainers|containers)(?:\[[^\]]*\])?"
_WORKLOAD = r"Deployment|StatefulSet|DaemonSet|Rollout|Job|CronJob"
_K = CauseKind
_PLACING = (
    "nodeSelector", "affinity", "tolerations", "topologySpread", "priority", "schedulerName",
    "nodeName", "preemption", "runtimeClass",
)  # fmt: skip
_NAMING = ("dns", "hostNetwork", "hostAliases", "hostname", "subdomain", "setHostname")
_LEADING = (
    "selector", "ports", "externalName", "publishNotReady", "type", "clusterIP",
    "internalTrafficPolicy",
)  # fmt: skip
_ROUTES = r"NetworkPolicy|Ingress|HTTPRoute|VirtualService|DestinationRule|PeerAuthentication"
_RIGHTS = (
    r"AuthorizationPolicy|Role|RoleBinding|ClusterRole|ClusterRoleBinding|ServiceAccount"
    r"|Certificate"
)


def _any(names: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(names)})"


ROWS = (
    Row(
        r".*",
        r"metadata\.(?:labels|annotations|finalizers|ownerReferences)\b",
        _K.UNKNOWN,
        HARMLESS,
    ),
    Row(_WORKLOAD, _CONTAINER + r"\.image$", _K.RELEASE, DANGEROUS),
    Row(_WORKLOAD, _CONTAINER + r"\.imagePullPolicy", _K.RELEASE, UNLIKELY),
    Row(_WORKLOAD, _CONTAINER + r"\.(?:env|envFrom)\b", _K.CONFIGURATION, DANGEROUS),
    Row(_WORKLOAD, _CONTAINER + r"\.resources\.limits", _K.RESOURCES, DANGEROUS, _lower),
    Row(_WORKLOAD, _CONTAINER + r"\.resources\.requests", _K.RESOURCES, PLAUSIBLE, _higher),
    Row(_WORKLOAD, _CONTAINER + r"\.resources", _K.RESOURCES, DANGEROUS),
    Row(_WORKLOAD, _CONTAINER + r"\.(?:readiness|liveness|startup)Probe", _K.PROBE, DANGEROUS),
    Row(_WORKLOAD, _CONTAINER + r"\.ports", _K.NETWORKING, PLAUSIBLE),
    Row(_WORKLOAD, _CONTAINER + r"\.volume", _K.STORAGE, PLAUSIBLE),
    Row(_WORKLOAD, _CONTAINER + r"\.(?:terminationMessage|stdin|tty)", _K.RELEASE, HARMLESS),
    Row(_WORKLOAD, _CONTAINER + r"\.securityContext", _K.ACCESS, PLAUSIBLE),
    Row(_WORKLOAD, _CONTAINER, _K.RELEASE, DANGEROUS),
    Row(_WORKLOAD, _POD + _any(_PLACING), _K.SCHEDULING, PLAUSIBLE),
    Row(_WORKLOAD, _POD + _any(_NAMING), _K.NETWORKING, DANGEROUS),
    Row(_WORKLOAD, _POD + r"volumes(?:\[[^\]]*\])?.*(?:secret)", _K.ACCESS, DANGEROUS),
    Row(_WORKLOAD, _POD + r"volumes(?:\[[^\]]*\])?.*(?:configMap)", _K.CONFIGURATION, DANGEROUS),
    Row(_WORKLOAD, _POD + r"volumes", _K.STORAGE, DANGEROUS),
    Row(
        _WORKLOAD,
        _POD + r"(?:serviceAccount|automount|imagePullSecrets|securityContext)",
        _K.ACCESS,
        DANGEROUS,
    ),
    Row(_WORKLOAD, _POD + r"terminationGracePeriodSeconds", _K.RELEASE, UNLIKELY),
    Row(_WORKLOAD, _POD, _K.RELEASE, PLAUSIBLE),
    Row(
        _WORKLOAD,
        r".*template\.metadata\.annotations.*(?:checksum|secret|credential)",
        _K.ACCESS,
        DANGEROUS,
    ),
    Row(
        _WORKLOAD,
        r".*template\.metadata\.annotations.*(?:config|hash)",
        _K.CONFIGURATION,
        PLAUSIBLE,
    ),
    Row(_WORKLOAD, r".*template\.metadata\.annotations", _K.RELEASE, -2.0),
    Row(_WORKLOAD, r".*template\.metadata\.labels", _K.NETWORKING, PLAUSIBLE),
    Row(_WORKLOAD, r"spec\.replicas", _K.SCALE, DANGEROUS, _lower),
    Row(_WORKLOAD, r"spec\.volumeClaimTemplates", _K.STORAGE, PLAUSIBLE),
    Row(_WORKLOAD, r"spec\.(?:strategy|updateStrategy)", _K.RELEASE, UNLIKELY),
    Row(_WORKLOAD, r"spec\.(?:revisionHistory|progressDeadline)", _K.RELEASE, HARMLESS),
    Row(_WORKLOAD, r"spec\.minReadySeconds", _K.RELEASE, PLAUSIBLE, _higher),
    Row(_WORKLOAD, r"spec\.(?:suspend|paused)", _K.SCALE, PLAUSIBLE),
    Row(r"Service", r"spec\." + _any(_LEADING), _K.NETWORKING, DANGEROUS),
    Row(r"Service", r"spec\.", _K.NETWORKING, PLAUSIBLE),
    Row(_ROUTES, r"spec", _K.NETWORKING, DANGEROUS),
    Row(_RIGHTS, r"", _K.ACCESS, DANGEROUS),
    Row(r"ConfigMap", r"(?:data|binaryData)", _K.CONFIGURATION, DANGEROUS),
    Row(r"ResourceQuota", r"spec\.hard", _K.QUOTA, DANGEROUS, _lower),
    Row(r"ResourceQuota|LimitRange", r"spec", _K.QUOTA, DANGEROUS),
    Row(
        r"HorizontalPodAutoscaler|ScaledObject",
        r"spec\.(?:max|min)Replica",
        _K.SCALE,
        DANGEROUS,
        _lower,
    ),
    Row(r"HorizontalPodAutoscaler|ScaledObject", r"spec", _K.SCALE, PLAUSIBLE),
    Row(r"PodDisruptionBudget", r"spec", _K.SCALE, UNLIKELY),
    Row(r"PersistentVolumeClaim|StorageClass|PersistentVolume", r"", _K.STORAGE, DANGEROUS),
    Row(r"PriorityClass", r"", _K.SCHEDULING, PLAUSIBLE),
    Row(r"Node", r"spec\.(?:unschedulable|taints)", _K.NODE, PLAUSIBLE),
    Row(r"Node", r"status\.conditions", _K.NODE, DANGEROUS),
    Row(r"Node", r"status", _K.NODE, PLAUSIBLE),
    Row(r"HelmRelease|Kustomization|Application", r"", _K.RELEASE, UNLIKELY),
)
_COMPILED = [(re.compile(each.kinds), re.compile(each.path), each) for each in ROWS]
_NODE_LABEL = Row("Node", "metadata.labels", CauseKind.NODE, UNLIKELY)


class Effect(NamedTuple):
    """What a change of one field can do."""

    field: change_api.FieldChange
    cause_kind: CauseKind
    danger: float
    reason: str = ""
    """Why it is harmless, for people; empty when it is not."""


def effect(kind: str, field: change_api.FieldChange) -> Effect:
    """Judge one changed field of an object of a kind."""
    row = _row(kind, field.path)
    if kind == "Node" and _recovers(field):
        return Effect(field, row.cause_kind, HARMLESS, "the node recovers by it")
    if kind == "Node" and field.path.startswith("spec.taints") and _is_mark(field.new):
        return Effect(field, row.cause_kind, HARMLESS, "the control plane marks a state by it")
    if kind == "Node" and field.old is None and field.path.startswith(("status", "metadata")):
        return Effect(field, row.cause_kind, HARMLESS, NEW)
    if row.danger <= HARMLESS:
        return Effect(field, row.cause_kind, HARMLESS, "nothing that runs depends on it")
    if row.worse is not None:
        old, new = number(field.old), number(field.new)
        if old is not None and new is not None and not row.worse(old, new):
            return Effect(field, row.cause_kind, HARMLESS, "that way it takes nothing from anybody")
        if old is None and new is not None and row.worse is _higher:
            return Effect(field, row.cause_kind, UNLIKELY)
    return Effect(field, row.cause_kind, row.danger)


def _recovers(field: change_api.FieldChange) -> bool:
    """Whether a node's condition turns to what it should be, or a cordon or a taint is lifted."""
    new = plain(field.new)
    if field.path.startswith("status.conditions"):
        return new == ("True" if "Ready" in field.path else "False")
    lifted = field.path.startswith(("spec.unschedulable", "spec.taints"))
    return lifted and new in ("nothing", "false", "[]")


def _is_mark(new: str | None) -> bool:
    """Whether all taints are those that controllers set by a node's state."""
    keys = re.findall(r'"key": ?"([^"]+)"', new or "")
    return bool(keys) and all(key.startswith("node.kubernetes.io/") for key in keys)


def _row(kind: str, path: str) -> Row:
    if kind == "Node" and path.startswith("metadata.labels"):
        return _NODE_LABEL
    for kinds, paths, row in _COMPILED:
        if kinds.fullmatch(kind) and paths.match(path):
            return row
    return Row(kind, path, CauseKind.UNKNOWN, UNLIKELY)


def plain(value: str | None) -> str:
    """A JSON value as people write it: strings without quotes, nothing as ``nothing``."""
    if value is None:
        return "nothing"
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return found if isinstance(found, str) else value


def number(value: str | None) -> float | None:
    """A JSON value as a quantity; None when it is none."""
    return None if value is None else read.quantity(plain(value))
