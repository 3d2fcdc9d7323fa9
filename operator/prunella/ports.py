"""The seams to the world: what the engine needs, and nothing about who provides it.

Every Protocol has a real adapter and a simulated twin, held to the same contract tests.
A call that may have had an effect and whose answer was lost raises `OutcomeUnknown`:
it is never reported as failed and never repeated.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from prunella.api import incident as incident_api
from prunella.api import policy_status
from prunella.api import remediation as remediation_api
from prunella.core import model, objects, pushes
from prunella.core.changes import values as change_values
from prunella.core.decisions import gitops, halts, started
from prunella.core.incidents import trace
from prunella.core.incidents import values as incident_values
from prunella.core.incidents.diagnosis import values as diagnosis
from prunella.core.signals import alerts, history


class ClusterError(Exception):
    """The API server said no, or could not be reached. Nothing was changed."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; None when there was no connection."""


class OutcomeUnknown(ClusterError):  # noqa: N818 - it is not known to be an error
    """A request was sent and its answer never came: it may have been carried out."""


class Conflict(ClusterError):  # noqa: N818 - a race that was lost, as the API server calls it
    """Somebody else was first: the name is taken or the object has changed."""


class Outcome(enum.StrEnum):
    """What became of one effect."""

    EFFECTIVE = "Effective"
    WOULD_SUCCEED = "WouldSucceed"  # Dry run only: the API server would have carried it out.
    REFUSED = "Refused"  # The API server answered that it did nothing.
    UNKNOWN = "Unknown"  # No answer came: it may have been carried out.


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """The API server's answer to an effect."""

    outcome: Outcome
    message: str = ""
    workload: model.Workload | None = None
    """The target as the API server returned it after a patch; None for pods and refusals."""
    status: int | None = None
    """HTTP status of the answer; None when none came."""
    run: started.Run | None = None
    """What has been started, where the answer tells."""
    refused_by: str = ""
    """The admission webhook or policy that refused; empty when it was the API server itself."""
    commit: str = ""
    """The commit that a push has made."""
    url: str = ""
    """Where a request was opened."""


class Clock(Protocol):
    """Time, so that tests and simulations can have their own."""

    def now(self) -> datetime.datetime:
        """The time in UTC, with its zone."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


Span = history.Span


class Metrics(Protocol):
    """Telemetry sources that answer PromQL."""

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query, already confined; never raises, a `Failure` says why not.

        ``namespace`` is that of the asking policy: a source may be closed to it.
        """

    async def history(self, source: str, namespace: str, query: str, span: Span) -> history.Answer:
        """Ask a query, already confined, at each point of a grid; never raises.

        A long span is asked for in pieces; when one of them fails, all has failed.
        """

    async def alerts(self, source: str, namespace: str, name: str, firing: str) -> alerts.Answer:
        """The alerting rules of a name, with the alerts of the namespace that fire; never raises.

        ``firing`` is the confined query of the series that is there while it fires: what a source
        of history answers by.
        """


class Cluster(Protocol):
    """Workloads: the watched view, the close look, and the only way to change one."""

    def workloads(self, namespace: str) -> Collection[model.Workload]:
        """The watched workloads of a namespace, nodes of none; costs no request."""

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, model.Ref | None]:
        """The workload of each named pod, None for one that belongs to no workload.

        Names that no pod has are left out.  Cached by pod name.
        """

    async def live_state(self, target: model.Ref) -> model.LiveState | None:
        """A live look at one target, or None when it is gone. Raises ClusterError."""

    async def read_object(self, ref: model.Ref) -> Mapping[str, object] | None:
        """An object that a restore may write, as it is now; None: not there. Raises ClusterError.

        With apiVersion, kind and managedFields, as the API server shows it.  So are a
        Kustomization, a GitRepository and an Application, which are never written.
        """

    async def job(self, ref: model.Ref) -> started.Run | None:
        """A Job that was made from a template; None: not there. Raises ClusterError."""

    async def paused(self) -> model.PauseState:
        """What is paused, everything or scopes; unreadable means everything."""

    async def freeze(self, namespace: str) -> halts.Freeze:
        """What a namespace says of being frozen; never raises."""

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> Receipt:
        """Carry out one effect at most once, leaving ``mark`` on the object. Never raises."""

    async def give_back(self, target: model.Ref, uid: str) -> None:
        """Leave the fields of an object that are the operator's to whoever writes them next.

        ``uid`` is that of the object; empty: of whatever has its name.  Its values stay as they
        are.  Without this, server-side apply reports a conflict with the operator.  Nothing is
        done to an object that is gone.  Raises ClusterError.
        """


