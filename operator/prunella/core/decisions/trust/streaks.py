"""Demotion: after a bad streak a policy acts as Advise until a person resumes it.

The latch stops a policy after some actions in a row that did not help.  A streak here is wider: so
many of the last ones, whatever helped between them, or so many rejections in a row.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from prunella.api import trust
from prunella.core import objects
from prunella.core.decisions.trust.judging import Counted, Outcome

_WORDS: Final = {
    Outcome.EFFECTIVE: "Effective",
    Outcome.NOT_BETTER: "NotBetter",
    Outcome.UNSETTLED: "Unsettled",
    Outcome.REJECTED: "Rejected",
    Outcome.APPROVED: "Approved",
}
_BAD: Final = frozenset({"NotBetter", "Unsettled"})
_JUDGED: Final = _BAD | {"Effective"}


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """When a streak is bad."""

    bad: int = 5
    """So many that did not help..."""
    of: int = 10
    """...of so many."""
    rejections: int = 3
    """So many rejections in a row."""


def append(recent: Sequence[trust.Judged], counted: Iterable[Counted]) -> list[trust.Judged]:
    """The newest actions that were judged, oldest first."""
    fresh = []
    for each in counted:
        words = [_WORDS[outcome] for outcome in each.outcomes if outcome in _WORDS]
        if words:
            fresh.append(trust.Judged(at=each.at, remediation=each.record.name, outcome=words[-1]))
    both = sorted([*recent, *fresh], key=lambda judged: judged.at)
    return both[-trust.MOST_RECENT :]


def demotion(
    before: trust.Demotion | None,
    recent: Sequence[trust.Judged],
    policy: objects.Key,
    resumed: datetime.datetime | None,
    limits: Limits,
    now: datetime.datetime,
) -> trust.Demotion | None:
    """The demotion that is in force. Once it is, only a person ends it."""
    if before is not None and (resumed is None or resumed <= before.since):
        return before
    since = [each for each in recent if resumed is None or each.at > resumed]
    why = _rejected(since, limits) or _bad(since, limits)
    if not why:
        return None
    resume = f"prunella resume {policy.argument}"
    return trust.Demotion(since=now, message=f"{why}: it acts as Advise until `{resume}`")


def _bad(recent: Sequence[trust.Judged], limits: Limits) -> str:
    last = [each for each in recent if each.outcome in _JUDGED][-limits.of :]
    bad = [each for each in last if each.outcome in _BAD]
    if len(bad) < limits.bad:
        return ""
    names = ", ".join(each.remediation for each in bad[-3:])
    return (
        f"{len(bad)} of the last {len(last)} actions did not help (at last {names}), "
        f"the limit is {limits.bad} of {limits.of}"
    )


def _rejected(recent: Sequence[trust.Judged], limits: Limits) -> str:
    row = list(itertools.takewhile(lambda each: each.outcome == "Rejected", reversed(recent)))
    if len(row) < limits.rejections:
        return ""
    names = ", ".join(each.remediation for each in row[:3])
    return (
        f"{len(row)} proposals in a row were rejected ({names}), the limit is {limits.rejections}"
    )
