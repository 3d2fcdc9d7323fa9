"""The in-memory series store: label identity, order of samples, staleness, selection."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from prunella.promql import series_store

UP = {series_store.NAME: "up", "job": "a"}


def matcher(text: str) -> series_store.Matcher:
    """``name op value``, separated by blanks; the value may be left out."""
    name, op, *value = text.split(" ")
    return series_store.Matcher(op, name, " ".join(value))


SELECTIONS: Mapping[str, tuple[list[str], list[str]]] = {
    "by name": (["__name__ = up"], ["1", "2", "3"]),
    "an unknown name": (["__name__ = down"], []),
    "by name and label": (["__name__ = up", "job = a"], ["1"]),
    "not equal": (["__name__ = up", "job != a"], ["2", "3"]),
    "regular expression": (["job =~ a|c"], ["1", "4"]),
    "anchored": (["__name__ =~ u"], []),
    "negated": (["__name__ !~ up"], ["4"]),
    "absent is empty": (["__name__ = up", "job ="], ["3"]),
    "absent matches an empty expression": (["__name__ = up", "job =~ b?"], ["2", "3"]),
    "a dot matches a newline": (["job =~ c.*"], ["4"]),
    "two names": (["__name__ = up", "__name__ =~ d.*"], []),
}


@pytest.mark.parametrize(("matchers", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_select(matchers: list[str], expected: list[str]) -> None:
    """Series are found by all matchers together."""
    store = series_store.SeriesStore()
    for number, (name, job) in enumerate([("up", "a"), ("up", "b"), ("up", ""), ("x", "c")], 1):
        text = "c\nc" if job == "c" else job
        store.append({series_store.NAME: name, "job": text, "n": str(number)}, 0, 1)
    if "job =~ a|c" in matchers:
        store.append({series_store.NAME: "x", "job": "c", "n": "4"}, 0, 1)

    found = store.select([matcher(each) for each in matchers])

    assert expected == [series.labels["n"] for series in found]


def test_selection_sees_new_series() -> None:
    """A selection that was asked before a series existed finds it afterwards."""
    store = series_store.SeriesStore()
    wanted = [matcher("__name__ = up")]
    before = store.select(wanted)
    store.append(UP, 0, 1)

    assert (before, len(store.select(wanted))) == ((), 1)


def test_selections_are_not_kept_without_bound() -> None:
    """However many different selections are asked, each gets its answer."""
    store = series_store.SeriesStore()
    store.append(UP, 0, 1)
    found = [len(store.select([matcher(f"job != {number}")])) for number in range(3000)]

    assert found == [1] * 3000
    assert len(store._selections) < 3000


def test_empty_label_is_no_label() -> None:
    """A label with an empty value does not make another series."""
    store = series_store.SeriesStore()
    store.append(UP, 0, 1)
    store.append({**UP, "zone": ""}, 15, 2)

    assert [list(series.values) for series in store.select([])] == [[1.0, 2.0]]


WINDOWS: Mapping[str, tuple[int, int, list[float]]] = {
    "left-open, right-closed": (10_000, 30_000, [2, 3]),
    "all": (-1, 99_000, [0, 1, 2, 3, 5]),
    "the marker is no sample": (30_000, 40_000, []),
    "before": (-50, -1, []),
}


@pytest.mark.parametrize(("after", "until", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_between(after: int, until: int, expected: list[float]) -> None:
    """A window holds the samples after its start, up to its end, without markers."""
    store = series_store.SeriesStore()
    for number in range(4):
        store.append(UP, number * 10, number)
    store.mark_stale(UP, 40)
    store.append(UP, 50, 5)

    times, values = store.series(UP).between(after, until)

    assert expected == list(values)
    assert [int(value) * 10_000 for value in expected] == list(times)


NEWEST: Mapping[str, tuple[int, tuple[int, float] | None]] = {
    "before the first": (9_999, None),
    "at the sample": (10_000, (10_000, 1.0)),
    "within the lookback": (39_999, (10_000, 1.0)),
    "at the end of the lookback": (40_000, None),
    "the newest wins": (50_000, (50_000, 2.0)),
    "a stale series has none": (60_000, None),
}


@pytest.mark.parametrize(("at", "expected"), NEWEST.values(), ids=NEWEST)
def test_newest(at: int, expected: tuple[int, float] | None) -> None:
    """The newest sample within the lookback of 30 s, unless the series has ended."""
    series = series_store.SeriesStore().series(UP)
    series.append(10, 1)
    series.append(50, 2)
    series.append(60, series_store.STALE)

    assert expected == series.newest(at, 30_000)


def test_only_the_marker_is_stale() -> None:
    """An ordinary NaN is a value; the marker survives storage bit by bit."""
    series = series_store.SeriesStore().series(UP)
    for when, value in enumerate([1.0, math.nan, series_store.STALE]):
        series.append(when, value)

    assert [series_store.is_stale(value) for value in series.values] == [False, False, True]


def test_milliseconds_are_exact() -> None:
    """Seconds with decimals land on whole milliseconds."""
    series = series_store.SeriesStore().series(UP)
    series.append(1_700_000_000.001, 1)

    assert list(series.times) == [1_700_000_000_001]


@pytest.mark.parametrize("when", [10, 9.9995], ids=["same time", "same millisecond"])
def test_out_of_order_is_refused(when: float) -> None:
    """A sample that is not later than the last one is refused, and the series named."""
    store = series_store.SeriesStore()
    store.append(UP, 10, 1)

    with pytest.raises(ValueError, match=r"out of order sample.*'job': 'a'"):
        store.append(UP, when, 2)


def test_series_without_name_is_refused() -> None:
    """A series needs a metric name."""
    with pytest.raises(ValueError, match="__name__"):
        series_store.SeriesStore().append({"job": "a"}, 0, 1)


def test_unknown_series_cannot_end() -> None:
    """Ending a series that never was is a mistake of the caller."""
    with pytest.raises(ValueError, match="no such series"):
        series_store.SeriesStore().mark_stale(UP, 0)


def test_unknown_operator_is_refused() -> None:
    """A matcher knows four operators."""
    with pytest.raises(ValueError, match="use =, !=, =~ or !~"):
        series_store.Matcher("==", "job", "a")


@pytest.mark.parametrize("pattern", ["(", "[[:alpha:]]", r"\pL"])
def test_unsupported_expression_is_refused(pattern: str) -> None:
    """What Python would read in another way than RE2 is refused, not guessed."""
    with pytest.raises(ValueError, match="not supported"):
        series_store.Matcher("=~", "job", pattern)
