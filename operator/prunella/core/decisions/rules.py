"""The operator-wide rules that decisions are made by: settings, without their I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from prunella.api import windows as windows_api

GITOPS_MANAGERS: Final = (
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
    "configsync",
    "kapp-server-side-apply",
    "kapp",
    "fleetagent",
    "fleet-agent",
    "Terraform",
    "HashiCorp",
    "pulumi-*",
    "kluctl",
    "kluctl-controller",
    "helm",
    "Helm",
)
"""Field managers of tools that deploy, ``*`` for any characters; sources in docs/ownership.md."""
GITOPS_LABELS: Final = (
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "configsync.gke.io/resource-id",
    "configmanagement.gke.io/managed=enabled",
    "kapp.k14s.io/app",
    "objectset.rio.cattle.io/id",
    "kluctl.io/discriminator",
    "app.kubernetes.io/managed-by=pulumi",
)
"""Labels or annotations of such tools, as ``name`` or ``name=value``.

Not ``app.kubernetes.io/instance`` and not managed-by Helm: every Helm chart writes both.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class WritableField:
    """A field of other objects than workloads that administrators let policies write."""

    api_version: str
    kind: str
    path: str
    """As a policy writes it, such as ``spec.instances``."""
    name: str = ""
    """Of this object alone; empty: of any."""
    min: int | None = None
    max: int | None = None
    values: tuple[str, ...] = ()
    """The texts that a field of text may have."""

    def __str__(self) -> str:
        name = f"/{self.name}" if self.name else ""
        return f"{self.path} of {self.api_version} {self.kind}{name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """Limits above single policies, and whom not to touch."""

    operator_namespace: str = "prunella-system"
    operator_name: str = "prunella"
    system_namespaces: frozenset[str] = frozenset({"kube-system", "kube-public", "kube-node-lease"})
    gitops_managers: tuple[str, ...] = GITOPS_MANAGERS
    gitops_labels: tuple[str, ...] = GITOPS_LABELS
    argocd_namespace: str = "argocd"
    """Where Applications are whose tracking ids name no namespace."""
    actions_per_namespace_per_hour: int = 5
    actions_per_cluster_per_hour: int = 10
    unhelpful_before_latch: int = 3
    high_risk_live: bool = True
    """Whether actions of risk high may be Live."""
    bad_before_demotion: int = 5
    demotion_window: int = 10
    rejections_before_demotion: int = 3
    rollout_seconds: float = 600.0
    """How long a rollout may make no progress before it counts as stuck, and how long a
    verification waits for one to be complete; Kubernetes's own default."""
    fields: tuple[WritableField, ...] = ()
    """What `patchField` may write."""
    scale_most: int | None = None
    """The highest bound of an autoscaler that administrators state; None: they state none."""
    windows: windows_api.Windows = windows_api.NONE
    """When actions may begin, whatever policies say."""
    quota_ceilings: Mapping[str, int | str] | None = None
    """The highest limits of a quota that they state, by resource; None: they state none."""
