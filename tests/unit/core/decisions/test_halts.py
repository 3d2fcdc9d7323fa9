"""Pauses and freezes: what is stopped, and that what can't be understood stops as well."""

from __future__ import annotations

import dataclasses
import datetime
import json

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import guards, halts, restoring
from prunella.core.decisions.guards import freezes
from tests.unit.core import builders

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
SHOP = objects.Key("shop", "checkout")
LABEL = "x is frozen by the label prunella.dev/freeze"
NOTE = "x is frozen by the annotation prunella.dev/freeze"
ODD = "is not true, false or an RFC 3339 time, so it stays so"
FREEZES = {
    "nothing": (halts.Freeze(), ""),
    "label true": (halts.Freeze(label="true"), LABEL),
    "label false": (halts.Freeze(label="false"), ""),
    "label false does not lift an annotation": (halts.Freeze("false", "true"), NOTE),
    "empty": (halts.Freeze(annotation=""), f"{NOTE}: '' {ODD}"),
    "another case": (halts.Freeze(label="False"), f"{LABEL}: 'False' {ODD}"),
    "until later": (
        halts.Freeze(annotation="2026-03-01T12:00:01Z"),
        f"{NOTE} until 2026-03-01T12:00:01Z",
    ),
    "until this moment": (halts.Freeze(annotation="2026-03-01T12:00:00Z"), ""),
    "with an offset": (
        halts.Freeze(annotation="2026-03-01T14:00:00+01:00"),
        f"{NOTE} until 2026-03-01T13:00:00Z",
    ),
    "of the past, by its offset": (halts.Freeze(annotation="2026-03-01T12:30:00+01:00"), ""),
    "without an offset": (
        halts.Freeze(annotation="2026-02-01T12:00:00"),
        f"{NOTE}: '2026-02-01T12:00:00' {ODD}",
    ),
    "no such day": (
        halts.Freeze(annotation="2026-02-30T12:00:00Z"),
        f"{NOTE}: '2026-02-30T12:00:00Z' {ODD}",
    ),
    "before all times": (
        halts.Freeze(annotation="0001-01-01T00:00:00+23:59"),
        f"{NOTE}: '0001-01-01T00:00:00+23:59' {ODD}",
    ),
    "a date": (halts.Freeze(annotation="2026-02-01"), f"{NOTE}: '2026-02-01' {ODD}"),
    "a long text is cut": (halts.Freeze(annotation="x" * 99), f"{NOTE}: '{'x' * 80}...' {ODD}"),
    "unreadable": (
        halts.Freeze(problem="status 403"),
        "can't read whether x is frozen: status 403",
    ),
}


@pytest.mark.parametrize(("freeze", "expected"), FREEZES.values(), ids=FREEZES)
def test_why_something_is_frozen(freeze: halts.Freeze, expected: str) -> None:
    """Only false and a time that has passed let it be changed."""
    assert expected == halts.why_frozen(freeze, "x", NOW)


MANIFESTS = {
    "not there": (None, halts.NOT_FROZEN),
    "no metadata": ({}, halts.NOT_FROZEN),
    "null maps": ({"metadata": {"labels": None, "annotations": None}}, halts.NOT_FROZEN),
    "both": (
        {"metadata": {"labels": {halts.FREEZE: "a"}, "annotations": {halts.FREEZE: "b"}}},
        halts.Freeze("a", "b"),
    ),
}


