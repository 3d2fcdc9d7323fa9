"""Conditions as Flux and kstatus read them: Ready, Reconciling, Stalled."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Annotated, Literal

import pydantic

from prunella.api import base, types

READY, RECONCILING, STALLED, ESCALATED = "Ready", "Reconciling", "Stalled", "Escalated"
PAUSED = "Paused"
"""There only while the policy may begin no action, or not on all of its targets."""
CONDEMNED = "CondemnedRelease"
"""There only while a target runs a release that was proved bad before."""


class Condition(base.ApiModel):
    """One aspect of an object's state (KEP-1623)."""

    type: Annotated[str, pydantic.Field(max_length=63)] = pydantic.Field(
        description="Name of the aspect."
    )
    status: Literal["True", "False", "Unknown"] = pydantic.Field(description="Whether it holds.")
    reason: Annotated[str, pydantic.Field(max_length=128)] = pydantic.Field(
        description="One word that says why."
    )
    message: Annotated[str, pydantic.Field(max_length=2048)] = pydantic.Field(
        "", description="What happened, for people."
    )
    observed_generation: int = pydantic.Field(
        0, description="The generation of the spec that this is about."
    )
    last_transition_time: types.LocalTime = pydantic.Field(
        description="When the status last changed."
    )


def merge(old: Iterable[Condition], new: Iterable[Condition]) -> list[Condition]:
    """The new conditions, each keeping its old transition time if its status is the same."""
    before = {condition.type: condition for condition in old}
    return [_keep_time(before.get(condition.type), condition) for condition in new]


def _keep_time(old: Condition | None, new: Condition) -> Condition:
    if old is None or old.status != new.status:
        return new
    return new.model_copy(update={"last_transition_time": old.last_transition_time})


def condition(
    kind: str,
    *,
    status: bool | None,
    reason: str,
    message: str,
    generation: int,
    now: datetime.datetime,
) -> Condition:
    """A condition as of ``now``; ``status`` None means Unknown."""
    word: Literal["True", "False", "Unknown"] = "Unknown"
    if status is not None:
        word = "True" if status else "False"
    return Condition(
        type=kind,
        status=word,
        reason=reason,
        message=message[:2048],
        observed_generation=generation,
        last_transition_time=now,
    )
