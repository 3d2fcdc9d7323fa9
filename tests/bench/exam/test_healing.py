"""Judging what was done about a fault: healed, harmful, undone."""

from __future__ import annotations

from typing import Any

import pytest

from bench.exam import healing, manifests, policies, remedies
from bench.exam.remedies import Remedy
from lab.shop.faults import Cause, Ref, Truth
from prunella.api import policy as policy_api

BEGAN = 100.0
SERVICE = Ref("Service", "x01-core", "cart")
CART = Ref("Deployment", "x01-core", "cart")
OTHER = Ref("ConfigMap", "x01-core", "rates")
NODE = Ref("Node", "", "x01-node-1")
TRUTH = Truth((Cause(SERVICE, "spec.ports"),), cure="restore")
FOR_PEOPLE = Truth((Cause(NODE, ""),), why="The node is lost.")
NOTHING = Truth((), nothing=True)


def remedy(
    *written: Ref,
    name: str = "r1",
    phase: str = "Succeeded",
    action: str = "restore",
    at: float = 120.0,
    follows: str = "",
) -> Remedy:
    """A Remediation that took half a minute."""
    return Remedy(name, action, phase, at, at + 30, written, follows, "Healthy in 2 samples")


CURED = remedy(SERVICE)
TRIED = remedy(OTHER, phase="Unhelpful")
UNDONE = remedy(OTHER, name="r2", action="revert", at=150.0, follows="r1")


HEALED = [
    pytest.param(TRUTH, [CURED], (), True, id="no-symptom-left-and-a-proof"),
    pytest.param(TRUTH, [CURED], ("HighErrorRate",), False, id="a-proof-and-a-symptom-left"),
    pytest.param(TRUTH, [], (), False, id="over-by-itself"),
    pytest.param(TRUTH, [remedy(SERVICE, phase="Unproven")], (), False, id="not-proved"),
    pytest.param(TRUTH, [remedy(SERVICE, at=90.0)], (), False, id="proved-before-the-fault"),
    pytest.param(TRUTH, [TRIED, UNDONE], (), False, id="an-undoing-heals-nothing"),
    pytest.param(FOR_PEOPLE, [remedy(CART)], (), False, id="no-cure-so-nothing-to-heal"),
]


@pytest.mark.parametrize(("truth", "found", "left", "expected"), HEALED)
def test_what_is_healed(
    truth: Truth, found: list[Remedy], left: tuple[str, ...], expected: bool
) -> None:
    """By independent telemetry and by the policy's own proof, both."""
    verdict = healing.judge(found, truth, BEGAN, left=left)

    assert (expected, 50.0 if expected else None) == (verdict.healed, verdict.seconds)


HARMFUL = [
    pytest.param(TRUTH, [CURED], (), [], id="the-cause"),
    pytest.param(TRUTH, [remedy(CART)], {CART}, [], id="what-is-sick"),
    pytest.param(TRUTH, [remedy(CART)], (), ["restore Deployment cart: Succeeded"], id="beside"),
    pytest.param(TRUTH, [TRIED, UNDONE], (), [], id="beside-but-undone"),
    pytest.param(TRUTH, [TRIED], (), ["restore ConfigMap rates: Unhelpful"], id="not-undone"),
    pytest.param(
        NOTHING,
        [remedy(CART)],
        {CART},
        ["restore Deployment cart: Succeeded"],
        id="nothing-is-wrong",
    ),
    pytest.param(
        TRUTH, [remedy(SERVICE, at=90.0)], (), ["restore Service cart: Succeeded"], id="too-soon"
    ),
    pytest.param(NOTHING, [remedy(phase="NotSent")], (), [], id="nothing-was-written"),
]


@pytest.mark.parametrize(("truth", "found", "sick", "expected"), HARMFUL)
def test_what_is_harmful(
    truth: Truth, found: list[Remedy], sick: set[Ref], expected: list[str]
) -> None:
    """What was written of an object that is neither cause nor sick, and stayed so."""
    assert expected == list(healing.judge(found, truth, BEGAN, left=(), sick=sick).harmful)


