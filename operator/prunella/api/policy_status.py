"""What the operator writes into a policy's status."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from prunella.api import base, types
from prunella.api import conditions as conditions_api
from prunella.api import trust as trust_api


class TargetCounts(base.ApiModel):
    """How many targets stand where."""

    selected: int = pydantic.Field(0, description="Targets that the selector finds.")
    healthy: int = pydantic.Field(0, description="Targets with all signals Healthy.")
    unhealthy: int = pydantic.Field(0, description="Targets with an Unhealthy signal.")
    unknown: int = pydantic.Field(0, description="Targets that can't be judged.")
    in_flight: int = pydantic.Field(0, description="Targets with an unfinished action.")


class TargetStatus(base.ApiModel):
    """One target that is not Healthy: what was seen and what is done about it."""

    name: base.ShortText = pydantic.Field(description="The target.")
    verdict: Literal["Healthy", "Unhealthy", "Unknown"] = pydantic.Field(
        description="The worst verdict of its signals."
    )
    reason: base.ShortText = pydantic.Field("", description="One word that says why.")
    message: base.LongText = pydantic.Field("", description="The values that were seen.")
    refused: base.ShortText = pydantic.Field("", description="Why nothing is done, one word.")
    refusal: base.LongText = pydantic.Field("", description="The numbers that were compared.")
    advice: base.LongText = pydantic.Field("", description="What would be, or is being, done.")
    since: types.LocalTime | None = pydantic.Field(
        None, description="When this verdict was first seen."
    )


class Latch(base.ApiModel):
    """A policy that has stopped itself until a person resumes it."""

    since: types.LocalTime = pydantic.Field(description="When it stopped.")
    message: base.LongText = pydantic.Field(description="Why, and how to go on.")


class Unattended(base.ApiModel):
    """A target that is sick while nothing is done about it."""

    name: base.ShortText = pydantic.Field(description="The target.")
    since: types.LocalTime = pydantic.Field(
        description="When an action was first refused while the target was Unhealthy."
    )
    refused: base.ShortText = pydantic.Field(description="Why nothing is done, one word.")
    refusal: base.LongText = pydantic.Field("", description="The numbers that were compared.")
    called_at: types.LocalTime | None = pydantic.Field(
        None, description="When a person was called; once until the target is Healthy again."
    )


class RemediationPolicyStatus(base.ApiModel):
    """What the operator sees and does for this policy."""

    observed_generation: int = pydantic.Field(
        0, description="The generation of the spec that this status is about."
    )
    conditions: Annotated[list[conditions_api.Condition], pydantic.Field(max_length=8)] = (
        pydantic.Field(
            default_factory=list,
            description=(
                "Ready, Reconciling and Stalled, as Flux writes them; Escalated while a person is "
                "wanted; CondemnedRelease while a target runs a release that was proved bad; "
                "Paused while people or windows let the policy begin no action."
            ),
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        )
    )
    targets: TargetCounts = pydantic.Field(
        default_factory=TargetCounts, description="How many targets stand where."
    )
    sick: Annotated[list[TargetStatus], pydantic.Field(max_length=20)] = pydantic.Field(
        default_factory=list, description="Targets that are not Healthy, worst first, at most 20."
    )
    unattended: Annotated[list[Unattended], pydantic.Field(max_length=20)] = pydantic.Field(
        default_factory=list,
        description=(
            "Targets that are sick while every action is refused, at most 20: those for whom a "
            "person was called first, then the longest. It ends when the target is Healthy."
        ),
    )
    latch: Latch | None = pydantic.Field(None, description="Set when the policy stopped itself.")
    effective_mode: base.ShortText = pydantic.Field(
        "",
        description=(
            "The mode that counts: the lowest of the policy's actions, after the install's limit, "
            "the namespace's ceiling and a demotion."
        ),
    )
    mode_limited_by: base.LongText = pydantic.Field(
        "", description="Why that is not the mode of the spec; empty when it is."
    )
    modes: Annotated[list[trust_api.ActionMode], pydantic.Field(max_length=8)] = pydantic.Field(
        default_factory=list,
        description="The mode of each action, where one of them is not that of the spec.",
    )
    trust: trust_api.Trust | None = pydantic.Field(
        None, description="What the policy's actions were worth so far."
    )
    last_action: base.ShortText = pydantic.Field("", description="The newest Remediation.")
    last_action_time: types.LocalTime | None = pydantic.Field(
        None, description="When the newest Remediation was created."
    )
