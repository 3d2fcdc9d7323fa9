"""What of an object is wanted by somebody, without what the cluster itself writes all the time."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import functools
from collections.abc import Mapping
from typing import Any, Final

from prunella.core.changes import diff, kinds

Manifest = Mapping[str, Any]
Content = dict[str, Any]

IGNORED_ANNOTATIONS: Final = (
    "deployment.kubernetes.io/*",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
    "control-plane.alpha.kubernetes.io/leader",
    "autoscaling.alpha.kubernetes.io/*",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "pv.kubernetes.io/*",
    "volume.kubernetes.io/*",
    "volume.beta.kubernetes.io/*",
    "batch.kubernetes.io/*",
    "rollout.argoproj.io/*",
    "argocd.argoproj.io/refresh",
    "field.cattle.io/publicEndpoints",
    "*heartbeat*",
    "*last-seen*",
)
"""Annotations that controllers write again and again; ``*`` stands for any characters."""
AUTOSCALERS: Final = (
    "kube-controller-manager",
    "horizontal-pod-autoscaler",
    "keda*",
    "vpa-*",
    "cluster-proportional-autoscaler",
)
"""Field managers whose writes of ``spec.replicas`` are scaling."""
IGNORED_OBJECTS: Final = (
    "ConfigMap/kube-root-ca.crt",
    "ConfigMap/openshift-service-ca.crt",
    "ConfigMap/istio-ca-root-cert",
    "ServiceAccount/default",
)
"""Objects that controllers put into every namespace, as ``KIND/NAME``."""
SETTING_UP: Final = datetime.timedelta(minutes=5)
"""How long a new node is set up by its kubelet and by controllers."""
_NOT_READY: Final = "node.kubernetes.io/not-ready"
_METADATA: Final = ("labels", "annotations")
_ELSEWHERE: Final = {"apiVersion", "kind", "metadata", "status", "operation"}
"""Fields at the top that are not content; ``operation`` is a request to Argo CD under way."""
_DROPPED: Final = {
    "PersistentVolumeClaim": ("volumeName",),
    "ServiceAccount": (),
    "Job": ("selector",),
}
"""Fields of the spec that a controller fills in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Noise:
    """What is no change, as the settings say."""

    annotations: tuple[str, ...] = IGNORED_ANNOTATIONS
    autoscalers: tuple[str, ...] = AUTOSCALERS
    objects: tuple[str, ...] = IGNORED_OBJECTS

    def ignores(self, kind: str, manifest: Manifest) -> bool:
        """Whether all of an object is noise: its controller's doing, whose own change is kept.

        Such are the Jobs of a CronJob, and what is put into every namespace.
        """
        meta = manifest["metadata"]
        owners = meta.get("ownerReferences") or ()
        if kind == "Job" and any(owner.get("controller") for owner in owners):
            return True
        return matches(f"{kind}/{meta['name']}", self.objects)


@functools.lru_cache(4096)
def matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Whether a text is one of the patterns, in which ``*`` stands for any characters."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def content(kind: kinds.Kind, manifest: Manifest, noise: Noise) -> Content:
    """The object without noise: labels, annotations, and whatever else is not status."""
    if kind is kinds.NODE:
        return _node(manifest, noise)
    kept = {name: value for name, value in manifest.items() if name not in _ELSEWHERE}
    dropped = _DROPPED.get(kind.name)
    if dropped and isinstance(kept.get("spec"), Mapping):
        kept["spec"] = {k: v for k, v in kept["spec"].items() if k not in dropped}
    metadata = _metadata(manifest["metadata"], noise)
    status = _status(kind, manifest.get("status") or {})
    return {
        **({"metadata": metadata} if metadata else {}),
        **kept,
        **({"status": status} if status else {}),
    }


def _metadata(meta: Manifest, noise: Noise) -> Content:
    found = {name: dict(meta[name]) for name in _METADATA if meta.get(name)}
    annotations = {
        key: value
        for key, value in found.pop("annotations", {}).items()
        if not matches(key, noise.annotations)
    }
    return {**found, **({"annotations": annotations} if annotations else {})}


def _status(kind: kinds.Kind, status: Manifest) -> Content:
    """The few fields of a status that say what is deployed."""
    kept: Content = {}
    for path in kind.status_kept:
        value: Any = status
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            place = kept
            *above, last = path.split(".")
            for part in above:
                place = place.setdefault(part, {})
            place[last] = value
    return kept


def _node(manifest: Manifest, noise: Noise) -> Content:
    """A node's cordon, taints, labels and conditions: without times, messages and addresses."""
    spec = manifest.get("spec") or {}
    taints = [
        {key: taint[key] for key in ("key", "value", "effect") if key in taint}
        for taint in spec.get("taints") or ()
    ]
    conditions = [
        {key: each.get(key, "") for key in ("type", "status", "reason")}
        for each in (manifest.get("status") or {}).get("conditions") or ()
    ]
    labels = _metadata(manifest["metadata"], noise).get("labels")
    return {
        **({"metadata": {"labels": labels}} if labels else {}),
        "spec": {
            "unschedulable": bool(spec.get("unschedulable")),
            **({"taints": taints} if taints else {}),
        },
        **({"status": {"conditions": conditions}} if conditions else {}),
    }


def sets_up(found: diff.Difference, age: datetime.timedelta) -> bool:
    """Whether a difference of a node is its being set up, and nobody's change.

    A condition that is told for the first time is none, however old the node is; a young one gets
    labels, loses the taints that it began with, and becomes ready.
    """
    path, added = found.path, found.old is diff.ABSENT
    if path[0] == "status" and added:
        return True
    if age > SETTING_UP:
        return False
    if path[0] == "status":
        healthy = "True" if diff.Element("type", "Ready") in path else "False"
        return path[-1] == "reason" or found.new == healthy
    if path[:2] == ("spec", "taints"):
        return found.new is diff.ABSENT or diff.Element("key", _NOT_READY) in path
    return path[0] == "metadata" and added
