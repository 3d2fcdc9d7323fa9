"""The live engine learns how far apart samples are, whatever it is, with two requests a round."""

from __future__ import annotations

import asyncio
import collections
import datetime
import math

import pytest

from prunella import wiring
from prunella.adapters.simulated import metrics as simulated
from prunella.adapters.simulated import world as worlds
from prunella.api import policy as policy_api
from prunella.core import model
from prunella.engine import spacings
from prunella.promql import series_store
from tests.engine import recorded
from tests.engine.recorded import KEY, START

HOUR = 3_600


class Counting(simulated.SimulatedMetrics):
    """A source that counts what it is asked, moment by moment."""

    asked: collections.Counter[datetime.datetime]

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query; what the source holds at all is not asked for the signal."""
        self.asked[self._clock.now()] += "app_load" in query
        return await super().query(source, namespace, query, at)


def _store(spacing_by_target: dict[str, float], until: float) -> series_store.SeriesStore:
    """A healthy value for each target, from twelve hours before the start on."""
    store = series_store.SeriesStore()
    for name, spacing in spacing_by_target.items():
        labels = {"__name__": "app_load", "namespace": "shop", "deployment": name}
        series = store.series(labels)
        for number in range(math.ceil((12 * HOUR + until) / spacing)):
            series.append(START.timestamp() - 12 * HOUR + spacing * number + 3, 0.5)
    return store


async def _verdicts(
    policy: policy_api.RemediationPolicySpec, store: series_store.SeriesStore, seconds: float
) -> tuple[list[dict[str, str]], int]:
    """The verdicts at each round, and the most requests of one."""
    world = worlds.World.create(START - datetime.timedelta(seconds=29))
    counting = Counting(store, world.clock)
    counting.asked = collections.Counter()
    world.metrics = counting
    names = {series.labels["deployment"] for series in store.select(())}
    for name in sorted(names):
        world.cluster.add_deployment("shop", name, "shop/any:v1", labels={"app": "shop"})
    world.policies.apply(KEY.namespace, KEY.name, policy)
    engine = wiring.simulated(world)
    task = asyncio.create_task(engine.run(_nothing, 60))
    found = []
    for number in range(int(seconds / 30)):
        await world.clock.run_until(START + datetime.timedelta(seconds=30 * number))
        memory = engine._passes.memories.get(KEY)
        if memory is not None:
            found.append({ref.name: verdict.value for ref, verdict in memory.verdicts.items()})
    engine.stop()
    await world.clock.advance(60)
    await task
    return found, max(counting.asked.values())


async def _nothing() -> None:
    """A list that brings nothing new."""


SPACINGS = {
    "5 s": ({"cart": 5.0}, "app_load"),
    "15 s": ({"cart": 15.0}, "app_load"),
    "a minute": ({"cart": 60.0}, "app_load"),
    "2 minutes": ({"cart": 120.0}, "app_load"),
    "nearly 5 minutes": ({"cart": 290.0}, "app_load"),
    "10 minutes, read by a range": ({"cart": 600.0}, "last_over_time(app_load[20m])"),
    "an hour, read by a range": ({"cart": 3600.0}, "last_over_time(app_load[2h])"),
    "15 s beside 4 minutes": ({"cart": 15.0, "stock": 240.0}, "app_load"),
}


@pytest.mark.parametrize(("spacing", "query"), SPACINGS.values(), ids=SPACINGS)
async def test_any_spacing_is_learned_within_minutes(spacing: dict[str, float], query: str) -> None:
    """Given samples so far apart, then after two minutes no verdict is Unknown any more."""
    seconds = 0.6 * HOUR
    policy = recorded.spec(recorded.threshold(metric=query))
    found, most = await _verdicts(policy, _store(spacing, seconds), seconds)

    assert {"Healthy"} == {v for each in found[5:] for v in each.values()}
    assert set(spacing) == {name for each in found for name in each}
    assert most <= 2, "requests of one query in one round"


async def test_data_that_has_stopped_is_still_stale() -> None:
    """Given scraping every 15 s that stops, then long windows do not make its age look young."""
    policy = recorded.spec(recorded.threshold(metric="last_over_time(app_load[20m])"))
    found, _ = await _verdicts(policy, _store({"cart": 15.0}, 600), 1_500)

    assert {"Healthy"} == {each["cart"] for each in found[5:20]}
    assert {"Unknown"} == {each["cart"] for each in found[23:]}


def test_long_windows_are_asked_for_only_where_short_ones_tell_nothing() -> None:
    """Given nothing learned yet, then longer windows come one after the other, then a pause."""
    made = spacings.Spacings()
    key, now = ("default", "app_load"), START
    found = []
    for _ in range(5):
        found.append(max(made.windows(key, now)))
        made.learn(key, spacings.freshness.Freshness(()), now)
        assert made.windows(key, now + datetime.timedelta(seconds=14)) == ()
        now += datetime.timedelta(seconds=15)

    assert [300, 3_600, 14_400, 300, 300] == found