class Policies(Protocol):
    """RemediationPolicy and ClusterRemediationPolicy objects."""

    def all(self) -> Collection[objects.Policy]:
        """The watched policies; costs no request."""

    async def read(self, key: objects.Key) -> objects.Policy | None:
        """A policy as it is now, or None when it is gone. Raises ClusterError."""

    async def write_status(
        self, policy: objects.Policy, status: policy_status.RemediationPolicyStatus
    ) -> None:
        """Write the status. Raises ClusterError; a lost race is no error."""


class Ledger(Protocol):
    """Remediation objects: one per attempt, the lock and the memory of everything done."""

    def records(self) -> Collection[objects.Record]:
        """All records, own writes included; costs no request."""

    async def refresh(self, namespace: str) -> None:
        """Read a namespace's records anew from the API server. Raises ClusterError."""

    async def create(
        self, namespace: str, name: str, spec: remediation_api.RemediationSpec
    ) -> objects.Record:
        """Take the name, with the labels of the record's first phase.

        Raises Conflict when it is taken, OutcomeUnknown, ClusterError.
        """

    async def update(
        self, record: objects.Record, status: remediation_api.RemediationStatus
    ) -> objects.Record:
        """Write the status under the record's resourceVersion. Raises Conflict, ClusterError."""

    async def label(self, record: objects.Record) -> objects.Record:
        """Write the labels of the record's phase, under its resourceVersion.

        They are metadata, which a status write can't change. Raises Conflict, OutcomeUnknown,
        ClusterError.
        """

    async def delete(self, record: objects.Record) -> None:
        """Delete an old record, under its uid. Raises ClusterError."""


class Severity(enum.StrEnum):
    """Types of Kubernetes Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people about a policy or a record."""

    regarding: objects.Policy | objects.Record
    severity: Severity
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Escalation:
    """A call for a person, posted to Alertmanager so that existing routes page."""

    policy: objects.Key
    target: model.Ref
    record: str
    summary: str
    description: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)


class Notifier(Protocol):
    """The ways to people. Never raises: a lost notice must not stop a remediation."""

    async def event(self, notice: Notice) -> None:
        """Post a Kubernetes Event; repeats are rate-limited."""

    async def escalate(self, escalation: Escalation) -> bool:
        """Post an alert; False when it did not arrive, so that it is tried again."""


class Source(Protocol):
    """A system that tells of alerts: a webhook, a poll, Events, findings of policies."""

    name: str
    """Who tells, as it is shown to people."""

    @property
    def primed(self) -> bool:
        """Whether the alerts that were active before the start have been read, or can't be.

        Until then `drain` gives nothing: an outage is not opened by what happens to come first.
        """

    async def drain(self) -> Sequence[incident_values.Alert]:
        """What has come since the last call, in order of arrival; never raises.

        What could not be read is counted in the operator's metrics.
        """


class Findings(Protocol):
    """Who is told what the passes over policies have found."""

    def found(
        self,
        policy: objects.Key,
        findings: Sequence[model.Finding],
        since: Mapping[tuple[str, model.Ref], datetime.datetime],
    ) -> None:
        """The findings of one pass.

        ``since``: the onset of each signal and target that has been Unhealthy for long enough.
        """

    def forget(self, policy: objects.Key) -> None:
        """The policy is gone, or can't be evaluated."""


