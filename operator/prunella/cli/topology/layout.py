"""Places for objects on a drawing: callers left of what they call, few crossings.

Layers as of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
Structures", 1981): calls that close a circle are turned round, each object stands one layer right
of the rightmost of its callers, and in each layer objects are ordered by the mean of their
neighbours.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
SWEEPS = 8
_OPEN, _DONE = 1, 2


def layers(objects: Sequence[T], calls: Iterable[tuple[T, T]]) -> list[list[T]]:
    """The objects in layers from left to right, each from top to bottom."""
    below = _without_circles(objects, calls)
    depth = _depths(objects, below)
    found: list[list[T]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for each in objects:
        found[depth[each]].append(each)
    above: dict[T, list[T]] = defaultdict(list)
    for caller, callees in below.items():
        for callee in callees:
            above[callee].append(caller)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = above if forward else below
        for layer in found if forward else reversed(found):
            _order(layer, neighbours, _positions(found))
    return found


def _without_circles(objects: Sequence[T], calls: Iterable[tuple[T, T]]) -> dict[T, list[T]]:
    """The calls by caller; one that leads back to where it came from is turned round."""
    out: dict[T, list[T]] = {each: [] for each in objects}
    for caller, callee in calls:
        out[caller].append(callee)
    state: dict[T, int] = {}
    found: dict[T, list[T]] = {each: [] for each in objects}
    called = {callee for callees in out.values() for callee in callees}
    for root in sorted(objects, key=lambda each: each in called):
        stack = [(root, deque(out[root]))] if root not in state else []
        state.setdefault(root, _OPEN)
        while stack:
            caller, rest = stack[-1]
            if not rest:
                state[caller] = _DONE
                stack.pop()
                continue
            callee = rest.popleft()
            if state.get(callee) == _OPEN:
                found[callee].append(caller)
                continue
            found[caller].append(callee)
            if callee not in state:
                state[callee] = _OPEN
                stack.append((callee, deque(out[callee])))
    return found


def _depths(objects: Sequence[T], below: Mapping[T, Sequence[T]]) -> dict[T, int]:
    """The length of the longest way to each object."""
    waiting = dict.fromkeys(objects, 0)
    for callees in below.values():
        for callee in callees:
            waiting[callee] += 1
    depth = dict.fromkeys(objects, 0)
    ready = [each for each in objects if not waiting[each]]
    while ready:
        caller = ready.pop()
        for callee in below[caller]:
            depth[callee] = max(depth[callee], depth[caller] + 1)
            waiting[callee] -= 1
            if not waiting[callee]:
                ready.append(callee)
    return depth


def _positions(found: Sequence[Sequence[T]]) -> dict[T, float]:
    return {
        each: (number + 0.5) / len(layer) for layer in found for number, each in enumerate(layer)
    }


def _order(
    layer: list[T], neighbours: Mapping[T, Sequence[T]], positions: Mapping[T, float]
) -> None:
    def mean(each: T) -> float:
        around = [positions[other] for other in neighbours.get(each, ())]
        return sum(around) / len(around) if around else positions[each]

    layer.sort(key=mean)