def test_undone_means_to_the_byte() -> None:
    """A revert that leaves something else behind has not undone it; a later cure may."""
    left = healing.judge([TRIED, UNDONE], TRUTH, BEGAN, left=(), changed={OTHER})
    cured = remedy(OTHER, name="r3", at=200.0)
    again = healing.judge([TRIED, UNDONE, cured], TRUTH, BEGAN, left=(), changed={OTHER})

    assert (1, 0, 1) == (left.wrong, left.undone, len(left.harmful))
    assert (1, 1) == (again.wrong, again.undone)


def test_why_it_was_not_healed() -> None:
    """What is left, what came of the last try, and what the policies say."""
    refused = ["checkout: NotTheCause: no incident"]
    assert "still HighErrorRate; checkout: NotTheCause: no incident" == (
        healing.judge([], TRUTH, BEGAN, left=["HighErrorRate"], refusals=refused).why
    )
    assert healing.judge([], FOR_PEOPLE, BEGAN, left=()).why == "The node is lost."


PENDING = [
    pytest.param([], False, id="nothing"),
    pytest.param([remedy(SERVICE, phase="Verifying")], True, id="a-proof-to-come"),
    pytest.param([TRIED], True, id="an-undoing-to-come"),
    pytest.param([TRIED, UNDONE], False, id="undone"),
    pytest.param([CURED], False, id="proved"),
]


@pytest.mark.parametrize(("found", "expected"), PENDING)
def test_what_is_under_way(found: list[Remedy], expected: bool) -> None:
    """The verdict waits for what would still change it."""
    assert expected == healing.pending(found)


def test_a_remediation_is_read() -> None:
    """Effects that were refused or never sent wrote nothing."""
    effect = {"kind": "Service", "namespace": "x01-core", "name": "cart"}
    found = {
        "metadata": {"name": "r1"},
        "spec": {
            "action": "restore",
            "decidedAt": "1970-01-01T00:02:00Z",
            "effects": [effect, {**effect, "name": "other"}],
        },
        "status": {
            "phase": "Verifying",
            "effects": [{"outcome": "Effective"}, {"outcome": "Refused"}],
            "message": "so far",
        },
    }
    expected = Remedy("r1", "restore", "Verifying", 120.0, None, (SERVICE,), "", "so far")
    assert [expected] == remedies.read_all([found])


def test_refusals_are_told_once() -> None:
    """By target, reason and numbers, over all policies."""
    sick = [{"name": "cart", "refused": "NotTheCause", "refusal": "none"}, {"name": "ad"}]
    status = {"status": {"sick": sick, "unattended": sick[:1]}}
    assert ["cart: NotTheCause: none"] == remedies.refusals([status, status, {}])


def manifest(**spec: Any) -> dict[str, Any]:
    """A Service as the API server shows it."""
    metadata = {"name": "cart", "uid": str(spec), "resourceVersion": str(spec)}
    return {"metadata": metadata, "spec": spec, "status": {"seen": str(spec)}}


def test_objects_are_compared_by_what_people_write() -> None:
    """Not by versions, status and addresses; what came or went is changed, too."""

    def items(found: dict[str, Any]) -> Any:
        return lambda path: [found] if path.endswith("x01-core/services") else []

    before = manifests.picture(items(manifest(port=1, clusterIP="10.0.0.1")), "x01")
    same = manifests.picture(items(manifest(port=1, clusterIP="10.0.0.9")), "x01")
    other = manifests.picture(items(manifest(port=2)), "x01")

    assert frozenset() == manifests.changed(before, same)
    assert {SERVICE} == manifests.changed(before, other) == manifests.changed(before, {})


def test_policies_are_the_playbooks_fitted_to_a_shop() -> None:
    """Live, in each namespace, valid, and of another namespace not a word."""
    found = policies.documents("x07")
    places = {each["metadata"]["namespace"] for each in found}

    assert {"x07-web", "x07-core", "x07-data"} == places
    assert len(found) == 3 * len(policies.PLAYBOOKS)
    for each in found:
        assert "Live" == policy_api.RemediationPolicySpec.model_validate(each["spec"]).mode
        assert '"shop"' not in str(each)
        assert "[1m]" not in str(each)
