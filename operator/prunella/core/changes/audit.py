"""Which user made a change, by the API server's audit events.

An object tells no user, and of a deletion nothing at all.  An audit event names the user, the
object and the time of one request, and needs no body for it:
https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/

An event may come before or after the object's own news.  Events are kept for some minutes, each
is told of one Change at most, and where two users may have made a change none is named.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from prunella.api import change as change_api
from prunella.core.changes import summary
from prunella.core.changes.values import Change

SLACK: Final = 2.0
"""Seconds that an event and a change may lie apart: managedFields have whole seconds."""
KEEP_SECONDS: Final = 600.0
"""How long an event waits for its change: a missed watch is repaired by a list within it."""
MOST_WRITES: Final = 4_096
SKEW: Final = 300.0
"""Seconds that the API server's clock may be ahead."""
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"


class Write(NamedTuple):
    """One request that the API server has carried out. Times are seconds since the epoch."""

    id: str
    verb: change_api.Verb
    kind: str
    namespace: str
    name: str
    """Empty when a whole collection was deleted."""
    user: str
    manager: str
    """The field manager that the API server wrote down for the request."""
    begun: float
    done: float
    uid: str = ""
    version: int = 0
    """The object's resourceVersion after it; 0 when the event does not hold the answer."""
    on_version: int = 0
    """The resourceVersion that the request was made on; 0 when it named none."""


def is_timely(write: Write, now: float) -> bool:
    """Whether an event can still belong to a change that is not known, or not named yet."""
    return now - KEEP_SECONDS <= write.done <= now + SKEW


def maker(change: Change, writes: Iterable[Write]) -> Write | None:
    """The write that made a change; None when there is none, or it may be one of several users'."""
    possible = [each for each in writes if _may(each, change)]
    exact = [each for each in possible if _is_exact(each, change)]
    found = exact or [each for each in possible if _is_near(each, change)]
    if change.spec.verb is change_api.Verb.DELETED:
        return max(found, key=lambda each: (bool(each.name), each.done), default=None)
    users = {each.user for each in found}
    return found[-1] if len(users) == 1 else None


def _may(write: Write, change: Change) -> bool:
    """Whether nothing speaks against it: object, verb, field manager, order of versions."""
    spec = change.spec
    deleted = spec.verb is change_api.Verb.DELETED
    target = spec.object
    if (write.verb, write.kind, write.namespace) != (spec.verb, target.kind, target.namespace):
        return False
    if write.name != target.name and (write.name or not deleted):
        return False
    if write.uid and target.uid and write.uid != target.uid:
        return False
    if spec.by.manager and write.manager and spec.by.manager != write.manager:
        return False
    version = _version(change)
    return deleted or not version or (write.version <= version and write.on_version < version)


def _is_exact(write: Write, change: Change) -> bool:
    """Whether versions, or for a deletion the UID, leave no doubt."""
    if change.spec.verb is change_api.Verb.DELETED:
        return bool(write.uid)
    return 0 < write.version == _version(change)


def _is_near(write: Write, change: Change) -> bool:
    """By time. What is deleted may be gone only after its finalizers, or be found by a list."""
    at = change.at.timestamp()
    if change.spec.verb is change_api.Verb.DELETED:
        return write.begun <= at + SLACK
    return write.begun - SLACK <= at <= write.done + SLACK


def _version(change: Change) -> int:
    text = change.spec.resource_version
    return int(text) if text.isdecimal() else 0


def attributed(by: change_api.Author, user: str, own_user: str) -> change_api.Author:
    """An author with the user.

    ``own_user`` is the operator's, where it is known.  A service account is the operator's alone:
    then the user says whether a change is its own, and not the field manager, which anybody can
    choose.
    """
    own = user == own_user if own_user.startswith(_SERVICE_ACCOUNT) else by.own
    return by.model_copy(update={"user": user[:253], "own": own})


def written_by(spec: change_api.ChangeSpec, by: change_api.Author) -> change_api.ChangeSpec:
    """A spec that is not written yet, by an author who is known better."""
    told = summary.attributed(spec.summary, spec.by, by)
    return spec.model_copy(update={"by": by, "summary": told[:2048]})


class Writes:
    """The writes of the last minutes, as many as ``limit``, oldest forgotten first."""

    def __init__(self, limit: int = MOST_WRITES) -> None:
        self._limit = limit
        self._kept: collections.OrderedDict[str, Write] = collections.OrderedDict()
        self._told: dict[str, str] = {}
        """Names of the Changes that writes were told of, by the id of the write."""

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, writes: Sequence[Write], now: float) -> list[Write]:
        """Remember writes; returns those that are new. The same event twice is one."""
        new = [each for each in writes if each.id not in self._kept and is_timely(each, now)]
        self._kept.update((each.id, each) for each in new)
        self._forget(now)
        return new

    def user(self, change: Change) -> str:
        """Who made a change, or nothing; what is told once is told of no other Change."""
        if change.spec.class_ is change_api.Class.EXTERNAL:
            return ""
        told = self._told
        free = (e for e in self._kept.values() if told.get(e.id, change.name) == change.name)
        found = maker(change, free)
        if found is None:
            return ""
        if found.name:
            self._told[found.id] = change.name
        return found.user

    def _forget(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) <= self._limit and is_timely(oldest, now):
                return
            del self._kept[oldest.id]
            self._told.pop(oldest.id, None)


def unnamed(changes: Iterable[Change], writes: Collection[Write]) -> list[Change]:
    """The changes without a user that one of some writes may have made."""
    return [
        change
        for change in changes
        if not change.by.user and any(_may(each, change) for each in writes)
    ]
