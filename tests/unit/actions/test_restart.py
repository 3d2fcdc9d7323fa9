"""restart: the patch, on templates with and without annotations."""

from __future__ import annotations

import datetime

import pytest

from prunella.actions import restart
from prunella.api import reasons
from prunella.core import model
from tests.unit.actions import manifests
from tests.unit.core import builders

ANNOTATIONS: dict[str, dict[str, str] | None] = {
    "none": None,
    "empty": {},
    "others": {"prometheus.io/scrape": "true"},
    "restarted before": {restart.RESTARTED_AT: "2025-01-01T00:00:00Z", "a": "b"},
}
WRITTEN = "2026-01-05T09:00:00Z"


@pytest.mark.parametrize("annotations", ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_writes_one_annotation_and_keeps_the_others(annotations: dict[str, str] | None) -> None:
    """The same change as `kubectl rollout restart`, and no other."""
    before = manifests.deployment(annotations=annotations)
    live_state = model.LiveState(manifests.workload(before))
    effect = manifests.planned(restart.Restart().plan(manifests.request(live_state)))
    expected = manifests.deployment(
        annotations={**(annotations or {}), restart.RESTARTED_AT: WRITTEN}
    )
    assert expected == manifests.applied(before, effect.patch)
    assert effect.inverse == ()


def test_a_plan_made_again_later_is_the_same() -> None:
    """The annotation holds the time of the decision, so that an unchanged world hashes equal."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()))
    later = builders.NOW + datetime.timedelta(seconds=42)
    plans = [
        restart.Restart().plan(manifests.request(live_state, now=now))
        for now in (builders.NOW, later)
    ]
    assert plans[0] == plans[1]


def test_refuses_a_workload_without_pods_and_lets_the_next_step_try() -> None:
    """Nothing to restart."""
    live_state = model.LiveState(manifests.workload(manifests.deployment(), replicas=0))
    refusal = restart.Restart().plan(manifests.request(live_state))
    assert (
        model.Refusal(
            reasons.Refused.NO_PODS,
            "Deployment/checkout has 0 replicas: there is no pod to restart",
            skip_step=True,
        )
        == refusal
    )
