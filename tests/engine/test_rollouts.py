"""Rollouts of every kind: stuck ones, paused ones, other strategies, none at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused, Point = reasons.Refused, faults_module.Point
DB = model.Ref("StatefulSet", NAMESPACE, "db")
LOGS = model.Ref("DaemonSet", NAMESPACE, "logs")
PATIENCE = 60.0
GOOD, BROKEN = "shop/db:v1", "shop/db:v2-broken"


@pytest.fixture
async def impatient() -> AsyncIterator[Story]:
    """An operator that takes a rollout for stuck after a minute without progress."""
    limits = settings_module.Limits(rollout_seconds=PATIENCE)
    async with harness.telling(settings_module.Settings(limits=limits)) as told:
        yield told


def too_few(ref: model.Ref, pods: int = 3) -> dict[str, Any]:
    """Fewer pods report than there should be."""
    label = ref.kind.lower()
    return {
        "name": "reporting",
        "prometheus": {"query": f"count by (namespace, {label}) (app_up)"},
        "threshold": {"below": pods},
        "for": "10s",
    }


def policy(ref: model.Ref, *steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Live policy on a workload whose pods do not all report."""
    target = {"kind": ref.kind, "name": ref.name}
    return harness.spec(*steps, target=target, **{"signals": [too_few(ref)], **changes})


async def stuck(story: Story, ref: model.Ref, **manifest: Any) -> None:
    """Given a workload with good history and a policy, when its next release never gets ready."""
    story.world.cluster.add_workload(ref, GOOD)
    if manifest:
        story.world.cluster.edit(ref, lambda each: each["spec"].update(manifest))
    story.apply(policy(ref), ref.name)
    await story.run(harness.QUIET)
    story.release(BROKEN, ref)


async def test_a_stateful_set_is_freed_from_the_pod_that_blocks_its_rollback(
    impatient: Story,
) -> None:
    """Given a stuck rollout, when it is rolled back, then the broken pod is evicted with it."""
    await stuck(impatient, DB)
    await impatient.run(PATIENCE)
    assert impatient.phases() == [], "it has had a minute to make progress"
    await impatient.until(lambda: impatient.phases() == [("rollback", Phase.SUCCEEDED)])

    effects = [(e.verb, e.target.name) for e, _ in impatient.world.cluster.sent]
    assert effects == [(model.Verb.PATCH, "db"), (model.Verb.EVICT, "db-2")]
    assert (impatient.image(DB), impatient.workload(DB).available) == (GOOD, 3)
    assert impatient.pages() == []


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
async def test_a_stuck_rollout_of_another_kind_is_rolled_back(impatient: Story, kind: str) -> None:
    """Given a rollout that Kubernetes does not flag, when a minute is over, then it is undone."""
    ref = model.Ref(kind, NAMESPACE, "it")
    limits = {"maxUnavailable": 1, "maxSurge": 0}
    name = "strategy" if kind == "Deployment" else "updateStrategy"
    await stuck(impatient, ref, **{name: {"rollingUpdate": limits}})
    await impatient.until(lambda: impatient.phases() == [("rollback", Phase.SUCCEEDED)])

    assert [model.Verb.PATCH] == [effect.verb for effect, _ in impatient.world.cluster.sent]
    assert (impatient.image(ref), impatient.workload(ref).available) == (GOOD, 3)


async def test_a_parallel_set_needs_no_eviction(impatient: Story) -> None:
    """Given Parallel pods, when the rollout is stuck, then the patch alone undoes it."""
    await stuck(impatient, DB, podManagementPolicy="Parallel")
    await impatient.until(lambda: impatient.phases() == [("rollback", Phase.SUCCEEDED)])
    assert [model.Verb.PATCH] == [effect.verb for effect, _ in impatient.world.cluster.sent]


async def test_a_budget_without_room_keeps_the_blocking_pod(impatient: Story) -> None:
    """Given a budget that lets no pod go, when it is asked, then nothing is done by halves."""
    impatient.world.cluster.add_budget(NAMESPACE, "db", {"app": "db"}, min_available=3)
    await stuck(impatient, DB)
    await impatient.run(PATIENCE + 60)

    assert (impatient.sent(), impatient.image(DB)) == ([], BROKEN)
    sick = impatient.sick("db")
    assert sick.refused == Refused.DISRUPTION_BUDGET
    assert "disruption budget db" in sick.refusal
    assert sick.refusal.startswith("PodDisruptionBudget db allows 0 disruptions (2 healthy, 3 ")


