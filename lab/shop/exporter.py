"""What the shop's monitoring shows: traces' service graph, HTTP servers, cAdvisor, nodes, pools.

Names and labels are those of the real exporters: the OpenTelemetry collector's servicegraph
connector, OpenTelemetry's HTTP and database conventions, cAdvisor, node_exporter,
postgres_exporter and kafka_exporter. Requests are drawn one by one from the rates and shares
that `lab.shop.calls` has found, so that counters have the noise of real ones and no error series
exists before the first error.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import Any

from lab.shop import calls, queueing
from lab.shop.calls import Edge, Flow, Graph, Target
from lab.shop.kubelet import PodRecord
from lab.shop.plane import NodeUse, Second
from lab.shop.series import Counter, Histogram, gauge, render, text_of

GRAPH = "traces_service_graph_request"
HTTP = "http_server_request_duration_seconds"
KINDS = {"database": "database", "cache": "database", "queue": "messaging_system"}
ORDERS = "orders"


@dataclasses.dataclass(slots=True)
class EdgeSeries:
    """The service graph's series of one client and server."""

    total: Counter
    failed: Counter
    server: Histogram
    client: Histogram


@dataclasses.dataclass(slots=True)
class PodSeries:
    """A pod's series that count up."""

    labels: str
    http: dict[str, Histogram] = dataclasses.field(default_factory=dict)
    """By status code."""
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
        self._edges: dict[tuple[str, ...], EdgeSeries] = {}
        self._pods: dict[tuple[str, str], PodSeries] = {}
        """By the pod's uid and the container."""
        self._node_cpu: dict[str, tuple[float, float]] = {}
        """Busy and idle core-seconds of each node."""
        self._lag: dict[tuple[str, str], float] = {}
        self._last: Second | None = None

    def record(self, second: Second) -> None:
        """Count what one second came to."""
        self._last = second
        shops = {graph.shop for graph in second.graphs}
        for key in [key for key in self._edges if key[0] not in shops]:
            del self._edges[key]
        for graph in second.graphs:
            for edge in graph.edges():
                self._record_edge(graph, edge)
            self._record_lag(graph)
        self._record_containers(second)
        for name, use in second.nodes.items():
            busy, idle = self._node_cpu.get(name, (0.0, 0.0))
            used = use.full * use.cores
            self._node_cpu[name] = (busy + used, idle + max(0.0, use.cores - used))

    def _record_edge(self, graph: Graph, edge: Edge) -> None:
        for target, outcome in zip(edge.targets, edge.outcomes, strict=True):
            count = self._poisson(edge.rate * target.weight)
            if count:
                self._record_calls(graph, edge, target, outcome, count)

    def _record_calls(
        self,
        graph: Graph,
        edge: Edge,
        target: Target,
        outcome: tuple[float, float, float],
        count: int,
    ) -> None:
        share, good_time, bad_time = outcome
        series = self._edge_series(graph, edge, target)
        success = share * edge.kept
        draw = self._random.random
        answered = target.failure in (None, calls.UNIMPLEMENTED) and target.flow is not None
        own = (1 - target.flow.success) / max(1e-9, 1 - success) if target.flow else 0.0
        for _ in range(count):
            good = draw() < success
            seconds = self._duration(good_time if good else bad_time)
            series.total.value += 1
            series.failed.value += not good
            series.client.observe(seconds + edge.pool_wait)
            if answered and target.flow is not None:
                series.server.observe(seconds)
                # What the client gave up may have ended well at the server.
                failed = not good and draw() < own
                code = "404" if target.failure else "500" if failed else "200"
                self._record_request(target.flow, seconds, code)

    def _record_request(self, flow: Flow, seconds: float, code: str) -> None:
        """A request as its server sees it."""
        if flow.profile.kind != "http":
            return
        series = self._pod_series(flow.record, flow.record.main.name if flow.record.main else "")
        histogram = series.http.get(code)
        if histogram is None:
            histogram = series.http[code] = Histogram(HTTP, text_of(_http_labels(flow, code)))
        histogram.observe(seconds)

    def _edge_series(self, graph: Graph, edge: Edge, target: Target) -> EdgeSeries:
        client, server = edge.caller, target.flow
        names = (
            client.profile.name if client else calls.USERS,
            _namespace(client),
            calls.owner_name(client.record) if client else "",
            server.profile.name if server else edge.call.to,
            _namespace(server),
            calls.owner_name(server.record) if server else "",
        )
        key = (graph.shop, *names)
        found = self._edges.get(key)
        if found is None:
            labels = text_of(_edge_labels(graph, edge, target, names))
            found = self._edges[key] = EdgeSeries(
                Counter(f"{GRAPH}_total", labels),
                Counter(f"{GRAPH}_failed_total", labels),
                Histogram(f"{GRAPH}_server_seconds", labels),
                Histogram(f"{GRAPH}_client_seconds", labels),
            )
        return found

    def _record_lag(self, graph: Graph) -> None:
        """Messages that wait for each consumer of the queue."""
        produced = consumed = 0.0
        for edge in graph.edges():
            if edge.call.to != "kafka" or edge.caller is None:
                continue
            if not edge.caller.profile.drives:
                produced += edge.rate * edge.success
        for name in ("accounting", "fraud-detection"):
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

    def page(self) -> str:
        """Everything in Prometheus' text format."""
        second = self._last
        if second is None:
            return ""
        edges = self._edges.values()
        return render(
            [
                (f"{GRAPH}_total", "counter", _lines(each.total for each in edges)),
                (f"{GRAPH}_failed_total", "counter", _lines(each.failed for each in edges)),
                (f"{GRAPH}_server_seconds", "histogram", _lines(each.server for each in edges)),
                (f"{GRAPH}_client_seconds", "histogram", _lines(each.client for each in edges)),
                (
                    HTTP,
                    "histogram",
                    _lines(h for p in self._pods.values() for h in p.http.values()),
                ),
                *self._container_families(second),
                *self._node_families(second),
                *_pool_families(second),
                ("kafka_consumergroup_lag", "gauge", self._lag_lines()),
            ]
        )

    def _container_families(self, second: Second) -> Iterator[tuple[str, str, Iterator[str]]]:
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

    def _node_families(self, second: Second) -> Iterator[tuple[str, str, Iterator[str]]]:
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

    def _poisson(self, mean: float) -> int:
        if mean > 30:
            return max(0, round(self._random.gauss(mean, math.sqrt(mean))))
        limit, product, count = math.exp(-mean), self._random.random(), 0
        while product > limit:
            count += 1
            product *= self._random.random()
        return count

    def _duration(self, mean: float) -> float:
        middle = math.log(max(mean, 1e-4)) - queueing.SIGMA**2 / 2
        return self._random.lognormvariate(middle, queueing.SIGMA)


