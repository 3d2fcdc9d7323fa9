"""The age of data and the spacing of samples are asked in one query and read from one answer."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser
import pytest

from prunella.core import model
from prunella.core.signals import freshness, query_analysis

EVERY_WINDOW = tuple(window for tier in freshness.WINDOWS for window in tier)


def branches(query: str) -> Iterator[set[tuple[str, str, str]]]:
    """The matchers of each selector of a query."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    for each in found:
        yield {(str(m.op), m.name, m.value) for m in each.matchers.matchers}


def test_freshness_is_one_query() -> None:
    """Each leaf is asked for its age by the mapping labels, and marked by its number."""
    query = 'sum(a{x="1"}) / max_over_time(b[1h:])'

    asked = freshness.freshness_query(query, ("namespace", "pod", "we.ird"))

    by = 'namespace, pod, "we.ird"'
    assert asked == (
        f'label_replace(time() - max by ({by}) (timestamp(a{{x="1"}})),'
        ' "prunella_leaf", "0", "", "") or '
        f"label_replace(time() - max by ({by}) (timestamp(b)),"
        ' "prunella_leaf", "1", "", "")'
    )


@pytest.mark.parametrize("query", ["a", 'sum(rate({"a.b"}[5m])) / on (x) c{d="\\n"}', "-a or b"])
def test_freshness_queries_are_as_confined_as_their_query(query: str) -> None:
    """Learning the age and interval of data reads nothing that the query itself may not."""
    confined = query_analysis.confine(query, "namespace", "shop")

    asked = freshness.freshness_query(confined, ("pod",), windows=EVERY_WINDOW, reach=1200)

    query_analysis.validate(asked)
    own = (str(promql_parser.MatchOp.Equal), "namespace", "shop")
    assert all(own in group for group in branches(asked))
    assert query_analysis.leaves(confined) == query_analysis.leaves(asked)


def test_nothing_to_be_fresh() -> None:
    """A query without series has no age to ask for."""
    assert freshness.freshness_query("vector(1)", ("pod",), windows=EVERY_WINDOW, reach=1200) == ""


def reading(**leaves: float) -> list[model.Sample]:
    """The answer to a freshness query; ``_`` in a name stands for ``-``."""
    return [
        model.Sample({freshness.LEAF_LABEL: leaf.removeprefix("leaf").replace("_", "-")}, value)
        for leaf, value in leaves.items()
    ]


INTERVALS = {
    "from the long window": ({"leaf0": 7.0, "count_300_0": 20.0}, 15.0),
    "the smaller of two": ({"leaf0": 2.0, "count_60_0": 12.0, "count_300_0": 50.0}, 5.0),
    "the slowest leaf": (
        {"leaf0": 1.0, "leaf1": 1.0, "count_300_0": 60.0, "count_300_1": 10.0},
        30.0,
    ),
    "one sample tells nothing": ({"leaf0": 7.0, "count_300_0": 1.0}, None),
    "not asked": ({"leaf0": 7.0}, None),
    "scraping stopped, seen by the long window": ({"leaf0": 280.0, "count_300_0": 2.0}, None),
    "scraping stopped a while ago": ({"leaf0": 120.0, "count_300_0": 12.0}, None),
    "just before a scrape": ({"leaf0": 59.0, "count_300_0": 5.0}, 60.0),
    "data older than the window": ({"leaf0": 400.0, "count_300_0": 2.0}, None),
}


@pytest.mark.parametrize(("leaves", "expected"), INTERVALS.values(), ids=INTERVALS)
def test_the_scrape_interval_is_learned(leaves: dict[str, float], expected: float | None) -> None:
    """From the number of samples in a window, unless the window ends in silence."""
    assert expected == freshness.read_freshness(reading(**leaves)).scrape_seconds


def test_ages_keep_their_labels() -> None:
    """Each age names its leaf and its target; counts are not among the ages."""
    ages = (
        model.Sample({freshness.LEAF_LABEL: "0", "pod": "a"}, 3.0),
        model.Sample({freshness.LEAF_LABEL: "1"}, 4.0),
    )

    found = freshness.read_freshness([ages[0], *reading(count_60_0=4.0), ages[1]])

    assert ages == found.ages
    assert found.scrape_seconds == 15.0


def test_the_reach_is_searched_for_the_newest_sample() -> None:
    """Given samples farther apart than a selector looks back, then a subquery finds the last."""
    asked = freshness.freshness_query("a", ("pod",), reach=1200)

    newest = "timestamp(a) or max_over_time(timestamp(a)[1200s:240s])"
    expected = f"time() - max by (pod) ({newest})"
    assert f'label_replace({expected}, "prunella_leaf", "0", "", "")' == asked


def test_series_that_are_sampled_more_seldom_are_told_apart() -> None:
    """Given one pod at 15 s and one at 4 minutes, then the second has a spacing of its own."""
    label = freshness.LEAF_LABEL
    samples = [
        model.Sample({label: "0", "pod": "a"}, 3.0),
        model.Sample({label: "0", "pod": "b"}, 200.0),
        model.Sample({label: "count-300-0", "pod": "a"}, 20.0),
        model.Sample({label: "count-3600-0", "pod": "a"}, 240.0),
        model.Sample({label: "count-3600-0", "pod": "b"}, 15.0),
    ]
    found = freshness.read_freshness(samples).spacing

    assert found == freshness.Spacing(15.0, (model.Sample({"pod": "b"}, 240.0),))
    assert found.slowest == 240.0
    assert found == freshness.read_freshness(freshness.told(samples[:2], found)).spacing


REACHES = {None: 0, 15.0: 0, 100.0: 0, 120.0: 480, 300.0: 1200, 3600.0: 14_400}


@pytest.mark.parametrize(("seconds", "expected"), REACHES.items())
def test_the_newest_sample_is_searched_only_where_a_selector_may_miss_it(
    seconds: float | None, expected: int
) -> None:
    """Prometheus looks back five minutes: up to 100 s, two lost samples still leave one."""
    assert expected == freshness.reach(freshness.Spacing(seconds))
