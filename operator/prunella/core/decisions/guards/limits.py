"""Guards of the limits: so many actions in an hour."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused


def within_hourly_limits(case: Case) -> Answer:
    """Limits of the policy, of its namespace and of the cluster in any hour."""
    last_hour = [
        record
        for record in ledger.acted_since(case.others, case.now - ledger.HOUR)
        if record.spec.action != "revert"
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
            f"in namespace {namespace}",
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
