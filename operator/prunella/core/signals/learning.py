"""What a detector that looks back is to the rest of the core: a memory that is fed and asked.

It is fed with answers to range queries, grid point after grid point, and asked for a judgement
of each target as of the newest one.  All of it can be lost: it is fed anew from the source.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from prunella.core import model
from prunella.core.signals import history


class Bad(enum.Enum):
    """Which values are the bad ones."""

    HIGH = 1
    LOW = -1
    BOTH = 0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A target's values on the grid, NaN where there is none; what is known of the last one."""

    values: history.Floats
    mapped_by: str = ""
    pod: str = ""
    """The pod whose value the last one is; empty for the workload as a whole."""
    doubled: bool = False
    """At the last point several series are about the same thing: none of them is believed."""
    counted: float = math.inf
    """Of a ratio: events at the last point."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """A detector's answer about one target, with the value that it is about."""

    judgement: model.Judgement
    value: float | None = None
    mapped_by: str = ""
    pod: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """The newest rollout of a target: when it began and was complete, in Unix seconds."""

    begun: float
    settled: float | None
    """None while it is under way."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """The answers to one stretch, joined to targets, by role."""

    times: history.Floats
    rows: Mapping[str, Mapping[model.Ref, Row]]
    common: Mapping[str, history.Floats]
    """By role, a series that is for all targets."""


class Learner(Protocol):
    """The memory of one signal."""

    bad: Bad

    def wanted(self, targets: Collection[model.Ref], now: float) -> history.Span | None:
        """The stretch that is missing as of now; None when nothing is."""

    def learn(self, targets: Collection[model.Ref], lesson: Lesson) -> Iterator[None]:
        """Take in the next piece of the stretch. It yields now and then, to let others run."""

    def judge(self, target: model.Ref, rollout: Rollout | None) -> Judged | None:
        """The judgement as of the newest grid point; None for a target without any series."""


ROLLOUT_SEEN_LATE = 600.0
"""Seconds before its end at which a rollout is taken to have begun, where nobody saw it begin."""


def told_rollout(settled_at: datetime.datetime | None) -> Rollout | None:
    """A rollout that nobody watched, by the time at which it was complete."""
    if settled_at is None:
        return None
    settled = settled_at.timestamp()
    return Rollout(settled - ROLLOUT_SEEN_LATE, settled)