async def test_progress_is_no_hang(impatient: Story) -> None:
    """Given pods that take 40 s each, when a rollout goes on beyond a minute, then it may."""
    impatient.world.cluster.add_workload(DB, GOOD, startup_seconds=40)
    impatient.apply(policy(DB), "db")
    await impatient.run(harness.QUIET)
    impatient.release("shop/db:v2", DB)
    await impatient.run(PATIENCE + 15)

    assert impatient.phases() == []
    assert impatient.sick("db").refused == Refused.ROLLOUT_IN_PROGRESS


async def dies_after_the_patch(story: Story, point: faults_module.Point) -> None:
    """Given a stuck set, when it was patched, then the operator dies at its next such point."""
    await stuck(story, DB)

    def die(reached: faults_module.Point) -> None:
        if reached is point and len(story.world.cluster.sent) == 1:
            story.faults.watch = lambda _: None
            story.faults.once(point, faults_module.Crash("between the two effects"))

    story.faults.watch = die
    await story.until(lambda: not story.alive)
    assert verbs(story) == [model.Verb.PATCH]


def verbs(story: Story) -> list[model.Verb]:
    """What was sent."""
    return [effect.verb for effect, _ in story.world.cluster.sent]


@pytest.mark.parametrize("point", [Point.BEFORE_UPDATE, Point.AFTER_UPDATE])
async def test_the_eviction_follows_after_a_crash(
    impatient: Story, point: faults_module.Point
) -> None:
    """Given a death before or after the patch was noted, when one starts, then it goes on."""
    await dies_after_the_patch(impatient, point)
    impatient.start()
    await impatient.until(lambda: impatient.phases() == [("rollback", Phase.SUCCEEDED)])

    assert verbs(impatient) == [model.Verb.PATCH, model.Verb.EVICT]
    assert impatient.workload(DB).available == 3


async def test_an_eviction_that_may_be_under_way_is_not_repeated(impatient: Story) -> None:
    """Given a death when the eviction was about to be sent, then it is not sent again."""
    await dies_after_the_patch(impatient, Point.BEFORE_SEND)
    impatient.start()
    await impatient.run(60)
    assert verbs(impatient) == [model.Verb.PATCH]
    assert [Phase.VERIFYING] == [record.phase for record in impatient.records()]


async def test_a_pause_ends_an_action_between_its_effects(impatient: Story) -> None:
    """Given a death after the patch and a pause, when it is settled, then no pod is evicted."""
    await dies_after_the_patch(impatient, Point.AFTER_UPDATE)
    impatient.world.cluster.pause("a look first")
    impatient.start()
    await impatient.run(60)

    assert verbs(impatient) == [model.Verb.PATCH]
    assert [Phase.VERIFYING] == [record.phase for record in impatient.records()]


STOPPED: dict[str, dict[str, Any]] = {
    "suspended": {"suspend": True},
    "no longer Live": {"mode": "DryRun"},
}


@pytest.mark.parametrize("change", STOPPED.values(), ids=STOPPED)
async def test_a_policy_that_may_not_act_any_more_ends_an_action_between_its_effects(
    impatient: Story, change: dict[str, Any]
) -> None:
    """Given a death after the patch, when a person edits the policy, then no pod is evicted."""
    await dies_after_the_patch(impatient, Point.AFTER_UPDATE)
    impatient.apply(policy(DB, **change), "db")
    impatient.start()
    await impatient.run(60)

    assert verbs(impatient) == [model.Verb.PATCH]


