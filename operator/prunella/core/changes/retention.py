"""Which Changes may go: the old ones, and those of which an object has too many."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol, TypeVar

from prunella.api import change as change_api
from prunella.core import model


class Filed(Protocol):
    """What retention looks at of a Change."""

    @property
    def name(self) -> str:
        """The name of the Change."""

    @property
    def at(self) -> datetime.datetime:
        """When the object changed."""

    @property
    def object(self) -> model.Ref:
        """The object that changed."""

    @property
    def object_uid(self) -> str:
        """Its UID."""

    @property
    def class_(self) -> change_api.Class:
        """What sort of change it is."""

    @property
    def incidents(self) -> Collection[str]:
        """Open incidents that refer to it."""


F = TypeVar("F", bound=Filed)


@dataclasses.dataclass(frozen=True, slots=True)
class Retention:
    """How much of the journal is kept."""

    age: datetime.timedelta = datetime.timedelta(days=7)
    per_object: int = 20
    """Newest Changes of one object and class: an autoscaler's never push out a person's."""
    total: int = 10_000
    """Newest Changes of all objects."""


def expired(changes: Iterable[F], now: datetime.datetime, retention: Retention) -> Iterator[F]:
    """The Changes that are to be deleted, newest first.

    One that an open incident refers to stays, whatever its age.
    """
    seen: Counter[object] = Counter()
    total = 0
    for change in sorted(changes, key=lambda each: (each.at, each.name), reverse=True):
        total += 1
        key = (change.object_uid or change.object, change.class_)
        seen[key] += 1
        old = now - change.at > retention.age
        if change.incidents or not (
            old or seen[key] > retention.per_object or total > retention.total
        ):
            continue
        yield change
