"""Earlier incidents that a person has judged: what they looked like, and what healed them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import values

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
    cause_kind: incident_api.CauseKind
    confirmed: bool
    symptoms: frozenset[tuple[model.Ref, str]]
    """Objects and names of its alerts."""
    healed_by: str = ""
    """What was done and verified, in words; empty when it is not known."""


def of(records: Iterable[values.Record]) -> tuple[Past, ...]:
    """The suspects of earlier incidents that a person has marked."""
    return tuple(
        Past(
            record.name,
            at.timestamp(),
            _ref(each.object),
            each.cause_kind,
            each.mark is incident_api.Mark.CONFIRMED,
            frozenset((_ref(one.object), one.name) for one in record.status.members),
            ", ".join(record.status.remediations),
        )
        for record in records
        for each in record.status.suspects
        if each.mark is not incident_api.Mark.SUSPECT
        and (at := record.status.started_at or record.spec.opened_at) is not None
    )


def _ref(named: incident_api.ObjectName) -> model.Ref:
    return model.Ref(named.kind, named.namespace, named.name)


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
