"""The kinds of objects that are read or written, and where the API server keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Protocol


class Kept(Protocol):
    """Where an object is kept, as settings tell it."""

    @property
    def api_version(self) -> str:
        """Group and version as written in manifests."""

    @property
    def kind(self) -> str:
        """The kind."""

    @property
    def resource(self) -> str:
        """Its plural."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind; ``group`` is empty for the core API."""

    name: str
    plural: str
    version: str = "v1"
    group: str = ""

    @property
    def api_version(self) -> str:
        """Group and version as written in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Path of an object, or of the list of a namespace or (None) of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"{root}/namespaces/{namespace}" if namespace is not None else root
        return "/".join(part for part in (place, self.plural, name, subresource) if part)


PRUNELLA = "prunella.dev"
POLICY = Kind("RemediationPolicy", "remediationpolicies", "v1alpha1", PRUNELLA)
CLUSTER_POLICY = Kind(
    "ClusterRemediationPolicy", "clusterremediationpolicies", "v1alpha1", PRUNELLA
)
RECORD = Kind("Remediation", "remediations", "v1alpha1", PRUNELLA)
APPROVAL = Kind("Approval", "approvals", "v1alpha1", PRUNELLA)
CHANGE = Kind("Change", "changes", "v1alpha1", PRUNELLA)
JOURNAL_SNAPSHOT = Kind("JournalSnapshot", "journalsnapshots", "v1alpha1", PRUNELLA)
CAPTURE = Kind("Capture", "captures", "v1alpha1", PRUNELLA)
INCIDENT = Kind("Incident", "incidents", "v1alpha1", PRUNELLA)
DEPLOYMENT = Kind("Deployment", "deployments", group="apps")
STATEFUL_SET = Kind("StatefulSet", "statefulsets", group="apps")
DAEMON_SET = Kind("DaemonSet", "daemonsets", group="apps")
CRON_JOB = Kind("CronJob", "cronjobs", group="batch")
JOB = Kind("Job", "jobs", group="batch")
ROLLOUT = Kind("Rollout", "rollouts", "v1alpha1", "argoproj.io")
REPLICA_SET = Kind("ReplicaSet", "replicasets", group="apps")
CONTROLLER_REVISION = Kind("ControllerRevision", "controllerrevisions", group="apps")
POD = Kind("Pod", "pods")
CONFIG_MAP = Kind("ConfigMap", "configmaps")
BUDGET = Kind("PodDisruptionBudget", "poddisruptionbudgets", group="policy")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "horizontalpodautoscalers", "v2", "autoscaling")
SCALED_OBJECT = Kind("ScaledObject", "scaledobjects", "v1alpha1", "keda.sh")
EVENT = Kind("Event", "events", group="events.k8s.io")
CORE_EVENT = Kind("Event", "events")
"""The same Events in the older form, with how often and when they came."""
SERVICE = Kind("Service", "services")
ENDPOINT_SLICE = Kind("EndpointSlice", "endpointslices", group="discovery.k8s.io")
INGRESS = Kind("Ingress", "ingresses", group="networking.k8s.io")
HTTP_ROUTE = Kind("HTTPRoute", "httproutes", group="gateway.networking.k8s.io")
VIRTUAL_SERVICE = Kind("VirtualService", "virtualservices", group="networking.istio.io")
NETWORK_POLICY = Kind("NetworkPolicy", "networkpolicies", group="networking.k8s.io")
QUOTA = Kind("ResourceQuota", "resourcequotas")
LIMIT_RANGE = Kind("LimitRange", "limitranges")
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims")
ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
NODE = Kind("Node", "nodes")
NAMESPACE = Kind("Namespace", "namespaces")
STORAGE_CLASS = Kind("StorageClass", "storageclasses", group="storage.k8s.io")
PRIORITY_CLASS = Kind("PriorityClass", "priorityclasses", group="scheduling.k8s.io")
LEASE = Kind("Lease", "leases", group="coordination.k8s.io")

WORKLOADS = {kind.name: kind for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)}
BUILT_IN = {**WORKLOADS, CRON_JOB.name: CRON_JOB}
TARGETS = {**BUILT_IN, ROLLOUT.name: ROLLOUT}
"""What a policy may act on."""
WATCHED = (POLICY, RECORD, APPROVAL, INCIDENT, *BUILT_IN.values())
"""What every cluster has; Rollouts are watched beside them where Argo Rollouts is."""
WATCHED_OF_CLUSTER = (CLUSTER_POLICY, NODE)
"""What is in no namespace, where administrators have enabled policies about it."""
RESTORED = {
    kind.name: kind
    for kind in (
        SERVICE,
        NETWORK_POLICY,
        CONFIG_MAP,
        QUOTA,
        AUTOSCALER,
        INGRESS,
        LIMIT_RANGE,
        BUDGET,
        *BUILT_IN.values(),
    )
}
"""The kinds that a restore may write; of what runs pods only fields."""
KUSTOMIZATION = Kind("Kustomization", "kustomizations", group="kustomize.toolkit.fluxcd.io")
GIT_REPOSITORY = Kind("GitRepository", "gitrepositories", group="source.toolkit.fluxcd.io")
APPLICATION = Kind("Application", "applications", "v1alpha1", "argoproj.io")
DEPLOYERS = {kind.name: kind for kind in (KUSTOMIZATION, GIT_REPOSITORY, APPLICATION)}
"""What deploys from Git: read where a commit may be reverted, never written."""
READ = {**DEPLOYERS, STORAGE_CLASS.name: STORAGE_CLASS}
"""What is looked at and never written."""
CERTIFICATE = Kind("Certificate", "certificates", group="cert-manager.io")
_BESIDE = (CERTIFICATE, CLAIM, JOB, SCALED_OBJECT, POD, HTTP_ROUTE, VIRTUAL_SERVICE, NODE)
WRITTEN = {**RESTORED, **TARGETS, **{kind.name: kind for kind in _BESIDE}}
"""The kinds of objects that the operator may write. Of Jobs it makes new ones only."""
SUBRESOURCES = {POD.name: "resize", CERTIFICATE.name: "status"}
"""What it writes of a kind in place of the object itself."""


def kept(told: Iterable[Kept]) -> dict[str, Kind]:
    """The kinds that settings tell of, by name."""
    found = {}
    for each in told:
        group, _, version = each.api_version.rpartition("/")
        found[each.kind] = Kind(each.kind, each.resource, version, group)
    return found
