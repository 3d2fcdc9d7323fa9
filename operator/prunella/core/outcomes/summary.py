"""A policy's status, written in one place from what one pass found.

Values that change with every sample are left out for healthy targets and rounded for the others,
so that a healthy policy's status stays the same and costs no request.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Literal

from prunella.api import conditions, policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, episode, ledger, releases, step
from prunella.core.decisions.rules import Rules
from prunella.core.outcomes import escalation, standing, verification

MOST_SICK_SHOWN = 20
DEMOTED = "Demoted"
NOT_JUDGED_YET = standing.Standing()
Halt = tuple[str, str]
"""Why a policy does not do what its spec says until a person resumes it: one word, the numbers."""
_WORST_FIRST = {model.Verdict.UNHEALTHY: 0, model.Verdict.UNKNOWN: 1}


def summarize(
    policy: objects.Policy,
    outcome: step.Outcome,
    records: Sequence[objects.Record],
    rules: Rules,
    now: datetime.datetime,
    unattended: Sequence[policy_status.Unattended] = (),
    stands: standing.Standing = NOT_JUDGED_YET,
) -> policy_status.RemediationPolicyStatus:
    """The status after one pass, keeping times of what has not changed."""
    own = sorted((r for r in records if r.policy == policy.key), key=lambda record: record.name)
    latch = _latch(policy, own, rules, now)
    newest = ledger.newest(own)
    late = escalation.overdue_or_called(policy, unattended, now)
    fresh = _conditions(policy, outcome, own, _halt(latch, stands), late, now)
    status = policy_status.RemediationPolicyStatus(
        observed_generation=policy.generation,
        conditions=conditions.merge(policy.status.conditions, fresh),
        targets=_counts(outcome, own),
        sick=_sick(policy, outcome, own, now),
        unattended=list(unattended),
        latch=latch,
        last_action=newest.name if newest is not None else "",
        last_action_time=newest.spec.decided_at if newest is not None else None,
    )
    return standing.into(status, stands)


def _halt(latch: policy_status.Latch | None, stands: standing.Standing) -> Halt | None:
    if latch is not None:
        return "Latched", latch.message
    return (DEMOTED, stands.demoted.message) if stands.demoted is not None else None


def invalid(
    policy: objects.Policy, problem: str, now: datetime.datetime
) -> policy_status.RemediationPolicyStatus:
    """The status of a policy that can't be evaluated as it is written."""
    fresh = [
        conditions.condition(
            kind,
            status=holds,
            reason="InvalidSpec",
            message=problem,
            generation=policy.generation,
            now=now,
        )
        for kind, holds in ((conditions.READY, False), (conditions.STALLED, True))
    ]
    return policy.status.model_copy(
        update={
            "observed_generation": policy.generation,
            "conditions": conditions.merge(policy.status.conditions, fresh),
            "sick": [],
        }
    )


def _counts(outcome: step.Outcome, own: Iterable[objects.Record]) -> policy_status.TargetCounts:
    verdicts = list(outcome.verdicts.values())
    busy = {record.target for record in own if record.in_flight}
    return policy_status.TargetCounts(
        selected=len(verdicts),
        healthy=verdicts.count(model.Verdict.HEALTHY),
        unhealthy=verdicts.count(model.Verdict.UNHEALTHY),
        unknown=verdicts.count(model.Verdict.UNKNOWN),
        in_flight=len(busy),
    )


def _sick(
    policy: objects.Policy,
    outcome: step.Outcome,
    own: Sequence[objects.Record],
    now: datetime.datetime,
) -> list[policy_status.TargetStatus]:
    before = {each.name: each for each in policy.status.sick}
    if policy.status.observed_generation != policy.generation:
        # Other limits may hold now: nothing is told in the numbers of the old ones.
        forgotten = {"reason": "", "refused": ""}
        before = {name: each.model_copy(update=forgotten) for name, each in before.items()}
    shown = [
        _target_status(ref, verdict, outcome, own, before.get(ref.name), now)
        for ref, verdict in outcome.verdicts.items()
        if verdict is not model.Verdict.HEALTHY
    ]
    shown.sort(key=lambda each: (_WORST_FIRST[model.Verdict(each.verdict)], each.name))
    return shown[:MOST_SICK_SHOWN]


