"""What was seen of a story: each pass of each policy, each effect, and the end."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.decisions import step


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A policy under test."""

    key: objects.Key
    spec: policy_api.RemediationPolicySpec


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """What one pass of a policy found and decided."""

    policy: objects.Key
    time: datetime.datetime
    outcome: step.Outcome

    def finding(self, target: model.Ref, signal: str) -> model.Finding | None:
        """One signal's verdict for a target."""
        found = self.outcome.findings
        return next((f for f in found if (f.target, f.signal) == (target, signal)), None)

    def worst(self, target: model.Ref) -> model.Finding | None:
        """The finding that stands for the target's verdict."""
        verdict = self.outcome.verdicts.get(target)
        found = self.outcome.findings
        return next((f for f in found if (f.target, f.verdict) == (target, verdict)), None)

    def refusal(self, target: model.Ref) -> model.Refusal | None:
        """Why nothing is done to the target."""
        decision = self.outcome.decisions.get(target)
        return decision.refusal if decision is not None else None


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """An effect that was carried out."""

    time: datetime.datetime
    effect: model.Effect
    mark: str
    """Name of the Remediation that it belongs to."""
    after: Mapping[str, Any]
    """The workload just after it, as a manifest; empty for an eviction."""


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """A workload at the end."""

    image: str
    replicas: int
    ready: int


@dataclasses.dataclass(slots=True)
class Timeline:
    """Everything that expectations are compared with."""

    start: datetime.datetime
    passes: list[Pass] = dataclasses.field(default_factory=list)
    sent: list[Sent] = dataclasses.field(default_factory=list)
    records: list[objects.Record] = dataclasses.field(default_factory=list)
    workloads: dict[model.Ref, Workload] = dataclasses.field(default_factory=dict)
    escalations: int = 0
    failed_passes: int = 0

    def offset(self, time: datetime.datetime) -> float:
        """Seconds from the start."""
        return (time - self.start).total_seconds()

    def last_pass(self, policy: objects.Key, offset: float) -> Pass | None:
        """The newest pass of a policy at that time."""
        until = self.start + datetime.timedelta(seconds=offset)
        own = (each for each in self.passes if each.policy == policy and each.time <= until)
        return max(own, key=lambda each: each.time, default=None)

    def record(self, name: str) -> objects.Record | None:
        """A Remediation by its name."""
        return next((each for each in self.records if each.name == name), None)
