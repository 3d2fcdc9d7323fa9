"""Weights of routes: what moves a part of the traffic, within bounds, and back again."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest

from prunella.core.decisions import weights

SICK, WELL = weights.Backend("canary"), weights.Backend("stable")
Manifest = dict[str, Any]


def route(*rules: dict[str, int | None]) -> Manifest:
    """An HTTPRoute whose rules send to these Services with these weights; None: none is written."""
    backends = [
        [{"name": name} | ({} if weight is None else {"weight": weight}) for name, weight in each]
        for each in (rule.items() for rule in rules)
    ]
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"rules": [{"backendRefs": each} for each in backends]},
    }


def virtual_service(*routes: tuple[str, str, int | None]) -> Manifest:
    """A VirtualService with one rule: host, subset and weight of each destination."""
    made = []
    for host, subset, weight in routes:
        destination = {"host": host} | ({"subset": subset} if subset else {})
        made.append({"destination": destination} | ({} if weight is None else {"weight": weight}))
    return {
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"hosts": ["web"], "http": [{"route": made}]},
    }


def written(manifest: Manifest) -> list[list[int | None]]:
    """The weights of each rule."""
    in_spec, in_rule = weights.RULES[manifest["kind"]]
    rules = manifest["spec"][in_spec]
    return [[each.get("weight") for each in rule[in_rule]] for rule in rules]


def bounds(most: int = 100, leave: int = 0) -> weights.Bounds:
    """Bounds of a move."""
    return weights.Bounds(most, leave)


MOVES = {
    "all of it": (route({"canary": 10, "stable": 90}), bounds(), [[0, 100]]),
    "at most so much at once": (route({"canary": 60, "stable": 40}), bounds(25), [[35, 65]]),
    "a floor is left": (route({"canary": 60, "stable": 40}), bounds(100, 5), [[5, 95]]),
    "the smaller of both": (route({"canary": 20, "stable": 80}), bounds(50, 10), [[10, 90]]),
    "weights that are not written are 1": (
        route({"canary": None, "stable": None}),
        bounds(25),
        [[25, 75]],
    ),
    "coarse weights are made finer, and keep the share of a third": (
        route({"canary": 1, "stable": 1, "old": 1}),
        bounds(10),
        [[70, 130, 100]],
    ),
    "coarse weights that suffice stay": (route({"canary": 1, "stable": 1}), bounds(), [[0, 2]]),
    "what can't be divided is rounded down": (
        route({"canary": 33, "stable": 100}),
        bounds(10),
        [[20, 113]],
    ),
    "every rule that has both": (
        route({"canary": 10, "stable": 90}, {"canary": 1, "old": 1}, {"stable": 5, "canary": 5}),
        bounds(),
        [[0, 100], [1, 1], [10, 0]],
    ),
    "a rule at its floor stays": (
        route({"canary": 50, "stable": 50}, {"canary": 4, "stable": 96}),
        bounds(100, 5),
        [[5, 95], [4, 96]],
    ),
    "hosts by their full name": (
        virtual_service(
            ("canary.shop.svc.cluster.local", "", 30), ("stable.shop.svc.cluster.local", "", 70)
        ),
        bounds(),
        [[0, 100]],
    ),
    "hosts by their name without the cluster's domain": (
        virtual_service(("canary.shop.svc", "", 30), ("stable", "", 70)),
        bounds(),
        [[0, 100]],
    ),
    "a destination without a weight has none": (
        virtual_service(("canary", "", 100), ("stable", "", None)),
        bounds(40),
        [[60, 40]],
    ),
}


@pytest.mark.parametrize(("manifest", "limits", "wanted"), MOVES.values(), ids=MOVES)
def test_traffic_moves_within_its_bounds(
    manifest: Manifest, limits: weights.Bounds, wanted: list[list[int]]
) -> None:
    """Only weights are written; the inverse puts each of them back, and a repeat does not fit."""
    made = weights.shift(manifest, SICK, WELL, limits).swaps
    after = jsonpatch.apply_patch(manifest, list(made.patch))
    assert wanted == written(after)
    assert manifest == jsonpatch.apply_patch(after, list(made.inverse))
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(after, list(made.patch))


OTHERS = {
    "a rule above": lambda rules: [rules[1], *rules],
    "another rule's weights": lambda rules: [rules[0], {"backendRefs": []}],
    "another rule's filters": lambda rules: [rules[0], {**rules[1], "filters": []}],
}


@pytest.mark.parametrize("edit", OTHERS.values(), ids=OTHERS)
def test_a_change_of_any_rule_stops_both_ways(edit: Any) -> None:
    """Rules are known by their number alone, so the list must be what it was."""
    manifest = route({"canary": 10, "stable": 90}, {"canary": 0, "stable": 100})
    made = weights.shift(manifest, SICK, WELL, bounds()).swaps
    after = jsonpatch.apply_patch(manifest, list(made.patch))
    for found, patch in ((manifest, made.patch), (after, made.inverse)):
        edited = {**found, "spec": {"rules": edit(found["spec"]["rules"])}}
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            jsonpatch.apply_patch(edited, list(patch))


def test_subsets_are_told_apart() -> None:
    """Both sides may be of one host."""
    manifest = virtual_service(("web", "v1", 80), ("web", "v2", 20))
    left, taking = weights.Backend("web", "v2"), weights.Backend("web", "v1")
    found = weights.shift(manifest, left, taking, bounds())
    assert (20.0, 0.0) == found.moves[0].left
    assert [[100, 0]] == written(jsonpatch.apply_patch(manifest, list(found.swaps.patch)))


def test_it_tells_what_is_moved_and_what_stays() -> None:
    """In percent of each rule's traffic."""
    found = weights.shift(
        route({"canary": 1, "old": 1}, {"canary": 10, "stable": 90}), SICK, WELL, bounds()
    )
    assert ["10 % to 0 %, and 90 % to 100 %"] == list(map(str, found.moves))
    assert (1, 1) == (found.moves[0].rule, found.untouched)


