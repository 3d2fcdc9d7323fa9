"""Reading Incident objects, and keeping what changed of them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bench.exam import sightings
from bench.exam.sightings import Sighting, Suspect, Watcher
from lab.shop.faults import Ref


def incident(name: str = "inc-1", **status: Any) -> dict[str, Any]:
    """An Incident object in the operator's namespace."""
    return {
        "metadata": {"namespace": "prunella-system", "name": name},
        "spec": {"openedAt": "1970-01-01T00:01:40Z"},
        "status": {"state": "Open", **status},
    }


SUSPECT = {
    "object": {"kind": "Service", "namespace": "x01-core", "name": "cart"},
    "field": "spec.selector",
    "summary": "s",
    "score": 0.9,
}


def test_incident_is_read_as_the_operator_writes_it() -> None:
    """State, times, places and suspects in their order."""
    found = sightings.read(
        incident(
            namespaces=["x01-core", "x01-web"],
            suspects=[SUSPECT],
            lastSymptomAt="1970-01-01T00:02:00+00:00",
        ),
        at=105.0,
    )

    suspects = (Suspect(Ref("Service", "x01-core", "cart"), "spec.selector"),)
    places = frozenset({"prunella-system", "x01-core", "x01-web"})
    expected = Sighting(105.0, "inc-1", 100.0, "Open", places, suspects, last_symptom=120.0)
    assert expected == found


def test_fields_are_those_of_the_custom_resource() -> None:
    """What is read here must be in the operator's model: a renamed field would read as absent."""
    api = pytest.importorskip("prunella.api.incident")
    status = {"suspects", "namespaces", "members", "state", "lastSymptomAt"}

    assert status <= {each.alias for each in api.IncidentStatus.model_fields.values()}
    assert {"openedAt", "mirror"} <= {each.alias for each in api.IncidentSpec.model_fields.values()}
    assert sightings.MERGED == api.State.MERGED


def test_mirror_is_no_incident_of_its_own() -> None:
    """It repeats another one in a namespace that is part of it."""
    found = incident()
    found["spec"]["mirror"] = True

    assert sightings.read(found, at=1.0) is None


PLACES = {
    "namespace": ({"namespaces": ["x01-core"]}, True),
    "node": ({"members": [{"object": {"kind": "Node", "name": "x01-node-1"}}]}, True),
    "object": (
        {"members": [{"object": {"kind": "Pod", "namespace": "x01-data", "name": "p"}}]},
        True,
    ),
    "another-shop": ({"namespaces": ["x010-core", "x02-core"]}, False),
    "nothing-of-a-shop": ({}, False),
}


@pytest.mark.parametrize(("status", "expected"), PLACES.values(), ids=PLACES)
def test_incident_concerns_the_shop_whose_objects_are_in_it(
    status: dict[str, Any], expected: bool
) -> None:
    """By namespaces and nodes, whose names begin with the shop's."""
    found = sightings.read(incident(**status), at=1.0)

    assert found is not None
    assert expected == found.concerns("x01")


def test_watcher_keeps_changes_only_and_sorts_by_the_first_symptom() -> None:
    """A second look at the same thing adds nothing."""
    early = incident("b", namespaces=["x01-web"], startedAt="1970-01-01T00:00:50Z")
    plain = incident("a", namespaces=["x01-core"])
    named = incident("a", namespaces=["x01-core"], suspects=[SUSPECT])
    answers = iter([[plain, early], [plain, early], [named, early], [incident("c")]])
    clock = itertools.count(100)
    watcher = Watcher(lambda: next(answers), lambda: float(next(clock)))

    for _ in range(4):
        watcher.look()

    histories = watcher.of("x01")
    assert [[100.0], [100.0, 102.0]] == [[each.at for each in one] for one in histories]
    assert ["b", "a"] == [one[0].key for one in histories]
    assert watcher.of("x02") == []


def test_an_incident_that_moves_is_one() -> None:
    """It begins where one namespace is sick, and moves with its name when several are."""
    first, mirror = incident("a", namespaces=["x01-core"]), incident("a")
    for each in (first, mirror):
        each["metadata"] = {"namespace": "x01-core", "name": "a"}
    mirror["spec"] = {**mirror["spec"], "mirror": True}
    moved = incident("a", namespaces=["x01-core", "x01-web"])
    answers = iter([[first], [mirror, moved]])
    watcher = Watcher(lambda: next(answers), lambda: 100.0)

    for _ in range(2):
        watcher.look()

    assert [2] == [len(one) for one in watcher.of("x01")]
