"""Raw nodes to the core's values. Pure: nothing is read or sent here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from prunella.adapters.kubernetes import parse
from prunella.core import model, node_state
from prunella.core.decisions import nodes

Raw = Mapping[str, Any]


def node(raw: Raw) -> model.Workload:
    """A node, as one replica that is always there. Raises Unreadable."""
    try:
        return nodes.seen(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise parse.Unreadable(f"{type(error).__name__}: {error}") from error


def looked_at(raw: Raw, pods: Iterable[Raw]) -> model.Workload:
    """A node with the pods on it. Raises Unreadable."""
    found = node(raw)
    state = found.node or node_state.NodeState()
    on_it = tuple(node_state.pod(each) for each in pods)
    return dataclasses.replace(found, node=dataclasses.replace(state, pods=on_it))
