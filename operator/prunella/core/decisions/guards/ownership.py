"""Guards of ownership: what other controllers or people have written is theirs."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused

GITOPS_LABELS = (
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


def not_owned_by_others(case: Case) -> Answer:
    """What an autoscaler or a GitOps tool writes, only they should write."""
    field = case.action.owned_field
    if field is None:
        return f"{case.action.name} writes nothing that others own"
    if case.live_state is not None and case.live_state.autoscalers:
        owners = ", ".join(case.live_state.autoscalers)
        message = f"{owners} scales {case.target}: change its bounds instead"
        return model.Refusal(Refused.OWNED_BY_AUTOSCALER, message)
    managers = case.workload.field_owners.get(field, frozenset()) & case.rules.gitops_managers
    if managers:
        message = f"{', '.join(sorted(managers))} owns {field} of {case.target}"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    marks = {**case.workload.labels, **case.workload.annotations}
    found = [label for label in GITOPS_LABELS if label in marks]
    if found:
        message = f"{case.target} carries {found[0]}: change it in Git instead"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    return f"nobody else owns {field}"


def unchanged_by_others(case: Case) -> Answer:
    """A later edit by somebody else is a veto on what would follow or undo the action before it."""
    if case.follows is None:
        return "follows nothing"
    if case.live_state is None:
        return "not looked at yet"
    changed = ledger.edited_since(case.follows, case.live_state.workload)
    if changed is not None:
        return model.Refusal(Refused.CHANGED_BY_OTHERS, changed)
    return f"unchanged since {case.follows.name}"
