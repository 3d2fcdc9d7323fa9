"""Guards of ownership: what other controllers or people have written is theirs.

Ownership is judged by the field that an action writes.  An autoscaler owns ``spec.replicas`` and
nothing else; the object of a controller ownerReference owns the whole spec; a tool that deploys
owns what managedFields say that it wrote, and all of an object that bears its mark.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from prunella.api import traffic
from prunella.core import model
from prunella.core.changes import author, diff, undo
from prunella.core.decisions import certificates, fields, helm, ledger, restoring
from prunella.core.decisions.guards.case import Answer, Case, Refused
from prunella.core.decisions.rules import Rules
from prunella.core.incidents import picture

REPLICAS = "spec.replicas"
_SCALED = frozenset({("spec", "replicas"), ("spec", "instances")})
"""Fields that an autoscaler writes, through the subresource ``scale``."""


def not_owned_by_others(case: Case) -> Answer:
    """What an autoscaler, a controller or a tool that deploys writes, only they should write."""
    if case.action.name == restoring.RESTORE:
        return _object_owned(case, case.looked)
    if case.written is not None:
        return _written_owned(case, case.written)
    undone = case.follows.spec.action if case.follows is not None and case.params is None else ""
    if helm.HELM_ROLLBACK in {case.action.name, undone}:
        return _helms_alone(case)
    if case.put_back:
        return "what was restored is put back only where it is as it was left"
    field = case.action.owned_field
    if field is None or case.elsewhere:
        return f"{case.action.name} writes nothing that others own"
    for owned in (_by_autoscaler, _by_controller, _by_manager, _by_mark):
        refusal = owned(case, field)
        if refusal is not None:
            return refusal
    for looked in case.also:
        answer = _object_owned(case, looked)
        if isinstance(answer, model.Refusal):
            return answer
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
        if _deploys(case.rules, manager)
    ]
    if not managers:
        return None
    message = f"{', '.join(managers)} owns {field} of {case.target}"
    return model.Refusal(Refused.OWNED_BY_GITOPS, message)


def _by_mark(case: Case, field: str) -> model.Refusal | None:  # noqa: ARG001 - all of the object
    """A label or annotation of a tool that deploys: it brings back whatever is in Git."""
    mark = _mark_of({**case.workload.labels, **case.workload.annotations}, case.rules)
    if mark:
        message = f"{case.target} carries {mark}: change it in Git instead"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    return None


def _helms_alone(case: Case) -> Answer:
    """What else than Helm owns of a release would be taken away, or would bring it back."""
    refusal = _by_controller(case, "spec.template") or _by_mark(case, "spec.template")
    if refusal is None:
        managers = case.workload.field_owners.get("spec.template", frozenset())
        others = sorted(managers - helm.MANAGERS - helm.RESTARTERS)
        deploying = [each for each in others if _deploys(case.rules, each)]
        if deploying:
            message = f"{', '.join(deploying)} owns spec.template of {case.target}"
            refusal = model.Refusal(Refused.OWNED_BY_GITOPS, message)
        elif others and managers & helm.MANAGERS:
            message = (
                f"{', '.join(others)} has written spec.template of {case.target} beside Helm: "
                "a rollback would take that away"
            )
            return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
    if refusal is None:
        return f"no other tool or controller owns spec.template of {case.target}"
    if refusal.reason is Refused.OWNED_BY_GITOPS:
        message = f"{refusal.message}; gitRevert is the step for that"
        return model.Refusal(refusal.reason, message, skip_step=True)
    return refusal


def _deploys(rules: Rules, manager: str) -> bool:
    """Whether a field manager is a tool that deploys."""
    return any(fnmatch.fnmatchcase(manager, each) for each in rules.gitops_managers)


def _mark_of(marks: Mapping[str, str], rules: Rules) -> str:
    """The label or annotation of a tool that deploys, if there is one."""
    for mark in rules.gitops_labels:
        name, _, value = mark.partition("=")
        if name in marks and value in {"", marks[name]}:
            return mark
    return ""


def _object_owned(case: Case, looked: restoring.Looked | None) -> Answer:
    """The same of an object that is to be restored, for each field of its Change."""
    if looked is None or looked.change is None:
        return "not looked at yet"
    who = looked.change.spec.by.manager
    if _deploys(case.rules, who):
        told = f"{who} has made the change of {looked.ref} and would make it again: change it there"
        return model.Refusal(Refused.OWNED_BY_GITOPS, told)
    found = looked.undo
    return fields_owned(case.rules, looked, found.paths if isinstance(found, undo.Undo) else ())


def _written_owned(case: Case, written: fields.Written) -> Answer:
    """The same of the objects that a step writes, for the fields that it names."""
    if case.looked is None:
        return "not looked at yet"
    if written.ref.kind == certificates.CERTIFICATE:
        return "who owns a Certificate has it issued as it says: its request is nobody's field"
    answer = fields_owned(case.rules, case.looked, written.paths)
    for looked in case.also:
        if isinstance(answer, model.Refusal):
            break
        answer = fields_owned(case.rules, looked, written.paths)
    if not isinstance(answer, model.Refusal) or not isinstance(case.params, traffic.ShiftTraffic):
        return answer
    if answer.reason is not Refused.OWNED_BY_GITOPS:
        return answer
    told = f"{answer.message} (a step gitRevert takes a bad release back there)"
    return model.Refusal(answer.reason, told, skip_step=True)


def fields_owned(rules: Rules, looked: restoring.Looked, paths: Sequence[diff.Path]) -> Answer:
    """Whether somebody else owns an object, or one of some fields of it."""
    if looked.manifest is None:
        return f"{looked.ref} is not there"
    metadata = looked.manifest["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            told = f"{owner['kind']}/{owner['name']} controls {looked.ref}: change it there instead"
            return model.Refusal(Refused.OWNED_BY_CONTROLLER, told)
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    mark = _mark_of(marks, rules)
    if mark:
        message = f"{looked.ref} carries {mark}: change it in Git instead"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    for path in paths:
        for entry in metadata.get("managedFields") or ():
            manager = str(entry.get("manager") or "")
            if _deploys(rules, manager) and author.owns(entry, path):
                message = f"{manager} owns {diff.path_text(path)} of {looked.ref}"
                return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    scaled = [
        ref
        for ref, target in _scaled(looked).items()
        if target == looked.ref and not _SCALED.isdisjoint(paths)
    ]
    if scaled:
        message = f"{scaled[0]} scales {looked.ref}: change its bounds instead"
        return model.Refusal(Refused.OWNED_BY_AUTOSCALER, message)
    return f"nobody else owns the {len(paths)} changed fields of {looked.ref}"


def _scaled(looked: restoring.Looked) -> Mapping[str, model.Ref]:
    """What each autoscaler of the namespace scales."""
    found = picture.of(looked.neighbours).autoscalers
    return {f"autoscaler {name}": target for (_, name), target in found.items()}


def unchanged_by_others(case: Case) -> Answer:
    """A later edit by somebody else is a veto on what would follow or undo the action before it."""
    if case.follows is None:
        return "follows nothing"
    if case.live_state is None:
        return "not looked at yet"
    changed = ledger.edited_since(case.follows, case.live_state.workload)
    if changed is not None:
        return model.Refusal(Refused.CHANGED_BY_OTHERS, changed)
    beside = restoring.edited(case.follows, case.left)
    if beside is not None:
        return beside
    return f"unchanged since {case.follows.name}"
