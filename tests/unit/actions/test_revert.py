"""revert: the recorded inverses; and the registry of all actions."""

from __future__ import annotations

import pytest

from prunella.actions import registry, revert, scale
from prunella.api import reasons
from prunella.api import steps as steps_api
from prunella.core import model
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
    assert {*steps_api.ACTIONS, "returnTraffic", "revert"} == set(actions)
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
