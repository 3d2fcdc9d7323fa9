"""When a person must be called: for which records, and for which targets left alone.

    refused, Unhealthy --> unattended (since) --escalateAfter--> a person is called, once
         ^                     |                                        |
         +-- stopped by people +------------ Healthy, resumed ----------+

The entries are kept in the policy's status, so that a restart calls nobody twice.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence

from prunella.api import policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import approvals, decide, episode, ledger, step
from prunella.core.outcomes import runs, verification

MOST_UNATTENDED = 20
"""Targets that are kept in a policy's status; each of them is one call at most."""
A_PERSONS_WILL = approvals.BY_PEOPLE | {reasons.Refused.REJECTED}
"""Who has stopped it knows of it: nobody is called."""
PASSING = frozenset(
    {
        reasons.Refused.NOT_HELD,
        reasons.Refused.IN_FLIGHT,
        reasons.Refused.WAITS_FOR_INCIDENT,
        reasons.Refused.TARGET_GONE,
    }
)
"""Refusals that end by themselves: they neither begin nor end what is unattended."""
AT_ONCE = frozenset({reasons.Refused.SAME_REMEDY_LIMIT, reasons.Refused.LATER_COMMIT})
"""Refusals that no waiting ends."""

Unattended = policy_status.Unattended


def to_call(
    policy: objects.Policy,
    records: Sequence[objects.Record],
    decisions: Mapping[model.Ref, decide.Decision],
    unhelpful_before_latch: int,
) -> list[objects.Record]:
    """The policy's records that wait for a person who was not called yet.

    A record that latches the policy stays so when its target has recovered; the others are done
    with when it has. What is approved already, and waits for a guard, waits for nobody.
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
                    or (record.awaiting and record.status.reason not in approvals.PASSING)
                    or verification.must_escalate(record, spec.verify, len(spec.steps))
                )
            )
        )
    ]


def words(record: objects.Record) -> tuple[str, str]:
    """What a person is told of a record: in one line, and at length."""
    if record.awaiting:
        return approvals.words(record)
    ended, left = f"ended {record.phase}", "was not healed"
    if runs.waits_for_a_person(record):
        ended, left = "waits for a person", "waits for a person, asked"
    description = (
        f"{record.spec.action} on {record.target} {ended}: "
        f"{record.status.message} It was done because {record.spec.reason}. "
        f"See: prunella explain remediation/{record.name} -n {record.namespace}"
    )
    return f"{record.target} {left} by policy {record.policy}", description


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


def unattended(
    policy: objects.Policy,
    outcome: step.Outcome,
    records: Sequence[objects.Record],
    before: Iterable[Unattended],
    now: datetime.datetime,
) -> list[Unattended]:
    """The targets that are sick while nothing is done about them, as of one pass.

    ``before`` are those of the pass before. Doubt ends none of them: only a target that is seen
    Healthy or scaled to 0 replicas, an action on its way, a person who stops or resumes the policy.
    """
    if not step.valid_spec(policy).mode.acts:
        return []
    resumed = ledger.resumed_at(policy)
    kept = {each.name: each for each in before if resumed is None or each.since > resumed}
    own = [record for record in records if record.policy == policy.key]
    busy = {r.target for r in own if (r.in_flight and r.acted) or r.awaiting}
    # Who scaled it to nothing, a person or an autoscaler, has taken it in hand.
    idle = {ref for ref, workload in outcome.workloads.items() if workload.replicas == 0}
    found = []
    for ref, verdict in outcome.verdicts.items():
        entry = kept.get(ref.name)
        if ref in busy or ref in idle:
            entry = _called(entry)
        elif verdict is model.Verdict.HEALTHY:
            entry = None
        elif verdict is model.Verdict.UNHEALTHY:
            refusal = _refusal(policy, outcome.decisions.get(ref))
            entry = entry if refusal is None else _refused(entry, ref, refusal, now)
        if entry is not None:
            found.append(entry)
    found.sort(key=lambda each: (each.called_at is None, each.since, each.name))
    return found[:MOST_UNATTENDED]


def _refusal(policy: objects.Policy, decision: decide.Decision | None) -> model.Refusal | None:
    """Why nothing is done; advice alone is one reason, where the policy's own mode acts."""
    if decision is None:
        return None
    said = decision.said
    if said is None or said.spec.mode.acts:
        return decision.refusal
    because = policy.status.mode_limited_by
    for each in policy.status.modes:
        if each.action == said.spec.action:
            because = each.limited_by
    message = f"{said.name} only advises {said.spec.action}, in mode {said.spec.mode}"
    told = f"{message}: {because}" if because else message
    return model.Refusal(reasons.Refused.MODE_LOWERED, told)


def _called(entry: Unattended | None) -> Unattended | None:
    """The entry if a person was called, so that it is not done twice; else the wait is over."""
    return entry if entry is not None and entry.called_at is not None else None


def _refused(
    entry: Unattended | None, ref: model.Ref, refusal: model.Refusal, now: datetime.datetime
) -> Unattended | None:
    if refusal.reason in A_PERSONS_WILL:
        return _called(entry)
    if refusal.reason in PASSING:
        return entry
    told = {"refused": refusal.reason.value, "refusal": refusal.message[:2048]}
    if entry is None:
        return Unattended(name=ref.name, since=now, **told)
    # What a person was told stays as it was told; numbers that only count seconds do, too.
    known = entry.called_at is not None and refusal.reason not in AT_ONCE
    if known or entry.refused == refusal.reason:
        return entry
    return entry.model_copy(update=told)


def overdue(
    policy: objects.Policy,
    entries: Iterable[Unattended],
    records: Sequence[objects.Record],
    spoken_for: Collection[model.Ref],
    now: datetime.datetime,
) -> list[Unattended]:
    """The entries for which a person must be called now.

    ``spoken_for`` are the targets with a record that calls a person by itself in this pass.
    """
    names = {ref.name for ref in spoken_for}
    names |= {
        record.target.name
        for record in records
        if record.policy == policy.key
        and record.status.escalated_at is not None
        and not episode.is_over(record, policy)
    }
    late = overdue_or_called(policy, entries, now)
    return [each for each in late if each.called_at is None and each.name not in names]


def overdue_or_called(
    policy: objects.Policy, entries: Iterable[Unattended], now: datetime.datetime
) -> list[Unattended]:
    """The entries that a person should know of by now."""
    wait = step.valid_spec(policy).escalate_after
    return [
        each
        for each in entries
        if each.called_at is not None or each.refused in AT_ONCE or now - each.since >= wait
    ]
