"""scaleBounds: one bound of the autoscaler that scales the target, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.actions import scale_bounds
from prunella.api import reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring
from prunella.core.decisions.rules import Rules
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused


def hpa(low: int | None = 2, high: int = 10, wants: int | None = 10) -> Any:
    """An HPA as the API server shows it."""
    bounds = {"maxReplicas": high} | ({"minReplicas": low} if low is not None else {})
    status = {"desiredReplicas": wants} if wants is not None else {}
    metadata = {"name": "web", "namespace": "shop", "uid": "h", "resourceVersion": "9"}
    return {"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": bounds} | {
        "status": status
    }


KEDA = {
    "kind": "ScaledObject",
    "metadata": {"name": "web", "namespace": "shop", "uid": "k", "generation": 3},
    "spec": {"scaleTargetRef": {"name": "web"}},
}


def plan(params: dict[str, Any], shown: Any = None, *names: str, most: int | None = None) -> Any:
    """What comes of a step; the autoscaler is that of ``shown``, or those named."""
    shown = hpa() if shown is None else shown
    own = f"{shown['kind']}/web"
    live_state = model.LiveState(builders.workload(), pods_known=False, autoscalers=names or (own,))
    ref = model.Ref(shown["kind"], "shop", "web")
    looked = {ref: restoring.Looked(ref, shown)}
    told = {"looked": looked, "rules": Rules(scale_most=most)}
    request = manifests.request(live_state, {"scaleBounds": params}, **told)
    return scale_bounds.ScaleBounds().plan(request)


@pytest.mark.parametrize(
    ("params", "shown", "spec", "summary"),
    [
        pytest.param(
            {"by": 5, "max": 20},
            hpa(),
            {"minReplicas": 2, "maxReplicas": 15},
            "set spec.maxReplicas of HorizontalPodAutoscaler/web from 10 to 15",
            id="a higher maximum",
        ),
        pytest.param(
            {"by": 15, "max": 20},
            hpa(),
            {"minReplicas": 2, "maxReplicas": 20},
            "set spec.maxReplicas of HorizontalPodAutoscaler/web from 10 to 20",
            id="to the policy's own maximum",
        ),
        pytest.param(
            {"bound": "Min", "to": 6, "max": 20},
            hpa(low=None, wants=3),
            {"minReplicas": 6, "maxReplicas": 10},
            "set spec.minReplicas of HorizontalPodAutoscaler/web from nothing to 6",
            id="a minimum that was not written",
        ),
        pytest.param(
            {"bound": "Min", "to": 30, "max": 40},
            hpa(),
            {"minReplicas": 10, "maxReplicas": 10},
            "set spec.minReplicas of HorizontalPodAutoscaler/web from 2 to 10",
            id="a minimum is not above the maximum",
        ),
        pytest.param(
            {"to": 1, "max": 20},
            hpa(wants=3),
            {"minReplicas": 2, "maxReplicas": 2},
            "set spec.maxReplicas of HorizontalPodAutoscaler/web from 10 to 2",
            id="a maximum is not below the minimum",
        ),
        pytest.param(
            {"by": 20, "max": 200},
            KEDA,
            {"scaleTargetRef": {"name": "web"}, "maxReplicaCount": 120},
            "set spec.maxReplicaCount of ScaledObject/web from nothing to 120",
            id="the default maximum of KEDA",
        ),
    ],
)
def test_it_writes_one_bound_and_knows_the_way_back(
    params: dict[str, Any], shown: Any, spec: dict[str, Any], summary: str
) -> None:
    """Applied and undone, the autoscaler is as before."""
    planned = plan(params, shown)
    assert isinstance(planned, action.Plan), planned
    effect = manifests.kept(planned.effects[0])
    after = swaps.apply(effect.patch, shown)
    assert (spec, summary) == (after["spec"], effect.summary)
    assert shown == swaps.apply(effect.inverse, after)
    assert effect.tested


def test_the_hpa_that_keda_makes_is_left_to_it() -> None:
    """KEDA would write it anew from its ScaledObject."""
    planned = plan({"by": 1, "max": 200}, KEDA, "HorizontalPodAutoscaler/keda", "ScaledObject/web")
    assert isinstance(planned, action.Plan)
    assert "ScaledObject/web" in planned.effects[0].summary


@pytest.mark.parametrize(
    ("params", "shown", "names", "reason", "message"),
    [
        pytest.param(
            {"by": 5, "max": 10},
            hpa(),
            (),
            Refused.AT_BOUND,
            "spec.maxReplicas of HorizontalPodAutoscaler/web is 10, 15 is wanted within 2 to 10",
            id="at the policy's maximum",
        ),
        pytest.param(
            {"by": 5, "max": 20},
            hpa(wants=7),
            (),
            Refused.NOT_THE_LIMIT,
            "HorizontalPodAutoscaler/web wants 7 replicas and may have 10: its maximum is not what "
            "limits it",
            id="it wants no more",
        ),
        pytest.param(
            {"by": 5, "max": 20},
            hpa(),
            ("HorizontalPodAutoscaler/a", "HorizontalPodAutoscaler/b"),
            Refused.NOT_WRITABLE,
            "HorizontalPodAutoscaler/a, HorizontalPodAutoscaler/b scale Deployment/checkout: one "
            "is needed",
            id="two of them",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    params: dict[str, Any],
    shown: Any,
    names: tuple[str, ...],
    reason: reasons.Refused,
    message: str,
) -> None:
    """Each of these lets the next step be tried."""
    assert model.Refusal(reason, message, skip_step=True) == plan(params, shown, *names)


def test_without_an_autoscaler_there_is_nothing_to_write() -> None:
    """`scale` is for a workload that nothing scales."""
    live_state = model.LiveState(builders.workload(), pods_known=False)
    request = manifests.request(live_state, {"scaleBounds": {"by": 1, "max": 5}})
    found = scale_bounds.ScaleBounds().plan(request)
    message = "no autoscaler scales Deployment/checkout: one is needed"
    assert model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True) == found


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"max": 5}, "exactly one of by, to", id="nothing to write"),
        pytest.param({"by": 1}, "max", id="no maximum"),
        pytest.param({"by": 1, "min": 9, "max": 5}, "must not be above max", id="bounds crossed"),
        pytest.param({"by": 1, "max": 5, "bound": "Top"}, "'Max' or 'Min'", id="no such bound"),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message):
        steps.Step.model_validate({"scaleBounds": params})


def test_the_administrators_bound_holds_below_the_policy_s() -> None:
    """The policy may go to 20, the chart allows 12: where a restore is on, nobody else says so."""
    found = plan({"by": 5, "max": 20}, most=12)
    assert isinstance(found, action.Plan)
    assert found.effects[0].summary.endswith("from 10 to 12")
    refusal = plan({"by": 5, "max": 20}, most=10)
    assert isinstance(refusal, model.Refusal)
    assert (Refused.AT_BOUND, True) == (refusal.reason, refusal.skip_step)
    assert "administrators allow up to 10 (chart value scaleBounds.max)" in refusal.message


def test_what_is_above_the_administrators_bound_is_left_alone() -> None:
    """To put it back would be to go above it."""
    refusal = plan({"to": 6, "max": 20}, hpa(high=30), most=20)
    assert isinstance(refusal, model.Refusal)
    assert Refused.AT_BOUND is refusal.reason
    assert "is 30; the administrators allow up to 20" in refusal.message
