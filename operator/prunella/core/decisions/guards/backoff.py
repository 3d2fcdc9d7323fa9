"""The guard of repeated attempts: what did not help a target is tried less and less often."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused


def backed_off(case: Case) -> Answer:
    """The cooldown of a target doubles with each attempt in a row that did not help.

    Attempts of all policies count, from the ledger alone, so a restart forgets nothing.
    """
    if case.follows is not None:
        return f"follows {case.follows.name}"
    resumed = ledger.resumed_at(case.policy)
    failed = failed_in_a_row(case.others, case.target, resumed)
    if not failed:
        return f"no attempt on {case.target} failed since the last that helped"
    guards = case.spec.guards
    cooldown = datetime.timedelta(seconds=guards.cooldown.total_seconds())
    most = min(datetime.timedelta(seconds=guards.max_cooldown.total_seconds()), ledger.DAY)
    needed = grown(cooldown, len(failed), most).total_seconds()
    last = failed[-1]
    ago = (case.now - last.spec.decided_at).total_seconds()
    message = (
        f"{len(failed)} attempts on {case.target} in a row did not help; the last, {last.name}, "
        f"was {ago:.0f} s ago, the cooldown of {cooldown.total_seconds():.0f} s has grown to "
        f"{needed:.0f} s"
    )
    over = last.spec.decided_at + datetime.timedelta(seconds=needed)
    return model.Refusal(Refused.BACKOFF, message, until=over) if ago < needed else message


def grown(
    cooldown: datetime.timedelta, failures: int, most: datetime.timedelta
) -> datetime.timedelta:
    """The cooldown after so many failures: doubled by each, up to ``most``, never shortened."""
    bound = max(cooldown, most)
    doublings = min(failures, 30)  # 2**30 s are 34 years: no bound is larger.
    factor: int = 2**doublings
    return min(cooldown * factor, bound)


def failed_in_a_row(
    records: Sequence[objects.Record], target: model.Ref, resumed: datetime.datetime | None
) -> list[objects.Record]:
    """A target's attempts since the last that helped, or since a person resumed, oldest first."""
    own = [
        record
        for record in records
        if record.target == target
        and record.acted
        and record.phase.final
        and record.spec.action not in ledger.TAKES_BACK
        and record.status.reason != ledger.REQUESTED
        and (resumed is None or record.finished_or_decided_at > resumed)
    ]
    own.sort(key=lambda record: record.spec.decided_at)
    streak: list[objects.Record] = []
    for record in own:
        if record.phase is reasons.Phase.SUCCEEDED:
            streak = []
        elif record.phase in reasons.UNHELPFUL:
            streak.append(record)
    return streak
