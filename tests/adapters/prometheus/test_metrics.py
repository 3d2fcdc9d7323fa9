"""Sources in threads behind the Metrics port: every fault is a Failure, nothing is raised."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import settings
from prunella.adapters.prometheus import budget, client, metrics, session
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry as telemetries
from prunella.api import reasons
from prunella.core import model
from tests.adapters.prometheus import faultserver

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Doubt = reasons.Doubt


@contextlib.asynccontextmanager
async def asking(
    behaviour: faultserver.Behaviour,
    threads: int = 2,
    telemetry: telemetries.RecordingTelemetry | None = None,
    **fields: Any,
) -> AsyncIterator[tuple[metrics.PrometheusMetrics, faultserver.Server, clocks.VirtualClock]]:
    """Metrics over one server, under the name ``default``."""
    clock = clocks.VirtualClock(START)
    with faultserver.serve(behaviour) as server:
        source = settings.Source(url=server.url, read_timeout_seconds=2, **fields)
        asked = metrics.PrometheusMetrics(
            {"default": source}, clock, threads=threads, telemetry=telemetry
        )
        try:
            yield asked, server, clock
        finally:
            asked.close()


def one(labels: dict[str, str], value: float) -> model.Vector:
    """A vector of one sample."""
    return model.Vector((model.Sample(labels, value),))


ANSWERS = {
    "vector": (faultserver.vector(({"pod": "a"}, "0.25")), one({"pod": "a"}, 0.25)),
    "empty": (faultserver.vector(), model.Vector(())),
    "scalar": (faultserver.answer(faultserver.success("scalar", [1.5, "7"])), one({}, 7.0)),
    "positive infinity": (faultserver.vector(({}, "+Inf")), one({}, math.inf)),
    "negative infinity": (faultserver.vector(({}, "-Inf")), one({}, -math.inf)),
    "infos": (
        faultserver.vector(infos=["might not be a counter"]),
        model.Vector((), ("might not be a counter",)),
    ),
}


@pytest.mark.parametrize(("behaviour", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_answers(behaviour: faultserver.Behaviour, expected: model.Vector) -> None:
    """What Prometheus says, as values."""
    async with asking(behaviour) as (asked, _, _):
        assert expected == await asked.query("default", "shop", "up")


async def test_nan_is_passed_on() -> None:
    """Detection judges it."""
    async with asking(faultserver.vector(({}, "NaN"))) as (asked, _, _):
        answer = await asked.query("default", "shop", "up")

    assert isinstance(answer, model.Vector)
    assert math.isnan(answer.samples[0].value)


def malformed(*elements: object) -> faultserver.Behaviour:
    """A vector of elements that are none."""
    return faultserver.answer(faultserver.success("vector", list(elements)))


THREE = [({"pod": str(n)}, "1") for n in range(3)]
FAILURES = {
    "HTTP": (faultserver.send(b"", 500), Doubt.HTTP_ERROR, "source 'default': HTTP 500"),
    "warnings": (
        faultserver.vector(({}, "1"), warnings=["no store", "b", "c", "d"]),
        Doubt.WARNINGS,
        "may be partial: no store; b; c",
    ),
    "warning in another form": (faultserver.vector(warnings="x"), Doubt.WARNINGS, "partial: x"),
    "too many series": (faultserver.vector(*THREE), Doubt.TOO_MANY_SERIES, "more than 2 series"),
    "cut by the server's own limit": (
        faultserver.vector(*THREE, warnings=["results truncated due to limit"]),
        Doubt.TOO_MANY_SERIES,
        "more than 2 series",
    ),
    "matrix": (
        faultserver.answer(faultserver.success("matrix", [])),
        Doubt.QUERY_REJECTED,
        "a matrix, not a vector",
    ),
    "string": (
        faultserver.answer(faultserver.success("string", [1, "x"])),
        Doubt.QUERY_REJECTED,
        "a string, not a vector",
    ),
    "no type": (
        faultserver.answer({"status": "success", "data": {"result": []}}),
        Doubt.QUERY_REJECTED,
        "a nameless type",
    ),
    "native histogram": (
        malformed({"metric": {}, "histogram": [1, {}]}),
        Doubt.NOT_A_NUMBER,
        "histogram_quantile",
    ),
    "no labels": (malformed({"value": [1, "1"]}), Doubt.NOT_JSON, "form"),
    "no value": (malformed({"metric": {}}), Doubt.NOT_JSON, "form"),
    "half a value": (malformed({"metric": {}, "value": [1]}), Doubt.NOT_JSON, "form"),
    "a word": (malformed({"metric": {}, "value": [1, "one"]}), Doubt.NOT_JSON, "form"),
    "not an element": (malformed(None), Doubt.NOT_JSON, "form"),
    "result is null": (
        faultserver.answer(faultserver.success("vector", None)),
        Doubt.NOT_JSON,
        "form",
    ),
    "scalar without a value": (
        faultserver.answer(faultserver.success("scalar", [])),
        Doubt.NOT_JSON,
        "form",
    ),
}


@pytest.mark.parametrize(("behaviour", "reason", "words"), FAILURES.values(), ids=FAILURES)
async def test_failures(
    behaviour: faultserver.Behaviour, reason: reasons.Doubt, words: str
) -> None:
    """An answer that is partial, too long or of another form is none."""
    async with asking(behaviour, max_series=2) as (asked, _, _):
        answer = await asked.query("default", "shop", "up")

    assert isinstance(answer, model.Failure)
    assert reason == answer.reason
    assert words in answer.message


async def test_exactly_enough_series() -> None:
    """The limit itself is allowed."""
    async with asking(faultserver.vector(*THREE), max_series=3) as (asked, _, _):
        answer = await asked.query("default", "shop", "up")

    assert isinstance(answer, model.Vector)
    assert len(answer.samples) == 3


REFUSED = {
    "unknown source": ("other", "shop", Doubt.UNKNOWN_SOURCE),
    "forbidden source": ("default", "bank", Doubt.FORBIDDEN_SOURCE),
}


@pytest.mark.parametrize(("name", "namespace", "reason"), REFUSED.values(), ids=REFUSED)
async def test_no_admittance(name: str, namespace: str, reason: reasons.Doubt) -> None:
    """Nothing is asked of a source that is not there or not open."""
    async with asking(faultserver.vector(), allowed_namespaces=("shop",)) as (asked, server, _):
        answer = await asked.query(name, namespace, "up")

    assert isinstance(answer, model.Failure)
    assert reason == answer.reason
    assert server.requests == []


async def test_foreign_series_are_dropped_and_counted() -> None:
    """Whatever a source sends, nobody sees another namespace's series."""
    series = [({"team": "shop"}, "1"), ({"team": "bank"}, "2"), ({}, "3")]
    counted, behaviour = telemetries.RecordingTelemetry(), faultserver.vector(*series)
    async with asking(behaviour, telemetry=counted, namespace_label="team") as (asked, _, _):
        answer = await asked.query("default", "shop", "up")
        await asked.query("default", "shop", "up")

    assert isinstance(answer, model.Vector)
    assert [sample.value for sample in answer.samples] == [1.0, 3.0]
    labels = {"source": "default", "namespace": "shop"}
    assert counted.value("prunella_foreign_answers_total", **labels) == 2


