"""What traces and HTTP servers count: requests drawn one by one from the rates and shares.

So counters have the noise of real ones, and no error series exists before the first error.
Names and labels are those of the OpenTelemetry collector's servicegraph connector and of
OpenTelemetry's HTTP conventions.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Iterator

from lab.shop import outcomes, queueing
from lab.shop.graph import Edge, Flow, Graph, Target, owner_name
from lab.shop.series import Counter, Family, Histogram, text_of

GRAPH = "traces_service_graph_request"
HTTP = "http_server_request_duration_seconds"
USERS = "load-generator"
KINDS = {"database": "database", "cache": "database", "queue": "messaging_system"}


@dataclasses.dataclass(slots=True)
class EdgeSeries:
    """The service graph's series of one client and server."""

    total: Counter
    failed: Counter
    server: Histogram
    client: Histogram


class Traffic:
    """The series of requests of all shops of a lab."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._edges: dict[tuple[str, ...], EdgeSeries] = {}
        self._servers: dict[tuple[str, str], Histogram] = {}
        """By the pod's uid and the status code."""

    def record(self, graphs: list[Graph], alive: Iterable[str]) -> None:
        """Count one second; series of shops and pods (``alive``: uids) that are gone end."""
        shops = {graph.shop for graph in graphs}
        for key in [key for key in self._edges if key[0] not in shops]:
            del self._edges[key]
        present = set(alive)
        for server in [each for each in self._servers if each[0] not in present]:
            del self._servers[server]
        for graph in graphs:
            for edge in graph.edges():
                self._record_edge(graph, edge)

    def families(self) -> Iterator[Family]:
        """Everything for the page."""
        edges = self._edges.values()
        yield f"{GRAPH}_total", "counter", _lines(each.total for each in edges)
        yield f"{GRAPH}_failed_total", "counter", _lines(each.failed for each in edges)
        yield f"{GRAPH}_server_seconds", "histogram", _lines(each.server for each in edges)
        yield f"{GRAPH}_client_seconds", "histogram", _lines(each.client for each in edges)
        yield HTTP, "histogram", _lines(self._servers.values())

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
        answered = target.failure in (None, outcomes.UNIMPLEMENTED) and target.flow is not None
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
        key = (flow.uid, code)
        histogram = self._servers.get(key)
        if histogram is None:
            histogram = self._servers[key] = Histogram(HTTP, text_of(_http_labels(flow, code)))
        histogram.observe(seconds)

    def _edge_series(self, graph: Graph, edge: Edge, target: Target) -> EdgeSeries:
        client, server = edge.caller, target.flow
        names = (
            client.profile.name if client else USERS,
            _namespace(client),
            owner_name(client.record) if client else "",
            server.profile.name if server else edge.call.to,
            _namespace(server),
            owner_name(server.record) if server else "",
        )
        labels = _edge_labels(graph, edge, target, names)
        # Users who reach nobody have the labels of those who do: one series.
        key = (graph.shop, *labels.values())
        found = self._edges.get(key)
        if found is None:
            text = text_of(labels)
            found = self._edges[key] = EdgeSeries(
                Counter(f"{GRAPH}_total", text),
                Counter(f"{GRAPH}_failed_total", text),
                Histogram(f"{GRAPH}_server_seconds", text),
                Histogram(f"{GRAPH}_client_seconds", text),
            )
        return found

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


def _lines(series: Iterable[Counter] | Iterable[Histogram]) -> Iterator[str]:
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
    if edge.caller is None:
        return f"{shop}-web"
    address = edge.caller.variables.get(edge.call.address, "")
    parts = address.partition(":")[0].split(".")
    return parts[1] if len(parts) > 1 and parts[1].startswith(f"{shop}-") else ""


def _http_labels(flow: Flow, code: str) -> dict[str, str]:
    metadata = flow.record.pod["metadata"]
    return {
        "service_name": flow.profile.name,
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "deployment": owner_name(flow.record),
        "http_request_method": "GET" if flow.profile.protocol == "http" else "POST",
        "http_response_status_code": code,
    }
