"""What a test file says: policies, the story, and what must come of it."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal

import pydantic

from prunella.adapters.simulated import metrics as simulated_metrics
from prunella.api import base, offers, reasons, types
from prunella.api import policy as policy_api
from prunella.core import model
from prunella.policytest import fields
from prunella.policytest import incidents as incidents_module
from prunella.policytest import objects as objects_module
from prunella.policytest import series as series_module

API_VERSION: Final = "cli.prunella.dev/v1alpha1"
KIND: Final = "PolicyTest"
START: Final = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
"""A Monday morning."""

Fault = simulated_metrics.Fault
Name = Annotated[str, pydantic.Field(min_length=1, max_length=120)]


class Clock(base.ApiModel):
    """When the story is told."""

    start: pydantic.AwareDatetime = START
    """When the operator starts."""
    history: types.Duration = types.duration("0s")
    """How long the world has been there, and scraped, before."""
    run: types.Duration = types.duration("30m")
    """How long the story goes on after the start."""
    interval: types.Duration = types.duration("15s")
    """Time between two scrapes."""

    @pydantic.model_validator(mode="after")
    def _scrapes(self) -> Clock:
        if not 1 <= self.interval.total_seconds() <= 3_600:
            raise ValueError(f"interval must be from 1s to 1h, found {self.interval}")
        return self


_EVENTS: Final = ("setImage", "commit", "scale", "runJob", "delete", "source", "pause", "resume")


class Event(base.ApiModel):
    """Something that happens from outside."""

    at: fields.Offset
    set_image: dict[fields.TargetName, str] | None = None
    """Release another image, as `kubectl set image` does."""
    scale: dict[fields.TargetName, int] | None = None
    """Other replicas, by a person."""
    commit: dict[fields.TargetName, str] | None = None
    """Merge another image into the branch that a workload is deployed from, see ``fromGit``."""
    run_job: dict[fields.TargetName, Literal["Complete", "Failed"]] | None = None
    """A CronJob's Job has run, and has ended so."""
    delete: fields.TargetName | None = None
    source: Fault | Literal["up"] | None = None
    """The source fails in a way, or is up again."""
    pause: bool | None = None
    """Pause the whole operator, or go on."""
    resume: str | None = None
    """A policy's latch is cleared, as `prunella resume` does."""

    @pydantic.model_validator(mode="after")
    def _one_event(self) -> Event:
        base.check_exactly_one(self, *_EVENTS)
        return self


class Check(base.ApiModel):
    """What the policy says of a target at a time."""

    at: fields.Offset
    policy: str | None = None
    """Needed only when there is more than one."""
    target: fields.TargetName | None = None
    """Needed only when there is more than one workload."""
    verdict: model.Verdict | None = None
    signals: dict[str, model.Verdict] = pydantic.Field(default_factory=dict)
    reason: str | None = None
    """The word for the worst signal's verdict: OverLimit, NoData, SlopeTooYoung ..."""
    refused: reasons.Refused | Literal[""] | None = None
    """Why nothing is done; "" when nothing is refused."""

    @pydantic.model_validator(mode="after")
    def _checks_something(self) -> Check:
        if not self.signals and (self.verdict, self.reason, self.refused) == (None, None, None):
            raise ValueError("give verdict, signals, reason or refused")
        return self


class ExpectedEffect(base.ApiModel):
    """A change that the operator makes."""

    action: str | None = None
    """The name of a step's action, or revert."""
    verb: model.Verb | None = None
    target: fields.TargetName | None = None
    after: fields.Offset | None = None
    before: fields.Offset | None = None
    fields_: dict[str, Any] = pydantic.Field(default_factory=dict, alias="fields")
    """Fields of the workload just after the change, by path: ``spec.replicas: 5``."""


class ExpectedRefusal(base.ApiModel):
    """A reason for which nothing was done, at some time of the story."""

    reason: reasons.Refused
    target: fields.TargetName | None = None
    policy: str | None = None


class ExpectedRemediation(base.ApiModel):
    """A Remediation at the end."""

    phase: reasons.Phase
    action: str | None = None
    target: fields.TargetName | None = None
    reason: str | None = None


class FinalWorkload(base.ApiModel):
    """A workload at the end."""

    image: str | None = None
    replicas: int | None = None
    ready: int | None = None
    exists: bool = True


class FinalState(base.ApiModel):
    """The state at the end of the story."""

    workloads: dict[fields.TargetName, FinalWorkload] = pydantic.Field(default_factory=dict)
    remediations: tuple[ExpectedRemediation, ...] | None = None
    """All of them, in order."""
    escalations: int | None = None
    """How often a person was called."""


class Expect(base.ApiModel):
    """What must come of the story. What is not listed under effects must not happen."""

    checks: tuple[Check, ...] = ()
    effects: tuple[ExpectedEffect, ...] = ()
    """All effects of the story, in order."""
    refusals: tuple[ExpectedRefusal, ...] = ()
    final: FinalState = FinalState()


class Case(base.ApiModel):
    """One story. Objects and series are added to the file's; an equal metric replaces it."""

    name: Name
    mode: policy_api.Mode | None = None
    clock: Clock | None = None
    objects: tuple[objects_module.Object, ...] = ()
    series: tuple[series_module.Series, ...] = ()
    alerts: tuple[series_module.Alert, ...] = ()
    incidents: tuple[incidents_module.Incident, ...] = ()
    """Incidents that are open for a time, as the operator would have found them."""
    events: tuple[Event, ...] = ()
    expect: Expect


class PolicyTest(base.ApiModel):
    """A test file: policies beside it, what the cases share, and the cases."""

    api_version: Literal["cli.prunella.dev/v1alpha1"]
    kind: Literal["PolicyTest"]
    metadata: dict[str, Any] = pydantic.Field(default_factory=dict)
    policies: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]
    """Files of policies, relative to the test file."""
    namespace: types.DnsLabel | None = None
    """Of objects and series that name none. Default: that of the first policy."""
    mode: policy_api.Mode | None = None
    """Mode in which the policies are tested. Default: their own."""
    clock: Clock = Clock()
    offered: offers.Offers = offers.NONE
    """What the operator's settings offer to policies, such as templates of Jobs."""
    objects: tuple[objects_module.Object, ...] = ()
    series: tuple[series_module.Series, ...] = ()
    alerts: tuple[series_module.Alert, ...] = ()
    cases: Annotated[tuple[Case, ...], pydantic.Field(min_length=1)]

    @pydantic.model_validator(mode="after")
    def _names_differ(self) -> PolicyTest:
        names = [case.name for case in self.cases]
        if len(set(names)) != len(names):
            raise ValueError("cases must have different names")
        return self

    @property
    def name(self) -> str:
        """The test's name, if it has one."""
        return str(self.metadata.get("name", ""))

    def series_of(self, case: Case) -> list[series_module.Series]:
        """The series of a case: the file's that it does not replace, and its own."""
        own = {each.key for each in case.series}
        return [*(each for each in self.series if each.key not in own), *case.series]

    def alerts_of(self, case: Case) -> list[series_module.Alert]:
        """The alerts of a case: its own stand in place of the file's of the same name."""
        own = {each.name for each in case.alerts}
        return [*(each for each in self.alerts if each.name not in own), *case.alerts]

    def clock_of(self, case: Case) -> Clock:
        """The clock of a case: what it writes stands in place of the file's."""
        if case.clock is None:
            return self.clock
        written = {name: getattr(case.clock, name) for name in case.clock.model_fields_set}
        return self.clock.model_copy(update=written)
