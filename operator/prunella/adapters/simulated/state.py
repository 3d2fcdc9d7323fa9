"""What the simulated API server holds, and how it shows it.

Workloads are kept as manifests in Kubernetes' own shape, so that a JSON patch made for a real
API server fits them as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from prunella.core import model, progressive
from prunella.core.decisions import strategies

Manifest = dict[str, Any]

REPLICAS, TEMPLATE = "spec.replicas", "spec.template"
"""Keys of `WorkloadState.owners` and of ``Workload.field_owners``."""
FIELDS: Final = (REPLICAS, TEMPLATE)
REVISIONS: Final = {
    "Deployment": "deployment.kubernetes.io/revision",
    progressive.KIND: progressive.REVISION,
}
NODES: Final = ("node-0", "node-1", "node-2")
NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes names of: no vowels, no 0, 1, 3 (k8s.io/apimachinery/pkg/util/rand)."""


@dataclasses.dataclass(slots=True, eq=False)
class PodState:
    """One pod. ``ordinal`` and ``node`` tell its place in a StatefulSet or DaemonSet."""

    name: str
    uid: str
    revision: str
    created: datetime.datetime
    template: Manifest
    labels: dict[str, str]
    node: str
    ordinal: int = 0
    namespace: str = ""
    """Of a pod without a workload; others are in their workload's."""
    ready: bool = False
    deleting: bool = False
    gone_by: datetime.datetime | None = None
    stranded: model.Stranded | None = None
    pending: bool = False
    """It has no node yet, or none of its containers has started."""

    @property
    def image(self) -> str:
        """The first container's image."""
        return str(self.template["spec"]["containers"][0]["image"])

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations, which are its template's."""
        return dict(self.template.get("metadata", {}).get("annotations") or {})

    def manifest(self) -> Manifest:
        """The pod as the API server shows it."""
        metadata = {"name": self.name, "uid": self.uid, "labels": dict(self.labels)}
        spec = copy.deepcopy(self.template["spec"])
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def view(self) -> model.Pod:
        """The pod as the core sees it."""
        return model.Pod(
            self.name,
            self.uid,
            dict(self.labels),
            self.ready,
            self.deleting,
            stranded=self.stranded,
            created=self.created,
            gone_by=self.gone_by,
        )


@dataclasses.dataclass(slots=True, eq=False)
class RevisionState:
    """A ReplicaSet or ControllerRevision: the template without the controller's own labels."""

    number: int
    name: str
    created: datetime.datetime
    template: Manifest
    released: datetime.datetime | None = None
    """When it last became the newest again; None for one that never came back."""

    def view(self, current: Manifest) -> model.Revision:
        """The revision as the core sees it."""
        return model.Revision(
            self.number,
            self.name,
            self.created,
            copy.deepcopy(self.template),
            current=self.template == current,
            released=self.released,
        )


@dataclasses.dataclass(slots=True, eq=False)
class WorkloadState:
    """One workload with everything that belongs to it."""

    ref: model.Ref
    manifest: Manifest
    startup_seconds: float
    owners: dict[str, set[str]]
    revisions: list[RevisionState] = dataclasses.field(default_factory=list)
    pods: list[PodState] = dataclasses.field(default_factory=list)
    deleted: bool = False
    progress: Manifest = dataclasses.field(default_factory=dict)
    """How far a Rollout is, as its status tells it beside counts of pods."""

    @property
    def template(self) -> Manifest:
        """The pod template."""
        found: Manifest = self.manifest["spec"]["template"]
        return found

    @property
    def active(self) -> list[PodState]:
        """Pods that are not being deleted, oldest first."""
        return [pod for pod in self.pods if not pod.deleting]

    def current(self) -> RevisionState | None:
        """The revision of the present template; None until the controller has made it."""
        return next((each for each in self.revisions if each.template == self.template), None)

    def view(self, manifest: Manifest | None = None) -> model.Workload:
        """The workload as the core sees it; ``manifest`` in place of the stored one."""
        shown = copy.deepcopy(manifest or self.manifest)
        metadata, spec, status = shown["metadata"], shown["spec"], shown["status"]
        counts = (
            spec.get("replicas", status["desired"]),
            *(status[each] for each in ("updated", "available", "total")),
        )
        of_rollouts = self.ref.kind == progressive.KIND
        replicas, updated, available, total = (
            progressive.counts(spec, status) if of_rollouts else counts
        )
        return model.Workload(
            ref=self.ref,
            uid=metadata["uid"],
            generation=metadata["generation"],
            observed_generation=status["observedGeneration"],
            replicas=replicas,
            updated=updated,
            available=available,
            total=total,
            labels=metadata.get("labels", {}),
            annotations=metadata.get("annotations", {}),
            selector=spec["selector"]["matchLabels"],
            template=spec["template"],
            field_owners={field: frozenset(names) for field, names in self.owners.items()},
            controller=_controller(metadata),
            resource_version=metadata["resourceVersion"],
            strategy=strategies.of(self.ref.kind, spec, replicas),
            paused=bool(spec.get("paused")),
            delivery=progressive.of(spec, status) if of_rollouts else None,
        )

    def shown(self) -> Manifest:
        """The object as the API server shows it: with the counts of its kind's own status."""
        shown = copy.deepcopy(self.manifest)
        told = shown["status"]
        told |= {"replicas": told["total"], "updatedReplicas": told["updated"]}
        told |= {"readyReplicas": told["available"], "numberReady": told["available"]}
        told |= {
            "desiredNumberScheduled": told["desired"],
            "updatedNumberScheduled": told["updated"],
        }
        told |= {"currentRevision": "1", "updateRevision": "1"}
        if told["updated"] < told["total"]:
            told["updateRevision"] = "2"
        return shown

    @property
    def strategy(self) -> model.Strategy:
        """The update strategy of the spec as it is now."""
        spec = self.manifest["spec"]
        return strategies.of(self.ref.kind, spec, int(spec.get("replicas", len(NODES))))


def _controller(metadata: Manifest) -> str:
    """The object that a controller ownerReference names, as the core tells it."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']} ({owner['apiVersion']})"
    return ""


@dataclasses.dataclass(slots=True, eq=False)
class BudgetState:
    """A PodDisruptionBudget with one of its two limits, in pods."""

    name: str
    namespace: str
    selector: dict[str, str]
    min_available: int | None = None
    max_unavailable: int | None = None
    always_allow: bool = False

    def view(self, expected: int, healthy: int) -> model.Budget:
        """The budget's status, of ``expected`` pods of which ``healthy`` are ready."""
        desired = (
            self.min_available
            if self.min_available is not None
            else expected - (self.max_unavailable or 0)
        )
        return model.Budget(
            self.name, dict(self.selector), max(0, healthy - desired), healthy, desired, expected
        )


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether all labels of a selector are there."""
    return all(labels.get(name) == value for name, value in selector.items())


def digest(*parts: object, length: int = 10) -> str:
    """A short name that depends on nothing but its parts, so that runs can be compared."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def generated(*parts: object, length: int) -> str:
    """As `digest`, in the letters of Kubernetes' own generated names."""
    text = json.dumps(parts, sort_keys=True, default=str)
    whole = hashlib.sha256(text.encode()).digest()[:length]
    return "".join(NAME_LETTERS[byte % len(NAME_LETTERS)] for byte in whole)
