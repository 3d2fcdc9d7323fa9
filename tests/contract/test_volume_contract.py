"""A claim grows in the simulation as on a real API server, and is refused there as well."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella import ports
from prunella.actions import expand_volume
from prunella.core import model
from prunella.core.decisions import action, claims, fields, restoring
from tests.contract.test_restore_contract import send, settled, shown
from tests.contract.worlds import World
from tests.unit.actions import manifests

STEP: dict[str, Any] = {"by": "100%", "max": "1024Gi", "allowOneWay": True}
VOLUMES = [
    {"name": "tmp", "emptyDir": {}},
    {"name": "data", "persistentVolumeClaim": {"claimName": "files"}},
]


async def planned(world: World, *, expandable: bool = True, **step: Any) -> Any:
    """What comes of a step on a Deployment that mounts a claim."""
    ref = model.Ref("Deployment", world.namespace, "web")
    await world.add_volume("files", expandable=expandable)
    await world.add(ref, 1)
    where = "/spec/template/spec/volumes"
    await world.edit_object(ref, {"op": "add", "path": where, "value": VOLUMES})
    await world.settle()
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    request = manifests.request(live_state, {"expandVolume": {**STEP, **step}}, findings=())
    written = fields.written(request.params, live_state)
    assert written is not None
    await settled(world, written.ref)
    wanted: tuple[model.Ref, ...] = (written.ref,)
    for _ in range(2):
        seen = {ref: restoring.Looked(ref, await world.cluster.read_object(ref)) for ref in wanted}
        request = dataclasses.replace(request, looked={**request.looked, **seen})
        plan = expand_volume.ExpandVolume().plan(request)
        if not isinstance(plan, tuple):
            return plan
        wanted = tuple(need.target for need in plan)
    raise AssertionError("it asks again for what was looked at")


async def effect_of(world: World, **step: Any) -> model.Effect:
    """The one effect of the step."""
    plan = await planned(world, **step)
    assert isinstance(plan, action.Plan), plan
    return manifests.kept(plan.effects[0])


@pytest.mark.parametrize(
    ("step", "size"),
    [
        pytest.param({}, "2Gi", id="twice"),
        pytest.param({"by": "1%"}, "1035Mi", id="rounded up"),
        pytest.param({"by": "100%", "max": "0.0015Ti"}, "1649267442", id="up to max"),
    ],
)
async def test_a_claim_grows(world: World, step: dict[str, Any], size: str) -> None:
    """A dry run changes nothing, a repeat is refused, and what was written is seen again."""
    effect = await effect_of(world, **step)
    dry = await send(world, effect, dry_run=True)
    assert ports.Outcome.WOULD_SUCCEED is dry.outcome, dry.message
    assert "1Gi" == claims.requested(await shown(world, effect.target))

    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome

    after = await shown(world, effect.target)
    assert (size, True) == (claims.requested(after), restoring.as_written(effect, after))
    repeat = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    assert f"it asks for {size} and has 1Gi" in claims.pending(after)
    await world.volume_grows("files")
    grown = await shown(world, effect.target)
    assert (size, "", True) == (
        claims.capacity_of(grown),
        claims.pending(grown),
        restoring.as_written(effect, grown),
    )


async def test_an_edit_in_between_is_a_refusal(world: World) -> None:
    """The version and the value that it was planned for are tested."""
    effect = await effect_of(world)
    await world.edit_object(effect.target, {**effect.patch[-1], "value": "3Gi"})
    receipt = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)


async def test_a_class_that_does_not_allow_it(world: World) -> None:
    """It is seen when the class can be read, and refused by the API server in any case."""
    refused = await planned(world, expandable=False)
    assert isinstance(refused, model.Refusal)
    assert "has allowVolumeExpansion: false" in refused.message
    ref = model.Ref("PersistentVolumeClaim", world.namespace, "files")
    raw = await shown(world, ref)
    effect = expand_volume._effect(restoring.Looked(ref, raw), "2Gi", "")
    receipt = await send(world, manifests.kept(effect), dry_run=True)
    assert (ports.Outcome.REFUSED, 403) == (receipt.outcome, receipt.status)
    assert "the storageclass that provisions the pvc must support resize" in receipt.message
