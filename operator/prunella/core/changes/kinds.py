"""The kinds that are journalled: where the API server keeps them, and who may read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object whose changes are journalled."""

    name: str
    group: str
    version: str
    plural: str
    viewed: bool = True
    """Whether the built-in role ``view`` may read it: only then are values kept.

    https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
    """
    namespaced: bool = True
    built_in: bool = True
    """False when it is there only where its custom resource definition is installed."""
    status_kept: tuple[str, ...] = ()
    """Fields of the status that say what is wanted or deployed, as dotted paths."""

    @property
    def api_version(self) -> str:
        """Group and version as written in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _custom(name: str, group: str, version: str, plural: str, *kept: str) -> Kind:
    return Kind(name, group, version, plural, viewed=False, built_in=False, status_kept=kept)


RBAC: Final = "rbac.authorization.k8s.io"
NODE: Final = Kind("Node", "", "v1", "nodes", viewed=True, namespaced=False)
"""Its values are kept although `view` does not read nodes: its Changes are in the operator's
namespace, and hold a cordon, taints, labels and conditions only."""

ALL: Final = (
    Kind("Deployment", "apps", "v1", "deployments"),
    Kind("StatefulSet", "apps", "v1", "statefulsets"),
    Kind("DaemonSet", "apps", "v1", "daemonsets"),
    Kind("CronJob", "batch", "v1", "cronjobs"),
    Kind("Job", "batch", "v1", "jobs"),
    Kind("Service", "", "v1", "services"),
    Kind("Ingress", "networking.k8s.io", "v1", "ingresses"),
    Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
    Kind("ConfigMap", "", "v1", "configmaps"),
    Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers"),
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Kind("ResourceQuota", "", "v1", "resourcequotas"),
    Kind("LimitRange", "", "v1", "limitranges"),
    Kind("ServiceAccount", "", "v1", "serviceaccounts"),
    Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims"),
    Kind("Role", RBAC, "v1", "roles", viewed=False),
    Kind("RoleBinding", RBAC, "v1", "rolebindings", viewed=False),
    NODE,
    _custom("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes"),
    _custom("Rollout", "argoproj.io", "v1alpha1", "rollouts"),
    _custom("Application", "argoproj.io", "v1alpha1", "applications", "sync.revision"),
    _custom("VirtualService", "networking.istio.io", "v1", "virtualservices"),
    _custom("DestinationRule", "networking.istio.io", "v1", "destinationrules"),
    _custom("AuthorizationPolicy", "security.istio.io", "v1", "authorizationpolicies"),
    _custom("PeerAuthentication", "security.istio.io", "v1", "peerauthentications"),
    _custom("Certificate", "cert-manager.io", "v1", "certificates", "revision"),
    _custom("ScaledObject", "keda.sh", "v1alpha1", "scaledobjects"),
    _custom("HelmRelease", "helm.toolkit.fluxcd.io", "v2", "helmreleases", "lastAttemptedRevision"),
    _custom(
        "Kustomization",
        "kustomize.toolkit.fluxcd.io",
        "v1",
        "kustomizations",
        "lastAppliedRevision",
    ),
)
"""All kinds that can be journalled. Secrets are not among them and never will be."""

BY_NAME: Final = {kind.name: kind for kind in ALL}


def wanted(switches: Mapping[str, bool]) -> tuple[Kind, ...]:
    """The kinds that are journalled: all that are not switched off."""
    return tuple(kind for kind in ALL if switches.get(kind.name, True))


def check(names: Iterable[str]) -> None:
    """Make sure that kinds are those that can be journalled. Raises ValueError naming others."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} can't be journalled; known are {', '.join(BY_NAME)}"
        )