def _target_status(
    ref: model.Ref,
    verdict: model.Verdict,
    outcome: step.Outcome,
    own: Sequence[objects.Record],
    before: policy_status.TargetStatus | None,
    now: datetime.datetime,
) -> policy_status.TargetStatus:
    worst = next(f for f in outcome.findings if f.target == ref and f.verdict is verdict)
    decision = outcome.decisions.get(ref)
    refusal = decision.refusal if decision is not None else None
    word: Literal["Unhealthy", "Unknown"] = (
        "Unhealthy" if verdict is model.Verdict.UNHEALTHY else "Unknown"
    )
    unchanged = before is not None and before.verdict == word
    message = f"{worst.signal}: {worst.message}"
    if before is not None and unchanged and before.reason == worst.reason:
        message = before.message
    return policy_status.TargetStatus(
        name=ref.name,
        verdict=word,
        reason=worst.reason,
        message=message[:2048],
        refused=refusal.reason if refusal is not None else "",
        refusal=_steady(refusal, before),
        advice=_advice(ref, decision, own)[:2048],
        since=before.since if before is not None and unchanged else now,
    )


def _steady(refusal: model.Refusal | None, before: policy_status.TargetStatus | None) -> str:
    """The refusal's numbers as first told: seconds that pass are no news worth a request."""
    if refusal is None:
        return ""
    if before is not None and before.refused == refusal.reason:
        return before.refusal
    return refusal.message[:2048]


def _advice(ref: model.Ref, decision: decide.Decision | None, own: Sequence[objects.Record]) -> str:
    busy = next((record for record in own if record.in_flight and record.target == ref), None)
    if busy is not None:
        return f"{busy.spec.action} is under way: {busy.name} is {busy.phase}"
    asked = next((record for record in own if record.awaiting and record.target == ref), None)
    if asked is not None:
        return f"{asked.spec.action} {asked.status.message}"
    if decision is None:
        return ""
    if decision.command is not None:
        return f"{decision.command.action}: {decision.command.summary}"
    if decision.said is not None:
        spec = decision.said.spec
        done = "; ".join(effect.summary for effect in spec.effects)
        return f"would {done} ({decision.said.name})"
    return ""


def _latch(
    policy: objects.Policy,
    own: Sequence[objects.Record],
    rules: Rules,
    now: datetime.datetime,
) -> policy_status.Latch | None:
    streak = ledger.unhelpful_streak(own, policy.key, ledger.resumed_at(policy))
    unknown = any(record.phase is reasons.Phase.UNKNOWN for record in streak)
    if len(streak) < rules.unhelpful_before_latch and not unknown:
        return None
    names = ", ".join(record.name for record in streak[-3:])
    message = (
        f"{len(streak)} actions did not help or can't be settled ({names}); after a look, "
        f"`prunella resume {policy.key.argument}` goes on"
    )
    since = policy.status.latch.since if policy.status.latch is not None else now
    return policy_status.Latch(since=since, message=message)


def _conditions(
    policy: objects.Policy,
    outcome: step.Outcome,
    own: Sequence[objects.Record],
    halted: Halt | None,
    late: Sequence[policy_status.Unattended],
    now: datetime.datetime,
) -> list[conditions.Condition]:
    busy = [record for record in own if record.in_flight]
    ready = _ready(policy, outcome, halted, late)
    acting = f"{busy[0].name} is {busy[0].phase}" if busy else ""
    escalated = _escalated(policy, own, late)
    rows: tuple[tuple[str, bool, str, str], ...] = (
        (conditions.READY, *ready),
        (conditions.RECONCILING, bool(busy), "Acting" if busy else "Idle", acting),
        (
            conditions.STALLED,
            halted is not None,
            *(halted or ("NotLatched", "")),
        ),
        (conditions.ESCALATED, *escalated),
    )
    again = condemned_releases(policy, outcome, own, now)
    if again:
        rows = (*rows, (conditions.CONDEMNED, True, "ReleasedAgain", "; ".join(again)))
    return [
        conditions.condition(
            kind,
            status=holds,
            reason=reason,
            message=message,
            generation=policy.generation,
            now=now,
        )
        for kind, holds, reason, message in rows
    ]


def condemned_releases(
    policy: objects.Policy,
    outcome: step.Outcome,
    own: Sequence[objects.Record],
    now: datetime.datetime,
) -> list[str]:
    """The targets that run a release which was rolled back and proved bad, in words."""
    resumed = ledger.resumed_at(policy)
    # Proofs are few and targets are many: only those that have any are gone through.
    proofs = [record for record in own if releases.condemns(record)]
    concerned = {record.target for record in proofs}
    told = []
    for ref, workload in outcome.workloads.items():
        if ref not in concerned:
            continue
        record = releases.released_again(workload, proofs, resumed, now)
        if record is not None:
            told.append(
                f"{ref} runs a release that {record.name} rolled back and proved bad at "
                f"{record.finished_or_decided_at:%Y-%m-%dT%H:%M:%SZ}"
            )
    return told


