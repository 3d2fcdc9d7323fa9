"""A grid holds at each point what an instant query there would have answered."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from prunella.promql import evaluator, notation, range_evaluator, series_store

SERIES = {
    'a{pod="1"}': "1+1x3 stale 7 _x2 8-1.5x4 _ stale",
    'a{pod="2"}': "NaN 0x5 _x9 3 4e1 .5 1e-3x3",
    'a{pod="3"}': "_x20 5",
    'b{pod="1"}': "_ 1 -1 +2-1x2 NaN 5x2 stale stale 6",
}
QUERIES = (
    "a",
    "(a)",
    '{pod="1"}',
    'a{pod=~"1|2"} offset 2m',
    "a offset -1m",
    "b",
    "nothing",
    "a @ 300",
    "a + on (pod) b",
    "sum(a)",
    "rate(a[4m])",
    "scalar(b)",
    "3",
    "time() / 60",
    "sum by (pod) (a)",
    "avg without (pod) ({__name__='a'})",
    "max(a)",
    "min by (pod, none) (a)",
    "count(a > 2)",
    "group(a)",
    "stddev(a)",
    "sum(a * 1e308)",
    "avg(a * 1e308)",
    "a > bool 2",
    "2 - a",
    "2 < a",
    "0 / (a - a)",
    "a % 3",
    "-a",
    "a / on (pod) b",
    "a / a",
    "sum(a) / sum(b)",
    "a and on (pod) b",
    "a and b",
    "a or b",
    "b or on (pod) a",
    "a unless on (pod) b",
    "{pod='2'} and on () {pod='1'}",
    "{pod='2'} unless on () {pod='1'}",
    "a - on (pod) (b > 2 or on () a > 5)",
    "timestamp(a)",
    "timestamp(a offset 1m)",
    "timestamp(sum(a))",
    "label_replace(a, 'x', '$1', 'pod', '(1|3)')",
    "label_join(a, 'x', '-', 'pod', '__name__')",
    "increase(a[5m])",
    "delta(b[5m])",
    "rate(b[150s] offset 1m)",
    "count_over_time(a[2m])",
    "sum_over_time(a[3m])",
    "avg_over_time(a[5m])",
    "max_over_time(b[5m])",
    "min_over_time(b[90s])",
    "last_over_time(a[4m])",
    "present_over_time(a[1m])",
    "quantile_over_time(0.5, a[5m])",
    "max_over_time(rate(a[2m])[5m:1m])",
    "absent(b)",
    "time() - max by (pod) (timestamp(a))",
)
CLASHES = (
    "{pod='1'} - {pod='1'}",
    "a + on () b",
    "label_replace(a, 'pod', '', '', '')",
    "label_replace(a, 'pod', 'x', 'pod', '1|2')",
    "{pod='1'} + 1",
    "rate({pod='1'}[5m])",
    "timestamp({pod='1'})",
    "label_replace(a, '', 'x', 'pod', '')",
    "label_replace(nothing, 'x', '', 'pod', '(')",
)


def answers(
    store: series_store.SeriesStore, query: str, times: list[int]
) -> dict[str, list[float]]:
    """What instant queries answer, point by point; absent points are left out."""
    found: dict[str, list[float]] = {}
    for at in times:
        result = evaluator.evaluate(store, query, at / 1000)
        if isinstance(result, evaluator.Scalar):
            found.setdefault("[]", []).append(result.value)
            continue
        for each in result.samples:
            found.setdefault(str(sorted(each.labels.items())), []).append(each.value)
    return found


def grid(store: series_store.SeriesStore, query: str, times: list[int]) -> dict[str, list[float]]:
    """What the grid holds; absent points are left out."""
    rows = range_evaluator.evaluate(store, query, np.array(times, np.int64))
    for row in rows:
        assert np.isnan(row.values[~row.present]).all()
    return {str(sorted(row.labels.items())): row.values[row.present].tolist() for row in rows}


def same(expected: dict[str, list[float]], actual: dict[str, list[float]]) -> bool:
    """Equal, NaN included, but for the rounding of sums."""
    return expected.keys() == actual.keys() and all(
        pytest.approx(values, rel=1e-12, nan_ok=True) == actual[key]
        for key, values in expected.items()
    )


@pytest.mark.parametrize("step", [60, 7, 333])
@pytest.mark.parametrize("query", QUERIES)
def test_same_as_instant_queries(query: str, step: int) -> None:
    """For a bare selector, looked up all at once, as for anything else."""
    store = series_store.SeriesStore()
    notation.load(store, SERIES, interval=60)
    times = list(range(0, 2_400_000, step * 1000))

    expected = answers(store, query, times)

    assert same(expected, grid(store, query, times))
    assert expected or query == "nothing"


@pytest.mark.parametrize("query", CLASHES)
def test_same_clashes(query: str) -> None:
    """Where two series would have the same labels at one point, both refuse."""
    store = series_store.SeriesStore()
    notation.load(store, SERIES, interval=60)
    times = list(range(0, 2_400_000, 60_000))

    with pytest.raises(evaluator.EvaluationError):
        answers(store, query, times)
    with pytest.raises(evaluator.EvaluationError):
        grid(store, query, times)


def test_successors_with_the_same_labels() -> None:
    """Two series that are never there at the same time may have the same labels."""
    store = series_store.SeriesStore()
    notation.load(store, {'a{pod="1"}': "1x3 stale", 'a{pod="2"}': "_x4 2x3"}, interval=60)
    times = list(range(0, 480_000, 60_000))

    for query in ("label_replace(a, 'pod', '', '', '')", "sum without (pod) (rate(a[2m]))"):
        expected = answers(store, query, times)
        assert len(expected) == 1
        assert same(expected, grid(store, query, times))


@hypothesis.given(
    strategies.lists(
        strategies.tuples(
            strategies.integers(1, 400),
            strategies.sampled_from([1.0, 2.0, float("nan"), series_store.STALE]),
        ),
        max_size=12,
    ),
    strategies.integers(1, 150),
)
def test_same_whatever_the_samples(samples: list[tuple[int, float]], step: int) -> None:
    """Lookback and staleness hold to the second, at the edges too."""
    store, at = series_store.SeriesStore(), 1000
    series = store.series({series_store.NAME: "a"})
    for after, value in samples:
        at += after
        series.append(at, value)
    times = [when * 1000 for when in range(900, at + 700, step)]

    assert same(answers(store, "a", times), grid(store, "a", times))


def test_a_growing_store() -> None:
    """Looking at a series does not keep it from growing."""
    store = series_store.SeriesStore()
    series = store.series({series_store.NAME: "a"})
    for at in (0, 60, 120):
        series.append(at, float(at))
        rows = range_evaluator.evaluate(store, "a", np.array([at * 1000], np.int64))
        assert [[float(at)]] == [row.values.tolist() for row in rows]


@pytest.mark.parametrize("query", ["a[5m]", "a +", "no_such_function(a)", '{a="1" or b="2"}'])
def test_refused(query: str) -> None:
    """What an instant query refuses, a grid refuses."""
    store = series_store.SeriesStore()
    store.append({series_store.NAME: "a"}, 0, 1.0)

    with pytest.raises(evaluator.EvaluationError):
        range_evaluator.evaluate(store, query, np.array([0], np.int64))