@pytest.mark.parametrize(("manifest", "expected"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_says_whether_it_is_frozen(
    manifest: dict[str, object] | None, expected: halts.Freeze
) -> None:
    """As the API server shows it: maps may be missing or null."""
    assert expected == halts.freeze_of_manifest(manifest)


SALE = json.dumps({"reason": "sale", "by": "bob", "at": "2026-03-01T11:00:00Z"})
PAUSES = {
    "by hand, empty": ({}, "ConfigMap p gives no reason"),
    "everything": ({"reason": "moving"}, "moving"),
    "its namespace": (
        {"namespace.shop": SALE},
        "namespace shop is paused: sale (by bob since 2026-03-01T11:00:00Z)",
    ),
    "another namespace": ({"namespace.cart": SALE}, ""),
    "itself": (
        {"policy.shop.checkout": "plain words"},
        "policy shop/checkout is paused: plain words",
    ),
    "no words": (
        {"policy.shop.checkout": ""},
        "policy shop/checkout is paused: no reason given",
    ),
    "JSON that is no object": (
        {"policy.shop.checkout": "[1]"},
        "policy shop/checkout is paused: [1]",
    ),
    "a policy of that name elsewhere": ({"policy.cart.checkout": SALE}, ""),
    "a policy with dots": ({"policy.shop.checkout.v2": SALE}, ""),
    "everything beside a scope": ({"namespace.cart": SALE, "reason": "moving"}, "moving"),
    "a key that names no scope": ({"namespace.Shop": SALE}, "ConfigMap p gives no reason"),
    "a policy without a name": ({"policy.shop": SALE}, "ConfigMap p gives no reason"),
    "a misspelt scope": ({"namespaces.cart": SALE}, "ConfigMap p gives no reason"),
}


@pytest.mark.parametrize(("data", "expected"), PAUSES.values(), ids=PAUSES)
def test_what_a_pause_means_for_a_policy(data: dict[str, str], expected: str) -> None:
    """A key that names no scope pauses everything."""
    found = halts.for_policy(halts.read_pause(data, "p"), SHOP, halts.NOT_FROZEN, NOW)
    assert model.PauseState(bool(expected), expected) == found


@pytest.mark.parametrize(
    ("pause", "freeze", "expected"),
    [
        pytest.param(model.PauseState(paused=False), halts.NOT_FROZEN, "", id="nothing"),
        pytest.param(
            model.PauseState(paused=True, message="m"),
            halts.NOT_FROZEN,
            "the operator is paused: m",
            id="everything",
        ),
        pytest.param(
            model.PauseState(paused=False, scopes={halts.scope("shop"): "m"}),
            halts.NOT_FROZEN,
            "namespace shop is paused: m",
            id="the-namespace",
        ),
        pytest.param(
            model.PauseState(paused=False, scopes={halts.scope("other"): "m"}),
            halts.NOT_FROZEN,
            "",
            id="another-namespace",
        ),
        pytest.param(
            model.PauseState(paused=False, scopes={halts.scope("shop", "web"): "m"}),
            halts.NOT_FROZEN,
            "",
            id="a-policy-in-it",
        ),
        pytest.param(
            model.PauseState(paused=False),
            halts.Freeze(problem="forbidden"),
            "can't read whether namespace shop is frozen: forbidden",
            id="unreadable",
        ),
    ],
)
def test_what_keeps_the_pods_of_a_namespace(
    pause: model.PauseState, freeze: halts.Freeze, expected: str
) -> None:
    """What is said of the namespace, whichever policy asks; one of the cluster is in none."""
    assert expected == halts.for_pods(pause, "shop", freeze, builders.NOW)


def test_a_frozen_namespace_is_told_beside_a_pause() -> None:
    """Each has its own guard, and ending one does not end the other."""
    frozen = halts.Freeze(annotation="true")
    why = "namespace shop is frozen by the annotation prunella.dev/freeze"
    for pause in (model.PauseState(paused=False), halts.read_pause({"namespace.shop": ""}, "p")):
        assert why == halts.for_policy(pause, SHOP, frozen, NOW).frozen


def test_a_frozen_target_stops_what_is_left_of_an_action() -> None:
    """The next effect of an action on its way is not sent."""
    running = model.PauseState(paused=False)
    target = dataclasses.replace(builders.workload(), annotations={halts.FREEZE: "true"})
    found = halts.for_policy(running, SHOP, halts.NOT_FROZEN, NOW, target)
    assert found.frozen.startswith("Deployment/checkout is frozen")


FROZEN = {"metadata": {"labels": {halts.FREEZE: "true"}}}
FLAGS = restoring.Looked(builders.ref("flags", kind="ConfigMap"), FROZEN)
LABELLED = dataclasses.replace(builders.workload(), labels={halts.FREEZE: "true"})
CASES = {
    "the target": (dataclasses.replace(builders.case(), workload=LABELLED), "Deployment/checkout"),
    "what is written beside it": (
        dataclasses.replace(builders.case(), looked=FLAGS),
        "ConfigMap/flags",
    ),
    "what is written along": (
        dataclasses.replace(builders.case(), also=(FLAGS,)),
        "ConfigMap/flags",
    ),
    "what the step before wrote": (
        dataclasses.replace(builders.case(), left={FLAGS.ref: FLAGS}),
        "ConfigMap/flags",
    ),
}


@pytest.mark.parametrize(("case", "named"), CASES.values(), ids=CASES)
def test_no_frozen_object_is_written(case: guards.Case, named: str) -> None:
    """Neither the target, nor anything that is written beside it."""
    expected = model.Refusal(
        reasons.Refused.FROZEN, f"{named} is frozen by the label prunella.dev/freeze"
    )
    assert expected == freezes.not_frozen(case)
