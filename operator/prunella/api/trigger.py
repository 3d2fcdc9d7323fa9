"""What lets a policy act beside its signals: an incident that names its target as the cause."""

from __future__ import annotations

from typing import Annotated

import pydantic

from prunella.api import base, types
from prunella.api import incident as incident_api


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


class Trigger(base.ApiModel):
    """What lets the policy act. Its signals then only prove that the action has helped."""

    incident: IncidentTrigger = pydantic.Field(
        description="An open incident whose first suspect is the target."
    )
