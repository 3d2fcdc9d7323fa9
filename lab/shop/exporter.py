"""The page for Prometheus: requests, and what cAdvisor, node_exporter and others show.

Names and labels are those of the real exporters: cAdvisor, node_exporter, kafka_exporter and
OpenTelemetry's database conventions.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

from lab.shop.graph import Edge, Flow, Graph
from lab.shop.plane import NodeUse, Second
from lab.shop.pods import PodRecord
from lab.shop.series import Family, gauge, render, text_of
from lab.shop.traffic import Traffic

ORDERS = "orders"
CONSUMERS = ("accounting", "fraud-detection")


@dataclasses.dataclass(slots=True)
class PodSeries:
    """A pod's series that count up."""

    labels: str
    cpu: float = 0.0
    periods: int = 0
    throttled: int = 0
    ooms: int = 0
    oom_seen: float = 0.0
    """When the last termination that was looked at had happened."""


class Exporter:
    """Keeps the series of all shops of a lab and renders them."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._traffic = Traffic(seed)
        self._pods: dict[tuple[str, str], PodSeries] = {}
        """By the pod's uid and the container."""
        self._node_cpu: dict[str, tuple[float, float]] = {}
        """Busy and idle core-seconds of each node."""
        self._lag: dict[tuple[str, str], float] = {}
        self._last: Second | None = None

    def record(self, second: Second) -> None:
        """Count what one second came to."""
        self._last = second
        self._traffic.record(second.graphs, second.records)
        for graph in second.graphs:
            self._record_lag(graph)
        self._record_containers(second)
        for name, use in second.nodes.items():
            busy, idle = self._node_cpu.get(name, (0.0, 0.0))
            used = use.full * use.cores
            self._node_cpu[name] = (busy + used, idle + max(0.0, use.cores - used))

    def page(self) -> str:
        """Everything in Prometheus' text format."""
        second = self._last
        if second is None:
            return ""
        return render(
            [
                *self._traffic.families(),
                *self._container_families(second),
                *self._node_families(second),
                *_pool_families(second),
                ("kafka_consumergroup_lag", "gauge", self._lag_lines()),
            ]
        )

    def _record_lag(self, graph: Graph) -> None:
        """Messages that wait for each consumer of the queue."""
        produced = consumed = 0.0
        for edge in graph.edges():
            if edge.call.to != "kafka" or edge.caller is None:
                continue
            if not edge.caller.profile.drives:
                produced += edge.rate * edge.success
        for name in CONSUMERS:
            consumed = sum(
                2 * edge.rate * edge.success * edge.caller.success
                for edge in graph.edges()
                if edge.caller and edge.caller.profile.name == name and edge.call.to == "kafka"
            )
            before = self._lag.get((graph.shop, name), 0.0)
            self._lag[graph.shop, name] = max(0.0, before + produced - consumed)

    def _record_containers(self, second: Second) -> None:
        limits = {id(c.container): c for use in second.nodes.values() for c in use.claims}
        seen: set[tuple[str, str]] = set()
        for uid, record in second.records.items():
            for container in record.containers.values():
                seen.add((uid, container.name))
                series = self._pod_series(record, container.name)
                series.cpu += container.cpu * (1 + self._random.gauss(0, 0.03))
                claimed = limits.get(id(container))
                if claimed is not None and claimed.limit is not None:
                    series.periods += 10
                    series.throttled += round(10 * claimed.throttled)
                series.ooms += _new_oom(series, container.last)
        for gone in self._pods.keys() - seen:
            del self._pods[gone]

    def _pod_series(self, record: PodRecord, container: str) -> PodSeries:
        metadata = record.pod["metadata"]
        key = (metadata["uid"], container)
        found = self._pods.get(key)
        if found is None:
            spec: dict[str, Any] = next(
                (s for s in record.pod["spec"]["containers"] if s["name"] == container), {}
            )
            labels = {
                "namespace": metadata["namespace"],
                "pod": metadata["name"],
                "container": container,
                "image": spec.get("image", ""),
                "node": record.pod["spec"].get("nodeName", ""),
            }
            found = self._pods[key] = PodSeries(text_of(labels))
        return found

    def _container_families(self, second: Second) -> Iterator[Family]:
        pods = [
            (series, second.records[uid].containers[name])
            for (uid, name), series in self._pods.items()
            if uid in second.records and name in second.records[uid].containers
        ]
        running = [(series, container) for series, container in pods if container.running]
        prefix = "container_"

        def lines(name: str, values: Iterator[tuple[str, float]]) -> Iterator[str]:
            return (gauge(prefix + name, labels, value) for labels, value in values)

        yield (
            "container_cpu_usage_seconds_total",
            "counter",
            lines("cpu_usage_seconds_total", ((s.labels, s.cpu) for s, _ in running)),
        )
        yield (
            "container_memory_working_set_bytes",
            "gauge",
            lines("memory_working_set_bytes", ((s.labels, c.memory) for s, c in running)),
        )
        yield (
            "container_cpu_cfs_periods_total",
            "counter",
            lines(
                "cpu_cfs_periods_total", ((s.labels, s.periods) for s, _ in running if s.periods)
            ),
        )
        yield (
            "container_cpu_cfs_throttled_periods_total",
            "counter",
            lines(
                "cpu_cfs_throttled_periods_total",
                ((s.labels, s.throttled) for s, _ in running if s.periods),
            ),
        )
        yield (
            "container_oom_events_total",
            "counter",
            lines("oom_events_total", ((s.labels, s.ooms) for s, _ in pods if s.ooms)),
        )

    def _node_families(self, second: Second) -> Iterator[Family]:
        modes = (
            gauge("node_cpu_seconds_total", f'node="{name}",mode="{mode}"', value)
            for name, (busy, idle) in self._node_cpu.items()
            if name in second.nodes
            for mode, value in (("user", busy), ("idle", idle))
        )
        yield "node_cpu_seconds_total", "counter", modes
        yield "node_memory_MemTotal_bytes", "gauge", _node_lines(second.nodes, "MemTotal")
        yield "node_memory_MemAvailable_bytes", "gauge", _node_lines(second.nodes, "MemAvailable")

    def _lag_lines(self) -> Iterator[str]:
        for (shop, group), lag in self._lag.items():
            labels = f'namespace="{shop}-data",consumergroup="{group}",topic="{ORDERS}"'
            yield gauge("kafka_consumergroup_lag", labels, round(lag))


