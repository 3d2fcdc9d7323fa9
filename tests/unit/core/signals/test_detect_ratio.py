"""Bad events over all events: when the share is believed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from tests.unit.core import builders, fixtures

Doubt = reasons.Doubt
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
PODS = {"checkout-1": "checkout", "checkout-2": "checkout", "checkout-3": "checkout"}
SICK = fixtures.by_deployment(checkout=0.5)
PRESENT = fixtures.by_deployment(checkout=1.0)
ON_EMPTY = {"onEmpty": "Healthy", "presence": "up"}

RATIOS: dict[str, tuple[dict[str, float], float, float, model.Verdict, str, str]] = {
    # bad and total events, fewest events, what comes of them
    "bad over total": (
        {"checkout": 10.0}, 100.0, 20, UNHEALTHY, "OverLimit", "0.1 is above 0.05"
    ),
    "few bad": ({"checkout": 1.0}, 100.0, 20, HEALTHY, "InLimit", "0.01 is not above 0.05"),
    "no bad series is none": ({}, 100.0, 20, HEALTHY, "InLimit", "0 is not above 0.05"),
    "too few events": (
        {"checkout": 9.0}, 19.0, 20, UNKNOWN, Doubt.TOO_FEW_EVENTS,
        "19 events in the window, fewer than 20",
    ),
    "just enough events": (
        {"checkout": 10.0}, 20.0, 20, UNHEALTHY, "OverLimit", "0.5 is above 0.05"
    ),
    "no events": (
        {}, 0.0, 20, UNKNOWN, Doubt.TOO_FEW_EVENTS, "0 events in the window, fewer than 20"
    ),
    "no events, none are needed": (
        {}, 0.0, 0, UNKNOWN, Doubt.NOT_A_NUMBER, "the value is nan, which is no measurement"
    ),
    "total is no number": (
        {}, math.nan, 20, UNKNOWN, Doubt.NOT_A_NUMBER,
        "the value is nan, which is no measurement",
    ),
    "total is infinite": (
        {"checkout": 1.0}, math.inf, 20, UNKNOWN, Doubt.NOT_A_NUMBER,
        "the value is nan, which is no measurement",
    ),
    "bad is no number": (
        {"checkout": math.nan}, 100.0, 20, UNKNOWN, Doubt.NOT_A_NUMBER,
        "the value is nan, which is no measurement",
    ),
    "another's bad events": (
        {"cart": 90.0}, 100.0, 20, HEALTHY, "InLimit", "0 is not above 0.05"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "total", "minimum", "verdict", "reason", "message"), RATIOS.values(), ids=RATIOS
)
def test_a_ratio(
    bad: dict[str, float],
    total: float,
    minimum: float,
    verdict: model.Verdict,
    reason: str,
    message: str,
) -> None:
    """Bad events over all events, if there were enough; bad events nobody saw are none."""
    reading = fixtures.reading(
        bad=fixtures.by_deployment(**bad),
        total=fixtures.by_deployment(checkout=total),
    )
    found = fixtures.finding(fixtures.ratio(minimum), reading)
    assert (verdict, reason, message) == (found.verdict, found.reason, found.message)


@pytest.mark.parametrize(
    ("rate", "verdict"), [(0.3, UNKNOWN), (0.34, HEALTHY)], ids=["18 events", "20.4 events"]
)
def test_a_rate_is_counted_over_its_window(rate: float, verdict: model.Verdict) -> None:
    """A rate per second times the seconds of its window is the number of events."""
    reading = fixtures.reading(bad=fixtures.vector(), total=fixtures.by_deployment(checkout=rate))
    assert verdict is fixtures.finding(fixtures.ratio(events_factor=60.0), reading).verdict


UNCOUNTED = {
    "no total at all": (
        SICK, fixtures.vector(),
        "0.5 bad events of Deployment/checkout as a whole have no total by the same labels",
    ),
    "bad by workload, total by pod": (
        SICK, fixtures.by_pod(**{"checkout-1": 100.0}),
        "0.5 bad events of Deployment/checkout as a whole have no total by the same labels",
    ),
    "bad by pod, total by workload": (
        fixtures.by_pod(**{"checkout-1": 7.0}), fixtures.by_deployment(checkout=100.0),
        "7 bad events of pod checkout-1 of Deployment/checkout have no total by the same labels",
    ),
    "bad by another pod": (
        fixtures.by_pod(**{"checkout-1": 7.0}), fixtures.by_pod(**{"checkout-2": 100.0}),
        "7 bad events of pod checkout-1 of Deployment/checkout have no total by the same labels",
    ),
    "bad is no number and has no total": (
        fixtures.by_deployment(checkout=math.nan), fixtures.vector(),
        "nan bad events of Deployment/checkout as a whole have no total by the same labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("bad", "total", "message"), UNCOUNTED.values(), ids=UNCOUNTED)
@pytest.mark.parametrize("fields", [{}, ON_EMPTY, {"pods": "All"}], ids=["", "onEmpty", "All"])
def test_bad_events_without_a_total_are_never_healthy(
    bad: model.Answer, total: model.Answer, message: str, fields: dict[str, Any]
) -> None:
    """Bad events that no total counts must not be read as a share of zero."""
    presence = PRESENT if fields is ON_EMPTY else None
    reading = fixtures.reading(bad=bad, total=total, presence=presence)
    found = fixtures.finding(fixtures.ratio(**fields), reading, pods=PODS)
    assert (UNKNOWN, Doubt.NO_DATA, message) == (found.verdict, found.reason, found.message)


def test_no_bad_events_need_no_total() -> None:
    """A bad counter of zero for a pod without traffic is no reason to doubt the others."""
    bad = fixtures.by_pod(**{"checkout-1": 0.0, "checkout-2": 50.0})
    total = fixtures.by_pod(**{"checkout-2": 100.0})
    found = fixtures.finding(fixtures.ratio(), fixtures.reading(bad=bad, total=total), pods=PODS)
    assert (found.verdict, found.pod) == (UNHEALTHY, "checkout-2")


def test_a_ratio_is_taken_pod_by_pod() -> None:
    """Each pod's bad events are divided by its own total."""
    bad = fixtures.by_pod(**{"checkout-2": 20.0})
    total = fixtures.by_pod(**{"checkout-1": 1000.0, "checkout-2": 100.0})
    found = fixtures.finding(fixtures.ratio(), fixtures.reading(bad=bad, total=total), pods=PODS)
    assert (found.verdict, found.value, found.pod) == (UNHEALTHY, 0.2, "checkout-2")
