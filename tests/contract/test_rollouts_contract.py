"""Argo Rollouts' status is written alike in the simulation and on a real API server.

There the kind is Argo Rollouts' own as far as it matters, and its controller a stand-in
(`lab.argo_rollouts`).
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.actions import registry
from prunella.core import model, objects, progressive
from prunella.core.changes import swaps
from prunella.core.decisions import action
from tests.contract.worlds import World
from tests.unit.actions import manifests

OLD, NEW = "shop/app:v1", "shop/app:v2"


def web(world: World) -> model.Ref:
    """The Rollout of every test."""
    return model.Ref("Rollout", world.namespace, "web")


async def seen(world: World) -> model.LiveState:
    """A close look at it."""
    found = await world.cluster.live_state(web(world))
    assert found is not None
    return found


async def delivery(world: World) -> progressive.Delivery:
    """How far it is."""
    found = (await seen(world)).workload.delivery
    assert found is not None
    return found


async def waiting(world: World) -> None:
    """Given a Rollout whose canary, one pod of four, waits at a step."""
    await world.add(web(world), 4, OLD)
    await world.set_image(web(world), NEW)
    assert (await delivery(world)).waiting


async def planned(world: World, step: dict[str, Any]) -> model.Effect:
    """The one effect of a step on the Rollout as it is."""
    (name,) = step
    found = await seen(world)
    made = [pod.created for pod in found.pods if pod.created is not None]
    now = max(made) + datetime.timedelta(seconds=1)
    request = manifests.request(found, step, decided_at=now, now=now)
    plan = registry.all_actions()[name].plan(request)
    assert isinstance(plan, action.Plan), plan
    (effect,) = plan.effects
    return effect


async def written(world: World, effect: model.Effect) -> bool | None:
    """Whether an effect can be told from the object as it is."""
    found = await world.cluster.read_object(web(world))
    return swaps.written(effect.patch, effect.inverse, found)


async def test_a_rollout_is_seen_with_its_pods_and_releases(world: World) -> None:
    """Its pods, the releases of its ReplicaSets, the owner of a pod, and where its canary is."""
    await waiting(world)
    found = await seen(world)
    workload = found.workload
    assert (4, 1, 4, 4) == (
        workload.replicas,
        workload.updated,
        workload.available,
        workload.total,
    )
    assert (False, 4) == (workload.rolling, len(found.pods))
    assert [(2, True), (1, False)] == [(each.number, each.current) for each in found.revisions]
    images = [each.template["spec"]["containers"][0]["image"] for each in found.revisions]  # type: ignore[index]
    assert [NEW, OLD] == images
    names = [pod.name for pod in found.pods]
    owners = await world.cluster.owners(world.namespace, names)
    assert dict.fromkeys(names, web(world)) == owners
    assert web(world) in {each.ref for each in world.cluster.workloads(world.namespace)}


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"abortRollout": {}}, id="abortRollout"),
        pytest.param({"promote": {}}, id="promote"),
        pytest.param({"promote": {"full": True}}, id="promote to the end"),
    ],
)
async def test_the_controller_is_told_at_most_once(world: World, step: dict[str, Any]) -> None:
    """The API server tries it, carries it out once, refuses its repeat; the object tells of it."""
    await waiting(world)
    before = (await seen(world)).workload
    effect = await planned(world, step)

    tried = await world.cluster.send(effect, "record-1", dry_run=True)
    untouched = await written(world, effect)
    first = await world.cluster.send(effect, "record-1", dry_run=False)
    told = await written(world, effect)
    second = await world.cluster.send(effect, "record-1", dry_run=False)

    assert [ports.Outcome.WOULD_SUCCEED, ports.Outcome.EFFECTIVE] == [tried.outcome, first.outcome]
    assert (ports.Outcome.REFUSED, 422) == (second.outcome, second.status)
    assert (False, True) == (untouched, told)
    assert first.workload is not None
    assert (before.generation, before.template) == (
        first.workload.generation,
        first.workload.template,
    )
    assert objects.MARK not in first.workload.annotations


async def test_an_aborted_release_goes_and_the_stable_one_stays(world: World) -> None:
    """No pod of it is left, its template is."""
    await waiting(world)
    await world.cluster.send(await planned(world, {"abortRollout": {}}), "record-1", dry_run=False)
    await world.settle()
    workload = (await seen(world)).workload
    assert ((4, 4, 4), True) == (
        (workload.updated, workload.available, workload.total),
        workload.rolled_out,
    )
    assert workload.delivery is not None
    assert workload.delivery.aborted
    assert NEW == workload.template["spec"]["containers"][0]["image"]  # type: ignore[index]


async def test_a_promoted_release_becomes_the_stable_one(world: World) -> None:
    """All pods are of it, and nothing is under way any more."""
    await waiting(world)
    effect = await planned(world, {"promote": {"full": True}})
    await world.cluster.send(effect, "record-1", dry_run=False)
    await world.settle()
    found = await delivery(world)
    assert (False, None) == (found.under_way, found.promote_full)
    assert 4 == (await seen(world)).workload.updated


async def test_the_controller_is_not_told_of_a_newer_release(world: World) -> None:
    """What was planned for one release, to be given up or promoted, is refused for the next."""
    await waiting(world)
    effects = [await planned(world, {name: {}}) for name in ("abortRollout", "promote")]
    await world.set_image(web(world), "shop/app:v3")
    for effect in effects:
        receipt = await world.cluster.send(effect, "record-1", dry_run=False)
        assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    found = await delivery(world)
    assert (False, True) == (found.aborted, found.waiting)


async def test_a_restart_bears_the_mark_and_begins_no_release(world: World) -> None:
    """It is written into the spec; all pods are new when the controller says so."""
    await world.add(web(world), 2, OLD)
    before = await seen(world)
    effect = await planned(world, {"restart": {}})
    receipt = await world.cluster.send(effect, "record-1", dry_run=False)
    assert ports.Outcome.EFFECTIVE is receipt.outcome
    repeat = await world.cluster.send(effect, "record-2", dry_run=False)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    assert receipt.workload is not None
    assert "record-1" == receipt.workload.annotations[objects.MARK]
    assert (before.workload.generation + 1, True) == (
        receipt.workload.generation,
        receipt.workload.rolling,
    )
    await world.settle()
    after = await seen(world)
    assert not after.workload.rolling
    assert 1 == len(after.revisions)


async def test_a_rollback_writes_the_template_of_the_release_before(world: World) -> None:
    """Without the label that only ReplicaSets bear, so that it is the same release again."""
    await waiting(world)
    effect = await planned(world, {"rollback": {"to": "Previous"}})
    receipt = await world.cluster.send(effect, "record-1", dry_run=False)
    assert ports.Outcome.EFFECTIVE is receipt.outcome
    repeat = await world.cluster.send(effect, "record-2", dry_run=False)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    await world.settle()
    found = await delivery(world)
    assert (False, False) == (found.under_way, found.waiting)
    assert {1} != {each.number for each in (await seen(world)).revisions}
