"""Earlier incidents that a person has judged: what they looked like, and what healed them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from prunella.api.incident import CauseKind
from prunella.core import model

ALIKE = 0.5
"""From which share of symptoms in common two incidents are called alike (Jaccard 1901)."""
CONFIRMED = 1.0
REJECTED = -1.5
"""Log-odds by a person's word on the same object in an incident alike."""


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """One suspect of an earlier incident that a person confirmed or rejected."""

    incident: str
    at: float
    target: model.Ref
    cause_kind: CauseKind
    confirmed: bool
    symptoms: frozenset[tuple[model.Ref, str]]
    """Objects and names of its alerts."""
    healed_by: str = ""
    """What was done and verified, in words; empty when it is not known."""


def alike(past: Past, symptoms: frozenset[tuple[model.Ref, str]]) -> float:
    """Share of symptoms that both have of those that either has."""
    both = len(past.symptoms & symptoms)
    return both / max(1, len(past.symptoms | symptoms))


def about(
    past: Iterable[Past], target: model.Ref, symptoms: frozenset[tuple[model.Ref, str]]
) -> Past | None:
    """The newest incident alike in which a person judged the same object."""
    some = [each for each in past if each.target == target and alike(each, symptoms) >= ALIKE]
    return max(some, key=lambda each: each.at, default=None)


def sentence(past: Past) -> str:
    """What was found then, and what helped."""
    day = f"{datetime.datetime.fromtimestamp(past.at, datetime.UTC):%Y-%m-%d}"
    word = "confirmed" if past.confirmed else "rejected"
    healed = f"; healed by {past.healed_by}" if past.healed_by else ""
    return f"{word} as the cause of {past.incident} on {day}, which had the same symptoms{healed}"
