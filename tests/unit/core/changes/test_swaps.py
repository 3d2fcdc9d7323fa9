"""Differences are taken back by patches that test what they replace, and by their inverses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prunella.core.changes import diff, swaps

PORT: dict[str, Any] = {"name": "http", "port": 80, "targetPort": 8080}
ADMIN: dict[str, Any] = {"name": "admin", "port": 81, "targetPort": 8081}


def service(*ports: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A Service's content."""
    made: dict[str, Any] = {"spec": {"ports": list(ports)}}
    return {"metadata": metadata, **made} if metadata else made


def data(**entries: str) -> dict[str, Any]:
    """A ConfigMap's content; without entries it has no data at all."""
    return {"data": entries} if entries else {"immutable": False}


CASES = [
    pytest.param(service(PORT), service({**PORT, "targetPort": 9}), id="a value in an element"),
    pytest.param(service(PORT, ADMIN), service(PORT), id="an element that was removed"),
    pytest.param(service(PORT, ADMIN), service(ADMIN), id="the first element that was removed"),
    pytest.param(service(PORT), service(PORT, ADMIN), id="an element that was added"),
    pytest.param(service(ADMIN), service(PORT, ADMIN), id="an element that was added in front"),
    pytest.param(service(PORT), service(), id="the only element that was removed"),
    pytest.param(
        {"spec": {"ingress": [{}, {}, {"a": 1}]}},
        {"spec": {"ingress": [{}]}},
        id="elements that are alike",
    ),
    pytest.param(data(a="1", b="2"), data(a="2", c="3"), id="entries of a map"),
    pytest.param({**data(a="1"), "x": 1}, {"x": 1}, id="a map that was removed whole"),
    pytest.param({"x": 1}, {**data(a="1", b="2"), "x": 1}, id="a map that was added whole"),
    pytest.param(
        service(PORT, name="x"),
        service(PORT, name="x", labels={"a/b~c": "1"}),
        id="names with signs of a pointer",
    ),
    pytest.param(
        {"spec": {"ingress": [{"from": [{"x": {}}]}]}},
        {"spec": {"ingress": [{"from": [{"y": {}}]}, {"from": []}, {"from": [{}]}]}},
        id="elements told by their place",
    ),
]


@pytest.mark.parametrize(("before", "now"), CASES)
def test_there_and_back(before: dict[str, Any], now: dict[str, Any]) -> None:
    """The patch makes the object as it was, the inverse as it is; it is told which it is."""
    made = swaps.take_back(diff.diff(before, now), before, now)
    assert before == swaps.apply(made.patch, now)
    assert now == swaps.apply(made.inverse, before)
    for patch in (made.patch, made.inverse):
        assert "test" in {operation["op"] for operation in patch}
    done = [swaps.written(made.patch, made.inverse, each) for each in (before, now)]
    assert [True, False] == done


def test_only_the_given_fields_are_written() -> None:
    """What differs besides stays as it is."""
    before, now = service(PORT, ADMIN), service({**PORT, "targetPort": 1}, {**ADMIN, "port": 2})
    first = [each for each in diff.diff(before, now) if diff.Element("name", "http") in each.path]
    made = swaps.take_back(first, before, now)
    assert service(PORT, {**ADMIN, "port": 2}) == swaps.apply(made.patch, now)
    assert (
        {"op": "test", "path": "/spec/ports/0/name", "value": "http"},
        {"op": "test", "path": "/spec/ports/0/targetPort", "value": 1},
        {"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8080},
    ) == made.patch


def test_an_element_is_known_by_its_key_alone() -> None:
    """What its neighbours say besides stays out of the ledger."""
    made = swaps.take_back(
        diff.diff(service(PORT, ADMIN), service(PORT)), service(PORT, ADMIN), service(PORT)
    )
    assert {"op": "test", "path": "/spec/ports/0/name", "value": "http"} == made.patch[0]


EDITS = [
    pytest.param(lambda now: now["spec"]["ports"][0].update(targetPort=7), id="changed again"),
    pytest.param(lambda now: now["spec"]["ports"].insert(0, ADMIN), id="moved in its list"),
    pytest.param(lambda now: now["spec"].pop("ports"), id="gone with its list"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_a_patch_does_not_fit_what_was_edited_meanwhile(edit: Any) -> None:
    """A concurrent edit makes the API server refuse it."""
    before, now = service(PORT), service({**PORT, "targetPort": 9})
    made = swaps.take_back(diff.diff(before, now), before, now)
    edited = copy.deepcopy(now)
    edit(edited)
    assert (True, False) == (swaps.fits(made.patch, now), swaps.fits(made.patch, edited))
    assert swaps.written(made.patch, made.inverse, edited) is None


def test_a_place_that_is_gone_is_told() -> None:
    """An element that the difference speaks of must be there."""
    before, now = service(PORT), service({**PORT, "targetPort": 9})
    with pytest.raises(swaps.NotApplicableError, match="no element name=http"):
        swaps.take_back(diff.diff(before, now), before, service(ADMIN))


HELD = [
    pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True, id="with defaults added"),
    pytest.param({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2, "c": 3}]}, True, id="within a list"),
    pytest.param({"a": [1]}, {"a": [1, 2]}, False, id="a longer list"),
    pytest.param({"a": 1}, {"a": 2}, False, id="another value"),
    pytest.param({"a": 1}, {}, False, id="absent"),
]


@pytest.mark.parametrize(("wanted", "there", "expected"), HELD)
def test_an_object_is_as_it_was_wanted(wanted: Any, there: Any, expected: bool) -> None:
    """What the API server adds is no difference; what it lacks is one."""
    assert expected == swaps.holds(wanted, there)


def patched(*operations: tuple[str, str, Any]) -> list[dict[str, Any]]:
    """Operations of a patch."""
    return [{"op": op, "path": path, "value": value} for op, path, value in operations]


SERVER = [
    pytest.param({"a": {}}, ("test", "/a/b", None), "", id="null where nothing is"),
    pytest.param({"a": {"b": None}}, ("test", "/a/b", None), "", id="null where null is"),
    pytest.param({"a": {"b": 1}}, ("test", "/a/b", None), "/a/b is 1, not null", id="a value"),
    pytest.param({}, ("test", "/a/b", None), "/a/b is not there", id="its map is not there"),
    pytest.param({"a": 1}, ("test", "/a/b", None), "/a/b is not there", id="its map is a number"),
    pytest.param({"a": [1]}, ("add", "/a/2", 3), "/a/2 is not there", id="beyond the list's end"),
    pytest.param({}, ("replace", "/a", 1), "/a is not there", id="nothing to replace"),
    pytest.param({}, ("add", "", {}), "a whole object is no field", id="the whole object"),
]


@pytest.mark.parametrize(("document", "operation", "told"), SERVER)
def test_a_patch_is_applied_as_the_api_server_does(
    document: Any, operation: tuple[str, str, Any], told: str
) -> None:
    """Where it differs from the library's way, in tests for null, the API server's counts."""
    if not told:
        assert document == swaps.apply(patched(operation), document)
        return
    with pytest.raises(swaps.NotApplicableError, match=told):
        swaps.apply(patched(operation), document)


def test_applying_changes_neither_the_patch_nor_the_object() -> None:
    """A map that is added is filled by later operations: in the copy alone."""
    patch, before = patched(("add", "/data", {}), ("add", "/data/a", "1")), {"x": 1}
    kept = copy.deepcopy(patch)
    assert {"x": 1, "data": {"a": "1"}} == swaps.apply(patch, before)
    assert (kept, {"x": 1}) == (patch, before)
