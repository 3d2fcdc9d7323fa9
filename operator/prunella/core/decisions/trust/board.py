"""Counting what a policy's actions were worth, each Remediation once.

A count and the record's name (``counting``) go into the policy's status in one write, which the API
server refuses if the status has changed since it was read.  Then the record gets its mark, and its
name leaves the list.  A crash at any point repeats at most the mark.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prunella.api import trust
from prunella.core import model, objects
from prunella.core.decisions.trust import judging, ladder, streaks

PERIOD: Final = datetime.timedelta(days=30)
KEPT: Final = datetime.timedelta(days=180)
"""How long a period is kept after its end."""
_EPOCH: Final = datetime.datetime.fromtimestamp(0, tz=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What one pass knows of a policy and its records."""

    policy: objects.Policy
    own: Sequence[objects.Record]
    """The policy's records."""
    verdicts: Mapping[model.Ref, model.Verdict]
    workloads: Mapping[model.Ref, model.Workload]
    within: datetime.timedelta
    """The policy's ``verify.within``."""
    actions: Sequence[str]
    """The actions of its steps."""
    now: datetime.datetime
    resumed: datetime.datetime | None
    """When a person last resumed the policy."""
    limits: streaks.Limits


def fold(facts: Facts) -> trust.Trust | None:
    """The scoreboard with what has ended since; None while there is nothing to tell."""
    before = facts.policy.status.trust or trust.Trust()
    waiting = unmarked(facts.policy, facts.own)
    room = trust.MOST_COUNTING - len(waiting)
    counted = _counted(facts, before)[: max(0, room)]
    scores = _add(_kept(before.scores, facts.now), counted)
    recent = streaks.append(before.recent, counted)
    after = before.model_copy(
        update={
            "scores": scores,
            "recent": recent,
            "counting": [*(r.name for r in waiting), *(each.record.name for each in counted)],
            "demoted": streaks.demotion(
                before.demoted, recent, facts.policy.key, facts.resumed, facts.limits, facts.now
            ),
        }
    )
    if after == trust.Trust():
        return None
    earned = ladder.recommend(facts.actions, scores)
    return after.model_copy(update={"recommended": earned.mode, "recommendation": earned.because})


def unmarked(policy: objects.Policy, own: Iterable[objects.Record]) -> list[objects.Record]:
    """The records that the status says are counted, and that do not bear their mark."""
    told = policy.status.trust
    names = set(told.counting) if told is not None else set()
    return [r for r in own if r.name in names and r.status.counted_for != policy.uid]


def _counted(facts: Facts, before: trust.Trust) -> list[judging.Counted]:
    """What has ended and was not counted, oldest first.

    A policy that was deleted and created again has another UID: what is left of its records is
    counted anew, so that a demotion does not end with it.
    """
    by_name = {record.name: record for record in facts.own}
    fresh = [
        record
        for record in facts.own
        if record.phase.final
        and record.status.counted_for != facts.policy.uid
        and record.name not in before.counting
    ]
    fresh.sort(key=lambda record: (record.finished_or_decided_at, record.name))
    found = []
    for record in fresh:
        around = judging.Around(
            verdict=facts.verdicts.get(record.target),
            workload=facts.workloads.get(record.target),
            follows=by_name.get(record.spec.follows),
            within=facts.within,
            now=facts.now,
        )
        if (counted := judging.judge(record, around)) is not None:
            found.append(counted)
    return found


def _kept(scores: Iterable[trust.Score], now: datetime.datetime) -> list[trust.Score]:
    return [score for score in scores if now - (score.since + PERIOD) <= KEPT]


def _add(scores: Sequence[trust.Score], counted: Iterable[judging.Counted]) -> list[trust.Score]:
    """The scores with each outcome in its period; of too many the oldest go."""
    found = {(score.since, score.action): score for score in scores}
    for each in counted:
        since = period(each.at)
        for outcome in each.outcomes:
            key = since, each.action
            score = found.get(key) or trust.Score(action=each.action, since=since)
            field = outcome.value
            found[key] = score.model_copy(update={field: getattr(score, field) + 1})
    return [found[key] for key in sorted(found)][-trust.MOST_SCORES :]


def period(at: datetime.datetime) -> datetime.datetime:
    """The beginning of the period that a time lies in."""
    return _EPOCH + (at - _EPOCH) // PERIOD * PERIOD
