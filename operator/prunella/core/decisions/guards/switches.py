"""Guards of the switches: what people have stopped, and what has stopped itself."""

from __future__ import annotations

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused


def not_suspended(case: Case) -> Answer:
    """The policy's own switch."""
    if case.spec.suspend:
        return model.Refusal(Refused.SUSPENDED, "spec.suspend is true")
    return "spec.suspend is false"


def not_paused(case: Case) -> Answer:
    """The switch for the whole operator."""
    if case.pause.paused:
        return model.Refusal(Refused.PAUSED, case.pause.message or "the operator is paused")
    return "the operator is not paused"


def not_latched(case: Case) -> Answer:
    """A policy whose actions do not help has stopped itself."""
    limit = case.rules.unhelpful_before_latch
    streak = ledger.unhelpful_streak(case.others, case.policy.key, ledger.resumed_at(case.policy))
    unknown = [r.name for r in streak if r.phase is reasons.Phase.UNKNOWN]
    resume = f"`prunella resume {case.policy.key.argument}` clears this"
    if unknown:
        message = f"nobody knows whether {unknown[-1]} was carried out; {resume}"
        return model.Refusal(Refused.LATCHED, message)
    if len(streak) >= limit:
        message = f"{len(streak)} actions in a row did not help, the limit is {limit}; {resume}"
        return model.Refusal(Refused.LATCHED, message)
    return f"{len(streak)} unhelpful actions in a row, the limit is {limit}"
