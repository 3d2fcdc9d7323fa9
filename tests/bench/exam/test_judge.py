"""Judging what was seen of incidents against a fault's truth."""

from __future__ import annotations

import dataclasses

import pytest

from bench.exam import judge
from bench.exam.sightings import Sighting, Suspect
from lab.shop.faults import Cause, Ref, Truth

BEGAN, SYMPTOM = 100.0, 110.0
SERVICE = Ref("Service", "x01-core", "cart")
POLICY = Ref("NetworkPolicy", "x01-core", "deny")
SECRET = Ref("Secret", "x01-core", "db")
OTHER = Ref("Deployment", "x01-core", "ad")
ONE = Truth((Cause(SERVICE, "spec.ports[0].targetPort"),))
TWO = Truth((Cause(SERVICE, ""), Cause(POLICY, "")))
NOTHING = Truth((), nothing=True)


def seen(at: float, *suspects: Ref, key: str = "x01-core/inc-1", state: str = "Open") -> Sighting:
    """An incident of the shop x01 at one moment."""
    named = tuple(map(Suspect, suspects))
    return Sighting(at, key, at, state, frozenset({"x01-core"}), named)


RANKS = {
    "first": (ONE, [[seen(115, SERVICE, OTHER)]], 1),
    "third": (ONE, [[seen(115, OTHER, POLICY, SERVICE)]], 3),
    "not-named": (ONE, [[seen(115, OTHER)]], None),
    "no-incident": (ONE, [], None),
    "last-answer-counts": (ONE, [[seen(115, SERVICE), seen(120, OTHER, SERVICE)]], 2),
    "incident-that-opened-first-counts": (ONE, [[seen(115, OTHER)], [seen(116, SERVICE)]], None),
    "what-else-is-right": (
        dataclasses.replace(ONE, also=(SECRET,)),
        [[seen(115, SECRET, SERVICE)]],
        1,
    ),
    "two-causes-in-one-incident": (TWO, [[seen(115, POLICY, SERVICE)]], 1),
    "two-causes-in-two-incidents": (TWO, [[seen(115, POLICY)], [seen(117, SERVICE)]], 1),
    "two-causes-with-a-wrong-one-between": (TWO, [[seen(115, POLICY, OTHER, SERVICE)]], 2),
    "one-of-two-causes": (TWO, [[seen(115, POLICY, OTHER)]], None),
    "nothing-to-name": (NOTHING, [[seen(115, OTHER)]], None),
}


@pytest.mark.parametrize(("truth", "histories", "expected"), RANKS.values(), ids=RANKS)
def test_rank_of_the_truth(
    truth: Truth, histories: list[list[Sighting]], expected: int | None
) -> None:
    """Where the truth stands among the suspects."""
    assert expected == judge.judge(histories, truth, BEGAN, SYMPTOM).rank


INCIDENTS = {
    "one": ([[seen(115)]], 1),
    "two": ([[seen(115)], [seen(116)]], 2),
    "merged-into-another": ([[seen(115)], [seen(116), seen(118, state="Merged")]], 1),
    "over-before-the-fault": ([[seen(90, state="Resolved")], [seen(116)]], 1),
    "opened-before-and-joined-by-the-fault": (
        [[seen(90), dataclasses.replace(seen(116, SERVICE), last_symptom=112.0)]],
        1,
    ),
    "resolved-again": ([[seen(115), seen(130, state="Resolved")]], 1),
}


@pytest.mark.parametrize(("histories", "expected"), INCIDENTS.values(), ids=INCIDENTS)
def test_incidents_of_a_fault(histories: list[list[Sighting]], expected: int) -> None:
    """What a person would have been called for, merged ones once."""
    assert expected == judge.judge(histories, ONE, BEGAN, SYMPTOM).incidents


def test_two_faults_may_have_an_incident_each() -> None:
    """The share is incidents over faults, not over runs."""
    verdict = judge.judge([[seen(115)], [seen(116)]], TWO, BEGAN, SYMPTOM)

    assert (2, 1.0) == (verdict.incidents, verdict.share)


FALSELY = {
    "nothing-wrong-and-named": (NOTHING, [[seen(115, OTHER)]], 1),
    "nothing-wrong-and-not-named": (NOTHING, [[seen(115)]], 0),
    "named-before-anything-was-wrong": (ONE, [[seen(90, OTHER)], [seen(115, SERVICE)]], 1),
    "wrongly-named-when-something-is-wrong": (ONE, [[seen(115, OTHER)]], 0),
}


@pytest.mark.parametrize(("truth", "histories", "expected"), FALSELY.values(), ids=FALSELY)
def test_named_falsely(truth: Truth, histories: list[list[Sighting]], expected: int) -> None:
    """A suspect where nothing is wrong."""
    assert expected == judge.judge(histories, truth, BEGAN, SYMPTOM).falsely


SECONDS = {
    "since-the-symptom": ([[seen(112), seen(121, SERVICE)]], 11.0),
    "first-answer-was-wrong": ([[seen(112, OTHER), seen(125, SERVICE)]], 15.0),
    "right-then-wrong-then-right": (
        [[seen(112, SERVICE), seen(115, OTHER), seen(140, SERVICE)]],
        30.0,
    ),
    "right-then-wrong": ([[seen(112, SERVICE), seen(115, OTHER)]], None),
    "before-any-symptom": ([[seen(105, SERVICE)]], 0.0),
    "never": ([[seen(112)]], None),
}


@pytest.mark.parametrize(("histories", "expected"), SECONDS.values(), ids=SECONDS)
def test_seconds_to_the_cause(histories: list[list[Sighting]], expected: float | None) -> None:
    """From the first symptom to the moment from which on the truth stood first."""
    assert expected == judge.judge(histories, ONE, BEGAN, SYMPTOM).seconds


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param("spec.ports[0].targetPort", True, id="the-field"),
        pytest.param("spec.ports", True, id="what-holds-it"),
        pytest.param("spec.selector", False, id="another-field"),
        pytest.param("", False, id="no-field"),
    ],
)
def test_field_is_named_with_the_cause(field: str, expected: bool) -> None:
    """The field counts only with the right object."""
    answer = dataclasses.replace(seen(115), suspects=(Suspect(SERVICE, field),))

    assert expected == judge.judge([[answer]], ONE, BEGAN, SYMPTOM).field


SETTLED = {
    "nobody-is-named": ([[seen(115)]], None),
    "named-before-the-fault-only": ([[seen(90, OTHER)]], None),
    "named-once": ([[seen(115), seen(119, OTHER)]], 119.0),
    "others-behind-the-first-change": ([[seen(115, OTHER), seen(130, OTHER, POLICY)]], 115.0),
    "the-first-changes": ([[seen(115, OTHER), seen(130, POLICY, OTHER)]], 130.0),
    "another-incident-opens": ([[seen(115, OTHER)], [seen(140)]], 140.0),
    "no-longer-named": ([[seen(115, OTHER), seen(130)]], None),
}


@pytest.mark.parametrize(("histories", "expected"), SETTLED.values(), ids=SETTLED)
def test_answer_is_settled_since_its_last_change(
    histories: list[list[Sighting]], expected: float | None
) -> None:
    """The verdict waits until the first suspects have stayed the same for a while."""
    assert expected == judge.settled(histories, BEGAN)
