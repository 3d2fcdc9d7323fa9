"""Where history comes from: a Prometheus, or files of samples."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import promql_parser

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters import clock as clocks
from prunella.adapters.prometheus import metrics as prometheus
from prunella.adapters.recorded import file_metrics, files
from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import samples as samples_
from prunella.api import policy as policy_api
from prunella.backtest import many_clusters
from prunella.core import objects
from prunella.core.signals import compiled, query_analysis
from prunella.promql import selectors, series_store

_NAME: Final = re.compile(r"[a-zA-Z_:][\w:]*")
_WITHOUT_LIMITS: Final = {
    "read_timeout_seconds": 120.0,
    "max_body_bytes": 512 * 1024 * 1024,
    "max_queries_per_namespace": 100_000,
    "max_seconds_per_namespace": 1e9,
}
"""A backtest is one person's work: what protects the operator's rounds would only end it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """A source of history, with the settings that name it; ``close`` ends its connections."""

    metrics: ports.Metrics
    settings: settings_module.Settings
    first: datetime.datetime | None
    """Of the first sample, where it is known."""
    last: datetime.datetime | None
    close: Callable[[], None]
    warnings: tuple[str, ...] = ()
    """What the policies ask for and files do not have."""
    mixed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By signal, which clusters of files its query adds up."""


def settings_for(
    base: settings_module.Settings, specs: Mapping[str, policy_api.RemediationPolicySpec], url: str
) -> settings_module.Settings:
    """The settings with every source that the policies name, at ``url`` where one is given."""
    names = {signal.source for spec in specs.values() for signal in spec.signals}
    found = {}
    for name in sorted(names):
        source = base.sources.get(name) or settings_module.Source()
        update = {**_WITHOUT_LIMITS, **({"url": url} if url else {})}
        found[name] = source.model_copy(update=update)
    return base.model_copy(update={"sources": {**base.sources, **found}})


def from_prometheus(settings: settings_module.Settings) -> Origin:
    """History of the settings' sources."""
    metrics = prometheus.PrometheusMetrics(
        settings.sources, clocks.RealClock(), most_history_values=64_000_000
    )
    return Origin(metrics, settings, None, None, metrics.close)


def naming(spec: policy_api.RemediationPolicySpec, metric: str | None) -> samples_.Naming:
    """How series of files are named that do not say what they are."""
    mapped = any(signal.mapping is not None for signal in spec.signals)
    label = compiled.WORKLOAD_LABELS[spec.target.kind]
    return samples_.Naming(metric, label, None if mapped else spec.target.name)


def from_files(
    path: pathlib.Path,
    settings: settings_module.Settings,
    key: objects.Key,
    policies: Mapping[str, compiled.Policy],
    note: Callable[[str], None],
    names: samples_.Naming | None = None,
) -> Origin:
    """History of a file, or of the files in a folder. Raises files.FileError."""
    source = next(iter(settings.sources.values()))
    names = dataclasses.replace(
        names or samples_.Naming(), asked=asked_for(policies), matchers=source.matchers
    )
    samples = files.Samples(source.namespace_label, key.namespace, wanted_by(policies), names)
    files.load(path, samples, note)
    store, first, last = samples.store()
    sources = {
        name: source.model_copy(update={"max_series": 10_000_000})
        for name, source in settings.sources.items()
    }
    metrics = _stored(store, sources, policies)
    warnings = tuple(dict.fromkeys(_missing(store, samples, policies)))
    mixed = many_clusters.mixed(store, key, policies)
    return Origin(metrics, settings, _time(first), _time(last), _nothing, warnings, mixed)


def _missing(
    store: series_store.SeriesStore,
    samples: files.Samples,
    policies: Mapping[str, compiled.Policy],
) -> Iterator[str]:
    """What signals ask for and do not find: a metric, a label that names a target."""
    for policy in policies.values():
        for signal in policy.signals:
            for leaf in dict.fromkeys(
                each for query in signal.queries.values() for each in query_analysis.leaves(query)
            ):
                selector = promql_parser.parse(leaf)
                if not isinstance(selector, promql_parser.VectorSelector):
                    continue
                series = store.select(selectors.matchers_of(selector))
                wanted = signal.name_labels
                if not series:
                    found = ", ".join(samples.metrics[:10])
                    yield f"{signal.name}: the files have no sample of {leaf}; they have {found}"
                elif wanted and not any(each in s.labels for s in series for each in wanted):
                    names = sorted({n for s in series for n in s.labels} - {series_store.NAME})
                    yield (
                        f"{signal.name}: no series of {leaf} has a label that names a target "
                        f"({', '.join(wanted)}); they have {', '.join(names)}: add such a column, "
                        "or write `mapping` in the signal"
                    )


def _stored(
    store: series_store.SeriesStore,
    sources: Mapping[str, settings_module.Source],
    policies: Mapping[str, compiled.Policy],
) -> file_metrics.StoredMetrics:
    metrics = file_metrics.StoredMetrics(store, clocks.RealClock(), sources)
    metrics.expect(
        asked
        for policy in policies.values()
        for signal in policy.signals
        for asked in recorded.questions(signal).values()
    )
    return metrics


def asked_for(policies: Mapping[str, compiled.Policy]) -> frozenset[str]:
    """The metrics that the policies' queries ask for; empty where a selector names none."""
    names: set[str] = set()
    for policy in policies.values():
        for signal in policy.signals:
            for query in signal.queries.values():
                found = [_NAME.match(leaf) for leaf in query_analysis.leaves(query)]
                if not all(found):
                    return frozenset()
                names.update(each[0] for each in found if each is not None)
    return frozenset(names)


def wanted_by(policies: Mapping[str, compiled.Policy]) -> files.Wanted:
    """Which series the policies could read; all where a selector names no metric."""
    names = asked_for(policies)
    if not names:
        return lambda _: True
    return lambda labels: (
        labels.get(series_store.NAME, "") in names
        or labels.get(series_store.NAME, "").startswith("kube_")
    )


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _nothing() -> None:
    """Files are read; there is nothing to close."""
