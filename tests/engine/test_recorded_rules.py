"""With evaluation: Rules the operator reads what recording rules have computed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.core.recording import baseline, reading
from prunella.core.signals import compiled
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Story
from tests.unit.core import builders

RECORDED: dict[str, tuple[dict[str, float], tuple[int, int, int]]] = {
    # value by record, and how many targets are healthy, unhealthy, unknown
    "unusual": ({baseline.VALUE: 90, baseline.UNHEALTHY: 1}, (0, 1, 0)),
    "usual": ({baseline.VALUE: 20, baseline.UNHEALTHY: 0}, (1, 0, 0)),
    "no verdict yet": ({baseline.VALUE: 90}, (0, 0, 1)),
    "the rules do not run": ({}, (0, 0, 1)),
}


def signal() -> dict[str, Any]:
    """Load that is unusual for the hour; the query itself has no data in these stories."""
    query = {"query": "max by (namespace, deployment) (app_night_load)"}
    return {"name": "load", "prometheus": query, "baseline": {}, "for": "10s"}


@pytest.mark.parametrize(("values", "expected"), RECORDED.values(), ids=RECORDED)
async def test_the_recorded_verdict_is_the_verdict(
    story: Story, values: dict[str, float], expected: tuple[int, int, int]
) -> None:
    """Given recorded series, when they say so, then a target is sick; without them Unknown."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, age=datetime.timedelta(hours=1)
    )
    labels = {"namespace": NAMESPACE, "deployment": "checkout"}
    own = {"policy": "checkout", "signal": "load"}
    start = story.world.clock.now().timestamp()
    for record, value in values.items():
        series = story.world.store.series({"__name__": record, **labels, **own})
        # Rules of a baseline are evaluated each five minutes: that is no reason to call it stale.
        series.append(start - 250, value)
    story.apply(harness.spec({"restart": {}}, signals=[signal()], evaluation="Rules"))
    await story.run(60)
    targets = story.status().targets
    assert expected == (targets.healthy, targets.unhealthy, targets.unknown)
    assert (expected[1] == 1) == bool(story.records())


def test_other_signals_are_read_as_ever() -> None:
    """Only baselines and burn rates are recorded."""
    document = {"signals": [builders.SIGNAL, signal()], "evaluation": "Rules"}
    policy = reading.compile_policy(objects.Key("shop", "policy"), builders.spec(**document), {})
    assert [False, True] == [each.recorded for each in policy.signals]
    assert [None, None] == [each.lookback for each in policy.signals]


def test_what_rules_can_not_compute_is_refused() -> None:
    """The policy says so, instead of being judged by something else."""
    days = {"exceptions": [{"date": "2026-12-25"}]}
    spec = builders.spec(signals=[{**signal(), "baseline": days}], evaluation="Rules")
    assert spec.evaluation is policy_api.Evaluation.RULES
    with pytest.raises(compiled.PolicyError, match="evaluation Rules"):
        reading.compile_policy(objects.Key("shop", "policy"), spec, {})