def _escalated(
    policy: objects.Policy,
    own: Sequence[objects.Record],
    late: Sequence[policy_status.Unattended],
) -> tuple[bool, str, str]:
    """The newest record that waits for a person, or the first target that nothing is done about.

    It is told whether or not the alert has arrived yet.
    """
    spec = step.valid_spec(policy)
    waiting = [
        record
        for record in own
        if record.status.escalated_at is not None
        or verification.must_escalate(record, spec.verify, len(spec.steps))
    ]
    newest = ledger.newest(r for r in waiting if not episode.is_over(r, policy))
    if newest is not None:
        return True, newest.status.reason, f"{newest.name}: {newest.status.message}"
    if late:
        return True, late[0].refused, _unattended(late)
    return False, "NothingToEscalate", ""


def _unattended(late: Sequence[policy_status.Unattended]) -> str:
    first = late[0]
    more = f" (and {len(late) - 1} more targets)" if len(late) > 1 else ""
    since = f"{first.since:%Y-%m-%dT%H:%M:%SZ}"
    return f"{first.name} is sick and nothing is done since {since}{more}: {first.refusal}"


def _stopped(
    policy: objects.Policy,
    halted: Halt | None,
    late: Sequence[policy_status.Unattended],
) -> tuple[bool, str, str] | None:
    """What Ready says of a policy that waits for a person."""
    if halted is not None:
        return False, *halted
    if step.valid_spec(policy).suspend:
        return True, "Suspended", "spec.suspend is true"
    if late:
        return False, late[0].refused, _unattended(late)
    return None


def _ready(
    policy: objects.Policy,
    outcome: step.Outcome,
    halted: Halt | None,
    late: Sequence[policy_status.Unattended],
) -> tuple[bool, str, str]:
    """Whether the policy can do its work, and the one word that matters most now."""
    stopped = _stopped(policy, halted, late)
    if stopped is not None:
        return stopped
    verdicts = list(outcome.verdicts.values())
    if not verdicts:
        return False, *_no_targets(policy)
    refused = [d.refusal for d in outcome.decisions.values() if d.refusal is not None]
    forbidden = [r for r in refused if r.reason is reasons.Refused.FORBIDDEN]
    if forbidden:
        message = _first_message(policy, forbidden[0].reason, forbidden[0].message)
        return False, forbidden[0].reason, message
    unknown = [f for f in outcome.findings if outcome.verdicts[f.target] is model.Verdict.UNKNOWN]
    doubts = [
        finding
        for finding in unknown
        if finding.verdict is model.Verdict.UNKNOWN
        and finding.reason != reasons.Doubt.SCALED_TO_ZERO
    ]
    if {f.target for f in unknown} == outcome.verdicts.keys():
        return _all_unknown(policy, doubts)
    if refused:
        message = _first_message(policy, refused[0].reason, refused[0].message)
        return True, refused[0].reason, message
    sick = verdicts.count(model.Verdict.UNHEALTHY)
    if sick or doubts:
        return True, "TargetsUnhealthy" if sick else "TargetsUnknown", ""
    return True, "Healthy", ""


def _all_unknown(policy: objects.Policy, doubts: Sequence[model.Finding]) -> tuple[bool, str, str]:
    """Ready when no target can be judged: that none is wanted to run is as it should be."""
    if not doubts:
        return True, reasons.Doubt.SCALED_TO_ZERO, "0 replicas are wanted of each target"
    doubt = doubts[0]
    message = f"no target can be judged: {doubt.signal}: {doubt.message}"
    return False, doubt.reason, _first_message(policy, doubt.reason, message)


def _no_targets(policy: objects.Policy) -> tuple[str, str]:
    selector = step.valid_spec(policy).target.selector
    if selector is not None and selector.is_empty:
        return reasons.Refused.EMPTY_SELECTOR, "the selector is empty and would mean all"
    return "NoTargets", "no workload is selected"


def _first_message(policy: objects.Policy, reason: str, message: str) -> str:
    """The message as first told while the reason stays: seconds that pass are no news."""
    for condition in policy.status.conditions:
        told = condition.type == conditions.READY and condition.reason == reason
        if told and condition.observed_generation == policy.generation:
            return condition.message
    return message
