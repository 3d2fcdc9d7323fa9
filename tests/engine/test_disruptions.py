"""The disruption budgets in whole stories: who counts, and who gets the last unit."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from prunella import disruption_settings, ports, wiring
from prunella import settings as settings_module
from prunella.adapters.simulated import disruptions as simulated
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import ledger as ledger_module
from prunella.adapters.simulated import world as worlds
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import rules
from prunella.engine import disruptions
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.unit.core import builders

Refused = reasons.Refused
Point = faults_module.Point
FREE = {"cooldown": "0s", "maxPerHour": 60, "maxUnavailable": "100%", "stopWhenUnhealthy": "100%"}


def _settings(namespace: int = 5, cluster: int = 10) -> settings_module.Settings:
    def budget(most: int) -> disruption_settings.Budget:
        return disruption_settings.Budget(max=most, percent=100)

    chosen = disruption_settings.Disruption(namespace=budget(namespace), cluster=budget(cluster))
    limits = settings_module.Limits(
        actions_per_namespace_per_hour=99, actions_per_cluster_per_hour=99
    )
    return settings_module.Settings(disruption=chosen, limits=limits)


def _refused(story: Story) -> tuple[str, str]:
    """Why nothing is done to checkout, and in which words."""
    told = ((each.refused, each.refusal) for each in story.status().sick)
    return next(told, ("", ""))


async def test_a_rollout_of_another_workload_is_waited_for() -> None:
    """Given room for one disruption, when others are rolled out, then it waits for their end."""
    async with harness.telling(_settings(namespace=1)) as story:
        cart = story.world.cluster.add_deployment(
            NAMESPACE, "cart", "shop/cart:v1", startup_seconds=60.0
        )
        await harness.bad_release(story)
        story.release("shop/cart:v2", cart)
        await story.until(lambda: _refused(story)[0] == Refused.NAMESPACE_DISRUPTIONS)
        assert "Deployment/cart: rollout, " in _refused(story)[1]
        assert story.sent() == []
        await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])

    assert story.workload(cart).rolled_out


def _cordon(story: Story) -> None:
    story.world.disruption_server.cordoned.append("node-1")


def _hold(story: Story) -> None:
    until = story.world.clock.now() + harness.datetime.timedelta(hours=1)
    story.world.disruption_server.leases["node-1"] = ("self-node-remediation", until)


def _take_down(story: Story) -> None:
    story.world.cluster.add_deployment(NAMESPACE, "cart", "shop/cart:v1-broken", replicas=2)
    story.world.cluster.add_budget(NAMESPACE, "cart", {"app": "cart"}, min_available=2)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        pytest.param(_cordon, "Node/node-1: is cordoned", id="a cordoned node"),
        pytest.param(
            _hold,
            "Lease/medik8s-leases/node-1: is held by self-node-remediation",
            id="another remediator",
        ),
        pytest.param(
            _take_down, "PodDisruptionBudget/cart: allows no disruption, 0 of 2", id="a budget"
        ),
    ],
)
async def test_others_at_work_are_counted(others: Any, told: str) -> None:
    """Given room for one disruption in the cluster, when somebody has it, then it is refused."""
    async with harness.telling(_settings(cluster=1)) as story:
        others(story)
        await story.run(30)
        await harness.bad_release(story)
        await story.until(lambda: _refused(story)[0] == Refused.CLUSTER_DISRUPTIONS)

        assert (True, []) == (told in _refused(story)[1], story.sent())


async def test_a_node_that_stays_cordoned_stops_nobody_for_good() -> None:
    """Given a cordon that nobody takes back, then it is waited for as long as for a rollout."""
    async with harness.telling(_settings(cluster=1)) as story:
        _cordon(story)
        await harness.bad_release(story)
        await story.until(lambda: _refused(story)[0] == Refused.CLUSTER_DISRUPTIONS)
        await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], limit=720)


async def test_a_namespaces_own_budget_holds_and_a_malformed_one_stops() -> None:
    """Given an annotation that nobody can read, then nothing is done until it is mended."""
    async with harness.telling(_settings()) as story:
        story.world.disruption_server.overrides[NAMESPACE] = "some"
        await harness.bad_release(story)
        await story.until(lambda: _refused(story)[0] == Refused.NAMESPACE_DISRUPTIONS)
        assert "is malformed: 'some'" in _refused(story)[1]
        story.world.disruption_server.overrides[NAMESPACE] = "1"
        await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_what_nobody_knows_is_no_room(story: Story) -> None:
    """Given that disruptions can't be read, then nothing is done, and it is said why."""
    story.faults.always(Point.LOOK_AT_DISRUPTIONS, ports.ClusterError("leases is forbidden"))
    await harness.bad_release(story)
    await story.until(lambda: _refused(story)[0] == Refused.DISRUPTIONS_UNKNOWN)
    assert "leases is forbidden" in _refused(story)[1]
    story.faults.heal()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_a_unit_that_can_not_be_taken_sends_nothing(story: Story) -> None:
    """Given that the take is refused, then the record ends without an effect and is tried again."""
    story.faults.once(Point.BEFORE_TAKE, ports.ClusterError("leases is forbidden"))
    await harness.bad_release(story)
    await story.until(lambda: story.phases()[:1] == [("rollback", Phase.NOT_SENT)])
    assert (story.sent(), story.records()[0].status.reason) == ([], Refused.DISRUPTIONS_UNKNOWN)
    await story.until(lambda: ("rollback", Phase.SUCCEEDED) in story.phases())
    assert len(story.sent()) == 1


