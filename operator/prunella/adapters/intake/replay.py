"""Notifications that were taken in before: repeats are harmless, old ones are refused.

Alertmanager repeats a group whenever it changes, and again after its ``repeat_interval``; a lost
answer makes it send the same body again.  Somebody who has recorded a body can send it, too: what
it tells has long ended, and nothing may begin by it.
"""

from __future__ import annotations

import enum
from collections import OrderedDict

from prunella.adapters.intake.told import Told

SKEW = 300.0
"""Seconds that the clocks of Alertmanager and the operator may differ."""


class Seen(enum.StrEnum):
    """How a notification relates to what was taken in before."""

    NEW = "new"
    REPEATED = "repeated"
    STALE = "stale"


class Memory:
    """The newest notification of each alert, as many as ``limit``, oldest forgotten first."""

    def __init__(self, oldest: float, refresh: float, limit: int) -> None:
        """``oldest``: seconds since its end after which an alert's end is no news.

        ``refresh``: seconds after which a repeat is passed on, as a sign of life.
        """
        self._oldest, self._refresh, self._limit = oldest, refresh, limit
        self._newest: OrderedDict[int, tuple[float, bool, float]] = OrderedDict()
        # By hash, which nobody outside can choose: the labels would take ten times the memory.

    def judge(self, told: Told) -> Seen:
        """Whether a notification is news. Nothing is remembered by it."""
        now = told.received
        if told.starts_at > now + SKEW:
            return Seen.STALE
        if told.ended_at is not None and now - told.ended_at > self._oldest:
            return Seen.STALE
        known = self._newest.get(hash((told.name, told.labels)))
        if known is None:
            return Seen.NEW
        starts_at, firing, passed_on = known
        if told.starts_at < starts_at or (told.starts_at == starts_at and told.firing > firing):
            return Seen.STALE
        same = (told.starts_at, told.firing) == (starts_at, firing)
        return Seen.REPEATED if same and now - passed_on < self._refresh else Seen.NEW

    def remember(self, told: Told) -> None:
        """Take note of a notification that was passed on."""
        key = hash((told.name, told.labels))
        self._newest[key] = (told.starts_at, told.firing, told.received)
        self._newest.move_to_end(key)
        while len(self._newest) > self._limit:
            self._newest.popitem(last=False)
