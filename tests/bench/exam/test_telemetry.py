"""When a fault first shows itself in Prometheus."""

from __future__ import annotations

from typing import Any

import pytest

from bench.exam import telemetry
from bench.exam.telemetry import Series

BEGAN, NOW = 1000.0, 1060.0


def alert(name: str, state: str, first: float) -> Series:
    """A series of ALERTS."""
    metric = {"alertname": name, "alertstate": state}
    return {"metric": metric, "values": [[first, "1"], [NOW, "1"]]}


def service(name: str, *samples: tuple[float, float]) -> Series:
    """A series of a service."""
    return {
        "metric": {"service_name": name},
        "values": [[at, str(value)] for at, value in samples],
    }


class Prometheus:
    """Answers range queries with canned series, by what the expression begins with."""

    def __init__(self, **series: list[Series]) -> None:
        self._series = series
        self.asked: list[tuple[str, float, float]] = []

    def __call__(self, expression: str, start: float, end: float) -> list[Series]:
        """Answer one query."""
        self.asked.append((expression, start, end))
        for key, word in (("errors", "errors"), ("slow", "latency"), ("traffic", "requests")):
            if word in expression:
                return self._series.get(key, [])
        return self._series.get("alerts", [])


CASES: dict[str, tuple[dict[str, list[Any]], float | None]] = {
    "nothing": ({}, None),
    "alert": ({"alerts": [alert("A", "pending", 1010), alert("A", "firing", 1020)]}, 1010.0),
    "alert-that-was-there-before": ({"alerts": [alert("A", "firing", 1000)]}, None),
    "more-errors": ({"errors": [service("cart", (990, 0.01), (1005, 0.02), (1010, 0.5))]}, 1010.0),
    "as-many-errors-as-before": (
        {"errors": [service("cart", (950, 0.30), (990, 0.0), (1010, 0.31))]},
        None,
    ),
    "slower": ({"slow": [service("cart", (990, 0.03), (1015, 0.09))]}, 1015.0),
    "slower-but-fast": ({"slow": [service("cart", (990, 0.001), (1015, 0.009))]}, None),
    "new-service": ({"slow": [service("cart", (1015, 3.0))]}, None),
    "the-earliest": (
        {
            "alerts": [alert("A", "pending", 1030)],
            "errors": [service("cart", (990, 0.0), (1025, 0.5))],
        },
        1025.0,
    ),
}


@pytest.mark.parametrize(("series", "expected"), CASES.values(), ids=CASES)
def test_first_symptom(series: dict[str, list[Series]], expected: float | None) -> None:
    """The earliest alert, rise of errors or of latency that was not there before."""
    assert expected == telemetry.symptoms(Prometheus(**series), "x01", BEGAN, NOW).first


def test_symptoms_tell_what_showed() -> None:
    """Alerts that fired, those that were only pending, and the services that suffer."""
    ask = Prometheus(
        alerts=[
            alert("A", "pending", 1010),
            alert("A", "firing", 1020),
            alert("B", "pending", 1030),
        ],
        errors=[service("cart", (990, 0.0), (1025, 0.5))],
        slow=[service("ad", (990, 0.1), (1025, 0.5))],
    )

    found = telemetry.symptoms(ask, "x01", BEGAN, NOW)

    assert (("A",), ("B",)) == (found.alerts, found.pending)
    assert (("cart",), ("ad",)) == (found.errors, found.slow)


def test_only_the_shop_is_asked_about() -> None:
    """By namespaces and nodes that begin with its name; the usual is that of a minute before."""
    ask = Prometheus()
    telemetry.symptoms(ask, "x01", BEGAN, NOW)

    assert all('=~"x01-.+"' in expression for expression, _, _ in ask.asked)
    assert {BEGAN, BEGAN - 60} == {start for _, start, _ in ask.asked}


def test_alerts_that_fire_are_told_once_each() -> None:
    """Two series of one alert are one name."""
    ask = Prometheus(alerts=[alert("B", "firing", 990), alert("B", "firing", 991)])

    assert telemetry.firing(ask, "x01", BEGAN) == ["B"]


LEFT = {
    "nothing": ({}, ()),
    "an-alert": ({"alerts": [alert("A", "firing", 1010)]}, ("A",)),
    "an-alert-of-before": ({"alerts": [alert("B", "firing", 900)]}, ()),
    "errors-that-ended": ({"errors": [service("cart", (990, 0), (1010, 0.5), (NOW, 0))]}, ()),
    "errors-now": ({"errors": [service("cart", (990, 0), (NOW, 0.5))]}, ("errors cart",)),
    "slow-now": ({"slow": [service("cart", (990, 0.02), (NOW, 0.2))]}, ("slow cart",)),
    "new-since": ({"errors": [service("cart", (NOW, 0.5))]}, ()),
    "less-traffic": ({"traffic": [service("cart", (990, 9), (NOW, 1))]}, ("traffic cart",)),
    "no-traffic": ({"traffic": [service("cart", (990, 9), (1010, 9))]}, ("traffic cart",)),
    "never-much-traffic": ({"traffic": [service("cart", (990, 0.4))]}, ()),
}


@pytest.mark.parametrize(("series", "expected"), LEFT.values(), ids=LEFT)
def test_what_is_still_wrong(series: dict[str, list[Series]], expected: tuple[str, ...]) -> None:
    """By the last value of each, against the minute before the fault."""
    found = telemetry.left(Prometheus(**series), "x01", BEGAN, NOW, before=("B",))
    assert expected == found
