"""The guard of time itself: limits count hours, and a wrong clock counts wrong ones."""

from __future__ import annotations

import datetime
from typing import Final

from prunella.core import model
from prunella.core.decisions.guards.case import Answer, Case, Refused

MOST_APART: Final = datetime.timedelta(seconds=60)
"""A pass may last for seconds, and the API server tells its time in whole ones."""


def clock_agrees(case: Case) -> Answer:
    """A clock that jumps by an hour would forget what was done in it."""
    told, most = case.pause.server_time, MOST_APART.total_seconds()
    if told is None:
        return "there is no other clock to compare with"
    apart = (case.now - told).total_seconds()
    how = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the API server's"
    if abs(apart) > most:
        message = f"the operator's clock is {how}, the most is {most:.0f} s"
        return model.Refusal(Refused.CLOCK_WRONG, message)
    return f"the operator's clock is {how}"
