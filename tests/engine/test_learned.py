"""Signals that look back: the same promises, kept by what was learned."""

from __future__ import annotations

import datetime
import math
from typing import Any

from prunella.adapters.simulated import metrics as metrics_module
from prunella.api import reasons
from prunella.core import model
from prunella.promql import series_store
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Doubt = reasons.Doubt
MEMORY = "max by (namespace, deployment) (app_memory_bytes)"


def finding(story: Story) -> tuple[str, str]:
    """Verdict and reason of the newest finding about checkout, as `explain` shows them."""
    for shown in story.status().signals:
        return shown.verdict, shown.reason
    return "", ""


def leak(**changes: Any) -> dict[str, Any]:
    """Memory that will reach 1 GB within ten minutes."""
    params = {"reaches": "1G", "within": "10m", "window": "30m", **changes}
    return {"name": "leak", "prometheus": {"query": MEMORY}, "forecast": params, "for": "30s"}


async def test_a_leak_is_restarted_before_its_limit_is_reached(story: Story) -> None:
    """Given a leaking release, when the limit is near but not reached, then one restart helps."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    document = harness.spec(
        {"restart": {}}, signals=[leak()], verify={"within": "15m", "samples": 2}
    )
    story.apply(document)
    await story.until(lambda: bool(story.records()), 1500)
    used = float(story.records()[0].spec.evidence[0].value or math.nan)
    assert used < 1e9
    await story.until(lambda: story.phases() == [("restart", Phase.SUCCEEDED)], 1500)
    assert len(story.sent()) == 1


async def test_a_steady_workload_is_left_alone(story: Story) -> None:
    """Given memory that does not grow, when hours pass, then nothing is done."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(hours=1)
    )
    story.apply(harness.spec({"restart": {}}, signals=[leak()]))
    await story.run(3600)
    assert story.records() == []
    assert story.condition("Ready") == ("True", "Healthy")


async def test_history_that_can_not_be_read_is_no_reason_to_act(story: Story) -> None:
    """Given a leak, when Prometheus does not answer, then nothing is done and it says why."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    await story.run(600)
    story.world.metrics.faults.set(metrics_module.Fault.TIMEOUT, story.world.clock.now())
    story.apply(harness.spec({"restart": {}}, signals=[leak()]))
    await story.run(300)
    assert story.records() == []
    assert story.status().targets.unknown == 1


def baseline_policy() -> dict[str, Any]:
    """What is unusual in the evening, judged each five minutes."""
    params = {"direction": "Above", "history": "9d", "learn": "2d"}
    query = {"query": "max by (namespace, deployment) (app_night_load)"}
    signal = {"name": "load", "prometheus": query, "baseline": params, "for": "5m"}
    return harness.spec({"restart": {}}, signals=[signal], interval="60s")


def nights(story: Story, days: float, surge_from: datetime.datetime) -> None:
    """Load that is 90 from midnight to two and 20 else, until it surges."""
    store: series_store.SeriesStore = story.world.store
    series = store.series(
        {"__name__": "app_night_load", "namespace": NAMESPACE, "deployment": "checkout"}
    )
    now = story.world.clock.now()
    start = now - datetime.timedelta(days=days)
    for minute in range(int(days * 1440) + 240):
        at = start + datetime.timedelta(minutes=minute)
        load = 90.0 if at.hour < 2 else 20.0
        noise = 3.0 * math.sin(minute * 12.9898) * math.cos(minute * 78.233)
        series.append(at.timestamp(), 90.0 if at >= surge_from else load + noise)


async def test_the_same_load_is_usual_at_night_and_unusual_at_noon(story: Story) -> None:
    """Given nine days of history, when the nightly load comes at noon, then that is acted on."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(days=9)
    )
    now = story.world.clock.now()
    nights(story, 9, now + datetime.timedelta(minutes=30))
    story.apply(baseline_policy())
    await story.run(1700)
    assert story.records() == [], "quiet before the surge"
    await story.until(lambda: bool(story.records()), 1200)
    assert story.phases()[0][0] == "restart"


async def test_a_restarted_operator_learns_again(story: Story) -> None:
    """Given a learned baseline, when the operator dies, then the next one knows the same."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(days=9)
    )
    now = story.world.clock.now()
    nights(story, 9, now + datetime.timedelta(minutes=30))
    story.apply(baseline_policy())
    await story.run(900)
    story.kill()
    story.start()
    await story.run(120)
    assert story.condition("Ready") == ("True", "Healthy")
    await story.until(lambda: bool(story.records()), 2400)


async def test_a_short_history_is_unknown(story: Story) -> None:
    """Given one day of history, when the load surges, then nothing is done."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(days=9)
    )
    nights(story, 1, story.world.clock.now() + datetime.timedelta(minutes=10))
    story.apply(baseline_policy())
    await story.run(2400)
    assert story.records() == []
    assert story.status().targets.unknown == 1


async def test_a_service_that_is_absent_is_told_from_a_blind_prometheus(story: Story) -> None:
    """Given a series that ends, when the canary is there, then it is absent; else Unknown."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(hours=1)
    )
    signal = {
        "name": "gone",
        "prometheus": {"query": "app_heartbeat"},
        "absent": {"canary": "count(app_memory_bytes)"},
        "for": "10s",
    }
    story.apply(harness.spec({"restart": {}}, signals=[signal], mode="Advise"))
    await story.run(60)
    assert [("restart", Phase.ADVISED)] == story.phases()
    story.world.metrics.faults.set(metrics_module.Fault.EMPTY, story.world.clock.now())
    await story.run(60)
    assert story.status().targets.unknown == 1


async def test_a_budget_that_burns_fast_is_acted_on(story: Story) -> None:
    """Given an objective of 99 %, when a release fails often, then it is rolled back."""
    by = "sum by (namespace, deployment)"
    signal = {
        "name": "slo",
        "ratio": {
            "bad": f'{by} (rate(app_http_requests_total{{code=~"5.."}}[$window]))',
            "total": f"{by} (rate(app_http_requests_total[$window]))",
        },
        "burnRate": {
            "objective": 99,
            "rules": [{"budget": 0.02, "long": "4m", "short": "20s"}],
            "window": "1h",
        },
        "for": "10s",
    }
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(hours=1)
    )
    story.apply(harness.spec({"rollback": {}}, signals=[signal]))
    await story.run(300)
    assert story.records() == []
    story.release(harness.BAD)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], 900)
    assert story.image() == harness.GOOD


async def test_a_canary_that_leaks_is_told_from_the_stable_pods(story: Story) -> None:
    """Given a canary beside stable pods, when it leaks, then it alone is restarted."""
    canary = model.Ref("Deployment", NAMESPACE, "checkout-canary")
    age = datetime.timedelta(hours=2)
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD, age=age)
    story.world.cluster.add_deployment(NAMESPACE, canary.name, harness.LEAK)
    beside = 'max(app_memory_bytes{deployment="checkout"})'
    signal = {
        "name": "canary",
        "prometheus": {"query": MEMORY},
        "change": {"against": beside, "window": "30m"},
        "for": "30s",
    }
    document = harness.spec(
        {"restart": {}}, signals=[signal], target={"name": canary.name}, mode="Advise"
    )
    story.apply(document)
    await story.until(lambda: bool(story.records()), 2400)
    assert canary == story.records()[0].target
    assert story.workload(CHECKOUT).generation == 1
