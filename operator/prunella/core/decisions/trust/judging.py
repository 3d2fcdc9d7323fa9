"""What one ended Remediation says of its action."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Final

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger

Phase = reasons.Phase


class Outcome(enum.StrEnum):
    """What is counted, by the field of a score."""

    NEEDED = "needed"
    NEEDLESS = "needless"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EFFECTIVE = "effective"
    NOT_BETTER = "not_better"
    REVERTED = "reverted"
    UNSETTLED = "unsettled"


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """One record, the action that it speaks of, and what it says; it may say nothing."""

    record: objects.Record
    action: str
    outcomes: tuple[Outcome, ...]

    @property
    def at(self) -> datetime.datetime:
        """When it ended."""
        return self.record.finished_or_decided_at


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the record."""

    verdict: model.Verdict | None
    """Of its target, now; None: it is no target any more."""
    workload: model.Workload | None
    follows: objects.Record | None
    within: datetime.timedelta
    now: datetime.datetime


RECOVERED: Final = "RecoveredByItself"
"""Reason of a proposal whose target was Healthy before anybody decided (`approvals`)."""
_ADVISED: Final = frozenset({Phase.ADVISED, Phase.DRY_RUN})
_SENT: Final[Mapping[Phase, tuple[Outcome, ...]]] = {
    Phase.SUCCEEDED: (Outcome.EFFECTIVE,),
    Phase.UNHELPFUL: (Outcome.NOT_BETTER,),
    Phase.UNPROVEN: (Outcome.NOT_BETTER,),
    Phase.FAILED: (Outcome.NOT_BETTER,),
    Phase.UNKNOWN: (Outcome.UNSETTLED,),
    Phase.SUPERSEDED: (),
}
"""What was sent; somebody else's later edit says nothing of the action."""


def judge(record: objects.Record, around: Around) -> Counted | None:
    """What a record says; None while that can't be told, and when it never says anything."""
    if not record.phase.final or record.phase is Phase.NOT_SENT:
        return None
    if record.spec.action == ledger.REVERT:
        return _undone(record, around)
    phase = record.phase
    found: tuple[Outcome, ...] | None
    if phase in _ADVISED:
        found = _advised(record, around)
    elif phase in {Phase.REJECTED, Phase.EXPIRED}:
        found = _not_approved(record, around)
    else:
        found = _sent(record)
    return None if found is None else Counted(record, record.spec.action, found)


def _undone(record: objects.Record, around: Around) -> Counted:
    """A revert speaks of the action that it has undone."""
    done = record.phase is Phase.SUCCEEDED and around.follows is not None
    if not done or around.follows is None:
        return Counted(record, record.spec.action, ())
    return Counted(record, around.follows.spec.action, (Outcome.REVERTED,))


def _advised(record: objects.Record, around: Around) -> tuple[Outcome, ...] | None:
    """Whether the target would have needed what was advised."""
    deadline = record.spec.decided_at + around.within
    cleared = record.status.cleared_at
    if cleared is not None and cleared <= deadline:
        # Whoever changed the target meanwhile may have done what was advised.
        return () if _changed(record, around.workload) else (Outcome.NEEDLESS,)
    if around.now < deadline:
        return None
    if cleared is not None or around.verdict is model.Verdict.UNHEALTHY:
        return (Outcome.NEEDED,)
    return () if around.verdict is None else None


def _changed(record: objects.Record, workload: model.Workload | None) -> bool:
    """Whether the target is another one than it was decided about, as far as can be seen."""
    if workload is None or workload.uid != record.spec.target.uid:
        return True
    seen = (e.precondition.generation for e in record.spec.effects if e.kind == workload.ref.kind)
    known = [generation for generation in seen if generation is not None]
    return bool(known) and workload.generation != known[0]


def _not_approved(record: objects.Record, around: Around) -> tuple[Outcome, ...]:
    """A no, a silence, or a target that has recovered while people were asked."""
    if record.phase is Phase.REJECTED:
        return (Outcome.REJECTED,)
    if record.status.reason == reasons.Refused.NOT_APPROVED:
        return (Outcome.EXPIRED,)
    if record.status.reason != RECOVERED or _changed(record, around.workload):
        return ()
    in_time = record.finished_or_decided_at <= record.spec.decided_at + around.within
    return (Outcome.NEEDLESS,) if in_time else (Outcome.NEEDED,)


def _sent(record: objects.Record) -> tuple[Outcome, ...]:
    if record.spec.action in ledger.WAYS_BACK:
        return ()  # Nobody is asked about them, and they are no remedy.
    approved = (Outcome.APPROVED,) if record.spec.mode is policy_api.Mode.APPROVE else ()
    if record.status.reason == ledger.REQUESTED:
        return approved
    return (*approved, *_SENT.get(record.phase, ()))
