"""The custom resources: what the generator makes of the models, and what `kubectl get` shows."""

from __future__ import annotations

import pydantic

from prunella.api import crdgen, policy, policy_status, remediation

GROUP = "prunella.dev"
VERSION = "v1alpha1"
_AGE = crdgen.PrinterColumn("Age", ".metadata.creationTimestamp", "date")


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


class _FrozenSpec(remediation.RemediationSpec):
    """What was seen, what was decided, which effects follow. It can't be changed."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "spec is frozen"}]
        }
    )


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

ALL = (REMEDIATION_POLICY, REMEDIATION)
