"""Measurements of calls from a service graph: sums by server, ratios, what is not there."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest

from prunella.adapters.prometheus import service_graph
from prunella.api import reasons
from prunella.core import model
from prunella.core.incidents.anomalies import Measurement, Quantity
from prunella.core.signals import history

NOW = datetime.datetime(2026, 3, 2, 12, 0, 7, tzinfo=datetime.UTC)
WINDOWS = service_graph.Windows(usual=40, recent=20, step=10, rate=30)
POINTS = 7
CART = model.Ref("Deployment", "shop", "cart")
LABELS = {"server_k8s_deployment_name": "cart", "server_k8s_namespace_name": "shop"}


class Source:
    """Answers each metric with rows of a constant."""

    def __init__(self, **rows: list[tuple[dict[str, str], float]]) -> None:
        self.rows = rows
        self.queries: list[str] = []
        self.spans: set[history.Span] = set()

    async def ask(self, query: str, span: history.Span) -> history.Answer:
        """The rows of the metric that is asked for."""
        self.queries.append(query)
        self.spans.add(span)
        found = next((rows for key, rows in self.rows.items() if f"{key}{{" in query), [])
        values = np.array([[value] * POINTS for _, value in found]).reshape(len(found), POINTS)
        times = history.grid(span.start, span.end, span.step)
        return history.Matrix(times, tuple(labels for labels, _ in found), values)


async def measured(
    source: Source, *namespaces: str
) -> dict[tuple[model.Ref, Quantity], Measurement]:
    """The measurements by target and quantity."""
    graph = service_graph.ServiceGraph(source.ask, WINDOWS)
    found = await graph.measurements(namespaces or ("shop",), NOW)
    return {(each.target, each.quantity): each for each in found}


GRAPH = "traces_service_graph_request"


def source(failed: float | None = 1.0, labels: dict[str, str] | None = None) -> Source:
    """Ten requests a second of a tenth of a second each."""
    of = labels or LABELS
    rows = {f"{GRAPH}_total": [(of, 10.0)], f"{GRAPH}_server_seconds_sum": [(of, 1.0)],
            f"{GRAPH}_server_seconds_count": [(of, 10.0)]}  # fmt: skip
    if failed is not None:
        rows[f"{GRAPH}_failed_total"] = [(of, failed)]
    return Source(**rows)


@pytest.mark.parametrize(
    ("failed", "share"),
    [
        pytest.param(1.0, 0.1, id="a tenth fails"),
        pytest.param(None, 0.0, id="no series of failures yet is no failure"),
        pytest.param(math.nan, 0.0, id="a failure rate that is not known yet is none"),
    ],
)
async def test_error_share_is_failures_by_requests(failed: float | None, share: float) -> None:
    """A counter that does not exist before the first failure must not hide that all is well."""
    found = (await measured(source(failed)))[CART, Quantity.ERRORS]
    assert [share] * 2 == list(found.recent)
    assert [share] * 5 == list(found.usual)
    assert 10.0 == found.requests


async def test_latency_is_seconds_by_requests() -> None:
    """The mean duration, with the times of the recent samples."""
    found = (await measured(source()))[CART, Quantity.LATENCY]
    end = 10 * math.floor(NOW.timestamp() / 10)
    assert ([0.1, 0.1], [end - 10, end]) == (list(found.recent), list(found.times))


async def test_nobody_asked_is_not_known() -> None:
    """Without requests there is no share: 0 by 0 is no health."""
    found = await measured(Source(**{f"{GRAPH}_total": [(LABELS, 0.0)]}))
    assert np.isnan(found[CART, Quantity.ERRORS].recent).all()


@pytest.mark.parametrize(
    ("labels", "ref"),
    [
        pytest.param({"server": "cart", "server_k8s_namespace_name": "shop"},
                     model.Ref("Service", "shop", "cart"), id="a name and a namespace"),
        pytest.param({"server": "cart", "server_service_namespace": "shop"},
                     model.Ref("Service", "shop", "cart"), id="the SDK's own namespace"),
        pytest.param({"server_k8s_statefulset_name": "db", "server_k8s_namespace_name": "shop"},
                     model.Ref("StatefulSet", "shop", "db"), id="a StatefulSet"),
    ],
)  # fmt: skip
async def test_servers_are_named_by_what_labels_tell(
    labels: dict[str, str], ref: model.Ref
) -> None:
    """The workload where it is told, else the name that the trace has."""
    assert (ref, Quantity.ERRORS) in await measured(source(labels=labels))


async def test_series_of_one_server_are_added_up() -> None:
    """Different clients are different series."""
    rows = [({**LABELS, "other": each}, 5.0) for each in ("a", "b")]
    found = await measured(Source(**{f"{GRAPH}_total": rows}))
    assert 10.0 == found[CART, Quantity.ERRORS].requests


async def test_other_namespaces_are_not_asked_for() -> None:
    """The query names the namespaces, and what answers nevertheless is dropped."""
    some = source()
    assert {} == await measured(some, "bank")
    assert all('server_k8s_namespace_name=~"bank"' in each for each in some.queries[:4])


async def test_a_mesh_is_asked_when_there_is_no_service_graph() -> None:
    """Istio's metrics say the same in milliseconds."""
    of = {"destination_workload": "cart", "destination_workload_namespace": "shop"}
    rows = {
        "istio_requests_total": [(of, 10.0)],
        "istio_request_duration_milliseconds_sum": [(of, 1000.0)],
        "istio_request_duration_milliseconds_count": [(of, 10.0)],
    }
    found = await measured(Source(**rows))
    assert [0.1, 0.1] == [round(each, 9) for each in found[CART, Quantity.LATENCY].recent]


async def test_a_source_that_is_down_measures_nothing() -> None:
    """A failure is no measurement, and no error."""

    async def ask(_query: str, _span: history.Span) -> history.Answer:
        return model.Failure(reasons.Doubt.UNKNOWN_SOURCE, "down")

    graph = service_graph.ServiceGraph(ask, WINDOWS)
    assert () == await graph.measurements(["shop"], NOW)
