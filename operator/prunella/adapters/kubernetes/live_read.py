"""A close, live look at one workload: everything that the guards of an action compare."""

from __future__ import annotations

import asyncio
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import (
    client,
    kinds,
    parse,
    parse_job,
    parse_node,
    parse_revisions,
    selectors,
)
from prunella.core import model, progressive


async def live_state(api: client.KubeApi, target: model.Ref) -> model.LiveState | None:
    """Read a workload and all that concerns it; None when it is gone. Raises ClusterError.

    The workload is read first and its pods by the selector that it has now; the rest at once.
    """
    if target.kind == kinds.NODE.name:
        return await _node(api, target)
    kind = kinds.TARGETS[target.kind]
    reply = await api.exchange("GET", kind.path(target.namespace, target.name), mutating=False)
    if reply.status == 404:
        return None
    if not reply.ok:
        raise client.refusal(reply, mutating=False)
    try:
        workload = parse.workload(target.kind, reply.body)
    except parse.Unreadable as error:
        raise ports.ClusterError(f"{target} can't be read: {error}") from error
    if target.kind == kinds.CRON_JOB.name:
        raws = await api.items(kinds.JOB.path(target.namespace))
        jobs = tuple(
            parse_job.job(raw) for raw in raws if parse.controller_uid(raw) == workload.uid
        )
        return model.LiveState(workload, pods_known=False, jobs=jobs)
    query = {"labelSelector": _selector(reply.body["spec"])}
    history, pods, budgets, autoscalers = await asyncio.gather(
        _history(api, target, query),
        api.items(kinds.POD.path(target.namespace), query),
        api.items(kinds.BUDGET.path(target.namespace)),
        _autoscalers(api, target),
    )
    owners = _pod_owners(workload, history)
    own = tuple(
        parse.pod(p) for p in pods if parse.controller_uid(p) in owners and not parse.finished(p)
    )
    return model.LiveState(
        workload=workload,
        pods=own,
        revisions=_revisions(workload, history),
        budgets=tuple(parse.budget(raw) for raw in budgets if _concerns(raw, workload, own)),
        autoscalers=autoscalers,
    )


async def _node(api: client.KubeApi, target: model.Ref) -> model.LiveState | None:
    """A node as it is now, with the pods on it. Raises ClusterError."""
    reply = await api.exchange("GET", kinds.NODE.path(None, target.name), mutating=False)
    if reply.status == 404:
        return None
    if not reply.ok:
        raise client.refusal(reply, mutating=False)
    found = {"fieldSelector": f"spec.nodeName={target.name}"}
    pods = await api.items(kinds.POD.path(None), found)
    try:
        return model.LiveState(parse_node.looked_at(reply.body, pods), pods_known=False)
    except parse.Unreadable as error:
        raise ports.ClusterError(f"{target} can't be read: {error}") from error


def _selector(spec: dict[str, Any]) -> str:
    """The selector of a workload's pods.

    A Rollout whose template another workload has may have none: then those of all Rollouts are
    looked at, and their owners tell whose they are.
    """
    found = spec.get("selector")
    return selectors.query(found) if found else progressive.TEMPLATE_HASH


async def _history(
    api: client.KubeApi, target: model.Ref, query: dict[str, str]
) -> list[dict[str, Any]]:
    sets = target.kind in parse_revisions.REVISIONS
    kind = kinds.REPLICA_SET if sets else kinds.CONTROLLER_REVISION
    return await api.items(kind.path(target.namespace), query)


def _revisions(
    workload: model.Workload, history: list[dict[str, Any]]
) -> tuple[model.Revision, ...]:
    if workload.ref.kind in parse_revisions.REVISIONS:
        return parse_revisions.deployment_revisions(history, workload)
    return parse_revisions.controller_revisions(history, workload)


def _pod_owners(workload: model.Workload, history: list[dict[str, Any]]) -> set[str]:
    """UIDs that control the workload's pods: its own, or those of its ReplicaSets."""
    if workload.ref.kind not in parse_revisions.REVISIONS:
        return {workload.uid}
    sets = (raw for raw in history if parse.controller_uid(raw) == workload.uid)
    return {raw["metadata"]["uid"] for raw in sets}


def _concerns(raw: dict[str, Any], workload: model.Workload, pods: tuple[model.Pod, ...]) -> bool:
    """Whether a budget selects any pod that the workload has or would make."""
    meta = workload.template.get("metadata")
    labels = [meta.get("labels") or {}] if isinstance(meta, dict) else []
    selector = raw["spec"].get("selector")
    return any(selectors.matches(selector, each) for each in [*labels, *(p.labels for p in pods)])


async def _autoscalers(api: client.KubeApi, target: model.Ref) -> tuple[str, ...]:
    wanted = target.kind, target.name
    found = [
        f"{kind.name}/{raw['metadata']['name']}"
        for kind in (kinds.AUTOSCALER, kinds.SCALED_OBJECT)
        for raw in await _items_if_known(api, kind, target.namespace)
        if parse.scale_target(raw) == wanted
    ]
    return tuple(found)


async def _items_if_known(
    api: client.KubeApi, kind: kinds.Kind, namespace: str
) -> list[dict[str, Any]]:
    """The objects of a kind that not every cluster has."""
    try:
        return await api.items(kind.path(namespace))
    except ports.ClusterError as error:
        if error.status == 404:
            return []
        raise
