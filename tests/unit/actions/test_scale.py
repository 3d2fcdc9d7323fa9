"""scale: by and to, within bounds, with an inverse."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from prunella.actions import scale
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action
from tests.unit.actions import manifests

TABLE: dict[str, tuple[int, dict[str, int], int | None]] = {
    # replicas now, parameters, replicas after (None: at the bound)
    "by": (3, {"by": 2}, 5),
    "by, down": (3, {"by": -2}, 1),
    "to": (3, {"to": 7}, 7),
    "to, down": (3, {"to": 2}, 2),
    "to zero, where allowed": (3, {"to": 0, "min": 0}, 0),
    "to zero, not below one": (3, {"to": 0}, 1),
    "cut at max": (9, {"by": 5}, 10),
    "cut at min": (3, {"by": -5, "min": 2}, 2),
    "cut at a max of its own": (3, {"by": 5, "max": 4}, 4),
    "at max": (10, {"by": 1}, None),
    "at min": (1, {"by": -1}, None),
    "there already": (5, {"to": 5}, None),
    "by nothing": (3, {"by": 0}, None),
    "above max, up": (20, {"by": 2}, None),
    "above max, to more": (20, {"to": 30}, None),
    "above max, down": (20, {"by": -2}, 10),
    "below min, down": (1, {"by": -1, "min": 3}, None),
    "below min, up": (1, {"by": 1, "min": 3}, 3),
}


def plan(replicas: int, params: dict[str, int], **changes: Any) -> object:
    """The plan for a workload with so many replicas."""
    live_state = model.LiveState(
        manifests.workload(manifests.deployment(), replicas=replicas, **changes)
    )
    return scale.Scale().plan(manifests.request(live_state, {"scale": params}))


@pytest.mark.parametrize(("replicas", "params", "expected"), TABLE.values(), ids=TABLE)
def test_replicas_after_a_step(replicas: int, params: dict[str, int], expected: int | None) -> None:
    """Bounds cut a step short; none turns it round: saturation never removes replicas."""
    found = plan(replicas, params)
    if expected is None:
        assert isinstance(found, model.Refusal)
        assert (found.reason, found.skip_step) == (reasons.Refused.AT_BOUND, True)
        return
    before = manifests.deployment()
    before["spec"]["replicas"] = replicas
    after = manifests.applied(before, manifests.planned(found).patch)
    assert {**before["spec"], "replicas": expected} == after["spec"]
    assert {**before, "spec": None} == {**after, "spec": None}


@hypothesis.given(
    st.integers(0, 60), st.integers(-100, 100), st.integers(0, 20), st.integers(0, 20)
)
def test_the_inverse_puts_back_what_was_there(replicas: int, by: int, low: int, more: int) -> None:
    """Whatever is planned lies within the bounds, goes the way it was asked, and can be undone."""
    found = plan(replicas, {"by": by, "min": low, "max": low + more})
    if isinstance(found, model.Refusal):
        return
    effect = manifests.kept(manifests.planned(found))
    before = manifests.deployment()
    before["spec"]["replicas"] = replicas
    after = manifests.applied(before, effect.patch)
    assert low <= after["spec"]["replicas"] <= low + more
    assert (after["spec"]["replicas"] > replicas) == (by > 0)
    assert before == manifests.applied(after, effect.inverse)


def test_a_refusal_at_the_bound_compares_the_numbers() -> None:
    """A person reads what would have to be changed."""
    found = plan(10, {"by": 3})
    assert isinstance(found, model.Refusal)
    assert found.message == "Deployment/checkout has 10 replicas, 13 are wanted within 1 to 10"


def test_a_daemon_set_has_no_replicas_to_set() -> None:
    """The next step may be tried instead."""
    live_state = model.LiveState(
        manifests.workload(manifests.deployment(), ref=model.Ref("DaemonSet", "shop", "agent"))
    )
    found = scale.Scale().plan(manifests.request(live_state, {"scale": {"by": 1}}))
    assert (
        model.Refusal(
            reasons.Refused.AT_BOUND,
            "DaemonSet/agent has one pod per node and can't be scaled",
            skip_step=True,
        )
        == found
    )


def test_parameters_of_another_action_are_a_defect_of_the_caller() -> None:
    """Never a scale with somebody else's numbers."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()))
    with pytest.raises(TypeError, match="parameters of a scale step"):
        scale.Scale().plan(manifests.request(live_state, {"restart": {}}))


def test_a_plan_has_one_effect() -> None:
    """Replicas are set once."""
    found = plan(3, {"by": 1})
    assert isinstance(found, action.Plan)
    assert len(found.effects) == 1
