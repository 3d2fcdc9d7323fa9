"""The operator-wide rules that decisions are made by: settings, without their I/O."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """Limits above single policies, and whom not to touch."""

    operator_namespace: str = "prunella-system"
    operator_name: str = "prunella"
    system_namespaces: frozenset[str] = frozenset({"kube-system", "kube-public", "kube-node-lease"})
    gitops_managers: frozenset[str] = frozenset(
        {"argocd-controller", "kustomize-controller", "helm-controller"}
    )
    actions_per_namespace_per_hour: int = 5
    actions_per_cluster_per_hour: int = 10
    unhelpful_before_latch: int = 3
    rollout_seconds: float = 600.0
    """How long a rollout may take before it counts as stuck, Kubernetes's own default."""
