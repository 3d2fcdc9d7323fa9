"""Guards of ownership: what other controllers or people have written is theirs.

Ownership is judged by the field that an action writes.  An autoscaler owns ``spec.replicas`` and
nothing else; the object of a controller ownerReference owns the whole spec; a tool that deploys
owns what managedFields say that it wrote, and all of an object that bears its mark.
"""

from __future__ import annotations

import fnmatch

from prunella.core import model
from prunella.core.decisions import ledger
from prunella.core.decisions.guards.case import Answer, Case, Refused

REPLICAS = "spec.replicas"


def not_owned_by_others(case: Case) -> Answer:
    """What an autoscaler, a controller or a tool that deploys writes, only they should write."""
    field = case.action.owned_field
    if field is None:
        return f"{case.action.name} writes nothing that others own"
    for owned in (_by_autoscaler, _by_controller, _by_manager, _by_mark):
        refusal = owned(case, field)
        if refusal is not None:
            return refusal
    return f"nobody else owns {field}"


def _by_autoscaler(case: Case, field: str) -> model.Refusal | None:
    """An autoscaler writes the number of replicas; the pod template is not its business."""
    if field != REPLICAS or case.live_state is None or not case.live_state.autoscalers:
        return None
    owners = ", ".join(case.live_state.autoscalers)
    message = f"{owners} scales {case.target}: change its bounds instead"
    return model.Refusal(Refused.OWNED_BY_AUTOSCALER, message)


def _by_controller(case: Case, field: str) -> model.Refusal | None:
    """A controller ownerReference: its controller writes the object anew from its own."""
    if not case.workload.controller:
        return None
    message = (
        f"{case.workload.controller} controls {case.target}, and its controller would undo a "
        f"change of {field}: change it there instead"
    )
    return model.Refusal(Refused.OWNED_BY_CONTROLLER, message)


def _by_manager(case: Case, field: str) -> model.Refusal | None:
    """A tool that deploys is, by managedFields, who last wrote the very field."""
    managers = [
        manager
        for manager in sorted(case.workload.field_owners.get(field, frozenset()))
        if any(fnmatch.fnmatchcase(manager, each) for each in case.rules.gitops_managers)
    ]
    if not managers:
        return None
    message = f"{', '.join(managers)} owns {field} of {case.target}"
    return model.Refusal(Refused.OWNED_BY_GITOPS, message)


def _by_mark(case: Case, field: str) -> model.Refusal | None:  # noqa: ARG001 - all of the object
    """A label or annotation of a tool that deploys: it brings back whatever is in Git."""
    marks = {**case.workload.labels, **case.workload.annotations}
    for mark in case.rules.gitops_labels:
        name, _, value = mark.partition("=")
        if name in marks and value in {"", marks[name]}:
            message = f"{case.target} carries {mark}: change it in Git instead"
            return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    return None


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
