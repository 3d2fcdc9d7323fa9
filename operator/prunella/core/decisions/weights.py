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

from prunella.api import traffic
from prunella.core.changes import swaps

RULES: Final = {"HTTPRoute": ("rules", "backendRefs"), "VirtualService": ("http", "route")}
"""Where a route has its rules, and a rule its backends."""
_UNWRITTEN: Final = {"HTTPRoute": 1, "VirtualService": 0}
MOST_WEIGHT: Final = 1_000_000
"""As the Gateway API bounds it."""
WHOLE: Final = 100
CLUSTER_DOMAIN: Final = "cluster.local"
"""What a Service's full name ends with, unless the cluster was set up otherwise."""


class Backend(NamedTuple):
    """A Service that a rule sends to, and Istio's subset of it, if any."""

    service: str
    subset: str = ""

    def __str__(self) -> str:
        return f"{self.service}/{self.subset}" if self.subset else self.service


def backends(params: traffic.ShiftTraffic, target: str) -> tuple[Backend, Backend]:
    """The side that is left and the one that takes over, as a route names them."""
    from_ = params.from_ or traffic.SickSide()
    left = Backend(from_.service or target, from_.subset or "")
    return left, Backend(params.to.service or params.to.workload, params.to.subset or "")


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
    left: str
    """Names of the side that gives traffic (of a way back: gets it) and of the other one."""
    taking: str


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
    rules = list(manifest["spec"].get(in_spec) or ())
    then, moves, floors = list(rules), list[Move](), list[str]()
    untouched = 0
    for number, rule in enumerate(rules):
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
        then[number] = {**rule, in_rule: _weighed(entries, old, new)}
    if moves:
        return Shift(tuple(moves), _swaps(kind, rules, then), untouched, str(left), str(taking))
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
    own = domain in {"", f"{namespace}.svc", f"{namespace}.svc.{CLUSTER_DOMAIN}"}
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


def step_back(manifest: Mapping[str, Any], before: Rules, most: int) -> Shift:
    """What brings a part of the traffic back to where it was ``before`` it was moved.

    Which sides these are is told by the weights alone: the one whose share has fallen most, and
    the one whose share has grown most.  The last step writes just what was there.
    Raises NotMovableError.
    """
    kind = manifest["kind"]
    in_spec, in_rule = RULES[kind]
    rules = list(manifest["spec"].get(in_spec) or ())
    if _bare(kind, rules) != _bare(kind, before):
        raise NotMovableError("its rules are no longer those whose weights were moved")
    then, moves, names = list(rules), list[Move](), ("", "")
    for number, (rule, wanted) in enumerate(zip(rules, before, strict=True)):
        if rule == wanted:
            continue
        entries = rule[in_rule]
        now, old = _weights(kind, entries), _weights(kind, wanted[in_rule])
        places = _sides(now, old)
        then[number], new = wanted, old
        if _percent(now, places[0]) + most < _percent(old, places[0]):
            floor = math.floor(_percent(old, places[1]))
            part = moved(now, places[1], places[0], Bounds(most, floor))
            if part is None:
                raise NotMovableError(f"rule {number} has no weights that could be moved back")
            then[number], new = {**rule, in_rule: _weighed(entries, now, part)}, part
        moves.append(_move(number, now, new, *places))
        told = [str(_named(manifest, entries[place])) for place in places]
        names = told[0], told[1]
    if not moves:
        raise NotMovableError("all of what was moved is back")
    return Shift(tuple(moves), _swaps(kind, rules, then), 0, *names)


def _sides(now: Sequence[int], old: Sequence[int]) -> tuple[int, int]:
    """Places of the backends that have lost most since ``old``, and that have gained most."""
    gained = [_percent(now, place) - _percent(old, place) for place in range(len(now))]
    return gained.index(min(gained)), gained.index(max(gained))


def _bare(kind: str, rules: Rules) -> list[Mapping[str, Any]]:
    """The rules without their weights."""
    in_rule = RULES[kind][1]
    return [
        {
            **rule,
            in_rule: [
                {key: value for key, value in each.items() if key != "weight"}
                for each in rule.get(in_rule) or ()
            ],
        }
        for rule in rules
    ]


Rules = Sequence[Mapping[str, Any]]
"""All rules of a route."""


def tested(patch: Sequence[Mapping[str, Any]]) -> Rules:
    """The rules that a patch of this module finds where it is sent."""
    places = {f"/spec/{in_spec}" for in_spec, _ in RULES.values()}
    found = (each["value"] for each in patch if each["op"] == "test" and each["path"] in places)
    return list(next(found, ()))


def _percent(weights: Sequence[int], place: int) -> float:
    total = sum(weights)
    return WHOLE * weights[place] / total if total else 0.0


def _move(rule: int, old: Sequence[int], new: Sequence[int], left: int, taking: int) -> Move:
    return Move(
        rule,
        (_percent(old, left), _percent(new, left)),
        (_percent(old, taking), _percent(new, taking)),
    )


def _weighed(
    entries: Sequence[Mapping[str, Any]], old: Sequence[int], new: Sequence[int]
) -> list[Mapping[str, Any]]:
    """The backends with other weights; those that stay the same stay unwritten, too."""
    pairs = zip(entries, old, new, strict=True)
    return [dict(e) if was == is_ else {**e, "weight": is_} for e, was, is_ in pairs]


def _swaps(kind: str, now: Rules, then: Rules) -> swaps.Swaps:
    """Writes of the weights in which a route's rules differ, and the way back."""
    return swaps.Swaps(_writes(kind, now, then), _writes(kind, then, now))


def _writes(kind: str, now: Rules, then: Rules) -> swaps.Operations:
    """One way of it, under a test of all rules: their numbers mean nothing in another list."""
    in_spec, in_rule = RULES[kind]
    found: list[Mapping[str, Any]] = [
        {"op": "test", "path": f"/spec/{in_spec}", "value": copy.deepcopy(list(now))}
    ]
    for rule, (old, new) in enumerate(zip(now, then, strict=True)):
        pairs = zip(old.get(in_rule) or (), new.get(in_rule) or (), strict=True)
        for number, (was, is_) in enumerate(pairs):
            pointer = f"/spec/{in_spec}/{rule}/{in_rule}/{number}/weight"
            if "weight" not in is_ and "weight" in was:
                found.append({"op": "remove", "path": pointer})
            elif was.get("weight") != is_.get("weight"):
                op = "replace" if "weight" in was else "add"
                found.append({"op": op, "path": pointer, "value": is_["weight"]})
    return tuple(found)
