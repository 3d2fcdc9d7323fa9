"""The values of a story's series."""

from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from prunella.policytest import series as series_module
from prunella.promql import series_store

DAY = 86_400.0


def make(**written: Any) -> series_module.Series:
    """A series as a test file writes it."""
    return series_module.Series.model_validate({"metric": "m", **written})


def value(series: series_module.Series, index: int = 0, **changes: Any) -> float | None:
    """A value at a time, of an image."""
    given = {"time": 0.0, "since_start": 0.0, "image": "", "who": "x", **changes}
    return series.value(index, **given)


def test_a_number_holds_for_ever() -> None:
    """It needs no notation."""
    assert [5.0, 5.0] == [value(make(values=5), index) for index in (0, 10_000_000)]


def test_the_notation_is_promtools_and_ends() -> None:
    """After the last value there is nothing more."""
    series = make(values="1+2x2 _ 7")

    assert [1, 3, 5, None, 7, None] == [value(series, index) for index in range(6)]


def test_a_day_rises_and_falls() -> None:
    """Highest at the peak, lowest half a day from it."""
    series = make(daily={"low": 1, "high": 3, "peakHour": 6})
    seen = [value(series, time=hour * 3600) for hour in (6, 12, 18, 30)]

    assert pytest.approx([3, 2, 1, 3]) == seen


CONDITIONS = {
    "before": (2.0, "shop:v1", 0.0),
    "the image": (8.0, "shop:v2", 0.0),
    "the time": (9.0, "shop:v1", 60.0),
    "the first that holds": (8.0, "shop:v2", 60.0),
    "the end of the time": (2.0, "shop:v1", 120.0),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_first_condition_that_holds_counts(name: str) -> None:
    """An end is not part of its time."""
    expected, image, since_start = CONDITIONS[name]
    when = [{"image": "*:v2", "values": 8}, {"from": "1m", "until": "2m", "values": 9}]
    series = make(values=2, target="shop", when=when)

    assert expected == value(series, image=image, since_start=since_start)


def test_noise_is_the_same_each_time_and_of_the_size_given() -> None:
    """A story always plays out in the same way; another seed or pod has other noise."""
    series = make(values=100, noise=0.1, seed=1)
    seen = [value(series, index) or 0.0 for index in range(2000)]
    spread = math.sqrt(sum((each - 100) ** 2 for each in seen) / len(seen))

    assert seen == [value(series, index) for index in range(2000)]
    assert pytest.approx(10, rel=0.1) == spread
    assert seen[0] not in {value(make(values=100, noise=0.1, seed=2)), value(series, who="y")}


def test_gaps_stay_gaps_under_noise() -> None:
    """Nothing is made of nothing."""
    assert value(make(values="_ 1", noise=0.1)) is None


REFUSED = {
    "no values": ({}, "exactly one of values, daily"),
    "values twice": ({"values": 1, "daily": {"low": 1, "high": 2}}, "exactly one of values, daily"),
    "no notation": ({"values": "1+1"}, "not in the series notation"),
    "too long": ({"values": "1x9999999"}, "at most 1000000"),
    "no metric": ({"metric": "up{", "values": 1}, "metric"),
    "a pattern as label": ({"metric": 'up{a=~"b"}', "values": 1}, "only label="),
    "pods of nothing": ({"values": 1, "perPod": True}, "need a target"),
    "an image of nothing": ({"values": 1, "when": [{"image": "x", "values": 2}]}, "need a target"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_series_is_refused(name: str) -> None:
    """The message says what is missing or wrong."""
    written, message = REFUSED[name]
    with pytest.raises(pydantic.ValidationError) as refused:
        make(**written)

    assert message in str(refused.value) or "metric" in name


ALERTS: dict[str, tuple[dict[str, Any], str]] = {
    "of all": ({}, 'ALERTS{alertname="Hot", alertstate="firing"}'),
    "of a target": (
        {"target": "StatefulSet/db", "labels": {"severity": "page"}},
        'ALERTS{severity="page", alertname="Hot", alertstate="firing", statefulset="db"}',
    ),
    "of its pods": (
        {"target": "web", "perPod": True},
        'ALERTS{alertname="Hot", alertstate="firing"}',
    ),
}


@pytest.mark.parametrize(("written", "metric"), ALERTS.values(), ids=ALERTS)
def test_an_alert_is_told_by_its_series(written: dict[str, Any], metric: str) -> None:
    """The series that a source keeps of it: there while it fires, ended while it does not."""
    firing = [{"from": "5m", "until": "10m"}]
    alert = series_module.Alert.model_validate({"name": "Hot", "firing": firing, **written})
    told = alert.series("shop")
    assert metric == told.metric
    seen = [told.value(0, 0.0, minutes * 60.0, "shop/web:v1", "web") for minutes in (4, 5, 9, 10)]
    assert [False, True, True, False] == [each == 1.0 for each in seen]
    assert all(series_store.is_stale(each) for each in (seen[0], seen[3]) if each is not None)


def test_an_alert_about_an_image_needs_a_target() -> None:
    """Nobody could say whose image is meant."""
    with pytest.raises(ValueError, match="need a target"):
        series_module.Alert.model_validate({"name": "Hot", "firing": [{"image": "*:v2"}]})
