"""Histories for the tests of the backtest, and runs over them."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prunella import settings as settings_module
from prunella.adapters import clock as clocks
from prunella.adapters.recorded import file_metrics
from prunella.adapters.recorded import metrics as recorded
from prunella.api import policy as policy_api
from prunella.backtest import run, spacings
from prunella.core import objects
from prunella.core.signals import compiled
from prunella.promql import series_store

KEY = objects.Key("shop", "policy")
START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
SCRAPE = 15


def spec(*signals: Mapping[str, Any], **changes: Any) -> policy_api.RemediationPolicySpec:
    """A policy on everything that is seen; ``changes`` are whole fields of the spec."""
    return policy_api.RemediationPolicySpec.model_validate(
        {
            "mode": "Live",
            "interval": "30s",
            "target": {"selector": {"matchLabels": {"app": "shop"}}},
            "signals": list(signals),
            "steps": [{"restart": {}}, {"rollback": {}}],
            "guards": {"cooldown": "5m", "maxPerHour": 4, "stopWhenUnhealthy": "60%"},
            "verify": {"within": "2m", "samples": 2, "otherwise": "Continue"},
            **changes,
        }
    )


def threshold(name: str = "load", metric: str = "app_load", **changes: Any) -> dict[str, Any]:
    """A signal with a fixed limit of 1."""
    return {
        "name": name,
        "prometheus": {"query": metric},
        "threshold": {"above": 1.0},
        "for": "75s",
        **changes,
    }


def ratio(**changes: Any) -> dict[str, Any]:
    """The share of failed requests, with counted events."""
    return {
        "name": "errors",
        "ratio": {"bad": "app_errors", "total": "app_requests", "minimum": 10},
        "threshold": {"above": 0.05},
        "for": "60s",
        **changes,
    }


class Story:
    """Random samples of an hour or two, with all that makes history hard to read."""

    def __init__(self, seed: int, hours: float = 1.5) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self.store = series_store.SeriesStore()
        self.end = START + datetime.timedelta(hours=hours)
        self.times = [
            START.timestamp() - 600 + SCRAPE * n + 3 for n in range(int(hours * 240) + 40)
        ]

    def wave(self, metric: str, low: float, high: float, **labels: str) -> None:
        """A value that is low, now and then high, missing, not a number, or ended."""
        chance = self.random
        whole = {"__name__": metric, "namespace": "shop", **labels}
        left, value = 0, low
        for when in self.times:
            if left == 0:
                left = chance.choice([2, 5, 12, 40, 80])
                kinds = [low, low, low, high, high, math.nan, None, series_store.STALE]
                value = chance.choice(kinds)
            left -= 1
            if value is not None:
                self.store.append(whole, when, value)

    def spans(self, metric: str, high: Sequence[tuple[float, float]], **labels: str) -> None:
        """A value that is high in these spans, in minutes from the start, and else low."""
        whole = {"__name__": metric, "namespace": "shop", **labels}
        for when in self.times:
            minute = (when - START.timestamp()) / 60
            value = 1.7 if any(begin <= minute < end for begin, end in high) else 0.4
            self.store.append(whole, when, value)

    def steady(self, metric: str, value: float, **labels: str) -> None:
        """A value that never changes."""
        for when in self.times:
            labelled = {"__name__": metric, "namespace": "shop", **labels}
            self.store.append(labelled, when, value)

    def rollouts(self, name: str) -> None:
        """What kube-state-metrics tells of a Deployment that is changed now and then."""
        generation, busy = 3, 0
        for when in self.times:
            if busy == 0 and self.random.random() < 0.01:
                generation, busy = generation + 1, 12
            busy = max(0, busy - 1)
            updated = 1 if busy > 4 else 3
            told = {
                "spec_replicas": 3,
                "status_replicas_updated": updated,
                "status_replicas_available": 3,
                "status_replicas": 3 if busy == 0 else 4,
                "metadata_generation": generation,
                "status_observed_generation": generation,
            }
            for field, number in told.items():
                labels = {"namespace": "shop", "deployment": name}
                whole = {"__name__": f"kube_deployment_{field}", **labels}
                self.store.append(whole, when, float(number))

    def metrics(self, *specs: policy_api.RemediationPolicySpec) -> file_metrics.StoredMetrics:
        """A source of the samples."""
        sources = {"default": settings_module.Source(max_series=100_000)}
        found = file_metrics.StoredMetrics(self.store, clocks.RealClock(), sources)
        found.expect(
            asked
            for each in specs
            for signal in compiled.compile_policy(KEY, each, {}).signals
            for asked in recorded.questions(signal).values()
        )
        return found


async def runner(
    story: Story, policy: policy_api.RemediationPolicySpec, *, thorough: bool = False
) -> run.Runner:
    """A backtest of a policy on a story."""
    request = run.Request(KEY, policy, START, story.end, thorough=thorough)
    source = story.metrics(policy)
    return run.Runner(await spacings.prepared(request, source), source)


async def backtest(
    story: Story,
    policy: policy_api.RemediationPolicySpec,
    *,
    thorough: bool = False,
    live_state: Callable[[run.Runner], None] = lambda _: None,
) -> run.Run:
    """Run it to the end; ``look`` is called after each pass."""
    made = await runner(story, policy, thorough=thorough)
    return await made.run(lambda _: live_state(made))


def told(done: run.Run) -> dict[str, Any]:
    """All that a run says, in a form that can be compared and read."""
    return {
        "records": [
            (
                r.name,
                r.spec.decided_at,
                r.spec.action,
                r.phase,
                r.status.finished_at,
                r.spec.follows,
            )
            for r in done.records
        ],
        "guards": [[(g.guard, g.passed) for g in r.spec.guards] for r in done.records],
        "evidence": [[(e.signal, e.since) for e in r.spec.evidence] for r in done.records],
        "refusals": [(str(r.target), r.reason, r.start, r.end) for r in done.refusals],
        "resumed": done.resumed,
        "pages": [each.record for each in done.escalations],
        "findings": [
            (f.signal, str(f.target), f.start, f.end, f.open) for f in done.tracker.findings()
        ],
    }
