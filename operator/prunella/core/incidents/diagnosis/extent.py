"""How far around a sick namespace a diagnosis looks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from prunella.core import model
from prunella.core.incidents import topology
from prunella.core.incidents.diagnosis import read

MOST = 16
"""Namespaces that one diagnosis looks at."""


def widened(
    namespaces: Collection[str], calls: topology.Links, places: topology.Links
) -> tuple[str, ...]:
    """The namespaces and those of what they depend on: callees of callees, then their callers.

    Then those of workloads that share a node with them, as long as there is room.
    """
    found = dict.fromkeys(sorted(namespaces))
    edge = {ref for ref in _refs(calls) if ref.namespace in found}
    seen: set[model.Ref] = set()
    while edge:
        seen |= edge
        edge = {each for ref in edge for each in calls.get(ref, ())} - seen
    _add(found, (ref.namespace for ref in sorted(seen)))
    _add(found, sorted(ref.namespace for ref, some in calls.items() if seen & set(some)))
    nodes = {node for ref in seen for node in places.get(ref, ())}
    _add(found, sorted(ref.namespace for ref, some in places.items() if nodes & set(some)))
    return tuple(found)


def named(objects: Mapping[model.Ref, read.Raw], looked: Collection[str]) -> tuple[str, ...]:
    """Namespaces beyond those looked at that Events there name in ``related``.

    The scheduler names so the pod for which another had to go: it may be of a workload that is
    new, and in no topology yet.
    """
    related = (
        read.text(raw, "related", "namespace")
        for ref, raw in objects.items()
        if ref.kind == "Event"
    )
    found = dict.fromkeys(looked)
    _add(found, sorted(set(related)))
    return tuple(each for each in found if each not in looked)


def _refs(calls: topology.Links) -> set[model.Ref]:
    return set(calls) | {each for some in calls.values() for each in some}


def _add(found: dict[str, None], namespaces: Iterable[str]) -> None:
    for each in namespaces:
        if each and len(found) < MOST:
            found.setdefault(each)
