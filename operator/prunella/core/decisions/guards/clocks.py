"""The guard of time itself: limits count hours, and a wrong clock counts wrong ones."""

from __future__ import annotations

import datetime
from typing import Final

from prunella.core import model
from prunella.core.decisions.guards.case import Answer, Case, Refused

MOST_APART: Final = datetime.timedelta(seconds=60)
"""An answer may be seconds on its way, and the API server tells its time in whole ones."""


def clock_agrees(case: Case) -> Answer:
    """A clock that jumps by an hour would forget what was done in it.

    The two clocks are compared as of one moment: a pass may last for longer than they may differ.
    """
    told, most = case.pause.server_time, MOST_APART.total_seconds()
    if case.pause.no_time:
        return model.Refusal(Refused.CLOCK_WRONG, case.pause.no_time)
    if told is None:
        return "there is no other clock to compare with"
    own = case.pause.own_time or case.now
    if case.now - own > MOST_APART:
        back = f"put back by {(case.now - own).total_seconds():.0f} s or more since the pass began"
        message = f"the operator's clock was {back}, the most is {most:.0f} s"
        return model.Refusal(Refused.CLOCK_WRONG, message)
    apart = (own - told).total_seconds()
    how = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the API server's"
    if abs(apart) > most:
        message = f"the operator's clock is {how}, the most is {most:.0f} s"
        return model.Refusal(Refused.CLOCK_WRONG, message)
    return f"the operator's clock is {how}"