async def test_the_operators_own_crash_leaves_no_unit_taken() -> None:
    """Given a unit whose operator has died before it sent, then it holds up nobody."""
    async with harness.telling(_settings(namespace=1, cluster=1)) as story:
        story.faults.once(Point.AFTER_TAKE, faults_module.Crash("after take"))
        await harness.bad_release(story)
        await story.until(lambda: not story.alive)
        assert story.sent() == []
        story.start()
        await story.until(lambda: story.phases()[-1:] == [("rollback", Phase.SUCCEEDED)])
        assert len(story.sent()) == 1


async def _asked(story: Story) -> objects.Record:
    """A question that was approved just now."""
    await harness.bad_release(story, harness.spec(mode="Approve"))
    await story.until(lambda: story.phases() == [("rollback", Phase.AWAITING_APPROVAL)])
    return story.records()[0]


async def _approve_and_wait(story: Story, record: objects.Record) -> None:
    story.world.approvals.decide(record)
    story.notify()
    await story.until(
        lambda: story.records()[0].status.reason == Refused.CLUSTER_DISRUPTIONS, limit=60
    )
    await story.run(60)
    assert ([], [("rollback", Phase.AWAITING_APPROVAL)]) == (story.sent(), story.phases())
    assert story.records()[0].status.message.startswith("approved by ")
    assert story.records()[0].status.approval is None
    story.world.disruption_server.leases.clear()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_what_was_approved_waits_for_room() -> None:
    """Given a budget that others fill after the question, then the answer holds until they end."""
    async with harness.telling(_settings(cluster=1)) as story:
        record = await _asked(story)
        _hold(story)
        await _approve_and_wait(story, record)


async def test_what_was_approved_and_came_second_waits_for_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given that others take the last room when it was to be taken, then the answer holds."""
    async with harness.telling(_settings(cluster=1)) as story:
        record, server = await _asked(story), story.world.disruption_server
        replace, calls = server.replace, len(story.world.notifier.escalations)

        def come_second(version: str, units: Any) -> None:
            monkeypatch.setattr(server, "replace", replace)
            del version, units
            _hold(story)
            raise ports.Conflict("the object has been modified", status=409)

        monkeypatch.setattr(server, "replace", come_second)
        await _approve_and_wait(story, record)
        assert calls == len(story.world.notifier.escalations)


class _Executor:
    """Sends nothing; tells what it was asked for."""

    def __init__(self) -> None:
        self.carried: list[str] = []
        self.closed: list[tuple[str, str]] = []

    async def carry_out(self, record: objects.Record) -> objects.Record:
        """Carry it out."""
        self.carried.append(record.name)
        return record

    async def close(
        self, record: objects.Record, phase: Phase, reason: str, message: str
    ) -> objects.Record:
        """End it."""
        del phase, message
        self.closed.append((record.name, reason))
        return record


@pytest.mark.parametrize("seed", range(100))
async def test_only_one_gets_the_last_unit(seed: int) -> None:
    """Given three operators at once and two units, in any order of their requests, two get one."""
    world = worlds.World.create()
    chance, executor = random.Random(seed), _Executor()  # noqa: S311
    ruled = rules.Rules(
        disruptions=rules.DisruptionBudgets(namespace=rules.DisruptionBudget(2, 100))
    )

    async def operate(name: str) -> None:
        client = simulated.SimulatedDisruptions(world.disruption_server, world.cluster, world.clock)
        seen: Any = type("Seen", (), {"clock": world.clock, "ledger": world.ledger})
        seen.disruptions = harness.Slow(client, world.clock, lambda: chance.uniform(0, 0.2))
        target = builders.workload(name)
        record = builders.record(f"r-{name}", Phase.PENDING, target=target)
        await disruptions.Budgeted(seen, executor, ruled).carry_out(record)  # type: ignore[arg-type]

    tasks = [asyncio.create_task(operate(name)) for name in ("a", "b", "c")]
    await world.run(30)
    await asyncio.gather(*tasks)

    assert (2, [Refused.NAMESPACE_DISRUPTIONS]) == (
        len(executor.carried),
        [reason for _, reason in executor.closed],
    )
    assert sorted(executor.carried) == sorted(each.record for each in world.disruption_server.units)


@pytest.mark.parametrize("seed", range(4))
async def test_two_operators_and_two_policies_share_one_unit(seed: int) -> None:
    """Given two operators with slow requests, then never more than one target is disrupted."""
    chance = random.Random(seed)  # noqa: S311
    settings = _settings(namespace=1)
    async with harness.telling(settings, latency=lambda: chance.uniform(0, 0.4)) as story:
        refs = [
            story.world.cluster.add_deployment(NAMESPACE, name, "shop/web:v2-bad")
            for name in ("a", "b", "c")
        ]
        for ref in refs:
            document = harness.spec({"restart": {}}, target={"name": ref.name}, guards=FREE)
            story.apply(document, ref.name)
        seen: Any = story._as_seen_by_the_operator()
        seen.ledger = ledger_module.SimulatedLedger(story.world.ledger_server)
        second = wiring.simulated(seen, settings)
        running = asyncio.create_task(second.run(story._relist, 60))
        most = 0
        for _ in range(480):
            await story.run(0.5)
            most = max(most, len(_disrupted(story)))
        second.stop()
        await story.run(5)
        await running

    assert (1, True) == (most, len(story.sent()) > 1)


def _disrupted(story: Story) -> set[model.Ref]:
    """The targets of all Remediations that are under way and have sent something."""
    working = {Phase.ACTING, Phase.VERIFYING}
    return {record.target for record in story.records() if record.phase in working}