def _new_oom(series: PodSeries, last: dict[str, Any] | None) -> int:
    """1 when the container was killed for memory since the last look."""
    if last is None or last["finishedAt"] <= series.oom_seen:
        return 0
    series.oom_seen = last["finishedAt"]
    return int(last["reason"] == "OOMKilled")


def _node_lines(nodes: dict[str, NodeUse], what: str) -> Iterator[str]:
    for name, use in nodes.items():
        value = use.memory if what == "MemTotal" else max(0.0, use.memory - use.used_memory)
        yield gauge(f"node_memory_{what}_bytes", f'node="{name}"', value)


def _pool_families(second: Second) -> Iterator[Family]:
    pools = [
        (edge, _pool_labels(edge, edge.caller))
        for graph in second.graphs
        for edge in graph.edges()
        if edge.pool_size and edge.caller
    ]
    name = "db_client_connection"
    states = (
        gauge(f"{name}_count", f'{labels},state="{state}"', value)
        for edge, labels in pools
        for state, value in (
            ("used", edge.pool_used),
            ("idle", edge.pool_size - edge.pool_used),
        )
    )
    yield f"{name}_count", "gauge", states
    yield (
        f"{name}_max",
        "gauge",
        (gauge(f"{name}_max", labels, edge.pool_size) for edge, labels in pools),
    )
    yield (
        f"{name}_pending_requests",
        "gauge",
        (
            gauge(f"{name}_pending_requests", labels, edge.rate * edge.pool_wait)
            for edge, labels in pools
        ),
    )


def _pool_labels(edge: Edge, caller: Flow) -> str:
    metadata = caller.record.pod["metadata"]
    labels = {
        "service_name": caller.profile.name,
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "db_client_connection_pool_name": edge.call.to,
    }
    return text_of(labels)
