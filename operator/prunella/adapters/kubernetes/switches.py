"""The switches that people have in a cluster: the ConfigMap that pauses, and frozen namespaces."""

from __future__ import annotations

import dataclasses
from typing import Final

from prunella import ports
from prunella.adapters.kubernetes import client, kinds
from prunella.core import model
from prunella.core.decisions import halts

PAUSE: Final = "prunella-pause"
"""The ConfigMap in the operator's namespace."""
NO_DATE = (
    "the API server's answers have no Date: nothing tells whether the operator's clock is right"
)


async def paused(api: client.KubeApi, operator_namespace: str) -> model.PauseState:
    """What the ConfigMap pauses; only its clear absence means nothing."""
    path = kinds.CONFIG_MAP.path(operator_namespace, PAUSE)
    try:
        reply = await api.exchange("GET", path, mutating=False)
    except ports.ClusterError as error:
        return model.PauseState(paused=True, message=f"can't read ConfigMap {PAUSE}: {error}")
    if reply.denies(PAUSE):
        return _timed(model.PauseState(paused=False), reply)
    if not reply.ok:
        message = f"can't read ConfigMap {PAUSE}: {reply.message}"
        return model.PauseState(paused=True, message=message)
    data = reply.body.get("data") if isinstance(reply.body, dict) else None
    return _timed(halts.read_pause(data if isinstance(data, dict) else {}, PAUSE), reply)


async def freeze(api: client.KubeApi, namespace: str) -> halts.Freeze:
    """What a namespace says of being frozen; what can't be read is a problem."""
    path = kinds.NAMESPACE.path(None, namespace)
    try:
        reply = await api.exchange("GET", path, mutating=False)
    except ports.ClusterError as error:
        return halts.Freeze(problem=str(error))
    if not reply.ok or not isinstance(reply.body, dict):
        return halts.Freeze(problem=reply.message or f"status {reply.status} and no object")
    return halts.freeze_of_manifest(reply.body)


def _timed(found: model.PauseState, reply: client.Reply) -> model.PauseState:
    """With the API server's time, or that it tells none, as behind a proxy that drops it."""
    no_time = "" if reply.date is not None else NO_DATE
    return dataclasses.replace(found, server_time=reply.date, no_time=no_time)
