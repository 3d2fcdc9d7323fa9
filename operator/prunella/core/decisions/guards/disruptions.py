"""The guard of the disruption budgets: one for each namespace and one for the cluster."""

from __future__ import annotations

from prunella.core.decisions import budgets
from prunella.core.decisions.guards.case import Answer, Case


def within_disruption_budgets(case: Case) -> Answer:
    """All policies together, and everybody else who disrupts, must leave enough as it is.

    Passing it takes nothing yet: the unit is taken just before the first effect is sent.
    """
    if case.action.name in budgets.TAKES_BACK:
        return f"{case.action.name} takes a disruption back"
    if case.live_state is None:
        return "not looked at yet"
    if case.live_state.disrupted is None:
        return "nobody counts disruptions here"
    return budgets.judge(
        case.live_state.disrupted,
        case.target,
        case.records,
        case.rules,
        case.now,
        case.own_record,
    )
