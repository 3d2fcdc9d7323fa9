"""Storms: many actions in a short time.  Nothing new is begun until it was calm for a while.

A storm begins with the action that makes so many within the window.  It goes on as long as the
gaps between further actions are shorter than the calm that ends it.  All of it follows from the
times of the actions in the ledger: nothing is kept beside them.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Storm:
    """A storm: how many actions began it, its newest one, and when it is over."""

    actions: int
    last: datetime.datetime
    over: datetime.datetime


def share(limit: int, percent: int) -> int:
    """How many of an hour's actions are a storm: the share, rounded up, and never a single one."""
    return max(2, -(-limit * percent // 100))


def newest(
    times: Sequence[datetime.datetime],
    most: int,
    window: datetime.timedelta,
    calm: datetime.timedelta,
) -> Storm | None:
    """The newest storm in the times of actions, oldest first; None without one.

    ``most`` actions within ``window`` are one.
    """
    found: Storm | None = None
    for index, at in enumerate(times):
        first = times[index - most + 1] if index >= most - 1 else None
        if first is not None and at - first <= window:
            found = Storm(most, at, at + calm)
        elif found is not None and at < found.over:
            found = Storm(found.actions, at, at + calm)
    return found
