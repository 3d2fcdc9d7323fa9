"""Raw JSON of the API server to the core's values. Pure: nothing is read or sent here."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from prunella.api import cluster_policy, policy_status, reasons
from prunella.api import policy as policy_api
from prunella.api import remediation as remediation_api
from prunella.core import model, objects, progressive
from prunella.core.decisions import claims, strategies

Raw = Mapping[str, Any]
OWNED_FIELDS = {
    "spec.replicas": "f:replicas",
    "spec.template": "f:template",
    "spec.suspend": "f:suspend",
}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TEMPLATE_HASHES = {"Deployment": "pod-template-hash", progressive.KIND: progressive.TEMPLATE_HASH}
"""Label of a ReplicaSet and its pods, which ends the ReplicaSet's name."""


class Unreadable(Exception):  # noqa: N818 - what the object is
    """An object that does not have the shape of its kind."""


def workload(kind: str, raw: Raw) -> model.Workload:
    """A Deployment, StatefulSet, DaemonSet, CronJob or Rollout. Raises Unreadable.

    The definition of a Rollout leaves much to its controller: the API server takes a limit such as
    "some", or a workloadRef without a kind.
    """
    try:
        return _workload(kind, raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _workload(kind: str, raw: Raw) -> model.Workload:
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    replicas, updated, available, total = _COUNTS[kind](spec, status)
    own = meta.get("generation", 0)  # A CronJob's controller does not tell which one it has seen.
    return model.Workload(
        ref=model.Ref(kind, meta["namespace"], meta["name"]),
        uid=meta["uid"],
        generation=own,
        observed_generation=_observed(kind, status, own),
        replicas=replicas,
        updated=updated,
        available=available,
        total=total,
        labels=meta.get("labels") or model.NO_LABELS,
        annotations=_annotations(meta),
        selector=(spec.get("selector") or {}).get("matchLabels") or model.NO_LABELS,
        template=_template(kind, spec),
        field_owners=field_owners(meta.get("managedFields") or ()),
        controller=_controller(meta),
        deleting="deletionTimestamp" in meta,
        resource_version=meta.get("resourceVersion", ""),
        stuck=_is_stuck(status),
        settled_at=_settled_at(status),
        progressed_at=_progressed_at(status),
        strategy=strategies.of(kind, spec, replicas),
        paused=bool(spec.get("paused")),
        suspended=bool(spec.get("suspend")),
        failure=str(_condition(status, "ReplicaFailure").get("message") or ""),
        delivery=progressive.of(spec, status) if kind == progressive.KIND else None,
    )


def _observed(kind: str, status: Raw, own: int) -> int:
    """The generation that the controller has seen; Argo Rollouts writes it as text."""
    written = str(status.get("observedGeneration", own if kind == "CronJob" else 0))
    return int(written) if written.isdecimal() else 0


def _template(kind: str, spec: Raw) -> Raw:
    """The template of the pods; none of a Rollout whose template another workload has."""
    if kind == progressive.KIND:
        return spec.get("template") or {}
    found: Raw = spec["jobTemplate" if kind == "CronJob" else "template"]
    return found


def _annotations(meta: Raw) -> Mapping[str, str]:
    """The annotations, without kubectl's copy of the whole object."""
    told = meta.get("annotations") or model.NO_LABELS
    return {key: v for key, v in told.items() if key != LAST_APPLIED} or model.NO_LABELS


def _condition(status: Raw, kind: str) -> Raw:
    """A Deployment's condition; empty where there is none, as of Progressing without a deadline."""
    conditions = status.get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def _progressed_at(status: Raw) -> datetime.datetime | None:
    """When a Deployment's newest rollout last made progress; its controller writes it down."""
    written = _condition(status, "Progressing").get("lastUpdateTime")
    return datetime.datetime.fromisoformat(written) if written else None


def _settled_at(status: Raw) -> datetime.datetime | None:
    """When a Deployment's newest rollout was complete."""
    complete = _condition(status, "Progressing").get("reason") == "NewReplicaSetAvailable"
    return _progressed_at(status) if complete else None


def _is_stuck(status: Raw) -> bool:
    """Whether a Deployment has given up on its rollout; other kinds never say so."""
    found = _condition(status, "Progressing")
    gave_up = found.get("reason") == "ProgressDeadlineExceeded"
    return gave_up and found.get("status") == "False"


Counts = tuple[int, int, int, int]


def _deployment_counts(spec: Raw, status: Raw) -> Counts:
    return (
        spec.get("replicas", 1),
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        status.get("replicas", 0),
    )


def _stateful_set_counts(spec: Raw, status: Raw) -> Counts:
    """Pods below a partition are meant to stay old, so they count as updated.

    With one revision only, the current pods are the updated ones.
    """
    replicas, total = spec.get("replicas", 1), status.get("replicas", 0)
    updated = status.get("updatedReplicas", 0)
    if status.get("updateRevision") == status.get("currentRevision"):
        updated = max(updated, status.get("currentReplicas", 0))
    strategy = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    kept = min(strategy.get("partition", 0), replicas)
    if kept and updated >= replicas - kept:
        updated = total
    available = status.get("availableReplicas", status.get("readyReplicas", 0))
    return replicas, updated, available, total


def _daemon_set_counts(_: Raw, status: Raw) -> Counts:
    return (
        status.get("desiredNumberScheduled", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        status.get("currentNumberScheduled", 0),
    )


def _cron_job_counts(_: Raw, __: Raw) -> Counts:
    return 1, 1, 1, 1


_COUNTS = {
    "Deployment": _deployment_counts,
    "StatefulSet": _stateful_set_counts,
    "DaemonSet": _daemon_set_counts,
    "CronJob": _cron_job_counts,
    progressive.KIND: progressive.counts,
}


def field_owners(managed: Iterable[Raw]) -> Mapping[str, frozenset[str]]:
    """Who last wrote the replicas and who the template, by managedFields."""
    written = set()
    for entry in managed:
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        for field, key in OWNED_FIELDS.items():
            if key in spec:
                written.add((field, entry.get("manager", "")))
    return _by_field(frozenset(written))


@functools.lru_cache(maxsize=1024)
def _by_field(written: frozenset[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """One mapping for all objects that the same managers have written: there are few of those."""
    fields = {field for field, _ in written}
    return {each: frozenset(name for field, name in written if field == each) for each in fields}


def pod(raw: Raw) -> model.Pod:
    """A pod."""
    meta, status = raw["metadata"], raw.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return model.Pod(
        name=meta["name"],
        uid=meta["uid"],
        labels=meta.get("labels") or model.NO_LABELS,
        ready=conditions.get("Ready") == "True",
        deleting="deletionTimestamp" in meta,
        stranded=_stranded(raw, conditions),
        created=_time(meta, "creationTimestamp"),
        gone_by=_time(meta, "deletionTimestamp"),
        resized_by=(meta.get("annotations") or {}).get("vpaUpdates", ""),
        claims=claims.named(raw.get("spec") or {}),
    )


def _stranded(raw: Raw, conditions: Mapping[str, str]) -> model.Stranded | None:
    """Why a pod can't run, as told by others than its containers.

    When a node is lost, the node controller alone turns Ready to False; what the kubelet reported
    last, ContainersReady, stays.  A readiness gate looks the same, so such pods are left out.
    """
    if conditions.get("PodScheduled") == "False":
        return model.Stranded.NOT_PLACED
    gates = (raw.get("spec") or {}).get("readinessGates")
    lost = conditions.get("Ready") == "False" and conditions.get("ContainersReady") == "True"
    return model.Stranded.LOST if lost and not gates else None


def _time(meta: Raw, field: str) -> datetime.datetime | None:
    written = meta.get(field)
    return datetime.datetime.fromisoformat(written) if written else None


def finished(raw: Raw) -> bool:
    """Whether a pod has ended for good: it holds no place of its workload any more."""
    return (raw.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def controller_uid(raw: Raw) -> str:
    """UID of the object that controls this one; empty when none does."""
    owners = raw["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def _controller(meta: Raw) -> str:
    """The object that controls this one, for people; empty when none does."""
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']} ({owner['apiVersion']})"
    return ""


def budget(raw: Raw) -> model.Budget:
    """A PodDisruptionBudget; one whose status is behind its spec allows nothing."""
    meta, status = raw["metadata"], raw.get("status") or {}
    current = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    return model.Budget(
        name=meta["name"],
        selector=(raw["spec"].get("selector") or {}).get("matchLabels") or model.NO_LABELS,
        disruptions_allowed=status.get("disruptionsAllowed", 0) if current else 0,
        current_healthy=status.get("currentHealthy", 0),
        desired_healthy=status.get("desiredHealthy", 0),
    )


def scale_target(raw: Raw) -> tuple[str, str]:
    """Kind and name of what an autoscaler scales; KEDA's default kind is Deployment."""
    target = raw["spec"].get("scaleTargetRef") or {}
    return target.get("kind", "Deployment"), target.get("name", "")


def policy(raw: Raw) -> objects.Policy:
    """A policy of either kind; an invalid spec is kept as the problem that it is."""
    meta = raw["metadata"]
    namespaced = "namespace" in meta
    kind = policy_api.RemediationPolicySpec
    kind = kind if namespaced else cluster_policy.ClusterRemediationPolicySpec
    spec, problem = None, ""
    try:
        spec = kind.model_validate(raw.get("spec"))
    except pydantic.ValidationError as error:
        problem = explain(error)
    return objects.Policy(
        key=objects.Key(meta.get("namespace", ""), meta["name"]),
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        spec=spec,
        status=_policy_status(raw.get("status") or {}),
        annotations=meta.get("annotations") or model.NO_LABELS,
        resource_version=meta.get("resourceVersion", ""),
        deleting="deletionTimestamp" in meta,
        problem=problem,
    )


def _policy_status(raw: Raw) -> policy_status.RemediationPolicyStatus:
    """The status; one of another version is forgotten, since every round writes it anew."""
    try:
        return policy_status.RemediationPolicyStatus.model_validate(raw)
    except pydantic.ValidationError:
        return policy_status.RemediationPolicyStatus()


def record(raw: Raw) -> objects.Record:
    """A Remediation. Raises Unreadable when its spec is none of ours.

    A status that can't be read is Unknown, never Pending: it must not be acted on again.
    """
    meta = raw["metadata"]
    try:
        spec = remediation_api.RemediationSpec.model_validate(raw.get("spec"))
    except pydantic.ValidationError as error:
        raise Unreadable(explain(error)) from error
    try:
        status = remediation_api.RemediationStatus.model_validate(raw.get("status") or {})
    except pydantic.ValidationError as error:
        status = remediation_api.RemediationStatus(
            phase=reasons.Phase.UNKNOWN,
            reason="UnreadableStatus",
            message=f"the status can't be read: {explain(error)}"[:2048],
        )
    return objects.Record(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=spec,
        status=status,
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        created=_time(meta, "creationTimestamp"),
        labels=meta.get("labels") or model.NO_LABELS,
    )


def explain(error: pydantic.ValidationError) -> str:
    """The first thing that is wrong, as ``spec.field[0].name: what``."""
    first = error.errors(include_url=False)[0]
    path = "spec"
    for part in first["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{path}: {first['msg'].removeprefix('Value error, ')}"
