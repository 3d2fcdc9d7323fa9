"""Topology by objects, by measured calls and by where pods run."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Collection

import pytest

from prunella.adapters import topology
from prunella.api import reasons
from prunella.core import model
from prunella.core.incidents import picture as pictures
from tests.adapters.intake import bodies
from tests.unit.core.incidents import cluster

WEB, CART = cluster.ref("Deployment/shop/web"), cluster.ref("Deployment/shop/cart")
GRAPH = {
    "client": "cart",
    "server": "db.example.com",
    "client_k8s_namespace_name": "shop",
    "client_k8s_deployment_name": "cart",
}
PODS = {
    "namespace": "shop",
    "node": "n1",
    "created_by_kind": "ReplicaSet",
    "created_by_name": "web-1a",
}


class Scene:
    """A web that calls a cart."""

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """The same objects each time."""
        assert {"shop"} == set(namespaces)
        return dict(
            [
                cluster.workload("Deployment/shop/web", env={"CART_ADDR": "cart:80"}),
                cluster.workload("Deployment/shop/cart"),
                cluster.service("shop/cart"),
                cluster.node("n1", {"rack": "r1"}),
            ]
        )


class Source:
    """Answers by metric; or says nothing."""

    def __init__(self) -> None:
        self.down = False
        self.queries: list[str] = []

    async def ask(self, query: str) -> model.Answer:
        """One sample for each of two metrics."""
        self.queries.append(query)
        if self.down:
            return model.Failure(reasons.Doubt.UNREACHABLE, "no connection")
        for metric, labels in ((topology.SERVICE_GRAPH, GRAPH), (topology.POD_INFO, PODS)):
            if metric in query:
                return model.Vector((model.Sample(labels, 1.0),))
        return model.Vector(())


CALLS = {WEB: {CART}, CART: {cluster.ref("Service/db.example.com")}}
NODE = cluster.ref("Node/n1")
PLACES = {WEB: {NODE}, NODE: {cluster.ref("Rack/r1")}}


async def test_all_that_is_known() -> None:
    """Declared and measured calls, and places down to the rack."""
    source = Source()
    known = topology.KnownTopology(Scene(), lambda: {"shop"}, source.ask)
    assert (CALLS, PLACES) == await known.current(bodies.START)
    assert 3 == len(source.queries)


async def test_a_source_that_is_down_does_not_undo_the_calls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The calls of a minute ago are nearer to the truth than none."""
    source = Source()
    known = topology.KnownTopology(Scene(), lambda: {"shop"}, source.ask)
    await known.current(bodies.START)
    source.down = True
    assert (CALLS, PLACES) == await known.current(bodies.START)
    assert "no connection" in caplog.text


async def test_the_same_topology_serves_all_who_ask() -> None:
    """The loop of incidents and a look ask at once, and again a moment later: one request each."""
    source = Source()
    shared = topology.SharedTopology(topology.KnownTopology(Scene(), lambda: {"shop"}, source.ask))
    first, second = await asyncio.gather(*(shared.current(bodies.START) for _ in range(2)))
    third = await shared.current(bodies.START + datetime.timedelta(seconds=14))
    assert first is second is third
    assert 3 == len(source.queries)
    await shared.current(bodies.START + topology.FRESH)
    assert 6 == len(source.queries)


async def test_one_who_waits_no_longer_leaves_it_to_the_others() -> None:
    """A cancelled question is still answered to whoever else has asked."""
    source = Source()
    shared = topology.SharedTopology(topology.KnownTopology(Scene(), lambda: {"shop"}, source.ask))
    gone, waits = (asyncio.create_task(shared.current(bodies.START)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert (CALLS, PLACES) == await waits


async def test_a_failure_is_asked_again() -> None:
    """What can't be worked out is not kept."""

    class Broken(Scene):
        fails = True

        async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
            if self.fails:
                raise RuntimeError("the journal broke")
            return await super().manifests(namespaces)

    scene = Broken()
    shared = topology.SharedTopology(topology.KnownTopology(scene, lambda: {"shop"}, Source().ask))
    with pytest.raises(RuntimeError):
        await shared.current(bodies.START)
    scene.fails = False
    assert (CALLS, PLACES) == await shared.current(bodies.START)
