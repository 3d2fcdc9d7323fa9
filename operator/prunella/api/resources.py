"""The custom resources: what the generator makes of the models, and what `kubectl get` shows."""

from __future__ import annotations

import dataclasses

import pydantic

from prunella.api import (
    approval,
    base,
    capture,
    change,
    cluster_policy,
    crdgen,
    incident,
    journal_snapshot,
    policy,
    policy_status,
    remediation,
)

GROUP = "prunella.dev"
VERSION = "v1alpha1"
_AGE = crdgen.PrinterColumn("Age", ".metadata.creationTimestamp", "date")


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


_FROZEN = pydantic.ConfigDict(json_schema_extra=base.rules(("self == oldSelf", "spec is frozen")))


class _FrozenSpec(remediation.RemediationSpec):
    """What was seen, what was decided, which effects follow. It can't be changed."""

    model_config = _FROZEN


class _FrozenChange(change.ChangeSpec):
    """Which object changed, when, by whom, and how. It can't be changed."""

    model_config = _FROZEN


class _FrozenCapture(capture.CaptureSpec):
    """What was there before a remediation. It can't be changed."""

    model_config = _FROZEN


class _FrozenApproval(approval.ApprovalSpec):
    """Which plan, what is said to it, and by whom. It can't be changed."""

    model_config = _FROZEN


REMEDIATION_POLICY = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="RemediationPolicy",
    plural="remediationpolicies",
    singular="remediationpolicy",
    scope="Namespaced",
    description=(
        "RemediationPolicy says which workloads of its namespace to watch, when they are sick, "
        "and what may be done about it."
    ),
    spec=policy.RemediationPolicySpec,
    status=policy_status.RemediationPolicyStatus,
    short_names=("rempol",),
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("Mode", ".spec.mode"),
        crdgen.PrinterColumn("Ready", _ready("status")),
        crdgen.PrinterColumn("Reason", _ready("reason")),
        crdgen.PrinterColumn("Targets", ".status.targets.selected", "integer"),
        crdgen.PrinterColumn("Unhealthy", ".status.targets.unhealthy", "integer"),
        crdgen.PrinterColumn("Last-Action", ".status.lastAction"),
        crdgen.PrinterColumn("Message", _ready("message"), priority=1),
        _AGE,
    ),
)

CLUSTER_REMEDIATION_POLICY = dataclasses.replace(
    REMEDIATION_POLICY,
    kind="ClusterRemediationPolicy",
    plural="clusterremediationpolicies",
    singular="clusterremediationpolicy",
    scope="Cluster",
    description=(
        "ClusterRemediationPolicy says which nodes to watch, when they are sick, and what may be "
        "done about it. It is for administrators: it can take nodes out of service."
    ),
    spec=cluster_policy.ClusterRemediationPolicySpec,
    short_names=("crempol",),
)

REMEDIATION = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="Remediation",
    plural="remediations",
    singular="remediation",
    scope="Namespaced",
    description=(
        "Remediation is one attempt of one step on one target, written by the operator: "
        "what was seen, what was decided, what became of it."
    ),
    spec=_FrozenSpec,
    status=remediation.RemediationStatus,
    short_names=("rem",),
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("Policy", ".spec.policy.name"),
        crdgen.PrinterColumn("Target", ".spec.target.name"),
        crdgen.PrinterColumn("Action", ".spec.action"),
        crdgen.PrinterColumn("Mode", ".spec.mode"),
        crdgen.PrinterColumn("Phase", ".status.phase"),
        crdgen.PrinterColumn("Reason", ".status.reason"),
        crdgen.PrinterColumn("Kind", ".spec.target.kind", priority=1),
        crdgen.PrinterColumn("Message", ".status.message", priority=1),
        _AGE,
    ),
)

CHANGE = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="Change",
    plural="changes",
    singular="change",
    scope="Namespaced",
    description=(
        "Change is one observed change of one object, written by the operator: which object, when, "
        "by whom, which fields, and what it was before."
    ),
    spec=_FrozenChange,
    status=change.ChangeStatus,
    short_names=("chg",),
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("When", ".spec.at", "date"),
        crdgen.PrinterColumn("Summary", ".spec.summary"),
        # The sentence says these, too.
        crdgen.PrinterColumn("Kind", ".spec.object.kind", priority=1),
        crdgen.PrinterColumn("Object", ".spec.object.name", priority=1),
        crdgen.PrinterColumn("Verb", ".spec.verb", priority=1),
        crdgen.PrinterColumn("By", ".spec.by.manager", priority=1),
        crdgen.PrinterColumn("Class", ".spec.class", priority=1),
        crdgen.PrinterColumn("Late", ".spec.late", "boolean", priority=1),
    ),
)

CAPTURE = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="Capture",
    plural="captures",
    singular="capture",
    scope="Namespaced",
    description=(
        "Capture is what was there before a remediation, written by the operator: logs, Events and "
        "manifests, for `prunella logs remediation/NAME`."
    ),
    spec=_FrozenCapture,
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("Taken", ".spec.takenAt", "date"),
        crdgen.PrinterColumn("Expires", ".spec.expiresAt"),
    ),
)

JOURNAL_SNAPSHOT = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="JournalSnapshot",
    plural="journalsnapshots",
    singular="journalsnapshot",
    scope="Namespaced",
    description=(
        "JournalSnapshot is what the operator last saw of some objects of its namespace, kept so "
        "that a change made while it was down is found. It is the operator's own."
    ),
    spec=journal_snapshot.JournalSnapshotSpec,
    columns=(
        crdgen.PrinterColumn("Objects", ".spec.objects", "integer"),
        crdgen.PrinterColumn("Taken", ".spec.takenAt", "date"),
    ),
)

INCIDENT = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="Incident",
    plural="incidents",
    singular="incident",
    scope="Namespaced",
    description=(
        "Incident is what belongs together, written by the operator: symptoms, what changed, "
        "likely causes and what was done about them."
    ),
    spec=incident.IncidentSpec,
    status=incident.IncidentStatus,
    short_names=("inc",),
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("State", ".status.state"),
        crdgen.PrinterColumn("Severity", ".status.severity"),
        crdgen.PrinterColumn("Alerts", ".status.alerts", "integer"),
        crdgen.PrinterColumn("Suspect", ".status.suspect"),
        crdgen.PrinterColumn("Confidence", ".status.suspects[0].confidence"),
        crdgen.PrinterColumn("Title", ".status.title", priority=1),
        _AGE,
    ),
)

APPROVAL = crdgen.CustomResource(
    group=GROUP,
    version=VERSION,
    kind="Approval",
    plural="approvals",
    singular="approval",
    scope="Namespaced",
    description=(
        "Approval is one person's word on the Remediation of the same name, which waits for it: "
        "`prunella approve` and `prunella reject` write it. It can't be changed."
    ),
    spec=_FrozenApproval,
    status=approval.ApprovalStatus,
    categories=("prunella",),
    columns=(
        crdgen.PrinterColumn("Verdict", ".spec.verdict"),
        crdgen.PrinterColumn("By", ".spec.decidedBy"),
        crdgen.PrinterColumn("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
        crdgen.PrinterColumn("Reason", '.status.conditions[?(@.type=="Accepted")].reason'),
        _AGE,
    ),
)

ALL = (
    REMEDIATION_POLICY,
    CLUSTER_REMEDIATION_POLICY,
    REMEDIATION,
    APPROVAL,
    CAPTURE,
    CHANGE,
    JOURNAL_SNAPSHOT,
    INCIDENT,
)
