"""The simulated source answers as Prometheus does, and fails as it does."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella import ports, settings
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import metrics
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history, query_analysis
from prunella.promql import notation, series_store

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Doubt = reasons.Doubt
Fault = metrics.Fault


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """Ten minutes of samples have been scraped."""
    return clocks.VirtualClock(START + datetime.timedelta(minutes=10))


@pytest.fixture
def store() -> series_store.SeriesStore:
    """One counter, scraped every 15 s for an hour."""
    found = series_store.SeriesStore()
    series = {'requests_total{namespace="shop",pod="a"}': "0+1x240"}
    notation.load(found, series, interval=15, start=START.timestamp())
    return found


@pytest.fixture
def source(store: series_store.SeriesStore, clock: clocks.VirtualClock) -> metrics.SimulatedMetrics:
    """A source over the store."""
    return metrics.SimulatedMetrics(store, clock)


def value(answer: model.Answer) -> float:
    """The only value of an answer."""
    assert isinstance(answer, model.Vector), answer
    (sample,) = answer.samples
    return sample.value


async def age(source: metrics.SimulatedMetrics) -> float:
    """The age that a freshness query tells."""
    return value(
        await source.query("default", "shop", query_analysis.freshness_query(QUERY, ("pod",)))
    )


QUERY = 'sum(requests_total{namespace="shop"})'


async def test_now_and_then(source: metrics.SimulatedMetrics, clock: clocks.VirtualClock) -> None:
    """A query without a time is about the clock's now."""
    assert value(await source.query("default", "shop", QUERY)) == 40.0
    await clock.advance(60)
    assert value(await source.query("default", "shop", QUERY)) == 44.0
    assert value(await source.query("default", "shop", QUERY, START)) == 0.0


FAILURES = {
    Fault.DOWN: Doubt.UNREACHABLE,
    Fault.TIMEOUT: Doubt.TIMEOUT,
    Fault.HTML: Doubt.NOT_JSON,
    Fault.WARNINGS: Doubt.WARNINGS,
}


@pytest.mark.parametrize(("fault", "reason"), FAILURES.items())
async def test_faults_that_fail(
    source: metrics.SimulatedMetrics,
    clock: clocks.VirtualClock,
    fault: metrics.Fault,
    reason: reasons.Doubt,
) -> None:
    """The reason is the one that the real client gives; healing ends it."""
    source.faults.set(fault, clock.now())
    answer = await source.query("default", "shop", QUERY)
    source.faults.heal()

    assert isinstance(answer, model.Failure)
    assert reason == answer.reason
    assert value(await source.query("default", "shop", QUERY)) == 40.0


async def test_empty(source: metrics.SimulatedMetrics, clock: clocks.VirtualClock) -> None:
    """A source that lost everything answers, with nothing."""
    source.faults.set(Fault.EMPTY, clock.now())

    assert model.Vector(()) == await source.query("default", "shop", QUERY)


async def test_nan(source: metrics.SimulatedMetrics, clock: clocks.VirtualClock) -> None:
    """The series are there, their values are not."""
    source.faults.set(Fault.NAN, clock.now())
    answer = await source.query("default", "shop", 'requests_total{namespace="shop"}')

    assert isinstance(answer, model.Vector)
    assert [dict(sample.labels)["pod"] for sample in answer.samples] == ["a"]
    assert math.isnan(value(answer))


async def test_frozen(source: metrics.SimulatedMetrics, clock: clocks.VirtualClock) -> None:
    """Values stay as they were and grow old, until they are too old to be found at all."""
    source.faults.set(Fault.FROZEN, clock.now())
    await clock.advance(240)
    assert value(await source.query("default", "shop", QUERY)) == 40.0
    assert await age(source) == 240.0
    await clock.advance(61)
    assert model.Vector(()) == await source.query("default", "shop", QUERY)

    source.faults.heal()
    assert value(await source.query("default", "shop", QUERY)) == 60.0
    assert await age(source) == 1.0


async def test_frozen_twice(source: metrics.SimulatedMetrics, clock: clocks.VirtualClock) -> None:
    """Each time it stands still where it is."""
    source.faults.set(Fault.FROZEN, clock.now())
    await source.query("default", "shop", QUERY)
    await clock.advance(120)
    source.faults.set(Fault.FROZEN, clock.now())
    await clock.advance(60)

    assert value(await source.query("default", "shop", QUERY)) == 48.0


