"""The simulated controllers: rollouts, revisions, replacement of pods."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.core import model

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """A clock that stands."""
    return clocks.VirtualClock(START)


@pytest.fixture
def cluster(clock: clocks.VirtualClock) -> clusters.SimulatedCluster:
    """An empty cluster."""
    return clusters.SimulatedCluster(clock)


async def looked(cluster: clusters.SimulatedCluster, ref: model.Ref) -> model.LiveState:
    """A look at a workload that is there."""
    live_state = await cluster.live_state(ref)
    assert live_state is not None
    return live_state


@pytest.mark.parametrize("kind", KINDS)
async def test_a_workload_is_settled_from_the_start(
    cluster: clusters.SimulatedCluster, kind: str
) -> None:
    """A story begins with ready pods and one revision, of the age that was asked for."""
    age = datetime.timedelta(hours=1)
    ref = cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1", age=age)
    live_state = await looked(cluster, ref)
    assert live_state.workload.rolled_out
    assert [True] * 3 == [pod.ready for pod in live_state.pods]
    assert [(1, True, START - age)] == [
        (r.number, r.current, r.created) for r in live_state.revisions
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_release_is_rolled_out_in_time(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, kind: str
) -> None:
    """At first not even seen, then under way, in the end all pods are new; never too few ready."""
    ref = cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1", startup_seconds=5)
    before = {pod.uid for pod in (await looked(cluster, ref)).pods}
    cluster.set_image(ref, "it:v2")
    workload = (await looked(cluster, ref)).workload
    assert (2, 1) == (workload.generation, workload.observed_generation)
    least = math.inf
    for _ in range(100):
        assert not workload.rolled_out
        await clock.advance(0.5)
        workload = (await looked(cluster, ref)).workload
        least = min(least, workload.available)
        if workload.rolled_out:
            break
    expected = {"Deployment": (3, 15.5), "StatefulSet": (2, 18.5), "DaemonSet": (2, 18.5)}[kind]
    assert expected == (least, (clock.now() - START).total_seconds())
    live_state = await looked(cluster, ref)
    assert before.isdisjoint({pod.uid for pod in live_state.pods if not pod.deleting})
    assert [(2, True), (1, False)] == [(r.number, r.current) for r in live_state.revisions]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_old_template_brings_its_revision_back(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, kind: str
) -> None:
    """A rollback makes no new revision: the old one gets the highest number and keeps its age."""
    ref = cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1")
    first = (await looked(cluster, ref)).revisions[0]
    await clock.advance(100)
    cluster.set_image(ref, "it:v2")
    await clock.advance(100)
    cluster.set_image(ref, "it:v1")
    await clock.advance(100)
    live_state = await looked(cluster, ref)
    assert live_state.workload.rolled_out
    newest, other = live_state.revisions
    assert (first.name, 3, START, True) == (
        newest.name,
        newest.number,
        newest.created,
        newest.current,
    )
    assert (2, False) == (other.number, other.current)
    shown = live_state.workload.annotations.get("deployment.kubernetes.io/revision")
    assert ("3" if kind == "Deployment" else None) == shown


async def test_a_release_that_is_taken_back_halfway_leaves_old_pods_alone(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock
) -> None:
    """Pods of the old revision that still run are kept."""
    ref = cluster.add_deployment("shop", "it", "it:v1", replicas=4, startup_seconds=30)
    before = {pod.uid for pod in (await looked(cluster, ref)).pods}
    cluster.set_image(ref, "it:v2")
    await clock.advance(10)
    cluster.set_image(ref, "it:v1")
    await clock.advance(60)
    live_state = await looked(cluster, ref)
    after = {pod.uid for pod in live_state.pods}
    assert (3, True) == (len(before & after), live_state.workload.rolled_out)


SCALES = {
    "out": ("Deployment", 5),
    "in": ("Deployment", 1),
    "to nothing": ("Deployment", 0),
    "stateful out": ("StatefulSet", 5),
    "stateful in": ("StatefulSet", 1),
}


@pytest.mark.parametrize(("kind", "replicas"), SCALES.values(), ids=SCALES.keys())
async def test_scaling(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, kind: str, replicas: int
) -> None:
    """Pods are added or removed; no revision comes of it, and the lowest ordinals stay."""
    ref = cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1")
    cluster.scale(ref, replicas)
    await clock.advance(60)
    live_state = await looked(cluster, ref)
    assert (replicas, 1, True) == (
        len(live_state.pods),
        len(live_state.revisions),
        live_state.workload.rolled_out,
    )
    if kind == "StatefulSet":
        assert {f"it-{ordinal}" for ordinal in range(replicas)} == {p.name for p in live_state.pods}


async def test_a_stateful_set_goes_backwards_and_waits(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock
) -> None:
    """The last ordinal is replaced first, and the next only when it is ready."""
    ref = cluster.add_workload(model.Ref("StatefulSet", "shop", "db"), "db:v1", startup_seconds=9)
    cluster.set_image(ref, "db:v2")
    ready: list[list[str]] = []
    for _ in range(4):
        await clock.advance(8)
        pods = (await looked(cluster, ref)).pods
        ready.append(sorted(pod.name for pod in pods if pod.ready))
    assert [["db-0", "db-1"], ["db-0", "db-2"], ["db-1", "db-2"], ["db-0", "db-1", "db-2"]] == ready


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deleted_workload_takes_its_pods_along(
    cluster: clusters.SimulatedCluster, clock: clocks.VirtualClock, kind: str
) -> None:
    """Nothing of it comes back."""
    ref = cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1")
    cluster.set_image(ref, "it:v2")
    await clock.advance(3)
    [state] = cluster.states("shop")
    cluster.delete(ref)
    await clock.advance(60)
    assert (None, [], []) == (await cluster.live_state(ref), cluster.states(), state.pods)


async def test_runs_are_the_same_each_time() -> None:
    """Names and UIDs depend on nothing but the story."""
    runs: list[model.LiveState] = []
    for _ in range(2):
        clock = clocks.VirtualClock(START)
        cluster = clusters.SimulatedCluster(clock)
        ref = cluster.add_deployment("shop", "it", "it:v1")
        cluster.set_image(ref, "it:v2")
        await clock.advance(7)
        runs.append(await looked(cluster, ref))
    assert runs[0] == runs[1]
