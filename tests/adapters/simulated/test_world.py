"""The whole simulated world, built from the documents that a real cluster would be given."""

from __future__ import annotations

import datetime
import pathlib
from typing import Any

import pytest
import yaml

from prunella.adapters.simulated import faults
from prunella.adapters.simulated import world as worlds
from prunella.core import model, objects
from tests.adapters.simulated.planning import SPEC

SHOP = pathlib.Path(__file__).parents[3] / "lab/manifests/demo.yaml"
CHECKOUT = model.Ref("Deployment", "shop", "checkout")
POLICY: dict[str, Any] = {
    "apiVersion": "prunella.dev/v1alpha1",
    "kind": "RemediationPolicy",
    "metadata": {"namespace": "shop", "name": "checkout"},
    "spec": {
        "target": {"name": "checkout"},
        "signals": [
            {"name": "up", "prometheus": {"query": "app_up"}, "threshold": {"below": 1}},
        ],
        "steps": [{"restart": {}}],
    },
}
BUDGET: dict[str, Any] = {
    "kind": "PodDisruptionBudget",
    "metadata": {"namespace": "shop", "name": "checkout"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "checkout"}}},
}


async def test_the_labs_shop_comes_to_life() -> None:
    """The manifests of the lab make the same shop here, with metrics from the first scrape on."""
    documents = [*yaml.safe_load_all(SHOP.read_text()), POLICY, BUDGET]
    world = worlds.World.create(documents=documents)
    await world.run(10)

    found = {each.ref.name: each.replicas for each in world.cluster.workloads("shop")}
    assert {"checkout": 3, "cart": 2, "search": 2} == found
    live_state = await world.cluster.live_state(CHECKOUT)
    assert live_state is not None
    assert (True, ["checkout"]) == (
        live_state.workload.rolled_out,
        [b.name for b in live_state.budgets],
    )
    hour = datetime.timedelta(hours=1)
    assert [worlds.START - hour] == [each.created for each in live_state.revisions]
    assert [objects.Key("shop", "checkout")] == [policy.key for policy in world.policies.all()]
    answer = await world.metrics.query(
        "default", "shop", 'sum by (deployment) (app_up{namespace="shop"})'
    )
    assert isinstance(answer, model.Vector)
    up = {sample.labels["deployment"]: sample.value for sample in answer.samples}
    assert {"checkout": 3, "cart": 2, "search": 2} == up


def test_an_unknown_kind_is_refused() -> None:
    """A document that would silently mean nothing is an error."""
    with pytest.raises(ValueError, match="Service/web: the kind Service is not simulated"):
        worlds.World.create(documents=[{"kind": "Service", "metadata": {"name": "web"}}])


async def test_an_operator_that_died_leaves_the_world_as_it_was() -> None:
    """After a crash the next operator's ledger starts empty and reads what the first one wrote."""
    world = worlds.World.create()
    world.faults.once(faults.Point.AFTER_CREATE, faults.Crash("killed"))
    with pytest.raises(faults.Crash):
        await world.clock.complete(world.ledger.create("shop", "rem-1", SPEC))
    world.restart_operator()
    world.ledger.break_watch()
    await world.ledger.create("shop", "rem-2", SPEC)
    assert ["rem-1", "rem-2"] == [record.name for record in world.records()]
    assert {"rem-1", "rem-2"} == {record.name for record in world.ledger.records()}


async def test_all_twins_share_one_switchboard() -> None:
    """One switch cuts the API server off for everything that talks to it."""
    world = worlds.World.create()
    world.faults.unreachable()
    assert (await world.cluster.paused()).paused
    for request in (
        world.ledger.refresh("shop"),
        world.policies.read(objects.Key("shop", "p")),
        world.cluster.live_state(CHECKOUT),
    ):
        with pytest.raises(Exception, match="connection refused"):
            await request
