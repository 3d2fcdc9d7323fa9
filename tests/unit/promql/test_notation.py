"""promtool's series notation."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from prunella.promql import notation, series_store

VALUES: Mapping[str, tuple[str, list[float | None]]] = {
    "empty": ("", []),
    "numbers": ("1 -2 +3.5 1e3 .5", [1, -2, 3.5, 1000, 0.5]),
    "rising": ("1+2x3", [1, 3, 5, 7]),
    "falling": ("-1-1x2", [-1, -2, -3]),
    "constant": ("4x2", [4, 4, 4]),
    "once": ("4x0", [4]),
    "gaps": ("1 _ _x2 2", [1, None, None, None, 2]),
    "infinities": ("Inf -Inf +Inf", [math.inf, -math.inf, math.inf]),
    "exponent before x": ("1e2x1", [100, 100]),
    "blanks and lines": ("1\n  2\t3 ", [1, 2, 3]),
}


@pytest.mark.parametrize(("text", "expected"), VALUES.values(), ids=VALUES)
def test_values(text: str, expected: list[float | None]) -> None:
    """Every item expands to its samples."""
    assert tuple(expected) == notation.parse_values(text)


def test_stale_is_the_marker() -> None:
    """``stale`` is the staleness marker and ``NaN`` is not."""
    stale, nan = notation.parse_values("stale NaN")

    assert stale is not None
    assert nan is not None
    assert (series_store.is_stale(stale), series_store.is_stale(nan)) == (True, False)
    assert math.isnan(nan)


@pytest.mark.parametrize("item", ["1+1", "x3", "1+x3", "_3", "stalex2", "1x", "1,2", "1x-1"])
def test_bad_item_is_named(item: str) -> None:
    """An item that is not in the notation is named."""
    with pytest.raises(ValueError, match="not in the series notation"):
        notation.parse_values(f"1 {item} 2")


METRICS: Mapping[str, tuple[str, dict[str, str]]] = {
    "name only": ("up", {"__name__": "up"}),
    "labels": ('up{job="a",zone="b c"}', {"__name__": "up", "job": "a", "zone": "b c"}),
    "name as label": ('{__name__="up",job="a"}', {"__name__": "up", "job": "a"}),
}


@pytest.mark.parametrize(("text", "expected"), METRICS.values(), ids=METRICS)
def test_metric(text: str, expected: dict[str, str]) -> None:
    """A series is written as its selector."""
    assert expected == notation.parse_metric(text)


@pytest.mark.parametrize("text", ["sum(up)", 'up{job=~"a"}', "up[5m]", "up{"])
def test_metric_that_is_no_series(text: str) -> None:
    """Anything but one series is refused."""
    with pytest.raises(ValueError, match=r"series|brace"):
        notation.parse_metric(text)


def test_load() -> None:
    """Values land at the interval from the start; gaps leave no sample."""
    store = series_store.SeriesStore()
    notation.load(store, {'up{job="a"}': "1 _ 0", "down": "_x2 7"}, interval=15, start=1000)
    loaded = {s.labels["__name__"]: (list(s.times), list(s.values)) for s in store.select([])}

    assert loaded == {
        "up": ([1_000_000, 1_030_000], [1.0, 0.0]),
        "down": ([1_030_000], [7.0]),
    }
