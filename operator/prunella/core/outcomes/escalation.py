"""For which records a person must be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, ledger, step
from prunella.core.outcomes import verification


def to_call(
    policy: objects.Policy,
    records: Sequence[objects.Record],
    decisions: Mapping[model.Ref, decide.Decision],
    unhelpful_before_latch: int,
) -> list[objects.Record]:
    """The policy's records that wait for a person who was not called yet.

    A record that latches the policy stays so when its target has recovered; the others are done
    with when it has.
    """
    spec = step.valid_spec(policy)
    resumed = ledger.resumed_at(policy)
    latching = ledger.latching(records, policy.key, resumed, unhelpful_before_latch)
    own = [record for record in records if record.policy == policy.key]
    given_up = _given_up(own, decisions)
    return [
        record
        for record in own
        if record.status.escalated_at is None
        and (
            record.name in latching
            or (
                record.status.cleared_at is None
                and (
                    record.name in given_up
                    or verification.must_escalate(record, spec.verify, len(spec.steps))
                )
            )
        )
    ]


def _given_up(
    own: Sequence[objects.Record], decisions: Mapping[model.Ref, decide.Decision]
) -> set[str]:
    """The newest unhelpful record of each target for which no further step applies."""
    names = set()
    for ref, decision in decisions.items():
        refusal = decision.refusal
        if refusal is None or refusal.reason is not reasons.Refused.NO_STEP_LEFT:
            continue
        tried = (r for r in own if r.target == ref and r.phase is reasons.Phase.UNHELPFUL)
        last = max(tried, key=lambda record: record.spec.attempt, default=None)
        if last is not None:
            names.add(last.name)
    return names
