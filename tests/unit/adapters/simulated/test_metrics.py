"""The simulated source answers as Prometheus does, and fails as it does."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella import settings
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import metrics, notation, tsdb
from prunella.api import reasons
from prunella.core import model, promql

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Doubt = reasons.Doubt
Fault = metrics.Fault


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """Ten minutes of samples have been scraped."""
    return clocks.VirtualClock(START + datetime.timedelta(minutes=10))


@pytest.fixture
def store() -> tsdb.SeriesStore:
    """One counter, scraped every 15 s for an hour."""
    found = tsdb.SeriesStore()
    series = {'requests_total{namespace="shop",pod="a"}': "0+1x240"}
    notation.load(found, series, interval=15, start=START.timestamp())
    return found


@pytest.fixture
def source(store: tsdb.SeriesStore, clock: clocks.VirtualClock) -> metrics.SimulatedMetrics:
    """A source over the store."""
    return metrics.SimulatedMetrics(store, clock)


def value(answer: model.Answer) -> float:
    """The only value of an answer."""
    assert isinstance(answer, model.Vector), answer
    (sample,) = answer.samples
    return sample.value


async def age(source: metrics.SimulatedMetrics) -> float:
    """The age that a freshness query tells."""
    return value(await source.query("default", "shop", promql.freshness_query(QUERY, ("pod",))))


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


async def test_too_many_series(store: tsdb.SeriesStore, clock: clocks.VirtualClock) -> None:
    """The limit of the settings holds here too."""
    sources = {"default": settings.Source(max_series=0)}
    source = metrics.SimulatedMetrics(store, clock, sources=sources)

    answer = await source.query("default", "shop", QUERY)

    assert isinstance(answer, model.Failure)
    assert answer.reason == Doubt.TOO_MANY_SERIES
