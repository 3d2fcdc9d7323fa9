"""What is drawn: objects, the calls between them, and where they run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from prunella.core import model
from prunella.core.incidents import links as links_module
from prunella.core.incidents import topology


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call, and whether it was measured or is only declared by an address."""

    caller: model.Ref
    callee: model.Ref
    measured: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """A part of a topology, in the order in which it is shown."""

    scope: str
    objects: tuple[model.Ref, ...]
    calls: tuple[Call, ...]
    places: Mapping[model.Ref, tuple[model.Ref, ...]]
    """Workloads on nodes, nodes in racks and zones."""
    notes: tuple[str, ...] = ()
    """What could not be read."""

    @property
    def measured(self) -> int:
        """How many calls were measured."""
        return sum(each.measured for each in self.calls)

    def callees(self, ref: model.Ref) -> list[model.Ref]:
        """Whom an object calls."""
        return [each.callee for each in self.calls if each.caller == ref]

    def callers(self, ref: model.Ref) -> list[model.Ref]:
        """Who calls an object."""
        return [each.caller for each in self.calls if each.callee == ref]

    def racks_and_zones(self, node: model.Ref) -> list[model.Ref]:
        """What a node stands in, from near to far."""
        found: list[model.Ref] = []
        edge = list(self.places.get(node, ()))
        while edge:
            found += edge
            edge = [each for place in edge for each in self.places.get(place, ())]
        return found


def of(
    declared: links_module.Pair,
    measured: topology.Links,
    workloads: Collection[model.Ref],
    namespace: str | None,
    notes: Collection[str] = (),
) -> Graph:
    """The graph of a namespace with its neighbours elsewhere, or of all (None)."""
    pairs = {(a, b): True for a, others in measured.items() for b in others}
    for caller, others in declared.calls.items():
        for callee in others:
            pairs.setdefault((caller, callee), False)
    calls = tuple(
        Call(caller, callee, how)
        for (caller, callee), how in sorted(pairs.items())
        if namespace in (None, caller.namespace, callee.namespace)
    )
    own = {each for each in workloads if namespace in (None, each.namespace)}
    shown = own | {each.caller for each in calls} | {each.callee for each in calls}
    places = {ref: tuple(sorted(others)) for ref, others in declared.places.items()}
    scope = "all namespaces" if namespace is None else f"namespace {namespace}"
    return Graph(scope, tuple(sorted(shown, key=_order)), calls, places, tuple(notes))


def _order(ref: model.Ref) -> tuple[str, str, str]:
    return ref.namespace, ref.name, ref.kind
