"""Guards of the limits: so many actions in an hour, and so many of the same in a day."""

from __future__ import annotations

from prunella.api import policy_status
from prunella.core import model
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused


def within_hourly_limits(case: Case) -> Answer:
    """Limits of the policy, of its namespace and of the cluster in any hour."""
    last_hour = [
        record
        for record in ledger.acted_since(case.others, case.now - ledger.HOUR)
        if record.spec.action not in ledger.TAKES_BACK
    ]
    namespace = case.policy.key.namespace
    counts = (
        (
            Refused.POLICY_HOURLY_LIMIT,
            sum(r.policy == case.policy.key for r in last_hour),
            case.spec.guards.max_per_hour,
            "of the policy",
        ),
        (
            Refused.NAMESPACE_HOURLY_LIMIT,
            sum(r.target.namespace == namespace for r in last_hour),
            case.rules.actions_per_namespace_per_hour,
            f"in namespace {namespace}" if namespace else "to nodes",
        ),
        (
            Refused.CLUSTER_HOURLY_LIMIT,
            len(last_hour),
            case.rules.actions_per_cluster_per_hour,
            "in the cluster",
        ),
    )
    for reason, count, limit, where in counts:
        if count >= limit:
            message = f"{count} actions {where} in the last hour, the limit is {limit}"
            return model.Refusal(reason, message)
    return ", ".join(f"{count} of {limit} {where}" for _, count, limit, where in counts)


def not_masking_a_cause(case: Case) -> Answer:
    """What must be done to a target again and again does not heal it, however well it ends.

    Once it has stopped a target's remedy, only a Healthy target or a person goes on: the day that
    passes meanwhile clears nothing.
    """
    stopped = _stopped(case)
    if stopped is not None:
        return model.Refusal(Refused.SAME_REMEDY_LIMIT, stopped.refusal)
    action, limit = case.action.name, case.spec.guards.max_same_remedy_per_day
    policy, day = case.policy, case.now - ledger.DAY
    done = ledger.same_remedy(case.others, policy, case.target, action, day)
    numbers = f"{action} was done {len(done)} times to {case.target} in 24 h, the limit is {limit}"
    if len(done) >= limit:
        resume = f"`prunella resume {policy.key.argument}` clears this"
        return model.Refusal(Refused.SAME_REMEDY_LIMIT, f"{numbers}: it masks a cause; {resume}")
    return numbers


def _stopped(case: Case) -> policy_status.Unattended | None:
    """The target's entry in the status, if this limit stopped it and nobody has resumed since."""
    status, resumed = case.policy.status, ledger.resumed_at(case.policy)
    if status.observed_generation != case.policy.generation:
        return None
    for each in status.unattended:
        by_this = each.name == case.target.name and each.refused == Refused.SAME_REMEDY_LIMIT
        if by_this and (resumed is None or each.since > resumed):
            return each
    return None
