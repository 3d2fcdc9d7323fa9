"""Weights of routes: who gets which share of the traffic, and what moves a part of it.

HTTPRoute: https://gateway-api.sigs.k8s.io/reference/spec/#httpbackendref (a weight that is not
written is 1).  VirtualService: https://istio.io/latest/docs/reference/config/networking/
virtual-service/#HTTPRouteDestination (a destination that is alone has all).
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from prunella.core.changes import swaps

RULES: Final = {"HTTPRoute": ("rules", "backendRefs"), "VirtualService": ("http", "route")}
"""Where a route has its rules, and a rule its backends."""
_UNWRITTEN: Final = {"HTTPRoute": 1, "VirtualService": 0}
MOST_WEIGHT: Final = 1_000_000
"""As the Gateway API bounds it."""
WHOLE: Final = 100


class Backend(NamedTuple):
    """A Service that a rule sends to, and Istio's subset of it, if any."""

    service: str
    subset: str = ""

    def __str__(self) -> str:
        return f"{self.service}/{self.subset}" if self.subset else self.service


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """What one rule's traffic is divided like, now and then, in percent of the rule's."""

    rule: int
    left: tuple[float, float]
    """Of the side that is left: now, and then."""
    taken: tuple[float, float]
    """Of the side that takes over."""

    def __str__(self) -> str:
        (was, is_), (had, has) = self.left, self.taken
        return f"{was:.3g} % to {is_:.3g} %, and {had:.3g} % to {has:.3g} %"


@dataclasses.dataclass(frozen=True, slots=True)
class Shift:
    """The patch that moves traffic, with its inverse."""

    moves: tuple[Move, ...]
    swaps: swaps.Swaps
    untouched: int
    """Rules that send to the side that is left, and not to the other."""


class NotMovableError(Exception):
    """Nothing can be moved: why."""


class AtFloorError(NotMovableError):
    """The side that is left has no more than it is to keep."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """Most percent that are moved at once, and percent that are left where they are."""

    most: int
    leave: int


def shift(manifest: Mapping[str, Any], left: Backend, taking: Backend, bounds: Bounds) -> Shift:
    """What moves traffic between two backends, in every rule that has both.

    Raises NotMovableError, AtFloorError.
    """
    kind = manifest["kind"]
    in_spec, in_rule = RULES[kind]
    moves: list[Move] = []
    patch: list[Mapping[str, Any]] = []
    inverse: list[Mapping[str, Any]] = []
    floors: list[str] = []
    untouched = 0
    for number, rule in enumerate(manifest["spec"].get(in_spec) or ()):
        entries = rule.get(in_rule) or []
        found = [_named(manifest, each) for each in entries]
        if left not in found:
            continue
        if taking not in found:
            untouched += 1
            continue
        if found.count(left) > 1 or found.count(taking) > 1:
            raise NotMovableError(f"rule {number} names {left} or {taking} more than once")
        places = found.index(left), found.index(taking)
        old = _weights(kind, entries)
        new = moved(old, *places, bounds)
        if new is None:
            floors.append(f"{_percent(old, places[0]):.3g} % in rule {number}")
            continue
        moves.append(_move(number, old, new, *places))
        there, back = _swaps(f"/spec/{in_spec}/{number}/{in_rule}", entries, old, new)
        patch += there
        inverse = [*back, *inverse]
    if moves:
        return Shift(tuple(moves), swaps.Swaps(tuple(patch), tuple(inverse)), untouched)
    if floors:
        raise AtFloorError(f"{left} has {', '.join(floors)}, and keeps {bounds.leave} %")
    raise NotMovableError(f"no rule sends to both {left} and {taking}")


def _named(manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> Backend | None:
    """Which Service of the route's namespace an entry sends to; None: to something else."""
    namespace = manifest["metadata"]["namespace"]
    if manifest["kind"] == "HTTPRoute":
        service = (entry.get("group") or "", entry.get("kind") or "Service") == ("", "Service")
        own = (entry.get("namespace") or namespace) == namespace
        return Backend(entry["name"]) if service and own else None
    destination = entry.get("destination") or {}
    name, _, domain = str(destination.get("host") or "").partition(".")
    own = domain in {"", namespace} or f"{domain}.".startswith(f"{namespace}.svc.")
    return Backend(name, destination.get("subset") or "") if own else None


def _weights(kind: str, entries: Sequence[Mapping[str, Any]]) -> list[int]:
    alone = kind == "VirtualService" and len(entries) == 1
    unwritten = WHOLE if alone else _UNWRITTEN[kind]
    return [int(each.get("weight", unwritten)) for each in entries]


def moved(weights: Sequence[int], left: int, taking: int, bounds: Bounds) -> list[int] | None:
    """The weights after a move, rounded down; None when nothing may be moved.

    Where the weights are too coarse for the bounds all are made finer: the shares of the others
    stay as they are.  Raises NotMovableError.
    """
    total = sum(weights)
    amount = min(total * bounds.most, weights[left] * WHOLE - total * bounds.leave)
    if amount <= 0:
        return None
    finer = WHOLE // math.gcd(total, WHOLE) if amount % WHOLE and total < WHOLE else 1
    new = [each * finer for each in weights]
    whole = amount * finer // WHOLE
    if whole <= 0:
        return None
    new[left] -= whole
    new[taking] += whole
    if max(new) > MOST_WEIGHT:
        raise NotMovableError(f"a weight of {max(new)} would be above {MOST_WEIGHT}")
    return new


def _percent(weights: Sequence[int], place: int) -> float:
    total = sum(weights)
    return WHOLE * weights[place] / total if total else 0.0


def _move(rule: int, old: Sequence[int], new: Sequence[int], left: int, taking: int) -> Move:
    return Move(
        rule,
        (_percent(old, left), _percent(new, left)),
        (_percent(old, taking), _percent(new, taking)),
    )


def _swaps(
    place: str,
    entries: Sequence[Mapping[str, Any]],
    old: Sequence[int],
    new: Sequence[int],
) -> tuple[swaps.Operations, swaps.Operations]:
    """Writes of the weights that differ, under a test of all of the rule's backends."""
    there: list[Mapping[str, Any]] = [_test(place, entries)]
    back: list[Mapping[str, Any]] = []
    after = copy.deepcopy([dict(each) for each in entries])
    for number, (entry, was, weight) in enumerate(zip(entries, old, new, strict=True)):
        if was == weight:
            continue
        pointer = f"{place}/{number}/weight"
        after[number]["weight"] = weight
        written = "weight" in entry
        there.append({"op": "replace" if written else "add", "path": pointer, "value": weight})
        undo: Mapping[str, Any] = {"op": "replace", "path": pointer, "value": was}
        back.append(undo if written else {"op": "remove", "path": pointer})
    return tuple(there), (_test(place, after), *back)


def _test(place: str, entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"op": "test", "path": place, "value": [dict(each) for each in entries]}