async def test_too_many_series(store: series_store.SeriesStore, clock: clocks.VirtualClock) -> None:
    """The limit of the settings holds here too."""
    sources = {"default": settings.Source(max_series=0)}
    source = metrics.SimulatedMetrics(store, clock, sources=sources)

    answer = await source.query("default", "shop", QUERY)

    assert isinstance(answer, model.Failure)
    assert answer.reason == Doubt.TOO_MANY_SERIES


RAW = 'requests_total{namespace="shop"}'
SPAN = ports.Span(START.timestamp(), START.timestamp() + 600, 300)


async def test_history(source: metrics.SimulatedMetrics) -> None:
    """The same samples that instant queries find, on a grid."""
    for query in (RAW, QUERY):
        answer = await source.history("default", "shop", query, SPAN)

        assert isinstance(answer, history.Matrix)
        assert [0.0, 300.0, 600.0] == (answer.times - START.timestamp()).tolist()
        assert [[0.0, 20.0, 40.0]] == answer.values.tolist()


@pytest.mark.parametrize("query", [RAW, QUERY])
@pytest.mark.parametrize(("fault", "reason"), FAILURES.items())
async def test_history_fails_alike(
    source: metrics.SimulatedMetrics,
    clock: clocks.VirtualClock,
    fault: metrics.Fault,
    reason: reasons.Doubt,
    query: str,
) -> None:
    """A fault is the same for both kinds of questions."""
    source.faults.set(fault, clock.now())
    answer = await source.history("default", "shop", query, SPAN)

    assert isinstance(answer, model.Failure)
    assert reason == answer.reason


ODD: dict[metrics.Fault, list[list[float]]] = {
    Fault.EMPTY: [],
    Fault.NAN: [[math.nan] * 3],
    Fault.FROZEN: [[20.0, 36.0, math.nan]],
}


@pytest.mark.parametrize(("fault", "expected"), ODD.items())
async def test_history_with_odd_samples(
    source: metrics.SimulatedMetrics,
    fault: metrics.Fault,
    expected: list[list[float]],
) -> None:
    """Nothing, no numbers, or nothing new since nine minutes after the start."""
    source.faults.set(fault, START + datetime.timedelta(minutes=9))
    span = ports.Span(SPAN.start + 300, SPAN.start + 900, 300)

    answer = await source.history("default", "shop", RAW, span)

    assert isinstance(answer, history.Matrix)
    assert str(expected) == str(answer.values.tolist())


REFUSED = {
    "rejected": ("requests_total +", "default", SPAN, Doubt.QUERY_REJECTED),
    "unknown source": (RAW, "thanos", SPAN, Doubt.UNKNOWN_SOURCE),
    "no step": (RAW, "default", ports.Span(0, 600, 0), Doubt.QUERY_REJECTED),
    "too many series": (RAW, "small", SPAN, Doubt.TOO_MANY_SERIES),
}


@pytest.mark.parametrize(("query", "name", "span", "reason"), REFUSED.values(), ids=REFUSED)
async def test_no_history(
    store: series_store.SeriesStore,
    clock: clocks.VirtualClock,
    query: str,
    name: str,
    span: ports.Span,
    reason: reasons.Doubt,
) -> None:
    """What can't be answered has its reason."""
    sources = {"default": settings.Source(), "small": settings.Source(max_series=0)}
    source = metrics.SimulatedMetrics(store, clock, sources=sources)

    answer = await source.history(name, "shop", query, span)

    assert isinstance(answer, model.Failure)
    assert reason == answer.reason


async def test_foreign_history_is_dropped(
    store: series_store.SeriesStore, source: metrics.SimulatedMetrics
) -> None:
    """Series of another namespace are nobody's business, even when they are asked for."""
    store.append({"__name__": "requests_total", "namespace": "bank"}, START.timestamp(), 1.0)

    answer = await source.history("default", "shop", "requests_total", SPAN)

    assert isinstance(answer, history.Matrix)
    assert ["shop"] == [labels["namespace"] for labels in answer.labels]
    assert answer.values.shape == (1, 3)
