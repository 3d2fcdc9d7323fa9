"""Pods joined into their workload: Any, All or a share of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.core import model
from tests.unit.core import builders, fixtures

Doubt = reasons.Doubt
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
PODS = {"checkout-1": "checkout", "checkout-2": "checkout", "checkout-3": "checkout"}

NAN = math.nan
JOINS: dict[str, tuple[str, tuple[float, float, float], model.Verdict, str]] = {
    # the rule, the values of three pods, what comes of them
    "any: one is bad": (
        "Any", (0.0, 0.5, 0.0), UNHEALTHY,
        "0.5 is above 0.05 on pod checkout-2 (1 of 3 pods Unhealthy, 1 needed)",
    ),
    "any: the worst is named": (
        "Any", (0.5, 0.9, 0.7), UNHEALTHY,
        "0.9 is above 0.05 on pod checkout-2 (3 of 3 pods Unhealthy, 1 needed)",
    ),
    "any: none is bad": (
        "Any", (0.0, 0.01, 0.0), HEALTHY,
        "0.01 is not above 0.05 on pod checkout-2 (0 of 3 pods Unhealthy, 1 needed)",
    ),
    "any: one can't be told": (
        "Any", (0.0, 0.0, NAN), UNKNOWN,
        ("the value is nan, which is no measurement on pod checkout-3 "
        "(0 of 3 pods Unhealthy, 1 needed)"),
    ),
    "any: a bad one is enough, whatever the others are": (
        "Any", (NAN, 0.5, NAN), UNHEALTHY,
        "0.5 is above 0.05 on pod checkout-2 (1 of 3 pods Unhealthy, 1 needed)",
    ),
    "all: all are bad": (
        "All", (0.5, 0.6, 0.7), UNHEALTHY,
        "0.7 is above 0.05 on pod checkout-3 (3 of 3 pods Unhealthy, 3 needed)",
    ),
    "all: one is good": (
        "All", (0.5, 0.01, 0.7), HEALTHY,
        "0.01 is not above 0.05 on pod checkout-2 (2 of 3 pods Unhealthy, 3 needed)",
    ),
    "all: one can't be told": (
        "All", (0.5, 0.6, NAN), UNKNOWN,
        ("the value is nan, which is no measurement on pod checkout-3 "
        "(2 of 3 pods Unhealthy, 3 needed)"),
    ),
    "all: a good one is enough, whatever the others are": (
        "All", (NAN, 0.01, 0.7), HEALTHY,
        "0.01 is not above 0.05 on pod checkout-2 (1 of 3 pods Unhealthy, 3 needed)",
    ),
    "a share: reached": (
        "50%", (0.5, 0.6, 0.0), UNHEALTHY,
        "0.6 is above 0.05 on pod checkout-2 (2 of 3 pods Unhealthy, 2 needed)",
    ),
    "a share: rounded up": (
        "50%", (0.5, 0.0, 0.01), HEALTHY,
        "0.01 is not above 0.05 on pod checkout-3 (1 of 3 pods Unhealthy, 2 needed)",
    ),
    "a share: can't be told": (
        "50%", (0.5, NAN, 0.0), UNKNOWN,
        ("the value is nan, which is no measurement on pod checkout-2 "
        "(1 of 3 pods Unhealthy, 2 needed)"),
    ),
    "a small share is at least one pod": (
        "1%", (0.0, 0.0, 0.0), HEALTHY,
        "0 is not above 0.05 on pod checkout-1 (0 of 3 pods Unhealthy, 1 needed)",
    ),
    "a whole share is all": (
        "100%", (0.5, 0.6, 0.0), HEALTHY,
        "0 is not above 0.05 on pod checkout-3 (2 of 3 pods Unhealthy, 3 needed)",
    ),
}  # fmt: skip


def _pods(*values: float) -> model.Vector:
    return fixtures.by_pod(**{f"checkout-{n}": value for n, value in enumerate(values, 1)})


@pytest.mark.parametrize(("rule", "values", "verdict", "message"), JOINS.values(), ids=JOINS)
def test_pods_are_joined_into_their_workload(
    rule: str, values: tuple[float, float, float], verdict: model.Verdict, message: str
) -> None:
    """``pods`` says how many must be Unhealthy; a pod that can't be told may be either."""
    reading = fixtures.reading(_pods(*values))
    found = fixtures.finding(fixtures.signal(pods=rule), reading, pods=PODS)
    assert (verdict, message) == (found.verdict, found.message)


@pytest.mark.parametrize(
    ("threshold", "values", "worst"),
    [
        ({"above": 1}, (2.0, 4.0, 3.0), "checkout-2"),
        ({"below": 10}, (2.0, 4.0, 3.0), "checkout-1"),
        ({"outside": [5, 6]}, (1.0, 7.0, 8.0), "checkout-1"),
        ({"outside": [5, 6]}, (4.0, 7.0, 9.0), "checkout-3"),
    ],
    ids=["above", "below", "outside low", "outside high"],
)
def test_the_worst_pod_is_the_one_farthest_beyond_the_limit(
    threshold: dict[str, object], values: tuple[float, float, float], worst: str
) -> None:
    """The pod that an eviction would take is the worst on the bad side."""
    of = fixtures.signal(threshold=threshold)
    assert worst == fixtures.finding(of, fixtures.reading(_pods(*values)), pods=PODS).pod


VALUES = st.lists(st.sampled_from([0.0, 0.5, NAN]), min_size=1, max_size=3)
RULES = st.sampled_from(["Any", "All", "1%", "34%", "50%", "67%", "100%"])


@given(values=VALUES, rule=RULES)
def test_an_unknown_pod_never_decides(values: list[float], rule: str) -> None:
    """A known verdict stays the same whatever an unknown pod turns out to be."""
    of = fixtures.signal(pods=rule)

    def verdict(*numbers: float) -> model.Verdict:
        return fixtures.finding(of, fixtures.reading(_pods(*numbers)), pods=PODS).verdict

    known = verdict(*values)
    for guess in (0.0, 0.5):
        told = verdict(*(guess if math.isnan(value) else value for value in values))
        assert known in {UNKNOWN, told}
