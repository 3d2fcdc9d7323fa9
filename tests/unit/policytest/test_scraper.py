"""Samples answer to what happens to the workloads."""

from __future__ import annotations

import datetime
from typing import Any

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import server
from prunella.policytest import scraper
from prunella.policytest import series as series_module
from prunella.promql import evaluator, series_store

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
STEP = 15.0


class Told:
    """A Deployment of two pods, scraped every 15 seconds."""

    def __init__(self, *series: dict[str, Any]) -> None:
        self.clock = clocks.VirtualClock(START)
        self.cluster = server.Server(self.clock)
        self.ref = self.cluster.add_deployment("shop", "checkout", "shop:v1", replicas=2)
        self.store = series_store.SeriesStore()
        made = [series_module.Series.model_validate({"metric": "m", **each}) for each in series]
        times = scraper.Times(START, START, STEP)
        self._scraper = scraper.Scraper(self.cluster, self.store, made, "shop", times)
        self._scrape()
        self.clock.every(STEP, self._scrape)

    def _scrape(self) -> None:
        self._scraper.scrape(self.clock.now())

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """An instant query now."""
        found = evaluator.evaluate(self.store, query, self.clock.now().timestamp())
        assert isinstance(found, evaluator.Vector)
        return [(dict(each.labels), each.value) for each in found.samples]


async def test_values_go_on_from_the_beginning() -> None:
    """One value each interval; the namespace is added."""
    told = Told({"values": "1+1x10"})
    await told.clock.advance(3 * STEP)

    assert [({"__name__": "m", "namespace": "shop"}, 4.0)] == told.ask("m")


async def test_a_namespace_that_is_written_stays() -> None:
    """A series may be another namespace's."""
    told = Told({"metric": 'm{namespace="other"}', "values": 1})

    assert ["other"] == [labels["namespace"] for labels, _ in told.ask("m")]


async def test_each_ready_pod_has_its_own_series() -> None:
    """They are named after the pods, and begin anew when pods are replaced."""
    told = Told({"values": "1+1x100", "target": "checkout", "perPod": True})
    pods = {pod.name for pod in told.cluster.states()[0].pods}
    await told.clock.advance(20 * STEP)
    assert {(pod, 21.0) for pod in pods} == {(la["pod"], value) for la, value in told.ask("m")}

    told.cluster.set_image(told.ref, "shop:v2")
    await told.clock.advance(4 * STEP)
    after = told.ask("m")
    assert 2 == len(after)
    assert pods.isdisjoint(labels["pod"] for labels, _ in after)
    assert max(value for _, value in after) < 6


async def test_conditions_follow_the_pods_image() -> None:
    """During a rollout each pod speaks for its own release."""
    when = [{"image": "*:v2", "values": 9}]
    told = Told({"values": 1, "target": "checkout", "perPod": True, "when": when})
    assert [1.0, 1.0] == [value for _, value in told.ask("m")]

    told.cluster.set_image(told.ref, "shop:v2")
    await told.clock.advance(10 * STEP)
    assert [9.0, 9.0] == [value for _, value in told.ask("m")]


async def test_a_series_of_the_workload_follows_its_template() -> None:
    """Without perPod there is one series."""
    told = Told({"values": 1, "target": "checkout", "when": [{"image": "*:v2", "values": 9}]})
    told.cluster.set_image(told.ref, "shop:v2")
    await told.clock.advance(STEP)

    assert [9.0] == [value for _, value in told.ask("m")]


async def test_pods_share_a_value() -> None:
    """More replicas lessen what each has to bear."""
    told = Told({"values": 12, "target": "checkout", "perPod": True, "shared": True})
    assert [6.0, 6.0] == [value for _, value in told.ask("m")]

    told.cluster.scale(told.ref, 4)
    await told.clock.advance(2 * STEP)
    assert [3.0] * 4 == [value for _, value in told.ask("m")]


async def test_a_counter_grows_by_its_rate() -> None:
    """The query's rate is the value that is written."""
    told = Told({"values": 5, "counter": True})
    await told.clock.advance(20 * STEP)

    assert [5.0] == [round(value, 6) for _, value in told.ask("rate(m[1m])")]


async def test_what_is_deleted_is_gone_at_once() -> None:
    """The series ends with a marker, as when a target has gone."""
    told = Told({"values": 5, "target": "checkout"})
    told.cluster.delete(told.ref)
    await told.clock.advance(STEP)

    assert [] == told.ask("m")


async def test_stale_ends_a_counter_without_breaking_it() -> None:
    """After the marker it goes on from where it was."""
    told = Told({"values": "4 4 stale 4 4", "counter": True})
    await told.clock.advance(2 * STEP)
    assert [] == told.ask("m")

    await told.clock.advance(STEP)
    assert [3 * 4 * STEP] == [value for _, value in told.ask("m")]
