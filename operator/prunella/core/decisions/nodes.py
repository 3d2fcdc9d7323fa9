"""Nodes: who has cordoned one, the patches that do and undo it, and when it is given back.

Who has cordoned a node is written on the node itself, in an annotation with the name of the
Remediation.  What bears none, or where pods may be placed again, is somebody else's: it is never
uncordoned, and never fought.  As kured keeps what was unschedulable before; draino cordoned nodes
again that people had uncordoned (planetlabs/draino, issue 50).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from prunella.api import nodes as nodes_api
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, node_state, objects, pointers
from prunella.core.decisions import episode, ledger

KIND: Final = "Node"
CORDONED_BY: Final = "prunella.dev/cordoned-by"
"""Annotation on a node: the Remediation that has cordoned it."""
CORDON: Final = "cordon"
DRAIN: Final = "drain"
UNCORDON: Final = "uncordon"
RETURN_NODE: Final = ledger.RETURN_NODE
TAKING_OUT: Final = frozenset({CORDON, DRAIN})
"""The actions that take a node out of service."""
ALL: Final = frozenset({*nodes_api.ACTIONS, RETURN_NODE})
UNSCHEDULABLE: Final = "/spec/unschedulable"
_ANNOTATIONS: Final = "/metadata/annotations"
_OWNER: Final = f"{_ANNOTATIONS}/{pointers.part(CORDONED_BY)}"


def owner(node: model.Workload) -> str:
    """The Remediation that has cordoned a node; empty when it is not cordoned, or by others."""
    cordoned = node.node is not None and node.node.unschedulable
    return node.annotations.get(CORDONED_BY, "") if cordoned else ""


def last_in_service(
    target: model.Ref,
    states: Mapping[model.Ref, node_state.NodeState],
    busy: Collection[model.Ref] = frozenset(),
) -> str:
    """Why a node's pods would find no other place, in words; empty when they may find one."""
    others = {ref: state for ref, state in states.items() if ref != target}
    if any(state.takes_pods and ref not in busy for ref, state in others.items()):
        return ""
    return (
        f"0 of {len(others)} other nodes of the cluster are Ready, not cordoned, not being worked "
        f"on and not of the control plane: pods of {target} would find no place"
    )


def shown(node: model.Workload) -> str:
    """What the node shows of itself, for the record."""
    by = owner(node)
    return f"{node.ref} is cordoned by {by}" if by else f"pods may be placed on {node.ref}"


def seen(manifest: Mapping[str, Any]) -> model.Workload:
    """A node as one replica that is always there. Raises what a malformed object leads to."""
    meta, spec = manifest["metadata"], manifest.get("spec") or {}
    labels, status = meta.get("labels") or model.NO_LABELS, manifest.get("status") or {}
    return model.Workload(
        ref=model.Ref(KIND, "", meta["name"]),
        uid=meta["uid"],
        generation=0,
        observed_generation=0,
        replicas=1,
        updated=1,
        available=1,
        total=1,
        labels=labels,
        annotations=meta.get("annotations") or model.NO_LABELS,
        deleting="deletionTimestamp" in meta,
        resource_version=meta.get("resourceVersion", ""),
        node=node_state.of(spec, status, labels),
    )


def cordoning(node: model.Workload, record: str) -> model.Effect:
    """The patch that cordons a node and notes who did it, for one where pods may be placed."""
    was = node.annotations.get(CORDONED_BY)
    noted: list[dict[str, object]] = [_test(_OWNER, was)]
    if not node.annotations:
        noted = [_test(_ANNOTATIONS, None), {"op": "add", "path": _ANNOTATIONS, "value": {}}]
    return model.Effect(
        verb=model.Verb.PATCH,
        target=node.ref,
        uid=node.uid,
        patch=(
            _test(UNSCHEDULABLE, None),
            *noted,
            {"op": "add", "path": UNSCHEDULABLE, "value": True},
            {"op": "add", "path": _OWNER, "value": record},
        ),
        inverse=_back(record),
        summary=f"cordon {node.ref}",
    )


def taking_over(node: model.Workload, record: str) -> model.Effect:
    """The patch by which a further record answers for the operator's own cordon."""
    return model.Effect(
        verb=model.Verb.PATCH,
        target=node.ref,
        uid=node.uid,
        patch=(
            _test(UNSCHEDULABLE, value=True),
            _test(_OWNER, owner(node)),
            {"op": "replace", "path": _OWNER, "value": record},
        ),
        inverse=_back(record),
        summary=f"keep {node.ref} cordoned",
    )


def uncordoning(node: model.Workload, by: str) -> model.Effect:
    """The patch that uncordons a node if it is still ``by`` that Remediation."""
    return model.Effect(
        verb=model.Verb.PATCH,
        target=node.ref,
        uid=node.uid,
        patch=_back(by),
        summary=f"uncordon {node.ref}, which {by} has cordoned",
    )


def _back(record: str) -> tuple[model.PatchOperation, ...]:
    return (
        _test(UNSCHEDULABLE, value=True),
        _test(_OWNER, record),
        {"op": "remove", "path": UNSCHEDULABLE},
        {"op": "remove", "path": _OWNER},
    )


def _test(path: str, value: object) -> dict[str, object]:
    """A test for null passes only where nothing is."""
    return {"op": "test", "path": path, "value": value}


def taken_out(target_uid: str, records: Iterable[objects.Record]) -> objects.Record | None:
    """The record that has taken a node out of service, if nothing came after it."""
    own = [r for r in records if r.spec.target.uid == target_uid and (r.acted or r.in_flight)]
    last = max(own, key=lambda record: record.spec.attempt, default=None)
    return last if last is not None and last.spec.action in TAKING_OUT else None


def due(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    node: model.Workload,
    records: Iterable[objects.Record],
    well_since: datetime.datetime | None,
    now: datetime.datetime,
) -> episode.Next | model.Refusal | None:
    """The uncordoning of a node that has been Healthy for long enough since ``well_since``.

    None while it is not, where the policy leaves it to a person, and where somebody else has
    cordoned or uncordoned it; a Refusal where the policy no longer says how it is given back.
    However its record has ended: the annotation on the node proves whose cordon it is.
    """
    last = taken_out(node.uid, records)
    if last is None or last.policy != policy.key or not last.phase.final:
        return None
    if owner(node) != last.name or not spec.mode.acts:
        return None
    found = _step(spec, last)
    if found is None:
        message = (
            f"{node.ref}, which {last.name} has cordoned, stays so: no step of the policy says "
            "cordon or drain any more; uncordon it by hand"
        )
        return model.Refusal(reasons.Refused.PLAN_CHANGED, message)
    index, params = found
    if params.keep or well_since is None:
        return None
    if now - well_since < datetime.timedelta(seconds=params.uncordon_after.total_seconds()):
        return None
    return episode.Next(index, last, back=last)


def _step(
    spec: policy_api.RemediationPolicySpec, last: objects.Record
) -> tuple[int, nodes_api.Cordon] | None:
    """The step that says how a node is given back: the record's own, if it is one, or any."""
    found = {
        index: step.params
        for index, step in enumerate(spec.steps)
        if isinstance(step.params, nodes_api.Cordon)
    }
    index = last.spec.step if last.spec.step in found else min(found, default=-1)
    return (index, found[index]) if found else None
