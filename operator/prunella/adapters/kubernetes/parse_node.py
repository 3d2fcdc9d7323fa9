"""Raw nodes to the core's values. Pure: nothing is read or sent here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from prunella.adapters.kubernetes import parse
from prunella.core import model, node_state

Raw = Mapping[str, Any]
KIND = "Node"


def node(raw: Raw) -> model.Workload:
    """A node, as one replica that is always there. Raises Unreadable."""
    try:
        return _node(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise parse.Unreadable(f"{type(error).__name__}: {error}") from error


def looked_at(raw: Raw, pods: Iterable[Raw]) -> model.Workload:
    """A node with the pods on it. Raises Unreadable."""
    found = node(raw)
    state = found.node or node_state.NodeState()
    on_it = tuple(node_state.pod(each) for each in pods)
    return dataclasses.replace(found, node=dataclasses.replace(state, pods=on_it))


def _node(raw: Raw) -> model.Workload:
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    return model.Workload(
        ref=model.Ref(KIND, "", meta["name"]),
        uid=meta["uid"],
        generation=0,
        observed_generation=0,
        replicas=1,
        updated=1,
        available=1,
        total=1,
        labels=meta.get("labels") or model.NO_LABELS,
        annotations=meta.get("annotations") or model.NO_LABELS,
        deleting="deletionTimestamp" in meta,
        resource_version=meta.get("resourceVersion", ""),
        node=node_state.of(spec, status, meta.get("labels") or {}),
    )
