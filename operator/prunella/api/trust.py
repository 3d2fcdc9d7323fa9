"""Earned trust: the risk class of an action, and what a policy's actions were worth.

The scoreboard is a part of the policy's status.  It outlives the Remediations that it counts.
"""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types

MOST_COUNTING = 32
"""Records that may be counted before their marks are written."""
MOST_RECENT = 20
MOST_SCORES = 64
Count = Annotated[int, pydantic.Field(ge=0)]


class Risk(enum.StrEnum):
    """How much an action can do wrong."""

    READ = "read"
    """It changes nothing."""
    LOW = "low"
    """It repeats what the cluster's own controllers do, or changes a number or a switch of the
    target that is put back when it does not help."""
    HIGH = "high"
    """It changes what is deployed or what others rely on, or nothing can take it back."""


class Score(base.ApiModel):
    """What one action was worth in one period of 30 days."""

    action: base.ShortText = pydantic.Field(description="Name of the action.")
    since: types.LocalTime = pydantic.Field(description="When the period began.")
    needed: Count = pydantic.Field(
        0, description="Advised, and the target was still sick after verify.within."
    )
    needless: Count = pydantic.Field(
        0,
        description=(
            "Advised or waiting for approval, and the target recovered by itself within "
            "verify.within."
        ),
    )
    approved: Count = pydantic.Field(0, description="Approved by a person, and sent.")
    rejected: Count = pydantic.Field(0, description="Rejected by a person.")
    expired: Count = pydantic.Field(0, description="Nobody decided in time.")
    effective: Count = pydantic.Field(0, description="Sent, and proved to have helped.")
    not_better: Count = pydantic.Field(
        0, description="Sent, and not proved to have helped: a false step."
    )
    reverted: Count = pydantic.Field(0, description="Undone by the policy itself.")
    unsettled: Count = pydantic.Field(0, description="Nobody knows whether it was carried out.")


class ActionMode(base.ApiModel):
    """How far one action of a policy may go."""

    action: base.ShortText = pydantic.Field(description="Name of the action.")
    risk: Risk = pydantic.Field(description="Its risk class: read, low or high.")
    mode: base.ShortText = pydantic.Field(description="The mode that counts for it.")
    limited_by: base.LongText = pydantic.Field(
        "", description="Why that is not the mode of the spec; empty when it is."
    )


class Judged(base.ApiModel):
    """One of the newest actions, and what became of it."""

    at: types.LocalTime = pydantic.Field(description="When it ended.")
    remediation: base.ShortText = pydantic.Field(description="Name of the Remediation.")
    outcome: base.ShortText = pydantic.Field(
        description="Effective, NotBetter, Unsettled, Approved or Rejected."
    )


class Demotion(base.ApiModel):
    """Why the policy acts as Advise, whatever its spec says."""

    since: types.LocalTime = pydantic.Field(description="When it was demoted.")
    message: base.LongText = pydantic.Field(
        description="The numbers that were compared, and how to go on."
    )


class Trust(base.ApiModel):
    """What the policy's actions were worth so far."""

    scores: Annotated[list[Score], pydantic.Field(max_length=MOST_SCORES)] = pydantic.Field(
        default_factory=list,
        description=(
            "Counts of each action in periods of 30 days, oldest first; kept for 180 days, "
            "however short the Remediations are kept."
        ),
    )
    recent: Annotated[list[Judged], pydantic.Field(max_length=MOST_RECENT)] = pydantic.Field(
        default_factory=list,
        description="The newest actions that were judged, oldest first; a bad streak demotes.",
    )
    counting: Annotated[list[base.ShortText], pydantic.Field(max_length=MOST_COUNTING)] = (
        pydantic.Field(
            default_factory=list,
            description="Remediations that are counted above and do not bear their mark yet.",
        )
    )
    demoted: Demotion | None = pydantic.Field(
        None, description="Set when a bad streak made the policy act as Advise."
    )
    recommended: base.ShortText = pydantic.Field(
        "", description="The mode that the counts support; nothing changes it but a person."
    )
    recommendation: base.LongText = pydantic.Field(
        "", description="The numbers behind the recommended mode."
    )
