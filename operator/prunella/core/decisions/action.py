"""What an action is to the core: something that plans effects as data."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Protocol

from prunella.api import base, trust
from prunella.core import model, objects
from prunella.core.decisions import gitops, restoring
from prunella.core.decisions.rules import Rules

DEFAULT_RULES = Rules()


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """All that an action may know when it plans."""

    live_state: model.LiveState
    params: base.ApiModel | None
    findings: Sequence[model.Finding]
    """The Unhealthy findings that led here."""
    verdicts_at: Mapping[datetime.datetime, model.Verdict]
    """What the policy's signals said of the target at earlier times, where asked."""
    decided_at: datetime.datetime
    now: datetime.datetime
    follows: objects.Record | None = None
    condemned: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
    """Releases that were proved bad, by their hash, each with the record that proved it."""
    looked: Mapping[model.Ref, restoring.Looked] = dataclasses.field(default_factory=dict)
    """Objects beside the target that were looked at."""
    recent: restoring.Recent = dataclasses.field(default_factory=restoring.Recent)
    """What was changed in the target's namespace."""
    suspect: model.Ref | None = None
    """The object that an incident suspects."""
    record: str = ""
    """Name of the record that the plan is made for."""
    rules: Rules = DEFAULT_RULES
    numbers: Mapping[tuple[str, str], model.Number] = dataclasses.field(default_factory=dict)
    """Answers of metrics sources, by source and query."""
    verdicts: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    """The worst that any policy of the namespace has found of its targets."""
    sick_since: datetime.datetime | None = None
    """When the signal fell ill that led here."""
    moved_by: objects.Record | None = None
    """The shift of traffic of which a part is to be taken back."""
    emptied: Mapping[model.Ref, objects.Record] = dataclasses.field(default_factory=dict)
    """Workloads whose traffic was moved away and is not all back, with the last move."""
    deployed: gitops.Looked | None = None
    """What deploys the target from Git, where that was looked at."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, in order."""

    effects: tuple[model.Effect, ...]
    leaves: str = ""
    """Hash of the release that a rollback leaves."""


class Action(Protocol):
    """One action, such as ``restart``: pure, it executes nothing."""

    @property
    def name(self) -> str:
        """The name as written in a policy's steps."""

    @property
    def owned_field(self) -> str | None:
        """The field that somebody else may own: ``spec.replicas``, ``spec.template`` or none."""

    @property
    def risk(self) -> trust.Risk:
        """How much it can do wrong: what administrators limit modes by."""

    def plan(self, request: Request) -> Plan | model.Refusal | tuple[model.Need, ...]:
        """Plan the effects, refuse, or say what must be known first."""
