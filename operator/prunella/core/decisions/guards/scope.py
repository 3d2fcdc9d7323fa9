"""Guards of the scope: what is never acted on, whatever a policy says."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions.guards.case import Answer, Case, Refused


def selector_is_not_empty(case: Case) -> Answer:
    """An empty set must never be read as everything."""
    selector = case.spec.target.selector
    if case.spec.target.name is None and (selector is None or selector.is_empty):
        return model.Refusal(Refused.EMPTY_SELECTOR, "the selector is empty and would mean all")
    return "the selector is not empty"


def not_in_system_namespace(case: Case) -> Answer:
    """The control plane's own namespaces are never acted on."""
    if case.target.namespace in case.rules.system_namespaces:
        return model.Refusal(
            Refused.SYSTEM_NAMESPACE, f"{case.target.namespace} is a system namespace"
        )
    if not case.target.namespace:
        return f"{case.target} is in no namespace"
    return f"{case.target.namespace} is not a system namespace"


def not_the_operator(case: Case) -> Answer:
    """The operator never acts on itself."""
    own = (case.rules.operator_namespace, case.rules.operator_name)
    if (case.target.namespace, case.target.name) == own:
        return model.Refusal(Refused.OWN_WORKLOAD, f"{case.target} is the operator itself")
    return f"{case.target} is not the operator"
