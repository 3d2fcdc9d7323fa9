"""Too little and too much: throttling, memory that grows, neighbours that fill a node."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.api.change import Verb
from prunella.core import model
from prunella.core.incidents.diagnosis import diagnose, saturation
from prunella.core.incidents.diagnosis.scene import Scene
from prunella.core.incidents.diagnosis.values import Usage, View
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import World

MIB = 2.0**20
APP = "spec.template.spec.containers[name=app]"


def view(shop: World, **usage: Usage) -> View:
    """The shop with what the first pod of some Deployments uses."""
    pods = {model.Ref("Pod", "shop", f"{name}-5d4f8-1"): each for name, each in usage.items()}
    return dataclasses.replace(shop.view(), usage=pods)


def found(shop: World, **usage: Usage) -> list[str]:
    """The sentences of all faults."""
    return [each.sentence for each in saturation.find(Scene(view(shop, **usage)))]


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        pytest.param(Usage(throttled=0.4), ["held at its CPU limit in 40% of periods"],
                     id="throttled"),
        pytest.param(Usage(throttled=0.1), [], id="throttled a little"),
        pytest.param(Usage(memory=120 * MIB, growth=0.0), [], id="much memory that stays"),
        pytest.param(Usage(memory=100 * MIB, growth=0.1 * MIB),
                     ["memory 100 MiB of 128 MiB, growing by 6.0 MiB a minute"], id="a leak"),
        pytest.param(Usage(memory=20 * MIB, growth=0.01 * MIB), [], id="growth for hours yet"),
        pytest.param(Usage(), [], id="not measured"),
    ],
)  # fmt: skip
def test_what_a_workload_lacks(usage: Usage, told: list[str]) -> None:
    """CPU by throttled periods, memory by when it reaches the limit."""
    assert told == found(World(), cart=usage)


def test_memory_that_grows_after_a_start_is_no_leak() -> None:
    """Caches fill."""
    shop = World()
    shop.state("cart", state={"running": {"startedAt": world.iso(world.NOW - 60)}})
    assert [] == found(shop, cart=Usage(memory=100 * MIB, growth=MIB))


def test_what_was_just_created_is_not_blamed_for_a_state_of_its_own() -> None:
    """Nobody broke it by making it."""
    shop = World()
    shop.change("Deployment", "cart", verb=Verb.CREATED)
    usage = view(shop, cart=Usage(throttled=0.9))
    [first, *_] = diagnose.diagnose(usage, world.incident("cart")).suspects
    assert "" == first.change


def test_memory_without_a_limit_is_nobodys_leak() -> None:
    """There is no limit to grow into."""
    shop = World()
    shop.container("cart")["resources"] = {}
    assert [] == found(shop, cart=Usage(memory=900 * MIB, growth=MIB))


@pytest.mark.parametrize(
    ("limit", "cores", "blamed"),
    [
        pytest.param(None, 3.9, True, id="no limit, full"),
        pytest.param("4", 3.9, False, id="within its limit"),
        pytest.param(None, 2.0, False, id="the node has room"),
    ],
)
def test_a_neighbour_is_blamed_for_a_full_node_without_a_limit(
    limit: str | None, cores: float, blamed: bool
) -> None:
    """Who has a limit takes no more than he was given."""
    shop = World()
    if limit:
        shop.container("mail")["resources"]["limits"]["cpu"] = limit
    told = found(shop, mail=Usage(cpu=cores), cart=Usage(cpu=0.05))
    assert blamed is any("core" in each for each in told)


def test_a_noisy_neighbour_is_the_suspect_of_its_victims() -> None:
    """Named is who fills the node, though only others complain."""
    shop = World()
    usage = {"mail": Usage(cpu=3.9), "cart": Usage(cpu=0.05), "store": Usage(cpu=0.05)}
    first = diagnose.diagnose(view(shop, **usage), world.incident("cart", "store")).suspects[0]
    assert ("Deployment/mail", "Resources") == (str(first.target), first.cause_kind.value)


def test_a_lower_limit_and_throttling_are_one_suspicion() -> None:
    """The changed limit is named, and the throttling is its evidence."""
    shop = World()
    shop.change("Deployment", "cart", f"{APP}.resources.limits.cpu", "1", "100m")
    usage = view(shop, cart=Usage(throttled=0.8))
    [first, *_] = diagnose.diagnose(usage, world.incident("cart")).suspects
    assert f"{APP}.resources.limits.cpu" == first.field
    assert "held at its CPU limit in 80% of periods" in [one.sentence for one in first.evidence]


def test_throttling_of_a_callee_explains_its_callers() -> None:
    """A state of the callee, when nothing else is known, and not of the caller."""
    first = diagnose.diagnose(
        view(World(), store=Usage(throttled=0.9)), world.incident("store", "cart")
    ).suspects[0]
    assert ("Deployment/store", "Saturation") == (str(first.target), first.cause_kind.value)


def test_a_release_of_a_caller_comes_before_its_databases_throttling() -> None:
    """Six times as many queries throttle the database; nobody changed that."""
    shop = World()
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2")
    usage = view(shop, store=Usage(throttled=0.4))
    first = diagnose.diagnose(usage, world.incident("store")).suspects[0]
    assert "Deployment/cart" == str(first.target)
