"""Counters without a rate, and calls, in queries."""

from __future__ import annotations

import promql_parser
import pytest

from prunella.cli.lint import counters

RAW = {
    "x_total": ["x_total"],
    "x": [],
    '{__name__="x"}': [],
    "x_sum": [],
    "x_seconds_sum": ["x_seconds_sum"],
    "x_bytes_count": ["x_bytes_count"],
    "x_seconds_bucket": ["x_seconds_bucket"],
    "-(sum by (a) (x_total))": ["x_total"],
    "max_over_time(x_total[5m])": ["x_total"],
    "max_over_time(rate(x_total[5m])[1h:1m])": [],
    'label_replace(x_total, "a", "b", "", "")': ["x_total"],
    "rate(x_total[5m])": [],
    "sum(increase(x_total[5m]))": [],
    "count(x_total)": [],
    'count_values("v", x_total)': [],
    "timestamp(x_total)": [],
    "x_total * 2": ["x_total"],
    "2 * x_total": ["x_total"],
    "x_total - 5": ["x_total"],
    "x_total + y_total": ["x_total", "y_total"],
    "x_total - y_total": [],
    "x_total / y_total": [],
    "x_total / 2": ["x_total"],
    "x_total > 5": ["x_total"],
    "x_total and y_total": ["x_total"],
    "x or y_total": [],
}


@pytest.mark.parametrize("query", RAW)
def test_counters_that_still_grow_are_found(query: str) -> None:
    """A counter counts unless a rate, a count or another counter takes its growth away."""
    assert RAW[query] == list(counters.raw(promql_parser.parse(query)))


CALLS = {
    "absent(x)": True,
    "sum(absent_over_time(x[5m])) + 1": True,
    "sum(rate(absent[5m]))": False,
    "1": False,
}


@pytest.mark.parametrize("query", CALLS)
def test_calls_are_found_at_any_depth(query: str) -> None:
    """A function is found by its name; a metric of that name is none."""
    names = {"absent", "absent_over_time"}

    assert CALLS[query] == counters.calls(promql_parser.parse(query), names)
