"""Incident: what belongs together, what is suspected of it, and what was done about it."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types
from prunella.api import conditions as condition_api

ShortText = base.ShortText
LongText = base.LongText
MOST_MEMBERS = 64
MOST_TIMELINE = 64
MOST_SUSPECTS = 5


class State(enum.StrEnum):
    """Where an incident stands. Nothing attaches to one that is not Open."""

    OPEN = "Open"
    RESOLVED = "Resolved"
    MERGED = "Merged"


class Severity(enum.StrEnum):
    """How bad it is, by the tier of the workloads that are sick."""

    CRITICAL = "Critical"
    WARNING = "Warning"
    INFO = "Info"


class CauseKind(enum.StrEnum):
    """What sort of cause a suspect is: what policies choose by."""

    RELEASE = "Release"
    """The pod template: image, command, arguments, init containers."""
    CONFIGURATION = "Configuration"
    """Environment variables, ConfigMaps, feature flags."""
    RESOURCES = "Resources"
    """Requests and limits of containers."""
    PROBE = "Probe"
    NETWORKING = "Networking"
    """Services, ports, selectors, NetworkPolicies, DNS, ingress, mesh."""
    SCHEDULING = "Scheduling"
    """Node selectors, affinity, tolerations, priority, preemption."""
    STORAGE = "Storage"
    QUOTA = "Quota"
    """ResourceQuotas and LimitRanges."""
    SCALE = "Scale"
    """Replicas and autoscalers."""
    ACCESS = "Access"
    """Credentials, ServiceAccounts, Roles."""
    NODE = "Node"
    """A node, a rack, a zone."""
    SATURATION = "Saturation"
    """Load, a leak, a pool that is too small."""
    EXTERNAL = "External"
    """A change or an outage outside the cluster."""
    UNKNOWN = "Unknown"


class Confidence(enum.StrEnum):
    """How sure the diagnosis is of a suspect."""

    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"


class Mark(enum.StrEnum):
    """What a person has said of a suspect."""

    SUSPECT = "Suspect"
    CONFIRMED = "Confirmed"
    REJECTED = "Rejected"


class ObjectName(base.ApiModel):
    """An object by kind and name."""

    kind: ShortText = pydantic.Field(
        description="Kind of the object; empty for one outside a mirror's namespace."
    )
    namespace: ShortText = pydantic.Field("", description="Its namespace; empty for nodes.")
    name: ShortText = pydantic.Field(description="Name of the object.")


class EvidenceItem(base.ApiModel):
    """One reason for a suspicion."""

    kind: ShortText = pydantic.Field(description="What kind of observation it is.")
    message: LongText = pydantic.Field(description="A sentence, with its numbers.")
    at: types.LocalTime | None = pydantic.Field(None, description="When it was so.")


class SuspectItem(base.ApiModel):
    """An object with the change or fault that may be the cause."""

    object: ObjectName = pydantic.Field(description="The object.")
    cause_kind: CauseKind = pydantic.Field(
        CauseKind.UNKNOWN, description="What sort of cause it is."
    )
    field: Annotated[str, pydantic.Field(max_length=512)] = pydantic.Field(
        "", description="Path of the field that is wrong or that changed."
    )
    change: ShortText = pydantic.Field("", description="Name of the Change, if one is suspected.")
    changed_at: types.LocalTime | None = pydantic.Field(None, description="When it changed.")
    summary: LongText = pydantic.Field(description="The suspicion in one sentence.")
    score: float = pydantic.Field(ge=0, le=1, description="Weight among the suspects, 0 to 1.")
    confidence: Confidence = pydantic.Field(
        Confidence.LOW, description="How sure the diagnosis is."
    )
    mark: Mark = pydantic.Field(Mark.SUSPECT, description="What a person has said of it.")
    evidence: Annotated[list[EvidenceItem], pydantic.Field(max_length=8)] = pydantic.Field(
        default_factory=list, description="The reasons, strongest first."
    )


class MemberItem(base.ApiModel):
    """The alerts of one name on one object: what a person counts as one symptom."""

    object: ObjectName = pydantic.Field(description="The object that is sick.")
    name: ShortText = pydantic.Field(description="Name of the alert, finding or event.")
    source: ShortText = pydantic.Field("", description="Who told it.")
    first: types.LocalTime = pydantic.Field(description="When the first of them began.")
    count: int = pydantic.Field(1, ge=1, description="How many there were.")
    firing: int = pydantic.Field(0, ge=0, description="How many still fire.")
    message: LongText = pydantic.Field("", description="What it says.")
    why: LongText = pydantic.Field("", description="Why it is in this incident.")


class TimelineItem(base.ApiModel):
    """Something that happened, for the review."""

    at: types.LocalTime = pydantic.Field(description="When.")
    kind: ShortText = pydantic.Field(description="Alert, Change, Suspect, Remediation, State.")
    message: LongText = pydantic.Field(description="What happened.")


class IncidentSpec(base.ApiModel):
    """What does not change about an incident."""

    opened_at: types.LocalTime = pydantic.Field(description="When it was opened.")
    mirror: bool = pydantic.Field(
        default=False,
        description=(
            "True for the short copy in a namespace of an incident that reaches beyond it. It "
            "shows nothing of other namespaces."
        ),
    )


class IncidentStatus(base.ApiModel):
    """What is known of it."""

    state: State = pydantic.Field(State.OPEN, description="Where it stands.")
    severity: Severity = pydantic.Field(
        Severity.WARNING, description="How bad it is, by the tier of what is sick."
    )
    title: LongText = pydantic.Field("", description="The incident in one line.")
    started_at: types.LocalTime | None = pydantic.Field(
        None, description="When its first symptom began."
    )
    last_symptom_at: types.LocalTime | None = pydantic.Field(
        None, description="When its newest symptom began."
    )
    named_at: types.LocalTime | None = pydantic.Field(
        None, description="When its first suspect was named."
    )
    resolved_at: types.LocalTime | None = pydantic.Field(None, description="When it was resolved.")
    merged_into: ShortText = pydantic.Field("", description="The incident that took it in.")
    reopened: int = pydantic.Field(0, ge=0, description="How often it was opened again.")
    flaps: int = pydantic.Field(0, ge=0, description="How often a symptom ended and came back.")
    alerts: int = pydantic.Field(0, ge=0, description="Alerts, findings and events in it.")
    objects: int = pydantic.Field(0, ge=0, description="Objects that are sick.")
    namespaces: Annotated[list[ShortText], pydantic.Field(max_length=64)] = pydantic.Field(
        default_factory=list, description="Namespaces of what is sick."
    )
    suspect: LongText = pydantic.Field("", description="The first suspect, for people.")
    suspects: Annotated[list[SuspectItem], pydantic.Field(max_length=MOST_SUSPECTS)] = (
        pydantic.Field(default_factory=list, description="Likely causes, most likely first.")
    )
    ruled_out: Annotated[list[LongText], pydantic.Field(max_length=16)] = pydantic.Field(
        default_factory=list, description="What was looked at and is not suspected, and why."
    )
    members: Annotated[list[MemberItem], pydantic.Field(max_length=MOST_MEMBERS)] = pydantic.Field(
        default_factory=list, description="Symptoms; a sample when there are many."
    )
    unlisted: Annotated[str, pydantic.Field(max_length=20_480)] = pydantic.Field(
        "",
        description=(
            "Hashes of the symptoms that are not listed, of object and name: a restarted operator "
            "knows them by these, and policies that wait for the cause."
        ),
    )
    timeline: Annotated[list[TimelineItem], pydantic.Field(max_length=MOST_TIMELINE)] = (
        pydantic.Field(default_factory=list, description="What happened, oldest first.")
    )
    remediations: Annotated[list[ShortText], pydantic.Field(max_length=16)] = pydantic.Field(
        default_factory=list, description="Records of what was done, as NAMESPACE/NAME."
    )
    conditions: Annotated[list[condition_api.Condition], pydantic.Field(max_length=8)] = (
        pydantic.Field(
            default_factory=list,
            description="Diagnosed, Remediated and Confirmed, as far as there is something to say.",
        )
    )
