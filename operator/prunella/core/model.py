"""The frozen values that flow from observation to decision.

Everything here is data without behaviour of its own: adapters make it, the core judges
it.  Times are aware datetimes in UTC; durations are seconds.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import types
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from prunella.api import reasons
from prunella.core import disruptions, node_state, progressive, pushes

NO_LABELS: Mapping[str, str] = types.MappingProxyType({})


class Verdict(enum.StrEnum):
    """A three-valued judgement. Only Unhealthy may lead to an action."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class Ref(NamedTuple):
    """An object in a namespace, by kind and name: a key of most that is kept, so quick to hash."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class GuessedRef(Ref):
    """The workload of a pod, told by the pod's name alone; equal to the Ref that it names."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector."""

    labels: Mapping[str, str]
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Vector:
    """A complete answer to an instant query. ``infos`` are hints that change nothing."""

    samples: tuple[Sample, ...]
    infos: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or one that can't be believed."""

    reason: reasons.Doubt
    message: str


Answer = Vector | Failure


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One signal's verdict for one target at one time, with the values that it saw."""

    signal: str
    target: Ref
    verdict: Verdict
    reason: str
    message: str
    value: float | None = None
    mapped_by: str = ""
    pod: str = ""  # For pod signals: the one with the worst value.
    pods: tuple[str, ...] = ()
    """For pod signals that are Unhealthy: all pods that are, by name."""

    @property
    def sick_pods(self) -> tuple[str, ...]:
        """All pods that it names: of some detectors only the worst one is known."""
        return self.pods or ((self.pod,) if self.pod else ())


class Replacement(enum.StrEnum):
    """How pods follow a new pod template (``spec.strategy`` or ``spec.updateStrategy``)."""

    ROLLING_UPDATE = "RollingUpdate"
    RECREATE = "Recreate"
    """All old pods end before the first new one begins; Deployments only."""
    ON_DELETE = "OnDelete"
    """A pod follows when somebody deletes it; StatefulSets and DaemonSets only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Strategy:
    """A workload's update strategy, its percentages resolved to pods."""

    replacement: Replacement = Replacement.ROLLING_UPDATE
    most_down: int = 1
    """Pods that a rollout may take down at once; 0 when a new pod always comes first."""
    partition: int = 0
    """StatefulSets: pods with a lower ordinal keep the template that they have."""
    ordered: bool = False
    """StatefulSets of ``OrderedReady``: a pod that is not ready holds up all others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet, DaemonSet, CronJob or Rollout as the API server shows it.

    A CronJob is as one replica that is always there; its template is that of its Jobs.
    """

    ref: Ref
    uid: str
    generation: int
    observed_generation: int
    replicas: int
    updated: int
    available: int
    total: int
    """Pods of all revisions that exist now (``status.replicas``)."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    selector: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    template: Mapping[str, object] = dataclasses.field(default_factory=dict)
    field_owners: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    """Managers of ``spec.replicas`` and ``spec.template`` by managedFields."""
    controller: str = ""
    """The object that a controller ownerReference names, as ``Kind/name (apiVersion)``."""
    deleting: bool = False
    resource_version: str = ""
    stuck: bool = False
    """The rollout has made no progress within its deadline (``ProgressDeadlineExceeded``)."""
    settled_at: datetime.datetime | None = None
    """When the newest rollout was complete, by the object's own word; Deployments only."""
    progressed_at: datetime.datetime | None = None
    """When the newest rollout last made progress, by the object's own word; Deployments only."""
    strategy: Strategy = Strategy()
    paused: bool = False  # A person has paused the rollout (``spec.paused``); Deployments only.
    failure: str = ""
    """Why pods can't be made (``ReplicaFailure``), in the API server's words; Deployments only."""
    suspended: bool = False  # It starts no more Jobs (``spec.suspend``); CronJobs only.
    delivery: progressive.Delivery | None = None
    """How far its release is; Rollouts of Argo Rollouts only."""
    node: node_state.NodeState | None = None
    """Nodes only: such a "workload" is as one replica that is always there."""

    @property
    def rolling(self) -> bool:
        """Pods of the newest spec are still to be made, or old ones to be removed."""
        return self._moving(missing=0)

    @property
    def rolled_out(self) -> bool:
        """All replicas are of the newest spec and available, and no old one is left."""
        return self.complete()

    def complete(self, missing: int = 0) -> bool:
        """Whether the rollout is over for all replicas but ``missing``, which can't run."""
        return not self._moving(missing) and self.available >= self.replicas - missing

    def _moving(self, missing: int) -> bool:
        delivery = self.delivery or progressive.NONE
        if self.observed_generation < self.generation or delivery.settling:
            return True
        wanted = self.replicas - missing
        if self.paused or delivery.waiting or self.strategy.replacement is Replacement.ON_DELETE:
            # Old pods stay by intent: only pods that are not there are still to come.
            return self.total < wanted
        return self.updated < wanted or self.total - self.updated > missing


