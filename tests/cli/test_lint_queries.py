"""What is said of a query without asking a server."""

from __future__ import annotations

import promql_parser
import pytest

from prunella.cli.lint import queries

LABELS = {
    "x": "*",
    'x{pod="a"}': "*",
    "(x)": "*",
    "-x": "*",
    "rate(x[1m])": "*",
    "sum(x)": "",
    "sum by (a, b) (x)": "a b",
    "sum by (a) (sum by (b) (x))": "",
    "sum without (a) (x)": "*-a",
    "sum without (a) (sum by (a, b) (x))": "b",
    "topk(3, x)": "*",
    "topk by (a) (3, x)": "*",
    'count_values by (a) ("v", x)': "a v",
    "quantile(0.9, x)": "",
    "vector(1)": "",
    "time()": "",
    "1": "",
    "scalar(x)": "",
    'absent(x{a="1", b=~"2"})': "a",
    'absent_over_time(x{a="1"}[5m])': "a",
    "absent(sum(x))": "",
    "sum(x) * 2": "",
    "2 * sum by (a) (x)": "a",
    "(1 + 2) * sum by (a) (x)": "a",
    "scalar(x) * sum by (a) (x)": "a",
    "sum by (a) (x) / sum by (a) (y)": "a",
    "sum by (a) (x) / on (b) y": "",
    "x / on (a) y": "a",
    "x / ignoring (a) y": "*-a",
    "sum by (a) (x) * on (a) group_left (b) y": "a b",
    "sum by (b) (x) * on (a) group_right (b) sum by (a) (y)": "a b",
    "sum by (a) (x) or sum by (b) (y)": "a b",
    "sum without (a, b) (x) or sum without (b, c) (y)": "*-b",
    "sum without (a) (x) or sum by (a) (y)": "*",
    "sum by (a) (x) and y": "a",
    "sum by (a) (x) unless y": "a",
    'label_replace(sum(x), "a", "$1", "b", "(.*)")': "a",
    'label_join(sum by (b) (x), "a", "-", "b")': "a b",
    "histogram_quantile(0.9, sum by (le, a) (rate(x[1m])))": "a",
    "max_over_time(sum by (a) (x)[5m:1m])": "a",
}


def shown(labels: queries.Labels) -> str:
    """``a b`` for just these labels, ``*-a`` for all but these."""
    names = sorted(labels.names)
    if labels.others:
        return "*" + "".join(f"-{name}" for name in names)
    return " ".join(names)


@pytest.mark.parametrize("query", LABELS)
def test_labels_are_followed_to_the_result(query: str) -> None:
    """Each operation keeps, drops or adds labels as Prometheus does."""
    assert LABELS[query] == shown(queries.labels(promql_parser.parse(query)))


FILTERS = {
    "x > 5": True,
    "(x > 5)": True,
    "5 < x": True,
    "x == y": True,
    "x > bool 5": False,
    "x": False,
    "sum(x > 5)": False,
    "x and y": False,
    "x + 1": False,
}


@pytest.mark.parametrize("query", FILTERS)
def test_comparisons_that_drop_series(query: str) -> None:
    """Only the outermost comparison decides what the answer leaves out."""
    assert FILTERS[query] is queries.filters(promql_parser.parse(query))


def test_ranges_are_those_of_counters() -> None:
    """Ranges of rates need several scrapes; other ranges may be as short as they like."""
    query = "rate(a[30s]) + increase(b[5m]) + max_over_time(c[5s]) + irate(d[1m])"

    assert [30.0, 300.0, 60.0] == list(queries.counter_ranges(promql_parser.parse(query)))


def test_namespaces_are_those_asked_for_by_name() -> None:
    """Only an equality names a namespace."""
    query = 'a{namespace="x"} + b{namespace=~"y.*"} + sum(c{namespace="z"})'

    assert ["x", "z"] == list(queries.namespaces(promql_parser.parse(query)))