FOREIGN = [{"name": "canary", "namespace": "other"}, {"name": "stable"}]
STUCK = {
    "no rule with both": (route({"canary": 1, "old": 1}), bounds(), "no rule sends to both"),
    "no rules": (route(), bounds(), "no rule sends to both canary and stable"),
    "of another namespace": (
        {**route(), "spec": {"rules": [{"backendRefs": FOREIGN}]}},
        bounds(),
        "no rule sends to both",
    ),
    "no Service": (
        {
            **route(),
            "spec": {
                "rules": [{"backendRefs": [{"name": "canary", "kind": "X"}, {"name": "stable"}]}]
            },
        },
        bounds(),
        "no rule sends to both",
    ),
    "named twice": (
        {
            **route(),
            "spec": {"rules": [{"backendRefs": [{"name": n} for n in ("canary", "stable") * 2]}]},
        },
        bounds(),
        "rule 0 names canary or stable more than once",
    ),
    "nothing there": (
        route({"canary": 0, "stable": 100}),
        bounds(),
        "canary has 0 % in rule 0, and keeps 0 %",
    ),
    "at the floor": (
        route({"canary": 5, "stable": 95}),
        bounds(100, 5),
        "canary has 5 % in rule 0, and keeps 5 %",
    ),
    "no traffic at all": (route({"canary": 0, "stable": 0}), bounds(), "canary has 0 %"),
    "weights beyond what a route may have": (
        route({"canary": 900_000, "stable": 900_000}),
        bounds(),
        "a weight of 1800000 would be above 1000000",
    ),
    "a host outside the cluster": (
        virtual_service(("canary.shop.svc.example.com", "", 1), ("stable", "", 1)),
        bounds(),
        "no rule sends to both",
    ),
    "a host of two names, which Istio takes for one outside": (
        virtual_service(("canary.shop", "", 1), ("stable", "", 1)),
        bounds(),
        "no rule sends to both",
    ),
    "another host of the name": (
        virtual_service(("canary.other.svc.cluster.local", "", 1), ("stable", "", 1)),
        bounds(),
        "no rule sends to both",
    ),
}


@pytest.mark.parametrize(("manifest", "limits", "words"), STUCK.values(), ids=STUCK)
def test_what_can_not_be_moved_is_told(
    manifest: Manifest, limits: weights.Bounds, words: str
) -> None:
    """With the shares that were compared."""
    with pytest.raises(weights.NotMovableError) as caught:
        weights.shift(manifest, SICK, WELL, limits)
    assert words in str(caught.value)
