"""Effects as the actions of the registry plan them, on what there is in a contract's world."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from prunella import ports
from prunella.actions import registry
from prunella.api import offers, reasons
from prunella.core import model, objects
from prunella.core.decisions import action, fields, restoring
from tests.contract.test_restore_contract import content, settled, shown
from tests.contract.worlds import World
from tests.unit.actions import manifests
from tests.unit.api import test_offered
from tests.unit.core import builders

Manifest = dict[str, Any]
Given = Callable[[World], Awaitable[model.Ref]]
OFFERED = offers.Offers(
    job_templates={"purge": test_offered.template(namespaces=["*"], activeDeadlineSeconds=5)}
)
ACTIONS = registry.all_actions(OFFERED)
NONE_TO_UNDO = model.Refusal(
    reasons.Refused.NO_STEP_LEFT, "record-1 has no effect that can be undone"
)


def workload(kind: str, replicas: int = 1) -> Given:
    """Given a workload, rolled out."""

    async def given(world: World) -> model.Ref:
        ref = model.Ref(kind, world.namespace, "web")
        await world.add(ref, replicas)
        return ref

    return given


async def cron_job(world: World) -> model.Ref:
    """Given a CronJob."""
    await world.add_cron_job("web")
    return model.Ref("CronJob", world.namespace, "web")


async def seen(world: World, ref: model.Ref, step: Manifest, **changes: Any) -> action.Request:
    """What an action may know of its target, and of the object that it writes."""
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    request: action.Request = manifests.request(live_state, step, record="record-1", **changes)
    written = fields.written(request.params, live_state)
    if written is None:
        return request
    looked = restoring.Looked(written.ref, await settled(world, written.ref))
    return dataclasses.replace(request, looked={written.ref: looked})


async def planned(
    world: World, ref: model.Ref, step: Manifest, **changes: Any
) -> tuple[model.Effect, ...]:
    """The effects of a step on its target as it is, as they come back from the ledger."""
    (name,) = step
    plan = ACTIONS[name].plan(await seen(world, ref, step, **changes))
    assert isinstance(plan, action.Plan), plan
    return tuple(map(manifests.kept, plan.effects))


async def way_back(
    world: World, ref: model.Ref, effects: tuple[model.Effect, ...]
) -> model.Effect | model.Refusal:
    """What the operator sends when a record was in vain."""
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    targets = {each.target for each in effects if each.target.kind not in {"Pod", "Job"}}
    looked = {each: restoring.Looked(each, await shown(world, each)) for each in targets}
    record = builders.record("record-1", effects=effects)
    plan = ACTIONS["revert"].plan(
        manifests.request(live_state, follows=record, looked=looked, record="record-2")
    )
    if isinstance(plan, model.Refusal):
        return plan
    assert isinstance(plan, action.Plan), plan
    (effect,) = plan.effects
    return manifests.kept(effect)


def told(receipt: ports.Receipt) -> tuple[ports.Outcome, int | None]:
    """Outcome and status."""
    return receipt.outcome, receipt.status


def people_write(manifest: Manifest) -> Manifest:
    """An object without what the API server counts, and without the operator's mark."""
    kept = content(manifest)
    annotations = kept["metadata"].get("annotations", {})
    annotations.pop(objects.MARK, None)
    if not annotations:
        kept["metadata"].pop("annotations", None)
    return kept
