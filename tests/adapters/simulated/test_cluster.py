"""What the simulated API server does with effects and looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.adapters.simulated import server
from prunella.core import model, objects
from tests.adapters.simulated import planning

RESTART = {
    "op": "add",
    "path": "/spec/template/metadata/annotations",
    "value": {"kubectl.kubernetes.io/restartedAt": "2026-01-05T09:00:00Z"},
}
IMAGE_PATH = "/spec/template/spec/containers/0/image"
SCALE = {"op": "replace", "path": "/spec/replicas", "value": 5}


async def eviction(cluster: clusters.SimulatedCluster, ref: model.Ref) -> model.Effect:
    """An eviction of the first pod."""
    pod = (await planning.looked(cluster, ref)).pods[0]
    target = model.Ref("Pod", ref.namespace, pod.name)
    return model.Effect(model.Verb.EVICT, target, pod.uid, "evict a pod")


async def test_a_patch_is_carried_out_and_marked(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """The receipt shows the workload with its new generation, the mark, and a rollout begun."""
    receipt = await cluster.send(
        await planning.effect(cluster, shop, RESTART), "rem-1", dry_run=False
    )
    assert (ports.Outcome.EFFECTIVE, 200) == (receipt.outcome, receipt.status)
    workload = receipt.workload
    assert workload is not None
    assert (2, 1, False) == (
        workload.generation,
        workload.observed_generation,
        workload.rolled_out,
    )
    assert "rem-1" == workload.annotations[objects.MARK]
    assert [workload] == list(cluster.workloads("shop"))


@pytest.mark.parametrize("patch", [RESTART, SCALE], ids=["restart", "scale"])
async def test_a_repeated_patch_is_refused(
    cluster: clusters.SimulatedCluster, shop: model.Ref, patch: Mapping[str, object]
) -> None:
    """The same effect once more is answered 422 and changes nothing."""
    change = await planning.effect(cluster, shop, patch)
    await cluster.send(change, "rem-1", dry_run=False)
    before = await cluster.live_state(shop)
    receipt = await cluster.send(change, "rem-1", dry_run=False)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    assert before == await cluster.live_state(shop)
    assert 1 == len(cluster.sent)


async def test_a_mark_alone_already_makes_a_deployment_new(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """As on a real API server, an annotation raises the generation of a Deployment."""
    same = {"op": "replace", "path": "/spec/replicas", "value": 3}
    receipt = await cluster.send(await planning.effect(cluster, shop, same), "rem-1", dry_run=False)
    assert receipt.workload is not None
    assert 2 == receipt.workload.generation


INVALID: dict[str, tuple[Mapping[str, object], str]] = {
    "no such path": ({"op": "replace", "path": "/spec/nothing", "value": 1}, "nothing"),
    "a failed test": ({"op": "test", "path": "/spec/replicas", "value": 9}, "9"),
    "not a patch": ({"op": "improve", "path": "/spec"}, "improve"),
    "negative": ({"op": "replace", "path": "/spec/replicas", "value": -1}, "spec.replicas"),
    "other name": ({"op": "replace", "path": "/metadata/name", "value": "x"}, "immutable"),
    "other selector": (
        {"op": "replace", "path": "/spec/selector/matchLabels/app", "value": "x"},
        "spec.selector is immutable",
    ),
    "labels not selected": (
        {"op": "replace", "path": "/spec/template/metadata/labels/app", "value": "x"},
        "does not match",
    ),
}


@pytest.mark.parametrize(("patch", "words"), INVALID.values(), ids=INVALID.keys())
async def test_invalid_changes_are_refused(
    cluster: clusters.SimulatedCluster,
    shop: model.Ref,
    patch: Mapping[str, object],
    words: str,
) -> None:
    """What the API server's validation refuses is answered 422, in a dry run too."""
    before = await cluster.live_state(shop)
    for dry_run in (True, False):
        receipt = await cluster.send(
            await planning.effect(cluster, shop, patch), "m", dry_run=dry_run
        )
        assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
        assert words in receipt.message
    assert before == await cluster.live_state(shop)


