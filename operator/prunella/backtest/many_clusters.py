"""Files whose series are of several clusters, which a query would add up: told as the engine does.

The engine asks the scrape targets (``up``); files rarely hold them, so the series that the queries
read are looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping

import promql_parser

from prunella.core import objects
from prunella.core.signals import compiled, query_analysis, series_filter
from prunella.engine import clusters
from prunella.promql import selectors, series_store


def mixed(
    store: series_store.SeriesStore, key: objects.Key, policies: Mapping[str, compiled.Policy]
) -> dict[str, str]:
    """By signal, which clusters its query adds up and what to do about it."""
    found = {}
    for policy in policies.values():
        for signal in policy.signals:
            told = _of_signal(store, key.namespace, signal)
            if told:
                found[signal.name] = told
    return found


def _of_signal(store: series_store.SeriesStore, namespace: str, signal: compiled.Signal) -> str:
    for label in compiled.CLUSTER_LABELS:
        values: set[str] = set()
        for query in signal.queries.values():
            if not series_filter.chooses(query, label):
                values |= _values(store, query, label)
        if len(values) > 1:
            return clusters.told(signal.spec.source, namespace, label, tuple(sorted(values)))
    return ""


def _values(store: series_store.SeriesStore, query: str, label: str) -> set[str]:
    """The values of a label among the series that a query reads."""
    found: set[str] = set()
    for leaf in query_analysis.leaves(query):
        selector = promql_parser.parse(leaf)
        if isinstance(selector, promql_parser.VectorSelector):
            series = store.select(selectors.matchers_of(selector))
            found |= {each.labels[label] for each in series if each.labels.get(label)}
    return found
