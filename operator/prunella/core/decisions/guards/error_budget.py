"""The guard of error budgets: who has none left takes no risks."""

from __future__ import annotations

from prunella.api import policy as policy_api
from prunella.core import model
from prunella.core.decisions.guards.case import Answer, Case, Refused


def need(
    spec: policy_api.RemediationPolicySpec, target: model.Ref, *, back: bool = False
) -> tuple[tuple[str, str], model.Need] | None:
    """What must be asked about a policy's error budget, with the key of its answer.

    What takes ``back`` an action needs none.
    """
    stated = spec.guards.error_budget
    if stated is None or back:
        return None
    key = (stated.source, stated.asked)
    return key, model.Need(model.NeedKind.NUMBER, target, query=stated.asked, source=stated.source)


def within_error_budget(case: Case) -> Answer:
    """An action may make things worse: enough must be left for that."""
    stated, known = case.spec.guards.error_budget, case.error_budget
    if stated is None:
        return "the policy states no error budget"
    if known is None:
        return "not asked yet"
    if known.value is None:
        message = f"nobody knows what is left of the error budget: {known.problem}"
        return model.Refusal(Refused.ERROR_BUDGET, message)
    if not 0 <= known.value <= 1:
        message = f"the share of bad events is {known.value:g}, and must be from 0 to 1"
        return model.Refusal(Refused.ERROR_BUDGET, message)
    left = 100 * (1 - known.value / (1 - stated.objective / 100))
    message = (
        f"{left:.1f}% of the error budget are left ({100 * known.value:.3g}% of events in "
        f"{stated.window} were bad, the objective is {stated.objective:g}%), "
        f"{stated.stop_below:g}% must be"
    )
    return model.Refusal(Refused.ERROR_BUDGET, message) if left < stated.stop_below else message
