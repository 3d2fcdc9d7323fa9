"""The faults that are shipped: each loads, fits the shop, and its truth is what it changes."""

from __future__ import annotations

import copy
import functools
import pathlib
from typing import Any

import pytest

from lab.shop import chaos, faults, manifests
from lab.shop.faults import Cause, Fault
from tests.lab.shop import kubectl

SHOP = "x01"
FOLDERS = faults.folders()
SHIPPED = {"single": 36, "two-": 4, "herring-": 10}
"""How many there must be at least, by what their names begin with."""
UNTOUCHED = ("Node",)
"""Kinds that may be the cause without a change: things break by themselves."""


@functools.cache
def _shop() -> kubectl.Objects:
    return {kubectl.ref_of(each): each for each in manifests.documents(SHOP)}


def _load(folder: pathlib.Path) -> Fault:
    return faults.load(folder, SHOP)


def _after(fault: Fault) -> kubectl.Objects:
    objects = copy.deepcopy(_shop())
    for step in fault.steps:
        kubectl.take(objects, step)
    return objects


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.name))
def test_every_step_meets_an_object_of_the_shop(folder: pathlib.Path) -> None:
    """What is patched, deleted, scaled or restarted is there, or was applied before."""
    assert _after(_load(folder)) != _shop() or folder.name == "herring-lost-pod"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.name))
def test_truth_is_what_the_injection_changes(folder: pathlib.Path) -> None:
    """Each cause is an object that the steps create, delete, or change in the field named."""
    fault = _load(folder)
    before, after = _shop(), _after(fault)

    for cause in fault.truth.causes:
        assert _is_changed(cause, before, after), f"{cause.ref} {cause.field} is as before"


def _is_changed(cause: Cause, before: kubectl.Objects, after: kubectl.Objects) -> bool:
    old, new = before.get(cause.ref), after.get(cause.ref)
    if not cause.field:
        came_or_went = (old is None) != (new is None)
        by_itself = cause.ref.kind in UNTOUCHED and old is not None
        return came_or_went or by_itself or _chaos(old) != _chaos(new)
    was = kubectl.value_at(old, cause.field) if old else kubectl.ABSENT
    now = kubectl.value_at(new, cause.field) if new else kubectl.ABSENT
    return bool(was != now)


def _chaos(found: dict[str, Any] | None) -> dict[str, str]:
    """What an object is told to suffer from by itself."""
    annotations = (found or {}).get("metadata", {}).get("annotations", {})
    return {key: each for key, each in annotations.items() if key.startswith(chaos.PREFIX)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.name))
def test_what_else_may_be_named_is_there(folder: pathlib.Path) -> None:
    """An object that never was could not be named by anybody."""
    fault = _load(folder)
    known = _shop().keys() | _after(fault).keys()

    assert [each for each in fault.truth.also if each not in known] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.name))
def test_names_of_the_shop_are_left_to_the_loader(folder: pathlib.Path) -> None:
    """Shops stand side by side: a name without ``${SHOP}`` would hit another one, or none."""
    fault = _load(folder)
    refs = {step.target for step in fault.steps} | {each.ref for each in fault.truth.causes}

    assert {ref for ref in refs if not (ref.namespace or ref.name).startswith(f"{SHOP}-")} == set()


def test_there_are_enough_of_each_sort() -> None:
    """Single faults, two at once, and red herrings, in some of which nothing is to be done."""
    loaded = [_load(each) for each in FOLDERS]
    prefixes = [key for key in SHIPPED if key != "single"]
    counted = {key: sum(each.name.startswith(key) for each in loaded) for key in prefixes}
    counted["single"] = len(loaded) - sum(counted.values())

    assert {key for key, least in SHIPPED.items() if counted[key] < least} == set()
    assert all(len(each.truth.causes) == 2 for each in loaded if each.name.startswith("two-"))
    assert [each.name for each in loaded if each.truth.nothing]


def test_a_truth_that_is_not_injected_is_found_out() -> None:
    """The test above would say so: another field, another object."""
    service = _load(faults.FOLDER / "wrong-target-port").truth.causes[0]
    before, after = _shop(), _after(_load(faults.FOLDER / "wrong-target-port"))

    assert _is_changed(service, before, after)
    assert not _is_changed(Cause(service.ref, "spec.selector"), before, after)
    assert not _is_changed(Cause(service.ref, ""), before, after)
