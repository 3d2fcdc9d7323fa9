"""Matchers that are put into every selector: a source's own, and those that leave pods out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prunella.core.signals import compiled, freshness, query_analysis, series_filter
from tests.unit.core import builders

EU = {"cluster": "eu-1"}
MATCHED: dict[str, tuple[str, Mapping[str, str], str]] = {
    "each selector": (
        "rate(a[1m]) / b",
        EU,
        'rate(a{cluster="eu-1",namespace="shop"}[1m]) / b{cluster="eu-1",namespace="shop"}',
    ),
    "beside one of the query's": (
        'a{cluster=~"eu-.*"}',
        EU,
        'a{cluster="eu-1",cluster=~"eu-.*",namespace="shop"}',
    ),
    "one that is there already": (
        'a{cluster="eu-1"}',
        EU,
        'a{cluster="eu-1",namespace="shop"}',
    ),
    "two": ("a", {**EU, "stage": "prod"}, 'a{cluster="eu-1",namespace="shop",stage="prod"}'),
    "a hostile value": ("a", {"c": '"} or {x="'}, 'a{c="\\"} or {x=\\"",namespace="shop"}'),
    "none": ("a", {}, 'a{namespace="shop"}'),
}


@pytest.mark.parametrize(("query", "matchers", "expected"), MATCHED.values(), ids=MATCHED)
def test_a_sources_matchers_are_in_every_selector(
    query: str, matchers: Mapping[str, str], expected: str
) -> None:
    """As the namespace is; what the query asks for itself is never widened."""
    assert expected == query_analysis.confine(query, "namespace", "shop", matchers)


def test_all_roles_of_a_signal_get_the_matchers() -> None:
    """Presence and the freshness query too, which is made of the confined ones."""
    spec = builders.spec(signals=[{**builders.SIGNAL, "presence": "up"}])
    confined = {"default": compiled.Confinement(matchers=EU)}
    (signal,) = compiled.compile_policy(builders.KEY, spec, confined).signals
    fresh = [freshness.freshness_query(q, ("pod",)) for q in signal.queries.values()]
    for text in (*signal.queries.values(), *fresh):
        assert all('cluster="eu-1"' in leaf for leaf in query_analysis.leaves(text))


CHOOSES = {
    "no selector": ("sum(a) / sum(b)", False),
    "one of two": ('sum(a{cluster="x"}) / sum(b)', False),
    "each": ('sum(a{cluster="x"}) / sum(b{cluster="x"})', True),
    "a pattern": ('a{cluster=~"x"}', False),
    "an empty value": ('a{cluster=""}', False),
    "another label": ('a{region="x"}', False),
}


@pytest.mark.parametrize(("query", "expected"), CHOOSES.values(), ids=CHOOSES)
def test_which_queries_choose_a_cluster(query: str, *, expected: bool) -> None:
    """Only an equal matcher in every selector leaves no doubt."""
    assert expected == series_filter.chooses(query, "cluster")


def test_pods_can_be_left_out() -> None:
    """Series without the label stay; the names are no patterns."""
    found = series_filter.without("sum(rate(a[1m])) / b", {"pod": ["web-2", "web.1-x"]})
    left_out = '{pod!~"web-2|web[.]1-x"}'
    assert f"sum(rate(a{left_out}[1m])) / b{left_out}" == found


CONTRIBUTORS = {
    "over its range": (
        'sum(rate(a{x="y"}[1m]))',
        60.0,
        'group by (pod) (last_over_time(a{pod=~"web-.*", x="y"}[60s]))',
    ),
    "an instant query": ("sum(a)", 0.0, 'group by (pod) (a{pod=~"web-.*"})'),
    "the same leaf once": ("a / a", 0.0, 'group by (pod) (a{pod=~"web-.*"})'),
    "two leaves": (
        "a / b",
        0.0,
        'group by (pod) (a{pod=~"web-.*"}) or group by (pod) (b{pod=~"web-.*"})',
    ),
}


@pytest.mark.parametrize(("query", "seconds", "expected"), CONTRIBUTORS.values(), ids=CONTRIBUTORS)
def test_the_pods_that_a_value_rests_on(query: str, seconds: float, expected: str) -> None:
    """Each leaf is asked for as long as the query looks back."""
    found = series_filter.contributors_query(query, ("pod",), "web-.*", seconds)
    assert expected == found
    query_analysis.validate(found)


PODS = {"namespace": ("pod", "exported_pod"), "exported_namespace": ("exported_pod", "pod")}


@pytest.mark.parametrize(("label", "expected"), PODS.items())
def test_which_pod_counts_follows_from_the_namespaces_label(
    label: str, expected: tuple[str, ...]
) -> None:
    """Where the namespace is an exported one, ``pod`` is the exporter's own."""
    assert expected == compiled.Confinement(label).pod_labels
