"""What happened in an incident, in the order in which it was noticed; bounded, and never rewritten.

An item is told once.  In a long incident the first items and the newest are kept.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence

from prunella.api import incident as incident_api
from prunella.core import objects
from prunella.core.incidents import values, words

Item = incident_api.TimelineItem
FIRST_KEPT = 16


def added(before: Sequence[Item], new: Iterable[Item]) -> list[Item]:
    """The timeline with what is new in it, by time, at most `MOST_TIMELINE` items."""
    told = {(each.kind, each.message) for each in before}
    items = [*before]
    for each in new:
        if (each.kind, each.message) not in told:
            told.add((each.kind, each.message))
            items.append(each)
    items.sort(key=lambda each: each.at)
    most = incident_api.MOST_TIMELINE
    if len(items) <= most:
        return items
    return items[:FIRST_KEPT] + items[FIRST_KEPT - most :]


def moment(at: float) -> datetime.datetime:
    """Seconds since the epoch as a time."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def symptoms(members: Iterable[values.Member], since: float) -> Iterator[Item]:
    """One item for the symptoms of each namespace that began after a time, in seconds."""
    new: dict[str, list[values.Member]] = {}
    for each in members:
        if each.first > since:
            new.setdefault(each.target.namespace, []).append(each)
    for some in new.values():
        first = min(some, key=lambda each: each.first)
        names = words.some(dict.fromkeys(each.name for each in some))
        sick = words.some(dict.fromkeys(str(each.target) for each in some))
        yield Item(at=moment(first.first), kind="Alert", message=f"{names} on {sick}"[:2048])


def suspicion(items: Sequence[incident_api.SuspectItem], now: datetime.datetime) -> Iterator[Item]:
    """That the first suspect was named, and the change that it is suspected for."""
    if not items:
        return
    first = items[0]
    if first.changed_at is not None:
        yield Item(at=first.changed_at, kind="Change", message=first.summary)
    score = f"score {first.score:.2f}, confidence {first.confidence}"
    name = f"{first.object.kind}/{first.object.name}"
    if first.field:
        name += f" {words.short_field(first.field)}"
    yield Item(at=now, kind="Suspect", message=f"{name} is suspected first ({score})"[:2048])


def remediations(records: Iterable[objects.Record]) -> Iterator[Item]:
    """What was decided, and how it ended."""
    for each in records:
        what = f"{each.spec.action} of {each.target}"
        message = f"{each.name}: {what} was decided ({each.spec.mode})"
        yield Item(at=each.spec.decided_at, kind="Remediation", message=message)
        if each.status.finished_at is not None:
            ended = f"{each.name}: {what} ended as {each.phase}"
            yield Item(at=each.status.finished_at, kind="Remediation", message=ended)