def _new_oom(series: PodSeries, last: dict[str, Any] | None) -> int:
    """1 when the container was killed for memory since the last look."""
    if last is None or last["finishedAt"] <= series.oom_seen:
        return 0
    series.oom_seen = last["finishedAt"]
    return int(last["reason"] == "OOMKilled")


def _lines(series: Iterator[Counter] | Iterator[Histogram]) -> Iterator[str]:
    for each in series:
        yield from each.lines()


def _namespace(flow: Flow | None) -> str:
    return flow.record.pod["metadata"]["namespace"] if flow else ""


def _edge_labels(
    graph: Graph, edge: Edge, target: Target, names: tuple[str, ...]
) -> dict[str, str]:
    kind = target.flow.profile.kind if target.flow else ""
    kind = KINDS.get(kind, "" if target.flow or edge.caller is None else "virtual_node")
    home = names[4] or _expected_home(edge, graph.shop)
    return {
        "client": names[0],
        "server": names[3],
        "connection_type": kind,
        "client_k8s_namespace_name": names[1],
        "client_k8s_deployment_name": names[2],
        "server_k8s_namespace_name": home,
        "server_k8s_deployment_name": names[5] or names[3],
    }


def _expected_home(edge: Edge, shop: str) -> str:
    """The namespace in the address that was called, for servers that were not reached."""
    address = edge.call.address
    if edge.caller is not None:
        address = edge.caller.variables.get(edge.call.address, "")
    parts = address.partition(":")[0].split(".")
    return parts[1] if len(parts) > 1 and parts[1].startswith(f"{shop}-") else ""


def _http_labels(flow: Flow, code: str) -> dict[str, str]:
    metadata = flow.record.pod["metadata"]
    return {
        "service_name": flow.profile.name,
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "deployment": calls.owner_name(flow.record),
        "http_request_method": "GET" if flow.profile.protocol == "http" else "POST",
        "http_response_status_code": code,
    }


def _node_lines(nodes: dict[str, NodeUse], what: str) -> Iterator[str]:
    for name, use in nodes.items():
        value = use.memory if what == "MemTotal" else max(0.0, use.memory - use.used_memory)
        yield gauge(f"node_memory_{what}_bytes", f'node="{name}"', value)


def _pool_families(second: Second) -> Iterator[tuple[str, str, Iterator[str]]]:
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
