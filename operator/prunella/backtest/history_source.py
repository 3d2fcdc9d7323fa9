"""Where history comes from: a Prometheus, or files of samples."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters import clock as clocks
from prunella.adapters.prometheus import metrics as prometheus
from prunella.adapters.recorded import file_metrics, files
from prunella.adapters.recorded import metrics as recorded
from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.core.signals import compiled, query_analysis
from prunella.promql import series_store

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


def from_files(
    path: pathlib.Path,
    settings: settings_module.Settings,
    key: objects.Key,
    policies: Mapping[str, compiled.Policy],
    note: Callable[[str], None],
) -> Origin:
    """History of a file, or of the files in a folder. Raises files.FileError."""
    label = next(iter(settings.sources.values())).namespace_label
    samples = files.Samples(label, key.namespace, wanted_by(policies))
    files.load(path, samples, note)
    store, first, last = samples.store()
    sources = {
        name: source.model_copy(update={"max_series": 10_000_000})
        for name, source in settings.sources.items()
    }
    return Origin(_stored(store, sources, policies), settings, _time(first), _time(last), _nothing)


def _stored(
    store: series_store.SeriesStore,
    sources: Mapping[str, settings_module.Source],
    policies: Mapping[str, compiled.Policy],
) -> file_metrics.StoredMetrics:
    metrics = file_metrics.StoredMetrics(store, clocks.RealClock(), sources)
    metrics.expect(
        (asked, signal.labels)
        for policy in policies.values()
        for signal in policy.signals
        for asked in recorded.questions(signal).values()
    )
    return metrics


def wanted_by(policies: Mapping[str, compiled.Policy]) -> files.Wanted:
    """Which series the policies could read; all where a selector names no metric."""
    names: set[str] = set()
    for policy in policies.values():
        for signal in policy.signals:
            for query in signal.queries.values():
                found = [_NAME.match(leaf) for leaf in query_analysis.leaves(query)]
                if not all(found):
                    return lambda _: True
                names.update(each[0] for each in found if each is not None)
    return lambda labels: (
        labels.get(series_store.NAME, "") in names
        or labels.get(series_store.NAME, "").startswith("kube_")
    )


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _nothing() -> None:
    """Files are read; there is nothing to close."""
