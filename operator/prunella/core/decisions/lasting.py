"""What others disrupt and what has not moved for long: a state by now, and no disruption.

A rollout that waits for a lost node, a node that stays cordoned for days, a PodDisruptionBudget
of what is sick for good: without an end of their own they would fill the budgets for ever.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from prunella.core import disruptions, model
from prunella.core.decisions import others_at_work
from prunella.core.signals import onsets


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """Something that was seen without a break: since when it has shown no new numbers."""

    marks: frozenset[tuple[int, ...]]
    """All that it has shown. What flaps shows the same again, and does not move."""
    moved: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What one look leaves for the next."""

    releases: Mapping[str, onsets.Release] = dataclasses.field(default_factory=dict)
    """By the workload's UID."""
    sights: Mapping[disruptions.Place, Sight] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What one look has seen, for a target in one namespace."""

    namespace: str
    workloads: tuple[model.Workload, ...]
    others: tuple[disruptions.Disruption, ...]
    """Without rollouts: nothing is known of those in namespaces that are not the target's."""


def remember(
    before: Memory, around: Around, now: datetime.datetime, patience: datetime.timedelta
) -> Memory:
    """The memory after a look. What is seen first is taken to have moved just now."""
    releases = {
        each.uid: onsets.released(before.releases.get(each.uid), each, now, patience)
        for each in around.workloads
    }
    asked = {"", around.namespace}
    kept = {place: each for place, each in before.sights.items() if place[1] not in asked}
    seen = {each.place: _seen(before.sights.get(each.place), each, now) for each in around.others}
    return Memory(releases, kept | seen)


def _seen(before: Sight | None, other: disruptions.Disruption, now: datetime.datetime) -> Sight:
    if before is None:
        return Sight(frozenset({other.mark}), now)
    if other.mark in before.marks:
        return before
    return Sight(before.marks | {other.mark}, now)


def told(
    memory: Memory, around: Around, now: datetime.datetime, patience: datetime.timedelta
) -> tuple[disruptions.Disruption, ...]:
    """All that others disrupt; what has not moved for longer than the patience is stale."""
    moving = [each for each in around.workloads if memory.releases[each.uid].stuck is None]
    others = (
        dataclasses.replace(each, stale=now - _since(each, memory, now) > patience)
        if not each.ends
        else each
        for each in around.others
    )
    return (*others_at_work.rollouts(moving), *others)


def _since(
    other: disruptions.Disruption, memory: Memory, now: datetime.datetime
) -> datetime.datetime:
    """By its own word; without one, or with one of the future, by what was seen."""
    if other.at is not None and other.at <= now:
        return other.at
    return memory.sights[other.place].moved
