"""Settings of what administrators let policies write, beside what each action writes by itself."""

from __future__ import annotations

from typing import Annotated, Final, Self

import pydantic
from pydantic import alias_generators

from prunella.api import quantities
from prunella.core.decisions import rules

WORKLOAD_KINDS: Final = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "Rollout"}
)
OWN_ACTIONS: Final = {
    "HTTPRoute": "shiftTraffic",
    "VirtualService": "shiftTraffic",
    "Certificate": "renewCertificate",
}
RIGHTS_GROUPS: Final = frozenset(
    {
        "rbac.authorization.k8s.io",
        "admissionregistration.k8s.io",
        "certificates.k8s.io",
        "prunella.dev",
    }
)
"""API groups whose objects say who may do what."""
CONFIG: Final = pydantic.ConfigDict(
    alias_generator=alias_generators.to_camel, populate_by_name=True, frozen=True, extra="forbid"
)
Seconds = Annotated[float, pydantic.Field(ge=1, le=86_400, allow_inf_nan=False)]
"""A time of the settings: a second to a day."""


class AllowedField(pydantic.BaseModel):
    """A field that policies may write by `patchField`, and where its kind is kept."""

    model_config = CONFIG

    api_version: Annotated[str, pydantic.Field(pattern=r"^([a-z0-9.-]+/)?v[a-z0-9]+$")]
    kind: Annotated[str, pydantic.Field(pattern=r"^[A-Z][A-Za-z0-9]*$")]
    resource: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9]*$")]
    """The kind's plural, as in RBAC."""
    path: Annotated[str, pydantic.Field(pattern=r"^[A-Za-z][^\s\[\]]*$")]
    name: str = ""
    min: int | None = None
    max: int | None = None
    values: tuple[str, ...] = ()

    @property
    def rule(self) -> rules.WritableField:
        """The field as decisions know it."""
        return rules.WritableField(**self.model_dump(exclude={"resource"}))

    @pydantic.model_validator(mode="after")
    def _is_harmless(self) -> Self:
        """Make sure that nothing gives rights, and that something may be written."""
        if self.max is None and not self.values:
            raise ValueError(f"{self.kind} {self.path}: give max, or the values that it may have")
        if self.kind in WORKLOAD_KINDS:
            raise ValueError(f"{self.kind}: workloads have actions of their own")
        if (action := OWN_ACTIONS.get(self.kind)) is not None:
            raise ValueError(f"{self.kind}: action {action} is for that")
        group = self.api_version.rpartition("/")[0]
        rights = group in RIGHTS_GROUPS or self.kind in {"Secret", "ServiceAccount", "Namespace"}
        if rights or not self.path.startswith(("spec.", "data.")):
            raise ValueError(
                f"{self.api_version} {self.kind} {self.path}: only fields within spec or data, of "
                "kinds that give no rights and hold no secrets"
            )
        return self


class ScaleBounds(pydantic.BaseModel):
    """What administrators let autoscalers be given."""

    model_config = CONFIG

    max: Annotated[int, pydantic.Field(ge=1)] | None = None
    """The highest bound, in replicas; None where the action is off: then nothing is stated."""


class RaiseQuota(pydantic.BaseModel):
    """What administrators let quotas be given."""

    model_config = CONFIG

    ceilings: dict[str, quantities.Quantity] | None = None
    """The highest limit of each resource; None where the action is off: nothing is stated."""


class PatchField(pydantic.BaseModel):
    """What `patchField` may write; nothing by default."""

    model_config = CONFIG

    fields: tuple[AllowedField, ...] = ()

    @pydantic.model_validator(mode="after")
    def _kinds_are_told_apart(self) -> Self:
        """Make sure that a kind's name is one kind: records name objects by it."""
        seen = {"ConfigMap": "v1", "ResourceQuota": "v1", "Service": "v1"}
        seen |= {
            "HorizontalPodAutoscaler": "autoscaling/v2",
            "NetworkPolicy": "networking.k8s.io/v1",
        }
        for each in self.fields:
            if seen.setdefault(each.kind, each.api_version) != each.api_version:
                both = f"{seen[each.kind]} and {each.api_version}"
                raise ValueError(f"kind {each.kind} is of {both}: only one can be allowed")
        return self