class Journal(Protocol):
    """Change objects, and the watched objects that they are about."""

    def changes(
        self, namespaces: Collection[str], since: datetime.datetime
    ) -> Sequence[change_values.Change]:
        """Changes in namespaces, and of cluster-wide objects, oldest first; costs no request.

        The object before is told of routes and policies only (`formerly.KINDS`).
        """

    def manifests(
        self, namespaces: Collection[str], kinds: Collection[str] = ()
    ) -> Mapping[model.Ref, Mapping[str, object]]:
        """Watched objects of namespaces and the nodes, of all or these kinds; costs no request."""

    async def record(self, change: change_values.Change) -> bool:
        """Write a Change once; False when it is there already.

        Raises OutcomeUnknown, ClusterError: either may be tried again, the name is the lock.
        """

    async def whole(self, change: change_values.Change) -> change_values.Change | None:
        """A Change with the object before it, which `changes` leaves out; None when it is gone.

        Raises ClusterError.
        """

    async def refer(self, change: change_values.Change, incidents: Sequence[str]) -> None:
        """Write which open incidents refer to a change; one that is gone is no error.

        Raises Conflict, ClusterError.
        """

    async def delete(self, change: change_values.Change) -> None:
        """Delete an old one, under its UID; one that is gone is no error.

        Raises Conflict, ClusterError.
        """


class Surroundings(Protocol):
    """What a diagnosis looks at: objects, pods, Events, calls and measurements."""

    async def view(self, namespaces: Collection[str], now: datetime.datetime) -> diagnosis.View:
        """The cluster around what is sick; never raises: what can't be read is not in it."""


class Repositories(Protocol):
    """The Git repositories that workloads are deployed from, as far as the settings allow them."""

    async def history(
        self, deployment: gitops.Deployment, namespace: str
    ) -> gitops.History | model.Refusal:
        """The newest commits of what is deployed into a namespace; never raises."""

    async def send(self, change: pushes.GitChange, mark: str, *, dry_run: bool) -> Receipt:
        """Push the revert, or open the request, at most once; never raises.

        ``mark`` is the Remediation as ``NAMESPACE/NAME``: a commit whose trailer names it is there
        already, and the same answer is given again.  A head that has moved is refused with 409,
        what the server does not let be pushed with 403.
        """

    async def sent(self, change: pushes.GitChange, mark: str) -> Receipt:
        """What became of a push whose answer was lost, by what the repository shows.

        Effective, or Refused where nothing was done, or Unknown where that can't be seen.
        """

    async def contains(self, change: pushes.GitChange, commit: str, newer: str) -> bool:
        """Whether a commit of the branch has another in its history; False where unknown."""


class Incidents(Protocol):
    """Incident objects."""

    def all(self) -> Collection[incident_values.Record]:
        """All incidents, own writes included; costs no request."""

    async def create(
        self, namespace: str, name: str, spec: incident_api.IncidentSpec
    ) -> incident_values.Record:
        """Open one. Raises Conflict when the name is taken, OutcomeUnknown, ClusterError."""

    async def update(
        self, record: incident_values.Record, status: incident_api.IncidentStatus
    ) -> incident_values.Record:
        """Write the status under the resourceVersion. Raises Conflict, ClusterError."""

    async def delete(self, record: incident_values.Record) -> None:
        """Delete an old one, under its uid. Raises ClusterError."""


class Traces(Protocol):
    """Where spans are sent to."""

    async def send(self, spans: Sequence[trace.Span]) -> str:
        """Send spans; returns why they did not arrive, or nothing. Never raises.

        Sending a span again is safe: its id is the same.
        """

    def close(self) -> None:
        """Give connections back; what waits is dropped."""


class Telemetry(Protocol):
    """The operator's own metrics."""

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Add one to a counter."""

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add one observation, in seconds, to a histogram."""

    def forget(self, policy: objects.Key) -> None:
        """Drop the series of a policy that is gone."""