async def test_requests_are_counted() -> None:
    """By source and outcome; a question that was not sent is none."""
    counted = telemetries.RecordingTelemetry()
    async with asking(faultserver.vector(), telemetry=counted) as (asked, server, _):
        await asked.query("default", "shop", "up")
        await asked.query("other", "shop", "up")
        server.behaviour = faultserver.send(b"", 500)
        await asked.query("default", "shop", "up")

    for outcome in ("Answered", "HttpError"):
        labels = {"source": "default", "outcome": outcome}
        assert counted.value("prunella_queries_total", **labels) == 1
    assert counted.value("prunella_queries_total") == 2


async def test_time_travel() -> None:
    """History is asked with a time; the present without one."""
    async with asking(faultserver.vector()) as (asked, server, _):
        await asked.query("default", "shop", "up", START)
        await asked.query("default", "shop", "up")

    assert server.requests[0].form["time"] == "1772323200.000"
    assert "time" not in server.requests[1].form


async def test_threads_keep_their_connections() -> None:
    """Each thread has one connection, whatever the number of queries."""
    async with asking(faultserver.vector(), threads=2) as (asked, server, _):
        await asyncio.gather(*(asked.query("default", "shop", f"up + {n}") for n in range(20)))

    assert len(server.requests) == 20
    assert len({request.connection for request in server.requests}) <= 2


async def test_too_many_distinct_queries() -> None:
    """A namespace has its share; the same query again, and other namespaces, are free of it."""
    async with asking(faultserver.vector(), max_queries_per_namespace=2) as (asked, server, clock):
        answers = [await asked.query("default", "shop", query) for query in "abab"]
        refused = await asked.query("default", "shop", "c")
        other = await asked.query("default", "bank", "c")
        await clock.advance(budget.ROUND_SECONDS)
        later = await asked.query("default", "shop", "c")

    assert [model.Vector(())] * 4 == answers
    assert isinstance(refused, model.Failure)
    assert refused.reason == Doubt.QUERY_REJECTED
    assert "2 distinct queries within 30 s, the limit is 2" in refused.message
    assert model.Vector(()) == other == later
    assert len(server.requests) == 6


async def test_too_much_time() -> None:
    """What is slow is paid for; failures too."""
    broken = faultserver.send(b"", 500)
    async with asking(broken, max_seconds_per_namespace=1e-6) as (asked, server, _):
        first = await asked.query("default", "shop", "a")
        second = await asked.query("default", "shop", "a")

    assert isinstance(first, model.Failure)
    assert first.reason == Doubt.HTTP_ERROR
    assert isinstance(second, model.Failure)
    assert "share of source 'default': its queries took 0.0 s" in second.message
    assert len(server.requests) == 1


async def test_unreadable_credentials_are_a_failure() -> None:
    """A mistake in the settings makes verdicts Unknown, it does not end the operator."""
    async with asking(faultserver.vector(), bearer_token_file=pathlib.Path("/absent")) as (
        asked,
        _,
        _,
    ):
        answer = await asked.query("default", "shop", "up")

    assert isinstance(answer, model.Failure)
    assert answer.reason == Doubt.UNREACHABLE


def test_reply_is_read_without_a_server() -> None:
    """Reading is separate from asking."""
    reply = client.Reply("vector", [{"metric": {"a": "b"}, "value": [0, "1e3"]}])

    assert one({"a": "b"}, 1000.0) == metrics.read_reply(reply, 1)
    with pytest.raises(session.AskError):
        metrics.read_reply(reply, 0)
