"""The condition Paused of a policy: there only while it may not begin actions, with the reason."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from prunella.api import conditions, policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import halts, step, windows
from prunella.core.decisions.rules import Rules

MOST_NAMED = 5


def told(
    policy: objects.Policy,
    status: policy_status.RemediationPolicyStatus,
    outcome: step.Outcome,
    rules: Rules,
    pause: model.PauseState,
    now: datetime.datetime,
) -> policy_status.RemediationPolicyStatus:
    """The status of one pass with the condition, if there is one to tell."""
    found = of_policy(policy, outcome, rules, pause, now)
    if found is None:
        return status
    reason, message = found
    fresh = conditions.condition(
        conditions.PAUSED,
        status=True,
        reason=reason,
        message=message,
        generation=policy.generation,
        now=now,
    )
    own = conditions.merge(policy.status.conditions, [fresh])
    return status.model_copy(update={"conditions": [*status.conditions, *own]})


def of_policy(
    policy: objects.Policy,
    outcome: step.Outcome,
    rules: Rules,
    pause: model.PauseState,
    now: datetime.datetime,
) -> tuple[str, str] | None:
    """Reason and message, the same while nothing changes; None when nothing is in the way."""
    spec = step.valid_spec(policy)
    if spec.suspend:
        return reasons.Refused.SUSPENDED, "spec.suspend is true"
    if pause.paused:
        return reasons.Refused.PAUSED, pause.message
    if pause.frozen:
        return reasons.Refused.FROZEN, pause.frozen
    window = windows.state(windows.levels(spec, rules), now)
    if not window.open:
        return reasons.Refused.WINDOW_CLOSED, window.message
    frozen = _frozen(list(outcome.workloads.values()), now)
    if frozen:
        return reasons.Refused.FROZEN, frozen
    return None


def _frozen(workloads: Sequence[model.Workload], now: datetime.datetime) -> str:
    """The targets that are frozen, in words; the others are acted on."""
    found = []
    for each in workloads:
        freeze = halts.freeze_of(each.labels, each.annotations)
        if why := halts.why_frozen(freeze, str(each.ref), now):
            found.append(why)
    if not found:
        return ""
    more = f" (and {len(found) - MOST_NAMED} more)" if len(found) > MOST_NAMED else ""
    told = "; ".join(found[:MOST_NAMED])
    return f"{len(found)} of {len(workloads)} targets: {told}{more}"
