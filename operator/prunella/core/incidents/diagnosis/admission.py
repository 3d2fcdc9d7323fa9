"""Pods that the API server refuses: quotas, limit ranges, accounts, webhooks.

The controller says so in the Deployment's condition ``ReplicaFailure`` and in Events
``FailedCreate`` of the ReplicaSet, StatefulSet or Job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import events, faults, read
from prunella.core.incidents.diagnosis.faults import Fault, Side
from prunella.core.incidents.diagnosis.scene import Scene

_QUOTA = re.compile(r"exceeded quota: ([^,\s]+), requested: (\S+), used: (\S+), limited: (\S+)")
_MUST = re.compile(r"failed quota: ([^:\s]+): must specify ([a-z.,]+)")
_RANGE = re.compile(r"(maximum|minimum) (\S+) usage per (Container|Pod)|limit to request ratio")
_ACCOUNT = re.compile(r'serviceaccount "([^"]+)" not found')
_SECURITY = re.compile("violates PodSecurity")
_DENIED = re.compile(r'admission webhook "([^"]+)" denied')
_UNANSWERED = re.compile(r"failed calling webhook .*https://([-a-z0-9]+)\.([-a-z0-9]+)\.svc")
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'")
_RAN = 60.0
"""Seconds between a workload's birth and a refusal from which its pods were accepted before."""
_PRIORITY = re.compile(r"no PriorityClass with name (\S+)")
_RESOURCES = ("spec.template.spec.containers", "spec.replicas", "spec.template.spec.initContainers")


def find(scene: Scene) -> Iterator[Fault]:
    """One fault for each workload whose pods are refused."""
    for workload, message, at in _refusals(scene):
        fault = _fault(scene, workload, message, at)
        if fault is not None:
            yield fault


def _refusals(scene: Scene) -> Iterator[tuple[model.Ref, str, float | None]]:
    """Workload, the API server's words, and since when."""
    told = set()
    for workload, raw in scene.workloads.items():
        condition = read.condition(raw, "ReplicaFailure")
        if condition.get("status") == "True":
            told.add(workload)
            since = read.time(condition.get("lastTransitionTime"))
            yield workload, read.text(condition, "message"), since
    for event in events.recent(scene):
        about = event.workload
        if event.reason != "FailedCreate" or about is None or about in told:
            continue
        if _short(scene, about):
            told.add(about)
            yield about, event.message, event.first


def _short(scene: Scene, workload: model.Ref) -> bool:
    """Whether pods are missing now: an Event may tell of what is over."""
    return len(scene.pods.get(workload, ())) < scene.wanted(workload)


def _fault(scene: Scene, workload: model.Ref, message: str, since: float | None) -> Fault | None:
    namespace, hurts = workload.namespace, frozenset({workload})
    told = f"pods of {workload} are refused: {message[-300:]}"
    own = Side(workload, _RESOURCES, CauseKind.RESOURCES)
    if found := _QUOTA.search(message):
        quota = model.Ref("ResourceQuota", namespace, found[1])
        resource = found[2].partition("=")[0]
        return Fault(
            quota, f"spec.hard.{resource}", CauseKind.QUOTA, "reference",
            f"quota {found[1]} allows {found[4]}, used is {found[3]} and {workload} requests "
            f"{found[2]} more", faults.SURE, hurts, since, (own,), fields=("spec.hard",),
        )  # fmt: skip
    if found := _MUST.search(message):
        quota = model.Ref("ResourceQuota", namespace, found[1])
        return Fault(
            quota, "spec.hard", CauseKind.QUOTA, "reference", told, faults.SURE, hurts, since,
            (own, *_ranges(scene, namespace)),
        )  # fmt: skip
    if _RANGE.search(message):
        ranges = _ranges(scene, namespace)
        first = ranges[0].target if ranges else workload
        return Fault(
            first, "spec.limits", CauseKind.QUOTA, "reference", told, faults.SURE, hurts, since,
            (own, *ranges),
        )  # fmt: skip
    return _other(scene, workload, message, told, since)


def _other(
    scene: Scene, workload: model.Ref, message: str, told: str, since: float | None
) -> Fault | None:
    hurts = frozenset({workload})
    if found := _ACCOUNT.search(message):
        account = model.Ref("ServiceAccount", workload.namespace, found[1])
        path = "spec.template.spec.serviceAccountName"
        return Fault(
            account, "", CauseKind.ACCESS, "reference", told, faults.SURE, hurts, since,
            (Side(workload, (path,), CauseKind.ACCESS),),
        )  # fmt: skip
    if found := _PRIORITY.search(message):
        wanted = model.Ref("PriorityClass", "", found[1])
        return Fault(
            workload, "spec.template.spec.priorityClassName", CauseKind.SCHEDULING, "reference",
            told, faults.SURE, hurts, since, (Side(wanted, ("",), CauseKind.SCHEDULING),),
        )  # fmt: skip
    if guard := _guard(scene, workload, message):
        return _by_guard(scene, workload, guard, told, since)
    if _DENIED.search(message):
        return Fault(
            workload, "spec.template", CauseKind.ACCESS, "reference", told, faults.LIKELY, hurts,
            since,
        )  # fmt: skip
    if not message:
        return None
    return Fault(
        workload, "spec.template", CauseKind.UNKNOWN, "reference", told, faults.LIKELY, hurts,
        since,
    )  # fmt: skip


def _guard(scene: Scene, workload: model.Ref, message: str) -> tuple[Side, ...]:
    """Who refuses pods by a rule: a namespace's labels, a policy, or a webhook's Service."""
    if _SECURITY.search(message):
        space = model.Ref("Namespace", "", workload.namespace)
        return (Side(space, ("metadata.labels",), CauseKind.ACCESS),)
    if found := _POLICY.search(message):
        policy = model.Ref("ValidatingAdmissionPolicy", "", found[1])
        return (Side(policy, ("spec",), CauseKind.ACCESS),)
    if found := _UNANSWERED.search(message):
        return _webhook(scene, model.Ref("Service", found[2], found[1]))
    return ()


def _webhook(scene: Scene, asked: model.Ref) -> tuple[Side, ...]:
    """A webhook that does not answer: its Service, or who stands behind it.

    Nobody may read configurations of webhooks here; the refusal names whom it asked.
    """
    behind = sorted(scene.workloads_of(asked))
    sides = (Side(each, ("spec",), CauseKind.ACCESS) for each in behind)
    return (Side(asked, ("",), CauseKind.NETWORKING), *sides)


def _by_guard(
    scene: Scene,
    workload: model.Ref,
    guard: tuple[Side, ...],
    told: str,
    since: float | None,
) -> Fault:
    """Pods that were accepted before, and are refused unchanged, were changed by nobody.

    So the guard is blamed, also where nobody tells of its changes; the workload when it is new.
    """
    own = Side(workload, ("spec.template",), CauseKind.ACCESS)
    made = read.time(read.value(scene.workloads.get(workload), "metadata", "creationTimestamp"))
    new = made is not None and since is not None and since - made < _RAN
    first, *rest = (own, *guard) if new else (*guard, own)
    return Fault(
        first.target, first.fields[0], first.cause_kind, "reference", told, faults.SURE,
        frozenset({workload}), since, tuple(rest), fields=first.fields,
    )  # fmt: skip


def _ranges(scene: Scene, namespace: str) -> tuple[Side, ...]:
    found = sorted(scene.of("LimitRange", namespace))
    return tuple(Side(each, ("spec.limits",), CauseKind.QUOTA) for each in found)
