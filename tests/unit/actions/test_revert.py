"""revert: the recorded inverses; and the registry of all actions."""

from __future__ import annotations

import pytest

from prunella.actions import registry, restore, revert, scale
from prunella.api import reasons, remediation
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.changes import diff, swaps
from prunella.core.decisions import action, restoring, undoing
from tests.unit.actions import manifests
from tests.unit.core import builders


def test_puts_back_the_replicas_with_the_preconditions_of_now() -> None:
    """The inverse of then, under the generation of the look that was just taken."""
    then = manifests.workload(manifests.deployment(), generation=2)
    record = builders.record(effects=[scale.replicas_effect(then, 8)])
    now = manifests.deployment()
    now["spec"]["replicas"] = 8
    live_state = model.LiveState(manifests.workload(now))
    effect = manifests.planned(revert.Revert().plan(manifests.request(live_state, follows=record)))
    assert manifests.applied(now, effect.patch)["spec"]["replicas"] == 3
    assert (
        effect.inverse,
        effect.summary,
    ) == ((), "undo: scale Deployment/checkout from 3 to 8 replicas")


def test_undoes_several_effects_newest_first_and_skips_what_can_t_be() -> None:
    """Order matters where effects touch the same field."""
    target = manifests.workload(manifests.deployment())
    first, second = scale.replicas_effect(target, 5), scale.replicas_effect(target, 6)
    record = builders.record(effects=[first, builders.effect(), second])
    plan = revert.Revert().plan(manifests.request(model.LiveState(target), follows=record))
    assert not isinstance(plan, model.Refusal)
    assert [f"undo: {second.summary}", f"undo: {first.summary}"] == [
        effect.summary for effect in plan.effects
    ]


def test_refuses_a_record_that_nothing_can_undo() -> None:
    """A restart has no inverse."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()))
    record = builders.record("R", effects=[builders.effect()])
    refusal = revert.Revert().plan(manifests.request(live_state, follows=record))
    assert model.Refusal(reasons.Refused.NO_STEP_LEFT, "R has no effect that can be undone") == (
        refusal
    )


def test_needs_the_record_that_it_undoes() -> None:
    """To revert nothing is a defect of the caller."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()))
    with pytest.raises(TypeError, match="from the record that it undoes"):
        revert.Revert().plan(manifests.request(live_state))


def test_every_action_of_the_api_is_registered_and_only_those_and_revert() -> None:
    """A policy's step always finds its action."""
    actions = registry.all_actions()
    assert {*steps_api.ACTIONS, "returnNode", "returnTraffic", "revert"} == set(actions)
    assert all(name == action.name for name, action in actions.items())


OWNED: dict[str, str | None] = {
    "restart": None,
    "evictPod": None,
    "scale": "spec.replicas",
    "rollback": "spec.template",
    "revert": "spec.replicas",
}


@pytest.mark.parametrize(("name", "field"), OWNED.items(), ids=OWNED)
def test_the_field_that_somebody_else_may_own(name: str, field: str | None) -> None:
    """Restart and eviction conflict with nobody; the others write what others may write."""
    assert field == registry.all_actions()[name].owned_field


THERE = {"metadata": {"uid": "u", "resourceVersion": "7"}, "a": 1}
PATCHED = {**THERE, "a": 2}
MADE = swaps.take_back(diff.diff(PATCHED, THERE), PATCHED, THERE)
CART = model.Ref("Service", "shop", "cart")
REST = [
    pytest.param(restore.patching(CART, THERE, MADE, "patch"), THERE, PATCHED, id="a patch"),
    pytest.param(restore.creating(CART, {"a": 1}, "create"), None, THERE, id="a creation"),
    pytest.param(restore.deleting(CART, THERE, {"a": 1}, "delete"), THERE, None, id="a deletion"),
]


def finished(rest: model.Effect, now: object) -> object:
    """What is planned after a revert of which this effect never arrived."""
    statuses = [remediation.EffectStatus(outcome=told) for told in ("Effective", "NotSent")]  # type: ignore[arg-type]
    half = builders.record(
        "R",
        reasons.Phase.FAILED,
        action="revert",
        effects=[builders.scale_effect(), rest],
        effect_statuses=statuses,
        reason=undoing.HALF_UNDONE,
    )
    live_state = model.LiveState(manifests.workload(manifests.deployment()))
    looked = {CART: restoring.Looked(CART, now)}  # type: ignore[arg-type]
    request = manifests.request(live_state, follows=half, looked=looked)
    return revert.Revert().plan(request)


@pytest.mark.parametrize(("rest", "before", "after"), REST)
def test_finishes_a_revert_that_stopped_half_way(
    rest: model.Effect, before: object, after: object
) -> None:
    """The rest as it was, on the object as it is; what somebody else has done is left to him."""
    plan = finished(rest, before)
    assert isinstance(plan, action.Plan)
    assert (rest,) == plan.effects
    refusal = finished(rest, after)
    assert isinstance(refusal, model.Refusal)
    assert reasons.Refused.CHANGED_BY_OTHERS is refusal.reason
    assert f"Service/cart is not as it was found before: {rest.summary}" == refusal.message
