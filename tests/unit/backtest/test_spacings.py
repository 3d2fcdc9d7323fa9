"""What a history's spacing decides, where the history is a source that only answers."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters import clock as clocks
from prunella.adapters.simulated import metrics as simulated
from prunella.api import policy as policy_api
from prunella.backtest import request as requests
from prunella.backtest import spacings
from prunella.core import objects
from prunella.promql import series_store

KEY = objects.Key("shop", "policy")
START = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
DAY = 86_400


def _source(seconds: float) -> simulated.SimulatedMetrics:
    store = series_store.SeriesStore()
    series = store.series({"__name__": "load", "namespace": "shop", "deployment": "cart"})
    for number in range(int(4 * DAY / seconds)):
        series.append(START.timestamp() - DAY + seconds * number, 1.0)
    return simulated.SimulatedMetrics(store, clocks.RealClock())


async def _prepared(query: str, seconds: float, **spec: Any) -> requests.Request:
    policy = policy_api.RemediationPolicySpec.model_validate(
        {
            "target": {"name": "cart"},
            "signals": [
                {"name": "a", "prometheus": {"query": query}, "threshold": {"above": 1}},
            ],
            "steps": [{"restart": {}}],
            **spec,
        }
    )
    request = requests.Request(KEY, policy, START, START + datetime.timedelta(days=2))
    return await spacings.prepared(request, _source(seconds))


INTERVALS = {
    "5 s: as the operator": (5.0, {}, 30.0),
    "15 s: as the operator": (15.0, {}, 30.0),
    "a minute": (60.0, {}, 60.0),
    "5 minutes": (300.0, {}, 300.0),
    "an hour": (3_600.0, {}, 3_600.0),
    "written": (300.0, {"interval": "30s"}, 30.0),
}


@pytest.mark.parametrize(("seconds", "spec", "expected"), INTERVALS.values(), ids=INTERVALS)
async def test_each_sample_is_judged_once(
    seconds: float, spec: dict[str, Any], expected: float
) -> None:
    """Given no interval in the policy, then that of its samples, never below the live one."""
    found = await _prepared("last_over_time(load[2h])", seconds, **spec)

    assert found.interval == expected
    assert [each.seconds for each in found.spacings.values()] == [pytest.approx(seconds, rel=0.01)]


async def test_a_range_and_a_selector_that_miss_samples_are_told_apart() -> None:
    """Given samples every hour, then both are told with what to write instead."""
    found = await _prepared("rate(load[30m]) + load", 3_600)
    ranged, plain = found.warnings

    assert ranged.startswith('a: rate(load{namespace="shop"}[30m]) never has data')
    assert ranged.endswith("the smallest range that always can is [2h]")
    assert plain.endswith('write last_over_time(load{namespace="shop"}[2h])')


async def test_what_fits_is_not_spoken_of() -> None:
    """Given ranges that hold enough samples, then there is no warning."""
    assert (await _prepared("rate(load[10m]) + load", 300)).warnings == ()
