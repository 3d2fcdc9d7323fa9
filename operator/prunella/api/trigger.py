"""What lets a policy act beside its signals: an incident that names its target as the cause."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types
from prunella.api import incident as incident_api


class Symptoms(enum.StrEnum):
    """Where what is sick may be, for an object to be restored."""

    TARGET = "Target"
    ANYWHERE = "Anywhere"


class IncidentTrigger(base.ApiModel):
    """Which open incidents are a reason to act: those whose first suspect is the target."""

    cause_kind: Annotated[
        list[incident_api.CauseKind], pydantic.Field(min_length=1, max_length=16)
    ] = pydantic.Field(
        description="Kinds of cause for which the policy has a remedy, such as Release.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    confidence: incident_api.Confidence = pydantic.Field(
        incident_api.Confidence.HIGH,
        description="How sure the diagnosis must be at least. What a person confirmed is sure.",
    )
    change_within: types.Duration | None = pydantic.Field(
        None,
        description=(
            "The suspected change must lie within this time before the incident's first symptom. "
            "Default: any cause, also one without a change."
        ),
    )
    symptoms: Symptoms = pydantic.Field(
        Symptoms.TARGET,
        description=(
            "For a restore. Target: the target is sick in the incident. Anywhere: what is sick "
            "may also be in other namespaces, if the suspected object is in the policy's own; "
            "then a target leads that depends on that object, or that the sick ones call, and "
            "only while the policy's own signals say that it is Unhealthy: they are the proof."
        ),
    )

    @property
    def anywhere(self) -> bool:
        """Whether what is sick may be in other namespaces."""
        return self.symptoms is Symptoms.ANYWHERE


class Trigger(base.ApiModel):
    """What lets the policy act. Its signals then only prove that the action has helped."""

    incident: IncidentTrigger = pydantic.Field(
        description="An open incident whose first suspect is the target."
    )
