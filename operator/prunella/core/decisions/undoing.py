"""What of an action is taken back, and what stays of one that was refused half way.

An effect is undone by the inverse that was recorded with it.  Pods that were evicted have been made
anew by then, and need none; a template that was rolled back is taken back by a person.
"""

from __future__ import annotations

from typing import Final

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import helm, ledger, sides

Phase = reasons.Phase
ROLLBACK: Final = "rollback"
"""The action that only a person takes back, by the command in its record."""
_TO_UNDO: Final = frozenset({Phase.UNHELPFUL, Phase.FAILED})
HALF_UNDONE: Final = "HalfUndone"
"""Reason of a revert that has put back one thing, while the other never arrived."""
MOST_TOLD: Final = 1024
"""Characters of what is left: the API server's own words need room, too."""
_NOT_DONE: Final = frozenset({"NotSent", "Refused"})


def done(record: objects.Record) -> list[model.Effect]:
    """The effects that were carried out, in order; of a failed record only what is known to be.

    A Job of Helm that has refused has done nothing.
    """
    if helm.has_refused(record):
        return []
    not_done = _NOT_DONE | {""} if record.phase is Phase.FAILED else _NOT_DONE
    pairs = zip(ledger.effects_of(record), record.status.effects, strict=False)
    return [effect for effect, status in pairs if status.outcome not in not_done]


def rest(record: objects.Record) -> list[model.Effect]:
    """The effects that were not carried out, in order."""
    pairs = zip(ledger.effects_of(record), record.status.effects, strict=False)
    return [effect for effect, status in pairs if status.outcome in _NOT_DONE | {""}]


def unfinished(record: objects.Record) -> bool:
    """Whether a revert stopped half way, and its rest can be done by another record.

    Nothing of the rest has arrived, and each of it tests what it replaces.
    """
    half = record.phase is Phase.FAILED and record.status.reason == HALF_UNDONE
    return half and record.spec.action == ledger.REVERT and all(e.tested for e in rest(record))


def undoable(record: objects.Record) -> bool:
    """Whether what was done can be taken back.

    The half of a rollback before its template was written can: then nothing was rolled back.
    """
    effects = done(record)
    if record.phase is not Phase.FAILED:
        return record.spec.action != ROLLBACK and any(each.inverse for each in effects)
    one_way = [e for e in effects if not e.inverse and e.verb is not model.Verb.EVICT]
    return not one_way and any(each.inverse for each in effects)


def in_vain(record: objects.Record) -> bool:
    """Whether it did not help, or was refused half way, and can be taken back."""
    return record.phase in _TO_UNDO and undoable(record)


def harmed(record: objects.Record | None) -> bool:
    """Whether a record is a shift that made the other side sick."""
    return record is not None and record.status.reason == sides.OTHER_SIDE_UNHEALTHY


def owed(
    record: objects.Record, policy: objects.Policy, spec: policy_api.RemediationPolicySpec
) -> bool:
    """Whether a record is to be undone next.

    An edit of the policy does not end that, as long as the policy is the same one and wants it.  A
    part of the way back of traffic was no step of the policy: it goes, whatever follows a step.  So
    does a shift that has made the other side sick.
    """
    back = record.spec.action == sides.RETURN_TRAFFIC
    harmful = back or harmed(record)
    wanted = spec.verify.otherwise is policy_api.Otherwise.REVERT or harmful
    live = spec.mode.acts and record.spec.policy.uid == policy.uid
    if record.spec.action == ledger.REVERT:
        return wanted and live and unfinished(record)
    return wanted and live and in_vain(record)


def left(record: objects.Record) -> str:
    """What stays of a record that was refused half way, as the end of its message."""
    if record.phase is not Phase.FAILED:
        return ""
    undoing = record.spec.action == ledger.REVERT
    told = rest(record) if undoing else done(record)
    how = "not undone" if undoing else "done, and nothing undoes it"
    if not undoing and undoable(record):
        how = "done, and can be undone"
    summaries = "; ".join(each.summary for each in told)
    return f"; {how}: {summaries}"[:MOST_TOLD] if summaries else ""
