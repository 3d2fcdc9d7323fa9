"""Where a target stands in a policy's steps: which attempt comes next, if any.

An episode begins when a target falls ill and ends when it was seen Healthy again
(``clearedAt`` on its newest record), when a person resumed the policy, or when the policy was
edited and nothing is left to undo.  Within an episode steps are tried in order; the ledger alone
tells where it stands, so a restart of the operator changes nothing.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import approvals, ledger, restoring, undoing

Phase = reasons.Phase
NO_MODES: Final[Mapping[str, policy_api.Mode]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Next:
    """The next attempt: a step of the policy, or the undoing of ``follows``."""

    step: int
    follows: objects.Record | None = None
    revert: bool = False
    back: objects.Record | None = None
    """The shift of traffic of which a part is taken back."""


@dataclasses.dataclass(frozen=True, slots=True)
class AlreadyAdvised:
    """The advice of this episode was already given."""

    record: objects.Record


def next_attempt(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    target_uid: str,
    records: Iterable[objects.Record],
    modes: Mapping[str, policy_api.Mode] = NO_MODES,
) -> Next | AlreadyAdvised | model.Refusal:
    """What comes next for one target; a refusal when only a person can go on.

    ``modes`` tells the mode of each action; the policy's own, where it does not.
    """
    own = [
        record
        for record in records
        if record.policy == policy.key
        and record.spec.target.uid == target_uid
        and record.phase.final
        and record.phase is not Phase.NOT_SENT
    ]
    last = max(own, key=_number, default=None)
    acted = max((record for record in own if record.acted), key=_number, default=None)
    if acted is not None and _to_undo(acted, policy, spec, own):
        return Next(acted.spec.step, acted, revert=True)
    if last is None or is_over(last, policy):
        return Next(0)
    if last.phase in {Phase.ADVISED, Phase.DRY_RUN} or _out_of_sight(last):
        return _not_done(last, own, modes.get(last.spec.action, spec.mode))
    if last.spec.action == ledger.REVERT:
        return _after_revert(last, spec, own)
    if last.phase is Phase.SUCCEEDED:
        return Next(0)
    if last.phase is not Phase.UNHELPFUL:
        return _for_a_person(last, _ended(last))
    if spec.verify.otherwise is policy_api.Otherwise.ESCALATE:
        return _for_a_person(last, f"{last.name} did not help, and verify.otherwise is Escalate")
    return _following(last, _after(last), spec)


def ended(
    attempt: Next,
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    record: objects.Record,
    records: Sequence[objects.Record],
) -> str:
    """Why an attempt whose record was not sent yet is not wanted any more; empty: it is."""
    if not attempt.revert:
        gone = attempt.step >= len(spec.steps)
        return "the policy has no such step now" if gone else ""
    if attempt.follows is None:
        return "what it undoes is gone"
    if next_attempt(policy, spec, record.spec.target.uid, records) != attempt:
        return f"{attempt.follows.name} is not to be undone any more"
    return ""


def _to_undo(
    acted: objects.Record,
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    own: Sequence[objects.Record],
) -> bool:
    """Whether the newest record that acted is to be undone, or, itself a revert, to be finished.

    A revert is finished once: what then stops half way again is for a person.
    """
    if _in_hand(acted, policy) or not undoing.owed(acted, policy, spec):
        return False
    follows = next((record for record in own if record.name == acted.spec.follows), None)
    return acted.spec.action != ledger.REVERT or (
        follows is not None and follows.spec.action != ledger.REVERT
    )


def _undone(revert: objects.Record, own: Sequence[objects.Record]) -> objects.Record:
    """The record that a revert has undone; the one that it finished was a revert, too."""
    by_name = {record.name: record for record in own}
    found = by_name.get(revert.spec.follows, revert)
    return by_name.get(found.spec.follows, found) if found.spec.action == ledger.REVERT else found


def _number(record: objects.Record) -> int:
    return record.spec.attempt


def _after(record: objects.Record) -> int:
    """The step after one that did not help: a restore is tried again, of the next suspect."""
    return record.spec.step + (record.spec.action != restoring.RESTORE)


def _out_of_sight(record: objects.Record) -> bool:
    """Whether a question ended as its target was not seen: nobody has said a word on it."""
    return record.phase is Phase.EXPIRED and record.status.reason == reasons.Refused.TARGET_GONE


def _not_done(
    last: objects.Record, own: Sequence[objects.Record], mode: policy_api.Mode
) -> Next | AlreadyAdvised:
    """What was said of a step, and nothing done: once in a mode, and at the same place in another.

    The steps before it did not help, in whatever mode they were carried out.
    """
    if last.phase is not Phase.EXPIRED and last.spec.mode is mode:
        return AlreadyAdvised(last)
    if not last.spec.follows:
        return Next(0)
    return Next(last.spec.step, next((r for r in own if r.name == last.spec.follows), None))


def _after_revert(
    last: objects.Record, spec: policy_api.RemediationPolicySpec, own: Sequence[objects.Record]
) -> Next | model.Refusal:
    if last.phase is not Phase.SUCCEEDED:
        return _for_a_person(last, _ended(last))
    undone = _undone(last, own)
    if undone.spec.policy.generation != last.spec.policy.generation:
        return Next(0)  # The policy was edited before it was undone: its steps are other ones.
    if undone.phase is Phase.FAILED:
        return _for_a_person(last, f"{_ended(undone)}, and what was done of it was undone")
    return _following(last, _after(undone), spec)


def _following(
    last: objects.Record, step: int, spec: policy_api.RemediationPolicySpec
) -> Next | model.Refusal:
    if step < len(spec.steps):
        return Next(step, last)
    return _for_a_person(last, f"all {len(spec.steps)} steps were tried, {last.name} was the last")


def _ended(record: objects.Record) -> str:
    told = f"{record.name} ended {record.phase} ({record.status.reason})"
    return f"{told}: {record.status.message}" if record.phase is Phase.SUPERSEDED else told


def _for_a_person(last: objects.Record, message: str) -> model.Refusal:
    if last.phase in {Phase.REJECTED, Phase.EXPIRED}:
        return approvals.unwanted(last)
    reason = reasons.Refused.NO_STEP_LEFT
    if last.phase is Phase.SUPERSEDED:
        reason = reasons.Refused.CHANGED_BY_OTHERS
    return model.Refusal(reason, f"{message}; goes on when {last.target} was Healthy once")


def is_over(last: objects.Record, policy: objects.Policy) -> bool:
    """True when nothing of an earlier episode binds the next one."""
    if _in_hand(last, policy):
        return True
    edited = last.spec.policy.generation != policy.generation or last.spec.policy.uid != policy.uid
    return edited and last.phase is not Phase.UNKNOWN


def _in_hand(last: objects.Record, policy: objects.Policy) -> bool:
    """Whether the target was Healthy since, or a person has resumed the policy."""
    resumed = ledger.resumed_at(policy)
    finished = last.finished_or_decided_at
    return last.status.cleared_at is not None or (resumed is not None and finished <= resumed)


def to_clear(
    policy: objects.Policy, target: model.Ref, records: Iterable[objects.Record]
) -> list[objects.Record]:
    """The records whose episode ends now that their target is Healthy, oldest first.

    All of them: the newest may be one that was never sent, and an older one may still wait for a
    person. None while one is unfinished: its verification is the judge of this sample.
    """
    own = [record for record in records if record.policy == policy.key and record.target == target]
    if any(not record.phase.final for record in own):
        return []
    own.sort(key=lambda record: (record.spec.decided_at, record.spec.attempt))
    return [record for record in own if record.status.cleared_at is None]