class Stranded(enum.StrEnum):
    """Why a pod can't run though nothing is wrong with its containers."""

    LOST = "its node does not answer"
    NOT_PLACED = "no node takes it"


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a workload, with what an eviction needs to know."""

    name: str
    uid: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    ready: bool = True
    deleting: bool = False
    stranded: Stranded | None = None
    """Why the pod can't run, if something beside its containers says so."""
    created: datetime.datetime | None = None
    resized_by: str = ""
    """What a VerticalPodAutoscaler says that it has set, if one has."""
    gone_by: datetime.datetime | None = None
    """Of a pod that is being deleted: when its grace is over (``deletionTimestamp``)."""
    claims: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    """The PersistentVolumeClaims that it mounts, by the name of the volume."""


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """One earlier or present state of a workload's pod template."""

    number: int
    name: str
    created: datetime.datetime
    template: Mapping[str, object]
    current: bool = False
    released: datetime.datetime | None = None
    """When it was rolled out for the last time, at the latest; None: when it was created."""


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget that selects pods of the target."""

    name: str
    selector: Mapping[str, str]
    disruptions_allowed: int
    current_healthy: int
    desired_healthy: int
    expected: int = 0  # Pods that it selects.


class JobState(enum.StrEnum):
    """How far a Job has come."""

    ACTIVE = "Active"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A Job of a CronJob."""

    name: str
    uid: str
    created: datetime.datetime
    state: JobState
    message: str = ""  # Why it has failed, in the API server's words.
    annotations: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)


@dataclasses.dataclass(frozen=True, slots=True)
class LiveState:
    """A close, live look at one target: asked for only when an action is at hand."""

    workload: Workload
    pods: tuple[Pod, ...] = ()
    pods_known: bool = True  # False where these may not be all, as in recorded history.
    revisions: tuple[Revision, ...] = ()
    budgets: tuple[Budget, ...] = ()
    autoscalers: tuple[str, ...] = ()
    """HorizontalPodAutoscalers and ScaledObjects that target it, as ``Kind/name``."""
    jobs: tuple[Job, ...] = ()  # Those of a CronJob that are still there.
    disrupted: disruptions.Seen | None = None  # None where nobody counts, as in history.


class Verb(enum.StrEnum):
    """How an object is changed."""

    PATCH = "Patch"
    EVICT = "Evict"
    CREATE = "Create"
    """The object is the value of the one operation of ``patch``, see `Effect.manifest`."""
    DELETE = "Delete"
    CALL = "Call"
    """A system outside the cluster is asked; what of it, is the value of ``patch`` as well."""
    PUSH = "Push"  # To a Git repository, see ``git``: nothing in the cluster is written.


PatchOperation = Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One change as data. The executor adds the tests that make it happen at most once.

    ``patch`` is a JSON patch (RFC 6902); with the precondition it is sent as one request that the
    API server refuses unless ``uid`` and ``generation`` are as they were when it was planned.
    A whole object is one operation with an empty path: added by Create, removed by Delete.
    """

    verb: Verb
    target: Ref
    uid: str
    summary: str
    generation: int | None = None
    patch: tuple[PatchOperation, ...] = ()
    inverse: tuple[PatchOperation, ...] = ()
    paced: bool = False
    """An eviction that waits until the pods evicted before it were replaced and are ready."""
    forced: bool = False  # Without grace: the API server forgets the pod and asks no kubelet.
    resource_version: str = ""
    """Of kinds without a generation: the version that it was planned for."""
    git: pushes.GitChange | None = None

    @property
    def tested(self) -> bool:
        """Whether it tells by itself what it found: it tests it, or makes or removes it whole.

        Such an effect leaves no mark: the object is as before once it is undone.  A Job that is
        made is never undone, and bears one: it tells whose Job it is once it runs or has ended.
        """
        if self.target.kind == "Job":
            return False
        whole = self.verb in {Verb.CREATE, Verb.DELETE}
        return whole or any(operation["op"] == "test" for operation in self.patch)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The object that a creation makes, as planned, without a mark; what a call asks for."""
        return cast(Mapping[str, Any], self.patch[0]["value"])


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is done: one word, and the numbers that were compared."""

    reason: reasons.Refused
    message: str
    skip_step: bool = False  # True when this step does not apply and the next may be tried.
    until: datetime.datetime | None = dataclasses.field(default=None, compare=False)
    """When time alone may end it, where that is known."""


@dataclasses.dataclass(frozen=True, slots=True)
class GuardAnswer:
    """One guard's answer, kept for the record whether it passed or not."""

    guard: str
    refusal: Refusal | None
    message: str = ""


class NeedKind(enum.StrEnum):
    """What a decision must know before it can be made."""

    LIVE_STATE = "LiveState"
    VERDICT_AT = "VerdictAt"
    OBJECT = "Object"
    NUMBER = "Number"
    DEPLOYMENT = "Deployment"


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """Something to observe before the same step is asked again."""

    kind: NeedKind
    target: Ref
    at: datetime.datetime | None = None
    change: str = ""
    """Of an object: the Change that is suspected, by name; empty: the newest one."""
    query: str = ""  # Of a number: the query, not confined yet.
    source: str = ""  # Of a number: the metrics source to ask.


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """One number of a metrics source, or why there is none that can be believed."""

    value: float | None
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PauseState:
    """Whether the operator may act (unreadable: no), and the API server's time beside its own."""

    paused: bool
    message: str = ""
    scopes: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_LABELS)
    frozen: str = ""  # Why the policy's namespace must not be changed.
    last_seen: datetime.datetime | None = None  # When it was last seen paused, if it was.
    server_time: datetime.datetime | None = dataclasses.field(default=None, compare=False)
    no_time: str = ""  # Why the API server's time is not known, though there is one.
    own_time: datetime.datetime | None = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """A detector's answer about one value: verdict, one word, and the numbers."""

    verdict: Verdict
    reason: str
    message: str
