"""The objects of a story: Kubernetes manifests, or a short form of what tests need of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Final

import pydantic

from prunella.adapters.simulated import repositories
from prunella.api import base, types
from prunella.policytest import fields

MANIFEST, SHORT = "manifest", "short"
SCALERS: Final = ("HorizontalPodAutoscaler", "ScaledObject")
CLUSTER_WIDE: Final = ("StorageClass",)
KEPT: Final = (
    "ConfigMap",
    "HTTPRoute",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "Service",
    *CLUSTER_WIDE,
)
"""Kinds that nothing moves, but that a claim gets its volume: what is written to them is kept."""
KINDS: Final = (*fields.TARGET_KINDS, "PodDisruptionBudget", *SCALERS, *KEPT)
_BUILT_IN: Final = ("apps", "batch", "autoscaling", "policy", "k8s.io")
_MADE: Final = ("ReplicaSet", "Pod", "ControllerRevision")
_SHORT_KINDS: Final = {
    "deployment": "Deployment",
    "stateful_set": "StatefulSet",
    "daemon_set": "DaemonSet",
    "cron_job": "CronJob",
    "rollout": "Rollout",
}


class ShortObject(base.ApiModel):
    """A workload, a budget or an autoscaler in a few words."""

    deployment: types.ObjectName | None = None
    stateful_set: types.ObjectName | None = None
    daemon_set: types.ObjectName | None = None
    cron_job: types.ObjectName | None = None
    """Its schedule is not simulated: it starts no Job by itself."""
    rollout: types.ObjectName | None = None
    """A Rollout of Argo Rollouts, with ``steps``."""
    budget: types.ObjectName | None = None
    """A PodDisruptionBudget over the workload of this name, see ``minAvailable``."""
    autoscaler: fields.TargetName | None = None
    """The workload that a HorizontalPodAutoscaler targets."""
    namespace: types.DnsLabel | None = None
    image: str | None = None
    replicas: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = None
    labels: dict[str, str] = pydantic.Field(default_factory=dict)
    annotations: dict[str, str] = pydantic.Field(default_factory=dict)
    from_git: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9/-]*$")] | None = None
    """The folder of a Git repository that a Flux Kustomization deploys the workload from."""
    helm_release: types.DnsLabel | None = None
    """The Helm release that a workload belongs to: ``setImage`` is an upgrade of it."""
    manager: str = "kubectl-create"
    """Who owns the fields, as managedFields tell: ``argocd-controller`` is left alone."""
    startup: types.Duration = types.duration("5s")
    """Time that a new pod takes to become ready."""
    age: types.Duration = types.duration("0s")
    """Age of workload and pods at the beginning of the history."""
    min_available: Annotated[int, pydantic.Field(ge=0)] | None = None
    max_unavailable: Annotated[int, pydantic.Field(ge=0)] | None = None
    steps: Annotated[list[dict[str, Any]], pydantic.Field(max_length=64)] | None = None
    """Of a Rollout, the steps of its canary: ``setWeight`` and ``pause``, as in its spec."""

    @pydantic.model_validator(mode="after")
    def _one_object(self) -> ShortObject:
        base.check_exactly_one(
            self,
            "deployment",
            "statefulSet",
            "daemonSet",
            "cronJob",
            "rollout",
            "budget",
            "autoscaler",
        )
        if self.steps is not None and self.rollout is None:
            raise ValueError("steps are for a rollout")
        for step in self.steps or ():
            if set(step) not in ({"setWeight"}, {"pause"}):
                raise ValueError(f"a step is setWeight or pause, found {step}")
        if self.kind is not None and self.image is None:
            raise ValueError(f"a {self.kind} needs an image")
        if self.from_git is not None and self.kind not in fields.WORKLOAD_KINDS:
            raise ValueError("fromGit is for a Deployment, StatefulSet, DaemonSet or Rollout")
        if self.helm_release is not None and self.kind not in fields.WORKLOAD_KINDS:
            raise ValueError("helmRelease is for a Deployment, StatefulSet or DaemonSet")
        if self.budget is not None:
            base.check_exactly_one(self, "minAvailable", "maxUnavailable")
        return self

    @property
    def kind(self) -> str | None:
        """Kind of a workload; None for what is none."""
        names = (kind for field, kind in _SHORT_KINDS.items() if getattr(self, field) is not None)
        return next(names, None)

    def manifest(self, namespace: str) -> dict[str, Any]:
        """The manifest that this is short for."""
        where = self.namespace or namespace
        if self.kind is not None:
            return self._workload(self.kind, where)
        if self.budget is not None:
            limits = {"minAvailable": self.min_available, "maxUnavailable": self.max_unavailable}
            return {
                "kind": "PodDisruptionBudget",
                "metadata": {"name": self.budget, "namespace": where},
                "spec": {
                    "selector": {"matchLabels": {"app": self.budget}},
                    **{name: pods for name, pods in limits.items() if pods is not None},
                },
            }
        target = fields.ref(self.autoscaler or "", where)
        return {
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": target.name, "namespace": where},
            "spec": {"scaleTargetRef": {"kind": target.kind, "name": target.name}},
        }

    def _workload(self, kind: str, namespace: str) -> dict[str, Any]:
        names = (self.deployment, self.stateful_set, self.daemon_set, self.cron_job, self.rollout)
        name = next((each for each in names if each is not None), "")
        if kind == "CronJob":
            return self._cron_job(name, namespace)
        spec: dict[str, Any] = {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": self.image}]},
            },
        }
        if kind != "DaemonSet":
            spec["replicas"] = 3 if self.replicas is None else self.replicas
        if kind == "Rollout":
            spec["strategy"] = {"canary": {"steps": self.steps or []}}
        metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        marks = repositories.MARKS if self.from_git is not None else {}
        metadata["labels"] = {"app": name, **marks, **self.labels}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {"kind": kind, "metadata": metadata, "spec": spec}

    def _cron_job(self, name: str, namespace: str) -> dict[str, Any]:
        template = {"spec": {"containers": [{"name": "app", "image": self.image}]}}
        metadata = {"name": name, "namespace": namespace, "labels": {"app": name, **self.labels}}
        spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
        return {"kind": "CronJob", "metadata": metadata, "spec": spec}


def _checked(manifest: object) -> dict[str, Any]:
    """A manifest of a kind that is simulated, with what the simulation reads of it."""
    if not isinstance(manifest, dict):
        raise ValueError(f"must be an object, found {manifest!r}")  # noqa: TRY004 - pydantic's way
    kind = manifest["kind"]
    if kind in _MADE:
        raise ValueError(f"a {kind} is made by its workload: tell of a release by an event")
    if kind not in SCALERS and is_kept(manifest) and _at(manifest, ("metadata", "name")):
        return manifest
    if kind not in KINDS:
        raise ValueError(f"the kind {kind} is not simulated; known: {', '.join(KINDS)}")
    needed: tuple[tuple[str, ...], ...] = (("metadata", "name"),)
    if kind in fields.WORKLOAD_KINDS:
        needed += (
            ("spec", "selector", "matchLabels"),
            ("spec", "template", "metadata", "labels"),
            ("spec", "template", "spec", "containers"),
        )
    elif kind == "CronJob":
        needed += (("spec", "jobTemplate", "spec", "template"),)
    elif kind == "PodDisruptionBudget":
        needed += (("spec", "selector", "matchLabels"),)
    else:
        needed += (("spec", "scaleTargetRef", "name"),)
    for path in needed:
        if not _at(manifest, path):
            raise ValueError(f"{kind}: {'.'.join(path)} is missing")
    return manifest


def is_kept(manifest: Mapping[str, Any]) -> bool:
    """Whether nothing moves an object: it is of a kind of `KEPT`, or a custom resource."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    custom = bool(group) and not group.endswith(_BUILT_IN) and manifest["kind"] not in KINDS
    bounded = manifest["kind"] in SCALERS and bool(group)
    return manifest["kind"] in KEPT or custom or bounded


def _at(content: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = content
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _form(value: object) -> str:
    written = isinstance(value, dict) and "kind" in value
    return MANIFEST if written else SHORT


Object = Annotated[
    Annotated[ShortObject, pydantic.Tag(SHORT)]
    | Annotated[dict[str, Any], pydantic.BeforeValidator(_checked), pydantic.Tag(MANIFEST)],
    pydantic.Discriminator(_form),
]


def manifest_of(each: ShortObject | Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """The manifest of an object, in ``namespace`` unless it says another."""
    if isinstance(each, ShortObject):
        return each.manifest(namespace)
    manifest = copy.deepcopy(dict(each))
    own = "" if manifest["kind"] in CLUSTER_WIDE else namespace
    manifest["metadata"].setdefault("namespace", own)
    return manifest
