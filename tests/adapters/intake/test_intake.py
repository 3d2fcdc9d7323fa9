"""All that tell as one source, and whom their alerts are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.intake import attribution, intake, told
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as simulated
from prunella.adapters.simulated import telemetry
from prunella.core import model
from prunella.core.incidents import picture as pictures
from tests.adapters.intake import bodies
from tests.unit.core.incidents import cluster as manifests

NOW = bodies.START.timestamp()
CART = manifests.ref("Deployment/shop/cart")


class Teller:
    """Tells what it is given."""

    def __init__(self, name: str = "test") -> None:
        self.name = name
        self.primed = True
        self.waiting: list[told.Told] = []

    def tell(self) -> Sequence[told.Told]:
        """What has come."""
        waiting, self.waiting = self.waiting, []
        return waiting

    async def run(self) -> None:
        """Nothing to do."""

    def say(self, name: str = "Down", *, firing: bool = True, **labels: str) -> None:
        """Let an alert begin, or end."""
        ended = None if firing else NOW
        found = told.labels_of({"namespace": "shop", **labels})
        self.waiting.append(told.Told(self.name, name, found, NOW - 60, firing, NOW, ended))


class Scene:
    """A shop with a cart, and how often it was looked at."""

    def __init__(self) -> None:
        self.looks: list[frozenset[str]] = []

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """The same objects each time."""
        self.looks.append(frozenset(namespaces))
        return dict([manifests.workload("Deployment/shop/cart"), manifests.service("shop/cart")])


class Owners(simulated.SimulatedCluster):
    """Knows one pod; or says nothing at all."""

    down = False
    asked = 0

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, Any]:
        """The cart's pod."""
        self.asked += 1
        if self.down:
            raise ports.ClusterError("no connection")
        return {pod: CART for pod in pods if pod == "a-pod" and namespace == "shop"}


class Stage:
    """An intake of one teller, in virtual time."""

    def __init__(self, *tellers: Teller, limit: int = 50_000) -> None:
        self.teller = Teller()
        self.clock = clocks.VirtualClock(bodies.START)
        self.scene, self.owners = Scene(), Owners(self.clock)
        self.telemetry = telemetry.RecordingTelemetry()
        self.intake = intake.Intake(
            tellers or (self.teller,),
            attribution.Attribution(self.scene, self.owners, self.clock, limit),
            self.telemetry,
            ignore=("Watchdog",),
        )

    async def targets(self) -> list[str]:
        """Whom what was drained is about."""
        return [
            f"{each.target.kind}/{each.target.namespace}/{each.target.name}"
            for each in await self.intake.drain()
        ]


@pytest.fixture
def stage() -> Stage:
    """An intake of one teller."""
    return Stage()


async def test_alerts_come_with_their_owners(stage: Stage) -> None:
    """By the pod's owner chain, by the Service's selector, and by the namespace."""
    stage.teller.say(pod="a-pod")
    stage.teller.say(service="cart")
    stage.teller.say()
    expected = ["Deployment/shop/cart", "Deployment/shop/cart", "Namespace//shop"]
    assert expected == await stage.targets()


async def test_the_namespace_of_the_called_is_looked_at_too(stage: Stage) -> None:
    """An alert about a call bears the caller's namespace; the called one is in another."""
    stage.teller.say(namespace="web", server="cart", server_k8s_namespace_name="shop")
    assert ["Deployment/shop/cart"] == await stage.targets()
    assert [{"web", "shop"}] == stage.scene.looks


async def test_the_end_goes_where_the_beginning_went(stage: Stage) -> None:
    """A pod may be gone by then, and the API server may be down."""
    stage.teller.say(pod="a-pod")
    (begin,) = await stage.intake.drain()
    stage.owners.down = True
    await stage.clock.advance(3600)
    stage.teller.say(pod="a-pod", firing=False)
    (end,) = await stage.intake.drain()
    assert begin.fingerprint == end.fingerprint
    assert 1 == stage.owners.asked


async def test_without_an_api_server_owners_are_guessed(stage: Stage) -> None:
    """An alert is never held back by a question that nobody answers."""
    stage.owners.down = True
    stage.teller.say(pod="cart-6f5dbc-x2lpq")
    stage.teller.say(pod="a-pod")
    assert ["Deployment/shop/cart", "Pod/shop/a-pod"] == await stage.targets()


async def test_objects_are_looked_at_seldom(stage: Stage) -> None:
    """Once for a namespace in 15 s, however many alerts there are."""
    for number in range(5):
        stage.teller.say(service="cart", instance=str(number))
        await stage.intake.drain()
    assert [frozenset({"shop"})] == stage.scene.looks
    await stage.clock.advance(15)
    stage.teller.say(service="cart", instance="other")
    await stage.intake.drain()
    assert 2 == len(stage.scene.looks)


async def test_known_alerts_cost_no_look(stage: Stage) -> None:
    """A poll that tells of the same alerts for hours asks the cluster once."""
    for _ in range(10):
        stage.teller.say(service="cart")
        await stage.intake.drain()
        await stage.clock.advance(60)
    assert 1 == len(stage.scene.looks)


async def test_owners_that_are_kept_are_bounded() -> None:
    """More alerts than the limit in one batch still all find their owner."""
    stage = Stage(limit=3)
    for number in range(10):
        stage.teller.say(service="cart", instance=str(number))
    assert ["Deployment/shop/cart"] * 10 == await stage.targets()
    stage.teller.say("Other", service="cart")
    await stage.intake.drain()
    assert 3 == len(stage.intake._owners._known)


async def test_known_target_is_not_looked_up(stage: Stage) -> None:
    """What a policy found is about its own target."""
    target = model.Ref("StatefulSet", "shop", "db")
    stage.teller.say()
    stage.teller.waiting[0] = stage.teller.waiting[0]._replace(target=target)
    assert ["StatefulSet/shop/db"] == await stage.targets()
    assert [] == stage.scene.looks


async def test_ignored_alerts_are_counted(stage: Stage) -> None:
    """An alert that always fires opens nothing."""
    stage.teller.say("Watchdog")
    stage.teller.say()
    stage.teller.say()
    assert 1 == len(await stage.intake.drain())
    counted = {
        outcome: stage.telemetry.value(intake.ALERTS, source="test", outcome=outcome)
        for outcome in ("passed_on", "repeated", "ignored")
    }
    assert {"passed_on": 1, "repeated": 1, "ignored": 1} == counted


async def test_nothing_is_given_before_all_have_been_read() -> None:
    """In the middle of an outage the whole of it is told at once, or nothing."""
    first, second = Teller("first"), Teller("second")
    second.primed = False
    stage = Stage(first, second)
    first.say("A")
    assert ((), False) == (await stage.intake.drain(), stage.intake.primed)
    second.say("B")
    second.primed = True
    assert ["A", "B"] == [each.name for each in await stage.intake.drain()]
    second.primed = False
    assert stage.intake.primed
