"""A node is drained: pod by pod as budgets allow it, given up by its deadline, resumed."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import halts, nodes
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.test_nodes import POLICY, cordoned, deadlock, heal, refused

Refused = reasons.Refused
SICK = "node-0"
CART = CHECKOUT._replace(name="cart")


def serving(story: Story, drain: dict[str, Any] | None = None, **changes: Any) -> None:
    """Given two Deployments and daemons on three nodes, and a policy that drains a sick one."""
    cluster = story.world.cluster
    for name in ("node-0", "node-1", "node-2"):
        cluster.nodes.add(name, {"pool": "batch"}, KernelDeadlock="False")
    for ref in (CHECKOUT, CART):
        cluster.add_workload(ref, harness.GOOD, replicas=6)
    cluster.add_workload(CHECKOUT._replace(kind="DaemonSet", name="logs"), harness.GOOD)
    document = {
        "mode": "Live",
        "interval": "5s",
        "target": {"selector": {"matchLabels": {"pool": "batch"}}},
        "signals": [deadlock()],
        "steps": [{"drain": {"deadline": "2m", "uncordonAfter": "1m", **(drain or {})}}],
        "guards": {"cooldown": "10s", "maxPerHour": 10},
        **changes,
    }
    story.world.policies.apply("", POLICY, document)
    assert story.engine is not None
    story.engine.mark_dirty(objects.Key("", POLICY))


def sicken(story: Story) -> None:
    """Node-problem-detector sees that the node hangs."""
    story.world.cluster.nodes.set_condition(SICK, "KernelDeadlock", "True", "DockerHung")


def on_it(story: Story, ref: model.Ref | None = None) -> list[str]:
    """The pods on the sick node that no DaemonSet has placed there."""
    states = story.world.cluster.states()
    return [
        pod.name
        for each in states
        for pod in each.pods
        if pod.node == SICK and each.ref.kind != "DaemonSet" and ref in {None, each.ref}
    ]


def evicted(story: Story) -> list[str]:
    """The pods that were evicted, in order."""
    sent = story.world.cluster.sent
    return [effect.target.name for effect, _ in sent if effect.verb is model.Verb.EVICT]


async def test_a_sick_node_is_drained_and_given_back(story: Story) -> None:
    """Its pods go, one of each owner at a time; daemons stay; Healthy again it is uncordoned."""
    serving(story)
    before = on_it(story)
    sicken(story)
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert ([SICK], []) == (cordoned(story), on_it(story))
    assert sorted(before) == sorted(evicted(story))
    for ref in (CHECKOUT, CART):
        assert 6 == story.workload(ref).available
    (record,) = story.records()
    assert 1 + len(before) == len(record.spec.effects)
    assert f"{len(before)} pods of the plan are gone" in record.status.message or "cordoned" in (
        record.status.message
    )
    heal(story, SICK)
    await story.until(lambda: story.phases()[1:] == [("returnNode", Phase.SUCCEEDED)])
    assert [] == cordoned(story)


async def test_one_pod_of_an_owner_at_a_time(story: Story) -> None:
    """While one is ending, no other of the same owner is evicted."""
    serving(story)
    sicken(story)
    most = 0
    for _ in range(60):
        await story.run(1)
        ending = [
            pod
            for each in story.world.cluster.states()
            for pod in each.pods
            if pod.deleting and each.ref == CHECKOUT
        ]
        most = max(most, len(ending))
    assert (1, []) == (most, on_it(story))


async def test_a_budget_is_waited_for(story: Story) -> None:
    """Given a budget that lets no pod go, the drain says so, and goes on once it does."""
    serving(story)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=6)
    sicken(story)
    await story.until(lambda: on_it(story, CART) == [])
    await story.run(20)
    (record,) = story.records()
    assert (Phase.ACTING, "Draining") == (record.phase, record.status.reason)
    assert "waits: the disruption budget checkout needs 6 healthy" in record.status.message
    story.world.cluster.scale(CHECKOUT, 8)
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert [] == on_it(story)


SWITCHES = {
    "frozen": (
        lambda cluster, _: cluster.freezes.update({NAMESPACE: halts.Freeze(label="true")}),
        lambda cluster, _: cluster.freezes.clear(),
        f"namespace {NAMESPACE} is frozen by the label prunella.dev/freeze",
    ),
    "paused": (
        lambda cluster, _: cluster.pause("a migration", halts.scope(NAMESPACE)),
        lambda cluster, _: cluster.resume(),
        f"namespace {NAMESPACE} is paused: a migration",
    ),
    "no disruption": (
        lambda _, server: server.overrides.update({NAMESPACE: "0"}),
        lambda _, server: server.overrides.clear(),
        f"no disruption may be in namespace {NAMESPACE} (the annotation prunella.dev/max-dis",
    ),
}


@pytest.mark.parametrize("name", SWITCHES)
async def test_what_people_say_of_a_namespace_is_waited_for(story: Story, name: str) -> None:
    """Given a namespace where nothing may be done, its pods stay, it is told, and then it goes on.

    The node is in no namespace: what is said of one is asked for before each eviction.
    """
    on, off, told = SWITCHES[name]
    where = (story.world.cluster, story.world.disruption_server)
    serving(story, {"deadline": "10m"})
    on(*where)
    sicken(story)
    await story.run(60)
    (record,) = story.records()
    assert (Phase.ACTING, []) == (record.phase, evicted(story))
    assert f"waits: {told}" in record.status.message
    off(*where)
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert [] == on_it(story)


async def test_no_pod_is_evicted_that_would_find_no_place(story: Story) -> None:
    """Given that the other nodes go down on the way, what is left stays, and then goes on."""
    serving(story, {"deadline": "10m"})
    sicken(story)
    await story.until(lambda: bool(evicted(story)))
    for name in ("node-1", "node-2"):
        story.world.cluster.nodes.set_condition(name, "Ready", "Unknown")
    held = evicted(story)
    await story.run(60)
    assert held == evicted(story)
    assert "0 of 2 other nodes of the cluster are Ready" in story.records()[0].status.message
    story.world.cluster.nodes.set_condition("node-1", "Ready", "True")
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])


async def test_it_is_given_up_by_its_deadline(story: Story) -> None:
    """Given a budget that never gives way, the node is uncordoned, and a person is called."""
    serving(story)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=6)
    sicken(story)
    await story.until(lambda: len(story.records()) == 2)
    drain, revert = story.records()
    assert (Phase.UNHELPFUL, "NotDrained") == (drain.phase, drain.status.reason)
    assert "not drained within 120 s" in drain.status.message
    assert "needs 6 healthy" in drain.status.message
    await story.until(lambda: story.phases()[1] == ("revert", Phase.SUCCEEDED))
    assert ([], revert.name) == (cordoned(story), story.records()[1].name)
    assert [] != on_it(story, CHECKOUT)
    await story.run(30)
    assert 2 == len(story.records()), "it is not tried again by itself"
    assert [drain.name] == story.pages()


async def test_a_person_who_uncordons_ends_it(story: Story) -> None:
    """What is left on the node stays there."""
    serving(story)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=6)
    sicken(story)
    await story.until(lambda: on_it(story, CART) == [])
    story.world.cluster.nodes.uncordon(SICK)
    await story.until(lambda: story.phases() == [("drain", Phase.SUPERSEDED)])
    story.world.cluster.scale(CHECKOUT, 8)
    await story.run(60)
    assert ([], [("drain", Phase.SUPERSEDED)]) == (cordoned(story), story.phases())
    assert [] != on_it(story, CHECKOUT)


async def test_a_node_that_is_healthy_again_is_drained_no_further(story: Story) -> None:
    """What is left stays, and the node is given back."""
    serving(story)
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=6)
    sicken(story)
    await story.until(lambda: on_it(story, CART) == [])
    heal(story, SICK)
    await story.until(lambda: story.phases()[1:] == [("returnNode", Phase.SUCCEEDED)])
    assert "Healthy again" in story.records()[0].status.message
    assert [] != on_it(story, CHECKOUT)


async def test_a_pause_holds_it(story: Story) -> None:
    """While the operator is paused no pod is evicted; afterwards it goes on."""
    serving(story, {"deadline": "10m"})
    sicken(story)
    await story.until(lambda: bool(evicted(story)))
    story.world.cluster.pause("maintenance")
    await story.run(10)
    held = evicted(story)
    await story.run(60)
    assert held == evicted(story)
    assert "stopped by a person" in story.records()[0].status.message
    story.world.cluster.resume()
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])


async def test_a_crash_at_every_request_evicts_no_pod_twice(story: Story) -> None:
    """Given an operator that dies again and again, each pod is asked for once, and all go."""
    serving(story, {"deadline": "30m"})
    before = on_it(story)
    sicken(story)
    for number in range(40):
        if number % 2:
            story.world.cluster.crash_after_send_once()
        else:
            story.world.cluster.crash_before_send_once()
        for _ in range(30):
            if not story.alive or story.phases() == [("drain", Phase.SUCCEEDED)]:
                break
            await story.run(1)
        story.faults.heal()
        if not story.alive:
            story.start()
        if story.phases() == [("drain", Phase.SUCCEEDED)]:
            break
        await story.run(20)
    assert [("drain", Phase.SUCCEEDED)] == story.phases()
    assert len(set(evicted(story))) == len(evicted(story))
    assert ([], set(before)) == (on_it(story), set(evicted(story)))


async def test_an_answer_that_is_lost_is_settled_by_the_pod(story: Story) -> None:
    """A pod that is ending was evicted."""
    serving(story)
    sicken(story)
    await story.until(lambda: bool(evicted(story)))
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert len(set(evicted(story))) == len(evicted(story))


async def test_what_is_refused_after_its_rehearsal_is_tried_again(story: Story) -> None:
    """Given a webhook that refuses evictions but no dry run, the drain waits, and says so."""
    serving(story, {"deadline": "10m"})
    sicken(story)
    await story.until(lambda: bool(evicted(story)))
    story.world.cluster.deny("busy.example", "not now", dry_runs_too=False)
    held = evicted(story)
    await story.run(60)
    (record,) = story.records()
    assert (Phase.ACTING, held) == (record.phase, evicted(story))
    assert "waits: the API server refuses it" in record.status.message
    assert "Refused" not in [each.outcome for each in record.status.effects]
    story.world.cluster._denials.clear()
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert [] == on_it(story)


async def test_an_eviction_that_got_lost_on_the_way_is_sent_again(story: Story) -> None:
    """Given a request that never came, its pod is asked for once more when it must be over."""
    serving(story, {"deadline": "10m"})
    before = on_it(story)
    sicken(story)
    await story.until(lambda: cordoned(story) == [SICK])
    lost = ports.OutcomeUnknown("the connection broke")
    # Its dry run is the first request, the eviction the second.
    seen = []

    def watch(point: faults.Point) -> None:
        if point is faults.Point.BEFORE_SEND:
            seen.append(point)
            if len(seen) == 2:
                raise lost

    story.faults.watch = watch
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert ([], sorted(before)) == (on_it(story), sorted(evicted(story)))
    assert {"Effective"} == {each.outcome for each in story.records()[0].status.effects}


async def test_what_is_left_alone(story: Story) -> None:
    """Pods with local storage stay where the policy does not allow it."""
    serving(story)
    volumes = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
    story.world.cluster.edit(CART, lambda m: m["spec"]["template"]["spec"].update(volumes))
    await story.run(60)
    sicken(story)
    await story.until(lambda: story.phases() == [("drain", Phase.SUCCEEDED)])
    assert ([], True) == (on_it(story, CHECKOUT), bool(on_it(story, CART)))


@pytest.mark.parametrize("mode", ["Advise", "DryRun"])
async def test_short_of_live_nothing_is_changed(story: Story, mode: str) -> None:
    """It is said which pods would go."""
    serving(story, mode=mode)
    sicken(story)
    await story.run(60)
    assert ([], []) == (cordoned(story), evicted(story))
    (record,) = story.records()
    assert len(on_it(story)) == sum(each.verb == "Evict" for each in record.spec.effects)


async def test_what_somebody_else_has_cordoned_is_not_drained(story: Story) -> None:
    """They decide about its pods."""
    serving(story)
    story.world.cluster.nodes.cordon(SICK)
    sicken(story)
    await story.run(60)
    assert (Refused.CHANGED_BY_OTHERS, []) == (refused(story, SICK)[0], story.phases())


async def test_a_cordon_of_its_own_is_taken_over(story: Story) -> None:
    """Given a step cordon before, the drain answers for the node, and gives it back."""
    steps = [{"cordon": {}}, {"drain": {"uncordonAfter": "1m"}}]
    serving(story, steps=steps)
    sicken(story)
    done = [("cordon", Phase.SUCCEEDED), ("drain", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == done)
    live = story.world.cluster.nodes.view(SICK)
    assert live is not None
    assert story.records()[1].name == nodes.owner(live)
    heal(story, SICK)
    await story.until(lambda: story.phases() == [*done, ("returnNode", Phase.SUCCEEDED)])
    assert [] == cordoned(story)
