"""Where a target stands in a policy's steps: which attempt comes next, if any.

An episode begins when a target falls ill and ends when it was seen Healthy again
(``clearedAt`` on its newest record), when a person resumed the policy, or when the policy was
edited.  Within an episode steps are tried in order; the ledger alone tells where it stands, so a
restart of the operator changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger, restoring, sides

Phase = reasons.Phase
ROLLBACK = "rollback"
"""The action that only a person takes back, by the command in its record."""


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
) -> Next | AlreadyAdvised | model.Refusal:
    """What comes next for one target; a refusal when only a person can go on."""
    own = [
        record
        for record in records
        if record.policy == policy.key
        and record.spec.target.uid == target_uid
        and record.phase.final
        and record.phase is not Phase.NOT_SENT
    ]
    last = max(own, key=lambda record: record.spec.attempt, default=None)
    if last is None or is_over(last, policy):
        return Next(0)
    if last.phase in {Phase.ADVISED, Phase.DRY_RUN}:
        return AlreadyAdvised(last) if last.spec.mode is spec.mode else Next(0)
    if last.spec.action == ledger.REVERT:
        return _after_revert(last, spec, own)
    if last.phase is Phase.SUCCEEDED:
        return Next(0)
    if last.phase is not Phase.UNHELPFUL:
        return _for_a_person(last, f"{last.name} ended {last.phase} ({last.status.reason})")
    # A part of a way back was no step of the policy: it goes, whatever follows a step.
    back = last.spec.action == sides.RETURN_TRAFFIC
    if spec.verify.otherwise is policy_api.Otherwise.ESCALATE and not back:
        return _for_a_person(last, f"{last.name} did not help, and verify.otherwise is Escalate")
    undoable = last.spec.action != ROLLBACK and any(e.inverse for e in last.spec.effects)
    if (spec.verify.otherwise is policy_api.Otherwise.REVERT and undoable) or back:
        return Next(last.spec.step, last, revert=True)
    return _following(last, _after(last), spec)


def _after(record: objects.Record) -> int:
    """The step after one that did not help: a restore is tried again, of the next suspect."""
    return record.spec.step + (record.spec.action != restoring.RESTORE)


def _after_revert(
    last: objects.Record, spec: policy_api.RemediationPolicySpec, own: Sequence[objects.Record]
) -> Next | model.Refusal:
    if last.phase is not Phase.SUCCEEDED:
        return _for_a_person(last, f"{last.name} ended {last.phase} ({last.status.reason})")
    undone = next((record for record in own if record.name == last.spec.follows), last)
    return _following(last, _after(undone), spec)


def _following(
    last: objects.Record, step: int, spec: policy_api.RemediationPolicySpec
) -> Next | model.Refusal:
    if step < len(spec.steps):
        return Next(step, last)
    return _for_a_person(last, f"all {len(spec.steps)} steps were tried, {last.name} was the last")


def _for_a_person(last: objects.Record, message: str) -> model.Refusal:
    reason = reasons.Refused.NO_STEP_LEFT
    if last.phase is Phase.SUPERSEDED:
        reason = reasons.Refused.CHANGED_BY_OTHERS
    return model.Refusal(reason, f"{message}; goes on when {last.target} was Healthy once")


def is_over(last: objects.Record, policy: objects.Policy) -> bool:
    """True when nothing of an earlier episode binds the next one."""
    if last.status.cleared_at is not None:
        return True
    resumed = ledger.resumed_at(policy)
    finished = last.status.finished_at or last.spec.decided_at
    if resumed is not None and finished <= resumed:
        return True
    edited = last.spec.policy.generation != policy.generation or last.spec.policy.uid != policy.uid
    return edited and last.phase is not Phase.UNKNOWN


def to_clear(
    policy: objects.Policy, target: model.Ref, records: Iterable[objects.Record]
) -> list[objects.Record]:
    """The records whose episode ends now that their target is Healthy, oldest first.

    All of them: the newest may be one that was never sent, and an older one may still wait for a
    person. None while one is unfinished: its verification is the judge of this sample.
    """
    own = [record for record in records if record.policy == policy.key and record.target == target]
    if any(record.in_flight for record in own):
        return []
    own.sort(key=lambda record: (record.spec.decided_at, record.spec.attempt))
    return [record for record in own if record.status.cleared_at is None]