async def test_a_paused_deployment_is_left_to_who_paused_it(story: Story) -> None:
    """Given spec.paused, when it is sick, then neither restart nor rollback touches it."""
    await harness.bad_release(story, harness.spec({"rollback": {}}, {"restart": {}}))
    await story.run(20)
    story.world.cluster.edit(CHECKOUT, lambda each: each["spec"].update(paused=True))
    await story.run(120)

    assert (story.sent(), story.sick().refused) == ([], Refused.ROLLOUT_PAUSED)
    story.world.cluster.edit(CHECKOUT, lambda each: each["spec"].pop("paused"))
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_on_delete_evicts_where_a_restart_replaces_nothing(story: Story) -> None:
    """Given OnDelete and a newer template, when a pod is sick, then evicting it is the step."""
    story.world.cluster.add_workload(DB, "shop/db:v1-bad", replicas=1)
    story.world.cluster.edit(
        DB, lambda each: each["spec"].update(updateStrategy={"type": "OnDelete"})
    )
    await story.run(5)
    story.release("shop/db:v2", DB)
    await story.run(30)
    assert (story.workload(DB).updated, story.workload(DB).rolling) == (0, False)
    by_pod = harness.errors()
    by_pod["ratio"] = {
        key: query.replace("deployment", "pod") for key, query in by_pod["ratio"].items()
    }
    story.apply(policy(DB, {"restart": {}}, {"evictPod": {}}, signals=[by_pod]), "db")
    await story.until(lambda: story.phases() == [("evictPod", Phase.SUCCEEDED)])

    pods = story.world.cluster.states(NAMESPACE)[0].pods
    assert ["shop/db:v2"] == [pod.image for pod in pods]


async def test_a_partition_as_large_as_the_set_refuses(story: Story) -> None:
    """Given a partition of 3 of 3, when it is sick, then nothing is patched in vain."""
    story.world.cluster.add_workload(DB, "shop/db:v1-bad")
    held = {"updateStrategy": {"rollingUpdate": {"partition": 3}}}
    story.world.cluster.edit(DB, lambda each: each["spec"].update(held))
    signal = harness.errors()
    signal["ratio"] = {
        k: q.replace("deployment", "statefulset") for k, q in signal["ratio"].items()
    }
    story.apply(policy(DB, {"restart": {}}, signals=[signal]), "db")
    await story.run(60)

    assert (story.sent(), story.sick("db").refused) == ([], Refused.UPDATE_STRATEGY)
    assert "partition 3 keeps all 3 pods" in story.sick("db").refusal


async def test_recreate_is_told_and_held_to_the_budget(story: Story) -> None:
    """Given Recreate, when a budget allows one pod, then it refuses; without one it says so."""
    story.world.cluster.add_budget(NAMESPACE, "checkout", {"app": "checkout"}, min_available=2)
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.edit(
        CHECKOUT, lambda each: each["spec"].update(strategy={"type": "Recreate"})
    )
    story.apply(harness.spec({"rollback": {}}))
    await story.run(harness.QUIET)
    story.release(harness.BAD)
    await story.run(120)
    assert (story.sent(), story.sick().refused) == ([], Refused.DISRUPTION_BUDGET)
    assert "takes down 3 of 3 available pods at once (Recreate)" in story.sick().refusal

    story.world.cluster._budgets.clear()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert "all 3 pods at once (Recreate)" in story.records()[0].spec.effects[0].summary


ZERO: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "absent": (
        {
            "name": "up",
            "prometheus": {"query": "count by (namespace, deployment) (app_up)"},
            "absent": {},
            "for": "5s",
        },
        {"scale": {"to": 3}},
    ),
    "a queue that grows": (
        {
            "name": "queue",
            "prometheus": {"query": "queue_length"},
            "threshold": {"above": 100},
            "for": "5s",
        },
        {"rollback": {"to": "Previous"}},
    ),
}


