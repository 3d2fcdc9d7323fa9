"""What was learned from a real Prometheus decides: unusual hours, leaks, canaries."""

from __future__ import annotations

import random
import time

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

DAYS, STEP, PEAK, QUIET = 14, 60, 9.0, 2.0
HOURS_OF_PEAK = 2.0


def two_weeks(namespace: str, peaks: dict[str, float], now: float) -> str:
    """A load by workload that peaks each day, two hours around so many hours from ``now``.

    All of them have been at their peak for the last quarter of an hour.
    """
    chance = random.Random(7)  # noqa: S311 - no secret hangs on it
    lines = ["# TYPE app_load gauge"]
    for workload, hours in peaks.items():
        labels = f'namespace="{namespace}",deployment="{workload}"'
        for ago in range(DAYS * 86_400, 0, -STEP):
            away = abs((-ago / 3600 - hours + 12) % 24 - 12)
            high = away < HOURS_OF_PEAK / 2 or ago < 900
            value = (PEAK if high else QUIET) + chance.gauss(0, 0.2)
            lines.append(f"app_load{{{labels}}} {value:.3f} {now - ago:.0f}")
    return "\n".join([*lines, "# EOF", ""])


def unusual() -> Document:
    """Load that is too high for the hour.

    The series that was loaded ends as the live one begins: for five minutes it looks stale.
    """
    return {
        "name": "load",
        "prometheus": {"query": "max by (namespace, deployment) (app_load)"},
        "baseline": {"direction": "Above"},
        "staleAfter": "6m",
        "for": "10s",
    }


def watching(name: str, signal: Document, **spec: object) -> Document:
    """A policy that scales one workload out."""
    step = {"scale": {"by": 1, "max": 5}}
    return manifests.policy(name, step, signal=signal, verify={"within": "1s"}, **spec)


@pytest.mark.slow
def test_the_nightly_peak_is_usual_and_the_same_load_at_noon_is_acted_on(story: Story) -> None:
    """Given two weeks of history, when the load is high, then the hour decides; learned anew too.

    One workload has its daily peak now, the other twelve hours from now.
    """
    prometheus = story.own_prometheus()
    now = time.time() // STEP * STEP
    prometheus.load(two_weeks(story.namespace, {"night": 0.0, "noon": 12.0}, now))
    prometheus.start()
    for name in ("night", "noon"):
        story.run(manifests.workload(name, "v1", pods={"load": str(PEAK)}))
    sources = {"default": {"url": prometheus.url}}
    operator = story.start_operator(sources=sources)
    story.apply(watching("night", unusual()), watching("noon", unusual()))

    story.wait(lambda: story.replicas("noon") == 3, "the load at noon is acted on", 200)
    assert "usual" in story.records("noon")[0]["spec"]["evidence"][0]["message"]
    story.becomes("night", "Healthy")
    assert [] == story.records("night")

    operator.kill()
    story.start_operator(sources=sources)
    story.edit_policy("night", verify={"within": "2s"})
    story.wait(
        lambda: (
            story.status("night").get("observedGeneration") == 2
            and story.condition("night")["reason"] == "Healthy"
        ),
        "the next operator has learned the same",
        120,
    )
    stays(lambda: story.replicas("night") == 2, 10, "and leaves the peak alone")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_leak_is_restarted_before_its_limit_is_reached(story: Story) -> None:
    """Given a leak, when its limit will be reached within minutes, then it is restarted in time."""
    limit = 900e6
    signal = {
        "name": "leak",
        "prometheus": {"query": "max by (namespace, deployment) (app_memory_bytes)"},
        "forecast": {"reaches": "900M", "within": "10m", "window": "20m"},
        "for": "10s",
    }
    story.run(manifests.workload("cart", "v1-leak"), manifests.workload("steady", "v1"))
    story.start_operator()
    policy = manifests.policy("cart", {"restart": {}}, signal=signal, verify={"within": "5m"})
    story.apply(policy, watching("steady", signal))
    used = f'max(app_memory_bytes{{namespace="{story.namespace}",deployment="cart"}})'

    record = story.wait(lambda: story.records("cart"), "the leak is noticed", 560)[0]
    assert float(record["spec"]["evidence"][0]["value"]) < limit
    story.wait(lambda: (story.value(used) or limit) < 150e6, "memory has fallen", 60)
    story.phase("cart", "Succeeded", 300)

    assert 1 == len(story.writes("cart"))
    assert [] == story.records("steady")


@pytest.mark.slow
@pytest.mark.timeout(720)
def test_a_bad_canary_is_told_from_a_good_one(story: Story) -> None:
    """Given two canaries beside stable pods, when one leaks, then it alone is rolled back."""
    signal = {
        "name": "canary",
        "prometheus": {"query": "max by (namespace, deployment) (app_memory_bytes)"},
        "change": {
            "against": 'max(app_memory_bytes{deployment="stable"})',
            "window": "8m",
            "minimumSamples": 16,
        },
        "for": "10s",
    }
    for name in ("stable", "good", "bad"):
        story.run(manifests.workload(name, "v1"))
    story.start_operator()
    for name in ("good", "bad"):
        policy = manifests.policy(name, {"rollback": {"to": "Previous"}}, signal=signal)
        story.apply(policy)
    story.release("good", "v2")
    story.release("bad", "v2-leak")

    story.wait(lambda: story.image("bad") == "v1", "the bad canary is rolled back", 480)
    story.becomes("good", "Healthy", timeout=240)
    assert [] == story.records("good")
    assert "v2" == story.image("good")
