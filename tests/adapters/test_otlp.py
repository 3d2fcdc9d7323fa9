"""Spans over the wire: what a collector of OpenTelemetry gets, and what becomes of its answers."""

from __future__ import annotations

import concurrent.futures
import datetime
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from prunella import settings
from prunella.core.incidents import trace

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from prunella.adapters import otlp
from tests.otlp_collector import Collector

START = datetime.datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=datetime.UTC)
START_NS = 1_772_366_400_250_000_000
TRACE, ROOT, CHILD = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
SPANS = [
    trace.Span(
        TRACE,
        ROOT,
        "",
        "incident",
        START,
        START + datetime.timedelta(minutes=20),
        {"prunella.incident.alerts": 3, "prunella.incident.namespaces": ["shop", "bank"]},
        (trace.Event(START, "state", {"message": "opened"}),),
    ),
    trace.Span(TRACE, CHILD, ROOT, "remediation rollback", START, START, error="errors stay"),
]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes all."""
    made = Collector()
    yield made
    made.close()


def sender(endpoint: str, **more: Any) -> otlp.OtlpTraces:
    """What sends to an endpoint."""
    wanted = settings.Tracing.model_validate({"endpoint": endpoint, "timeout_seconds": 1, **more})
    return otlp.OtlpTraces(wanted, "prunella-system", concurrent.futures.ThreadPoolExecutor(1))


async def test_what_a_collector_gets(collector: Collector) -> None:
    """One request in protobuf with all that the spans say, and who sends them."""
    traces = sender(collector.url, attributes={"k8s.cluster.name": "eu-1"})
    assert "" == await traces.send(SPANS)
    [(path, headers, message)] = collector.requests
    [resource_spans] = message.resource_spans
    told = {each.key: each.value.string_value for each in resource_spans.resource.attributes}
    [scope_spans] = resource_spans.scope_spans
    root, child = scope_spans.spans
    assert ("/v1/traces", "application/x-protobuf") == (path, headers["content-type"])
    assert ("prunella", "prunella-system", "eu-1") == (
        told["service.name"],
        told["service.namespace"],
        told["k8s.cluster.name"],
    )
    assert "prunella" == scope_spans.scope.name
    assert (TRACE, ROOT, "") == (root.trace_id.hex(), root.span_id.hex(), root.parent_span_id.hex())
    assert (TRACE, CHILD, ROOT) == (
        child.trace_id.hex(),
        child.span_id.hex(),
        child.parent_span_id.hex(),
    )
    assert (START_NS, START_NS + 1200 * 10**9) == (
        root.start_time_unix_nano,
        root.end_time_unix_nano,
    )
    values = {each.key: each.value for each in root.attributes}
    assert 3 == values["prunella.incident.alerts"].int_value
    assert ["shop", "bank"] == [
        each.string_value for each in values["prunella.incident.namespaces"].array_value.values
    ]
    [event] = root.events
    assert ("state", START_NS, "opened") == (
        event.name,
        event.time_unix_nano,
        event.attributes[0].value.string_value,
    )
    assert (0, "") == (root.status.code, root.status.message)
    assert (2, "errors stay") == (child.status.code, child.status.message)
    traces.close()


async def test_credentials_are_read_again(collector: Collector, tmp_path: pathlib.Path) -> None:
    """A token that was changed is taken up with the next request; headers are sent as they are."""
    token = tmp_path / "token"
    token.write_text("first")
    traces = sender(collector.url, bearer_token_file=token, headers={"X-Scope-OrgID": "shop"})
    await traces.send(SPANS)
    token.write_text("the second")
    await traces.send(SPANS)
    token.unlink()
    missing = await traces.send(SPANS)
    sent = [headers["authorization"] for _, headers, _ in collector.requests]
    assert ["Bearer first", "Bearer the second"] == sent
    assert "shop" == collector.requests[0][1]["x-scope-orgid"]
    assert f"can't read the credentials in {token}" in missing
    traces.close()


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_a_refusal_is_told(collector: Collector, status: int) -> None:
    """Whoever sends hears that nothing arrived; nothing is raised."""
    collector.status = status
    traces = sender(collector.url)
    assert f"2 spans did not arrive at {collector.url}" == await traces.send(SPANS)
    traces.close()


async def test_nobody_there() -> None:
    """A collector that is not there takes no longer than the time-out."""
    url = "http://127.0.0.1:9/v1/traces"
    traces = sender(url)
    assert f"2 spans did not arrive at {url}" == await traces.send(SPANS)
    traces.close()