@pytest.mark.parametrize(("signal", "step"), ZERO.values(), ids=ZERO.keys())
async def test_scaled_to_nothing_is_not_sick(
    story: Story, signal: dict[str, Any], step: dict[str, Any]
) -> None:
    """Given a person who scaled it to 0, when signals cry, then it is left as it was wanted."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    clock = story.world.clock
    queue = story.world.store.series(
        {"__name__": "queue_length", "namespace": NAMESPACE, "deployment": "checkout"}
    )
    clock.every(5, lambda: queue.append(clock.now().timestamp(), 500.0))
    await story.run(harness.QUIET)
    story.world.cluster.scale(CHECKOUT, 0)
    await story.run(10)
    story.apply(harness.spec(step, signals=[signal]))
    await story.run(120)

    assert (story.sent(), story.phases()) == ([], [])
    assert (story.sick().verdict, story.sick().reason) == ("Unknown", "ScaledToZero")
    assert story.condition("Ready") == ("True", "ScaledToZero")


async def test_a_lost_node_does_not_make_an_eviction_unhelpful(story: Story) -> None:
    """Given one node of three lost, when a pod on another is evicted, then it is proved."""
    story.world.cluster.add_workload(LOGS, "shop/logs:v1")
    story.world.cluster.lose_node("node-0")
    await story.run(20)
    found = story.world.cluster.states(NAMESPACE)[0]
    worst = next(pod for pod in found.pods if pod.node == "node-2")
    worst.template = {
        **worst.template,
        "metadata": {"annotations": {"lab.prunella.dev/errors": "0.9"}},
    }
    story.apply(policy(LOGS, {"evictPod": {}}, signals=[errors_by("pod")]), "logs")
    await story.until(lambda: story.phases() == [("evictPod", Phase.SUCCEEDED)])

    record = story.records()[0]
    assert record.spec.before is not None
    assert (3, 2, 1) == (
        record.spec.before.wanted,
        record.spec.before.available,
        record.spec.before.lost,
    )
    assert record.status.verification is not None


async def test_a_daemon_set_that_waits_for_a_lost_node_is_not_restarted(story: Story) -> None:
    """Given maxUnavailable 1 and a lost node, when it is sick, then nothing is done in vain."""
    story.world.cluster.add_workload(LOGS, "shop/logs:v1-bad")
    story.world.cluster.lose_node("node-0")
    await story.run(20)
    story.apply(policy(LOGS, {"restart": {}}, signals=[errors_by("daemonset")]), "logs")
    await story.run(60)

    assert (story.sent(), story.sick("logs").refused) == ([], Refused.ROLLOUT_BLOCKED)
    assert "its node does not answer" in story.sick("logs").refusal


async def test_more_than_one_may_be_down_and_a_lost_node_is_no_hindrance(story: Story) -> None:
    """Given maxUnavailable 2 and a lost node, when it is rolled back, then that is proved."""
    story.world.cluster.add_workload(LOGS, "shop/logs:v1")
    two = {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}}
    story.world.cluster.edit(LOGS, lambda each: each["spec"].update(two))
    story.apply(policy(LOGS, signals=[errors_by("daemonset")]), "logs")
    await story.run(harness.QUIET)
    story.release("shop/logs:v2-bad", LOGS)
    await story.run(15)
    story.world.cluster.lose_node("node-0")
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert (story.image(LOGS), story.workload(LOGS).available) == ("shop/logs:v1", 2)


def errors_by(label: str) -> dict[str, Any]:
    """The error ratio by another label."""
    signal = harness.errors()
    ratio = {key: query.replace("deployment", label) for key, query in signal["ratio"].items()}
    return {**signal, "ratio": ratio}


async def test_a_condemned_release_is_told_at_once_and_acted_on_sooner(story: Story) -> None:
    """Given a release that was rolled back, when it comes again, then it is known."""
    document = harness.spec(
        {"rollback": {"whenChangedWithin": "10m"}}, signals=[harness.errors(hold="2m")]
    )
    await harness.bad_release(story, document)
    first = story.world.clock.now()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    took = story.records()[0].spec.decided_at - first
    await story.run(1200)
    story.kill()
    story.start()
    await story.run(20)
    assert not [each for each in story.status().conditions if each.type == "CondemnedRelease"]

    again = story.world.clock.now()
    story.release(harness.BAD)
    await story.run(6)
    assert story.condition("CondemnedRelease") == ("True", "ReleasedAgain")
    assert "CondemnedRelease" in [each.reason for each in story.world.notifier.events]
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)] * 2)

    second = story.records()[1].spec
    assert (second.decided_at - again) * 2 < took
    assert "proved this release bad" in " ".join(each.message for each in second.guards)
    assert story.image() == harness.GOOD


async def test_a_condemned_release_is_never_rolled_back_to(story: Story) -> None:
    """Given v2 proved bad, when v3 is bad too and v2 was back before it, then v1 is chosen."""
    previous = harness.spec({"rollback": {"to": "Previous"}})
    await harness.bad_release(story, previous)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    await story.run(70)
    story.world.apps.surge(CHECKOUT, errors=0.0)
    story.release(harness.BAD)
    await story.run(60)
    story.release("shop/checkout:v3")
    await story.run(60)
    story.world.apps.surge(CHECKOUT, errors=0.9)
    await story.until(lambda: len(story.phases()) == 2)
    assert story.image() == harness.GOOD
