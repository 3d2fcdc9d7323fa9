"""Which place stands out by what is sick on it and what elsewhere."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from prunella.core import model
from prunella.core.incidents import places

RACKS = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3"], "c": ["c1", "c2", "c3"]}


def node(name: str) -> model.Ref:
    """A node, named by its rack and number."""
    return model.Ref("Node", "", name)


def workload(name: str) -> model.Ref:
    """A workload, named by its node and number."""
    return model.Ref("Deployment", "shop", name)


NODES = {node(each) for some in RACKS.values() for each in some}
WORKLOADS = {workload(f"{each.name}-{i}") for each in NODES for i in range(4)}
PLACES: dict[model.Ref, set[model.Ref]] = {
    **{each: {node(each.name[:2])} for each in WORKLOADS},
    **{each: {model.Ref("Rack", "", each.name[0])} for each in NODES},
    **{model.Ref("Rack", "", rack): {model.Ref("Zone", "", "z")} for rack in RACKS},
}
DB = workload("a1-0")


def within(*prefixes: str, nodes: bool = True) -> set[model.Ref]:
    """All that stands in some racks or on some nodes."""
    every = NODES | WORKLOADS if nodes else WORKLOADS
    return {each for each in every if each.name.startswith(prefixes)}


def some(count: int, among: Collection[model.Ref]) -> set[model.Ref]:
    """The first so many of them."""
    return set(sorted(among)[:count])


CASES = [
    pytest.param(within("a"), "Rack/a", id="all of a rack is sick"),
    pytest.param(within("a", nodes=False), "Rack/a", id="its workloads, and no node says so"),
    pytest.param(
        some(9, within("a")) | {workload("b1-0"), workload("c2-1")},
        "Rack/a",
        id="most of it, and two by chance elsewhere",
    ),
    pytest.param(within("a1"), "Node/a1", id="one node of a rack"),
    pytest.param(within("a1", "a2", "a3"), "Rack/a", id="each of its nodes"),
    pytest.param(within("a1", "b1", "c1"), "", id="a node in each rack"),
    pytest.param(within("a", "b", "c"), "", id="everything"),
    pytest.param(within("a", "b"), "", id="two racks of three, as much the one as the other"),
    pytest.param(
        {workload(f"a{n}-{i}") for n in (1, 2, 3) for i in (0, 1)}, "", id="0.4 of a rack"
    ),
    pytest.param(set(), "", id="nothing"),
]


@pytest.mark.parametrize(("sick", "expected"), CASES)
def test_a_place_is_sick_by_its_share(sick: set[model.Ref], expected: str) -> None:
    """Most of it is sick, and little elsewhere; otherwise no place is."""
    found = places.Places({}, PLACES).clearest(sick)
    assert expected == (str(found.place) if found is not None else "")


def test_a_database_that_everybody_in_a_rack_calls_is_not_the_rack() -> None:
    """Who calls something sick has a reason already."""
    inside = within("a", nodes=False)
    calls = {each: {DB} for each in inside - {DB}}
    assert None is places.Places(calls, PLACES).clearest(inside)
    assert "Rack/a" == str(getattr(places.Places({}, PLACES).clearest(inside), "place", ""))


def test_callers_through_a_service_have_a_reason_too() -> None:
    """A Service before several workloads stands between caller and callee."""
    inside, service = within("a", nodes=False), model.Ref("Service", "shop", "db")
    calls = {each: {service} for each in inside - {DB}} | {service: {DB, workload("b1-0")}}
    assert None is places.Places(calls, PLACES).clearest(inside)


def test_callers_elsewhere_speak_neither_for_nor_against() -> None:
    """All of the other racks calls into the sick one, and half of that is sick."""
    other = within("b", "c", nodes=False)
    calls = {each: {DB} for each in other}
    sick = within("a") | some(len(other) // 2, other)
    known = places.Places(calls, PLACES)
    found = known.clearest(sick)
    assert found is not None
    assert (
        "3 of 3 nodes and 12 of 12 workloads on Rack/a are sick, 0 of 6 nodes and 0 of 0 workloads "
        "elsewhere; 12 more elsewhere call something sick"
    ) == found.sentence()
    assert sick == known.explained(found.place, sick)


def test_what_stands_elsewhere_and_calls_nothing_there_is_not_explained() -> None:
    """A fault of its own at the same time stays one."""
    known = places.Places({}, PLACES)
    sick = within("a") | {workload("b1-0")}
    assert within("a") == known.explained(model.Ref("Rack", "", "a"), sick)


@pytest.mark.parametrize(
    ("sick", "stands_out"),
    [
        pytest.param(within("a"), True, id="all of it and nothing elsewhere"),
        pytest.param(within("a", "b", "c"), False, id="all of it and all elsewhere"),
        pytest.param(some(6, within("a")) | within("b1"), False, id="0.4 of it, 0.17 elsewhere"),
        pytest.param(some(6, within("a")) | {workload("b1-0")}, True, id="0.4 and 0.03"),
    ],
)
def test_a_single_place_is_compared_with_elsewhere(sick: set[model.Ref], stands_out: bool) -> None:
    """Its share must be three times that of elsewhere."""
    found = places.Places({}, PLACES).contrast(model.Ref("Rack", "", "a"), sick)
    assert found is not None
    assert stands_out == found.stands_out


@pytest.mark.parametrize(
    ("count", "expected"),
    [pytest.param(2, "", id="two may by chance"), pytest.param(3, "Node/n1", id="three may not")],
)
def test_few_sick_objects_make_no_place_sick(count: int, expected: str) -> None:
    """However rare it is that something is sick elsewhere."""
    here = {workload(f"n1-{i}"): {node("n1")} for i in range(count)}
    there = {workload(f"n2-{i}"): {node("n2")} for i in range(80)}
    found = places.Places({}, {**here, **there}).clearest(here)
    assert expected == (str(found.place) if found is not None else "")