async def test_preconditions_are_those_of_the_plan(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """A workload that was made anew, or edited, since the plan is not touched."""
    planned = await planning.effect(cluster, shop, SCALE)
    cluster.set_image(shop, "shop/checkout:v2")
    edited = await cluster.send(planned, "m", dry_run=False)
    cluster.delete(shop)
    gone = await cluster.send(planned, "m", dry_run=False)
    cluster.add_deployment("shop", "checkout", "shop/checkout:v1")
    recreated = await cluster.send(planned, "m", dry_run=False)
    assert [422, 404, 422] == [edited.status, gone.status, recreated.status]


@pytest.mark.parametrize("verb", list(model.Verb))
async def test_a_dry_run_changes_nothing(
    cluster: clusters.SimulatedCluster,
    clock: clocks.VirtualClock,
    shop: model.Ref,
    verb: model.Verb,
) -> None:
    """A dry run tells what would be, and nothing comes of it."""
    before = await cluster.live_state(shop)
    change = await planning.effect(cluster, shop, SCALE)
    change = change if verb is model.Verb.PATCH else await eviction(cluster, shop)
    receipt = await cluster.send(change, "m", dry_run=True)
    await clock.advance(60)
    assert ports.Outcome.WOULD_SUCCEED == receipt.outcome
    assert 5 == (receipt.workload.replicas if receipt.workload else 5)
    assert before == await cluster.live_state(shop)
    assert [] == cluster.sent


FORBIDDEN: dict[str, Mapping[str, object]] = {
    "restart": RESTART,
    "scale": SCALE,
    "rollback": {"op": "replace", "path": IMAGE_PATH, "value": "shop/checkout:v0"},
}


@pytest.mark.parametrize("forbidden", [*FORBIDDEN, "evictPod"])
async def test_rights_are_per_action(
    cluster: clusters.SimulatedCluster, shop: model.Ref, forbidden: str
) -> None:
    """Exactly the action that is forbidden is answered 403, in a dry run too."""
    cluster.forbid(forbidden)
    statuses = {}
    for action, patch in FORBIDDEN.items():
        receipt = await cluster.send(await planning.effect(cluster, shop, patch), "m", dry_run=True)
        statuses[action] = receipt.status
    receipt = await cluster.send(await eviction(cluster, shop), "m", dry_run=True)
    statuses["evictPod"] = receipt.status
    assert [forbidden] == [action for action, status in statuses.items() if status == 403]


BUDGETS: dict[str, tuple[list[dict[str, Any]], int]] = {
    "no budget": ([], 201),
    "room for one": ([{"min_available": 2}], 201),
    "room for one, as maxUnavailable": ([{"max_unavailable": 1}], 201),
    "no room": ([{"min_available": 3}], 429),
    "never any room": ([{"max_unavailable": 0}], 429),
    "two budgets": ([{"min_available": 0}, {"min_available": 0}], 500),
}


@pytest.mark.parametrize(("budgets", "status"), BUDGETS.values(), ids=BUDGETS.keys())
async def test_evictions_honour_disruption_budgets(
    cluster: clusters.SimulatedCluster,
    shop: model.Ref,
    budgets: list[dict[str, Any]],
    status: int,
) -> None:
    """The Eviction API answers 429 when the budget would be broken, in a dry run too."""
    for number, limits in enumerate(budgets):
        cluster.add_budget("shop", f"budget-{number}", {"app": "checkout"}, **limits)
    cluster.add_budget("shop", "of-others", {"app": "cart"}, min_available=1)
    cluster.add_budget("elsewhere", "budget", {"app": "checkout"}, min_available=3)
    for dry_run in (True, False):
        receipt = await cluster.send(await eviction(cluster, shop), "m", dry_run=dry_run)
        assert status == receipt.status
    assert len(budgets) == len((await planning.looked(cluster, shop)).budgets)


async def test_a_second_eviction_waits_for_the_replacement(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, shop: model.Ref
) -> None:
    """An eviction uses up the budget until the new pod is ready."""
    cluster.add_budget("shop", "budget", {"app": "checkout"}, max_unavailable=1)
    first = await eviction(cluster, shop)
    assert 201 == (await cluster.send(first, "m", dry_run=False)).status
    await clock.advance(2)
    gone = await cluster.send(first, "m", dry_run=False)
    second = await eviction(cluster, shop)
    early = await cluster.send(second, "m", dry_run=False)
    live_state = await planning.looked(cluster, shop)
    assert (404, 429, 0) == (gone.status, early.status, live_state.budgets[0].disruptions_allowed)
    await clock.advance(10)
    later = await cluster.send(second, "m", dry_run=False)
    assert 201 == later.status


async def test_an_eviction_is_of_one_uid(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock
) -> None:
    """A StatefulSet's new pod of the same name is not evicted by an old plan."""
    ref = cluster.add_workload(model.Ref("StatefulSet", "shop", "db"), "shop/db:v1")
    change = await eviction(cluster, ref)
    assert 201 == (await cluster.send(change, "m", dry_run=False)).status
    await clock.advance(10)
    pods = (await planning.looked(cluster, ref)).pods
    assert {"db-0", "db-1", "db-2"} == {pod.name for pod in pods}
    assert 409 == (await cluster.send(change, "m", dry_run=False)).status


async def test_empty_maps_are_not_kept(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, shop: model.Ref
) -> None:
    """A template that differs by empty annotations only is the same template."""
    empty = {"op": "add", "path": "/spec/template/metadata/annotations", "value": {}}
    before = (await planning.looked(cluster, shop)).workload.template
    await cluster.send(await planning.effect(cluster, shop, empty), "m", dry_run=False)
    await clock.advance(5)
    live_state = await planning.looked(cluster, shop)
    assert (before, 1) == (live_state.workload.template, len(live_state.revisions))


async def test_owners_of_pods(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, shop: model.Ref
) -> None:
    """Pods are tied to workloads of their namespace; one that was known is so after its end."""
    cluster.add_deployment("other", "checkout", "x:v1")
    names = [pod.name for pod in (await planning.looked(cluster, shop)).pods]
    expected = dict.fromkeys(names, shop)
    assert expected == await cluster.owners("shop", [*names, "nobody"])
    assert {} == await cluster.owners("empty", names)
    cluster.delete(shop)
    await clock.advance(5)
    assert expected == await cluster.owners("shop", names)


async def test_field_owners_follow_the_writers(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """The last writer owns the replicas; the template has everybody who wrote a part of it."""
    cluster.scale(shop, 4, manager="argocd-controller")
    cluster.set_image(shop, "shop/checkout:v2", manager="kubectl-set")
    await cluster.send(await planning.effect(cluster, shop, RESTART), "m", dry_run=False)
    owners = (await planning.looked(cluster, shop)).workload.field_owners
    assert {"argocd-controller"} == owners["spec.replicas"]
    assert {"kubectl-create", "kubectl-set", server.OPERATOR} == owners["spec.template"]


async def test_autoscalers_are_seen(cluster: clusters.SimulatedCluster, shop: model.Ref) -> None:
    """Both kinds of autoscalers are named."""
    cluster.add_autoscaler(shop)
    cluster.add_autoscaler(shop, "ScaledObject")
    cluster.add_autoscaler(model.Ref("Deployment", "shop", "cart"))
    expected = ("HorizontalPodAutoscaler/checkout", "ScaledObject/checkout")
    assert expected == (await planning.looked(cluster, shop)).autoscalers


def test_a_budget_has_one_limit(cluster: clusters.SimulatedCluster) -> None:
    """Both limits, or none, are refused as the API server does."""
    with pytest.raises(ValueError, match="not both"):
        cluster.add_budget("shop", "b", {}, min_available=1, max_unavailable=1)


def test_a_name_is_given_once(cluster: clusters.SimulatedCluster, shop: model.Ref) -> None:
    """A second workload of the same kind and name is a conflict."""
    with pytest.raises(ports.Conflict, match="already exists"):
        cluster.add_workload(shop, "x:v1")
