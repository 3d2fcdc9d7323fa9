"""Pods are evicted and Jobs made alike in the simulation and on a real API server.

By the actions' own plans; `test_actions_contract` has those that write a field.
"""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from prunella import ports
from prunella.core import model
from prunella.core.decisions import action, strategies
from tests.contract.action_plans import (
    ACTIONS,
    NONE_TO_UNDO,
    Given,
    Manifest,
    cron_job,
    planned,
    seen,
    told,
    way_back,
    workload,
)
from tests.contract.test_restore_contract import send
from tests.contract.worlds import World
from tests.unit.actions import manifests
from tests.unit.core import builders

EVICTIONS: dict[str, Manifest] = {
    "evictPod": {"evictPod": {}},
    "restartPods": {"restartPods": {"max": 2}},
    "deleteStuckPod": {"deleteStuckPod": {}},
}


async def eviction(world: World, ref: model.Ref, step: Manifest) -> model.Effect:
    """The eviction of web-1, which the evidence names, or for which its set waits."""
    request = await seen(world, ref, step, findings=(builders.finding(pod="web-1"),))
    if "deleteStuckPod" in step:
        # No node of these worlds keeps a pod from getting ready, so only the look at it says so.
        old = {strategies.REVISION_HASH: "web-old"}
        pods = tuple(
            dataclasses.replace(pod, ready=False, labels=old) if pod.name == "web-1" else pod
            for pod in request.live_state.pods
        )
        live_state = dataclasses.replace(request.live_state, pods=pods)
        request = dataclasses.replace(request, live_state=live_state)
    (name,) = step
    plan = ACTIONS[name].plan(request)
    assert isinstance(plan, action.Plan), plan
    (effect,) = plan.effects
    return manifests.kept(effect)


async def replaced(world: World, ref: model.Ref, effect: model.Effect) -> dict[str, str]:
    """The UIDs of the set's pods once another one has the evicted one's name."""
    for _ in range(60):
        await world.settle()
        live_state = await world.cluster.live_state(ref)
        assert live_state is not None
        uids = {pod.name: pod.uid for pod in live_state.pods if pod.ready and not pod.deleting}
        if len(uids) == 2 and uids[effect.target.name] != effect.uid:
            return uids
        await asyncio.sleep(0.5)
    raise AssertionError(f"{effect.target} was not replaced: {uids}")


@pytest.mark.parametrize("name", EVICTIONS)
async def test_a_pod_is_evicted_and_not_the_one_after_it(world: World, name: str) -> None:
    """Its name is taken again at once: neither a repeat nor a plan for an earlier pod hits it."""
    ref = await workload("StatefulSet", 2)(world)
    late = await eviction(world, ref, EVICTIONS[name])
    await world.delete_pod("web-1")
    first = await replaced(world, ref, late)
    assert (ports.Outcome.REFUSED, 409) == told(await send(world, late))

    effect = await eviction(world, ref, EVICTIONS[name])
    assert first["web-1"] == effect.uid
    assert ports.Outcome.WOULD_SUCCEED is (await send(world, effect, dry_run=True)).outcome
    assert (ports.Outcome.EFFECTIVE, 201) == told(await send(world, effect))
    second = await replaced(world, ref, effect)
    assert (ports.Outcome.REFUSED, 409) == told(await send(world, effect))

    assert (first["web-0"], second) == (second["web-0"], await replaced(world, ref, effect))
    assert NONE_TO_UNDO == await way_back(world, ref, (effect,))


async def test_a_lost_pod_is_removed_without_grace(world: World) -> None:
    """By deleteStuckPod, once lostNodeAfter is over."""
    lost = await world.lose_pod()
    gone_by = manifests.NOW - builders.minutes(5)
    stranded = dataclasses.replace(lost, ready=False, stranded=model.Stranded.LOST, gone_by=gone_by)
    ref = model.Ref("StatefulSet", world.namespace, "db")
    others = (model.Pod("db-1", "uid-1"), model.Pod("db-2", "uid-2"))
    live_state = model.LiveState(builders.workload(ref=ref), pods=(stranded, *others))
    step = {"deleteStuckPod": {"lostNodeAfter": "2m"}}
    plan = ACTIONS["deleteStuckPod"].plan(manifests.request(live_state, step))
    assert isinstance(plan, action.Plan), plan
    (effect,) = map(manifests.kept, plan.effects)

    assert ports.Outcome.WOULD_SUCCEED is (await send(world, effect, dry_run=True)).outcome
    assert await world.has_pod(lost.name)
    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome
    assert not await world.has_pod(lost.name)


async def failed(world: World) -> model.Ref:
    """Given a CronJob whose Job has failed."""
    ref = await cron_job(world)
    await world.fail_job("web")
    return ref


async def without_a_job(world: World) -> model.Ref:
    """Given a workload, and the account of an administrator's template."""
    await world.add_account("cache-purger")
    return await workload("Deployment")(world)


JOBS: dict[str, tuple[Manifest, Given]] = {
    "rerunJob": ({"rerunJob": {}}, failed),
    "runJob": ({"runJob": {"template": "purge", "parameters": {"PREFIX": "a:"}}}, without_a_job),
}


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_is_made_at_most_once(world: World, name: str) -> None:
    """Who has made it first keeps it, and its mark; what has run is not undone."""
    step, given = JOBS[name]
    ref = await given(world)
    (effect,) = await planned(world, ref, step)

    assert ports.Outcome.WOULD_SUCCEED is (await send(world, effect, dry_run=True)).outcome
    assert None is await world.cluster.job(effect.target)
    assert (ports.Outcome.EFFECTIVE, 201) == told(await send(world, effect))
    again = await world.cluster.send(effect, "record-2", dry_run=False)
    assert (ports.Outcome.REFUSED, 409) == told(again)

    made = await world.cluster.job(effect.target)
    assert made is not None
    assert "record-1" == made.mark
    assert NONE_TO_UNDO == await way_back(world, ref, (effect,))
