"""Latency and error share of services, as their callers see them: by service-graph metrics.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/connector/servicegraphconnector
Four range queries for all namespaces of a view: requests, failures, seconds, and how many
requests these are of.  Of a mesh without service graph, Istio's metrics say the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prunella.core import model
from prunella.core.incidents import anomalies
from prunella.core.signals import history

Floats = NDArray[np.float64]
Ask = Callable[[str, history.Span], Awaitable[history.Answer]]
"""Asks a range query of all namespaces; never raises."""


@dataclasses.dataclass(frozen=True, slots=True)
class Convention:
    """The metrics and labels of one system that measures calls."""

    requests: str
    failures: str
    seconds: str
    count: str
    names: tuple[tuple[str, str, str], ...]
    """Labels of the server's name and namespace, and the kind that they stand for."""
    scale: float = 1.0
    """What the duration is multiplied by to be seconds."""
    own: str = ""
    """A matcher that leaves each call counted once."""


_SERVER = (
    ("server_k8s_deployment_name", "server_k8s_namespace_name", "Deployment"),
    ("server_k8s_statefulset_name", "server_k8s_namespace_name", "StatefulSet"),
    ("server", "server_k8s_namespace_name", "Service"),
    ("server", "server_service_namespace", "Service"),
)
SERVICE_GRAPH = Convention(
    "traces_service_graph_request_total",
    "traces_service_graph_request_failed_total",
    "traces_service_graph_request_server_seconds_sum",
    "traces_service_graph_request_server_seconds_count",
    _SERVER,
)
ISTIO = Convention(
    "istio_requests_total",
    'istio_requests_total{response_code=~"5..|0"}',
    "istio_request_duration_milliseconds_sum",
    "istio_request_duration_milliseconds_count",
    (("destination_workload", "destination_workload_namespace", "Deployment"),),
    0.001,
    'reporter="source"',
)


@dataclasses.dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in seconds."""

    usual: float = 3600.0
    recent: float = 120.0
    step: float = 15.0
    rate: float = 60.0
    """What a rate is taken over: at least two scrapes."""


class ServiceGraph:
    """Measurements of calls, from one metrics source."""

    def __init__(self, ask: Ask, windows: Windows | None = None) -> None:
        self._ask = ask
        self._windows = windows or Windows()

    async def measurements(
        self, namespaces: Collection[str], now: datetime.datetime
    ) -> tuple[anomalies.Measurement, ...]:
        """Latency and error share of what is called in some namespaces; never raises."""
        for convention in (SERVICE_GRAPH, ISTIO):
            found = await self._measured(convention, frozenset(namespaces), now.timestamp())
            if found:
                return found
        return ()

    async def _measured(
        self, convention: Convention, namespaces: frozenset[str], now: float
    ) -> tuple[anomalies.Measurement, ...]:
        each = self._windows
        end = history.last_point(now, each.step)
        span = history.Span(end - each.usual - each.recent, end, each.step)
        metrics = (convention.requests, convention.failures, convention.seconds, convention.count)
        answers = await asyncio.gather(
            *(self._ask(self._query(convention, metric, namespaces), span) for metric in metrics)
        )
        tables = [_by_server(answer, convention, namespaces) for answer in answers]
        times = history.grid(span.start, span.end, span.step)
        return tuple(self._of(convention, tables, times))

    def _query(self, convention: Convention, metric: str, namespaces: frozenset[str]) -> str:
        labels = dict.fromkeys(label for names in convention.names for label in names[:2])
        spaces = dict.fromkeys(names[1] for names in convention.names)
        several = '"' + "|".join(sorted(namespaces)) + '"'
        name, _, given = metric.rstrip("}").partition("{")
        rates = [
            f"rate({name}{{{_joined(given, convention.own, f'{space}=~{several}')}}}"
            f"[{self._windows.rate:.0f}s])"
            for space in spaces
        ]
        return f"sum by ({', '.join(labels)}) ({' or '.join(rates)})"

    def _of(
        self, convention: Convention, tables: Sequence[Mapping[model.Ref, Floats]], times: Floats
    ) -> list[anomalies.Measurement]:
        requests, failures, seconds, counts = tables
        recent = max(1, round(self._windows.recent / self._windows.step))
        found = []
        for ref, total in requests.items():
            failed = failures.get(ref)
            share = _ratio(np.zeros_like(total) if failed is None else np.nan_to_num(failed), total)
            found.append((ref, anomalies.Quantity.ERRORS, share, total))
            if ref in seconds and ref in counts:
                mean = _ratio(seconds[ref], counts[ref]) * convention.scale
                found.append((ref, anomalies.Quantity.LATENCY, mean, counts[ref]))
        return [
            _measurement(ref, quantity, values, total, times, recent)
            for ref, quantity, values, total in found
        ]


def _measurement(
    ref: model.Ref,
    quantity: anomalies.Quantity,
    values: Floats,
    requests: Floats,
    times: Floats,
    recent: int,
) -> anomalies.Measurement:
    late = requests[-recent:]
    mean = float(np.nanmean(late)) if np.isfinite(late).any() else 0.0
    return anomalies.Measurement(
        ref, quantity, values[:-recent], values[-recent:], times[-recent:], mean
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """A quotient, NaN where nothing was asked."""
    found = np.full(below.shape, np.nan)
    np.divide(above, below, out=found, where=np.isfinite(below) & (below > 0))
    return found


def _by_server(
    answer: history.Answer, convention: Convention, namespaces: frozenset[str]
) -> dict[model.Ref, Floats]:
    """The sums of each server; a source that does not answer has none."""
    if isinstance(answer, model.Failure):
        return {}
    found: dict[model.Ref, list[Floats]] = defaultdict(list)
    for labels, row in zip(answer.labels, answer.values, strict=True):
        ref = _server(labels, convention)
        if ref is not None and ref.namespace in namespaces:
            found[ref].append(row)
    return {ref: _sum(rows) for ref, rows in found.items()}


def _sum(rows: list[Floats]) -> Floats:
    """Rows added up; NaN only where all are."""
    whole = np.array(rows)
    unknown = ~np.isfinite(whole).any(axis=0)
    total: Floats = np.where(unknown, np.nan, np.nansum(whole, axis=0))
    return total


def _server(labels: Mapping[str, str], convention: Convention) -> model.Ref | None:
    for name, namespace, kind in convention.names:
        if labels.get(name) and labels.get(namespace):
            return model.Ref(kind, labels[namespace], labels[name])
    return None


def _joined(*matchers: str) -> str:
    return ",".join(each for each in matchers if each)
