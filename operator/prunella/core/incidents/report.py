"""An open incident as a value, and why an alert is in it, in sentences."""

from __future__ import annotations

import bisect

from prunella.core import model
from prunella.core.incidents import group, topology, values

SUSPECTS = 5
MEMBERS = 5000
"""Symptoms named in one incident; all are counted."""


def incident(each: group.Group, graph: topology.Topology) -> values.Incident:
    """The value that people, policies and custom resources are made from."""
    return values.Incident(
        each.name,
        values.State.OPEN,
        each.onset,
        each.starts[-1],
        _members(each, graph),
        suspects(each, graph),
        each.flaps,
        each.reopened,
        alerts=each.counted.total() + sum(firing.counts for firing in each.firings),
        objects=len(each.entities),
    )


def suspects(each: group.Group, graph: topology.Topology) -> tuple[values.Suspect, ...]:
    """The objects whose fault would explain the sick ones best, by topology alone."""
    posterior = each.posterior()
    first = sorted(posterior, key=lambda cause: (-posterior[cause], cause))[:SUSPECTS]
    return tuple(
        values.Suspect(
            graph.refs[cause],
            posterior[cause],
            (values.Evidence("topology", _explains(each, cause, graph), weight=posterior[cause]),),
        )
        for cause in first
    )


def why(firing: group.Firing, each: group.Group, graph: topology.Topology) -> str:
    """When it began, how it hangs together with the likely cause, and what began with it."""
    name, target = firing.name, graph.refs[firing.entity]
    if len(each.firings) == 1:
        return f"{name} on {target} is the only alert of {each.name} so far."
    posterior = each.posterior()
    after = firing.starts_at - each.onset
    near = bisect.bisect_right(each.starts, firing.starts_at + group.WINDOW)
    near -= bisect.bisect_left(each.starts, firing.starts_at - group.WINDOW)
    told = (
        f"{name} on {target} began {after:.0f} s after the first of {len(each.firings)} alerts of "
        f"{each.name}, {near - 1} others within {group.WINDOW:.0f} s of it"
    )
    if not posterior:
        return told + "; it is on the same object."
    cause = max(posterior, key=lambda each: posterior[each])
    return f"{told}; {_way(firing.entity, cause, graph)}; {_explains(each, cause, graph)}."


def _way(entity: int, cause: int, graph: topology.Topology) -> str:
    reach, target = graph.reach[entity].get(cause), graph.refs[entity]
    if reach is None:
        return f"{graph.refs[cause]} does not explain {target}"
    if entity == cause:
        return f"{target} is itself the likely cause"
    if reach.hops:
        over = "" if reach.hops == 1 else f" over {reach.hops} calls"
        return f"it calls {graph.refs[cause]}{over}, the likely cause"
    return f"it stands on {graph.refs[cause]}, the likely cause"


def _explains(each: group.Group, cause: int, graph: topology.Topology) -> str:
    sick = sum(cause in graph.reach[entity] for entity in each.entities)
    return (
        f"a fault of {graph.refs[cause]} explains {sick} of {len(each.entities)} sick objects "
        f"(likelihood {each.posterior()[cause]:.2f} among the causes that topology knows)"
    )


def _members(each: group.Group, graph: topology.Topology) -> tuple[values.Member, ...]:
    """Symptoms joined by owner and name, the earliest first."""
    joined: dict[tuple[int, str], list[group.Firing]] = {}
    for firing in each.firings:
        joined.setdefault((firing.entity, firing.name), []).append(firing)
    members = [_member(graph.refs[entity], some, each) for (entity, _), some in joined.items()]
    return tuple(sorted(members, key=lambda one: (one.first, one.target, one.name))[:MEMBERS])


def _member(target: model.Ref, some: list[group.Firing], each: group.Group) -> values.Member:
    first = min(some, key=lambda firing: firing.starts_at)
    symptom = values.Symptom(target, first.name)
    told = next((firing for firing in some if firing.message), first)
    return values.Member(
        target,
        first.name,
        first.starts_at,
        each.counted[symptom] + sum(firing.counts for firing in some),
        sum(firing.ended is None for firing in some),
        told.source,
        told.message,
        first.fingerprint,
    )
