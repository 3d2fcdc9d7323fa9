"""What is being disrupted, by whom: values that a close look brings and that budgets judge."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final

Place = tuple[str, str, str]
"""Kind, namespace (empty: cluster-wide) and name; a `model.Ref` is equal to one."""
OVERRIDE: Final = "prunella.dev/max-disruptions"
"""Annotation on a Namespace: its own budget, a number or a share such as ``30%``."""
LEASE: Final = "prunella-disruptions"
"""The Lease in the operator's namespace that holds the units that were taken."""
TAKEN: Final = "prunella.dev/disruptions"
"""The annotation on it: a list of units as JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disruption:
    """Something that somebody else is disrupting."""

    place: Place
    why: str
    covers: frozenset[Place] = frozenset()
    """The workloads that it speaks of, where it is not one itself: they are not counted twice."""
    mark: tuple[int, ...] = ()
    """Its numbers: they change while it moves."""
    at: datetime.datetime | None = None
    """Since when, where it tells that itself."""
    ends: bool = False
    """It says itself when it is over."""
    stale: bool = False
    """It has not moved for so long that it counts no more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """One unit of the budgets, taken for a Remediation."""

    namespace: str
    record: str
    place: Place
    """The target."""
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at one moment, for a target in one namespace."""

    others: tuple[Disruption, ...] = ()
    taken: tuple[Unit, ...] = ()
    version: str = ""
    """The resourceVersion under which units are taken."""
    workloads: int = 0
    """Workloads of the namespace that want pods."""
    workloads_of_all: int = 0
    override: str | None = None
    """The Namespace's own budget as it is written; None: it has none."""
    problem: str = ""
    """Why it can't be known; empty: it is."""
