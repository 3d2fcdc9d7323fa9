"""restore of a ConfigMap that is read at start: its readers are restarted after it."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.adapters.simulated.faults import Crash, Point
from prunella.core import model
from tests.engine import harness, restoring
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.restoring import FLAGS, Shop

RESTORED = [("restore", Phase.SUCCEEDED)]
WEB = model.Ref("Deployment", NAMESPACE, "web")
BY_KEY = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "mode"}}}
OTHER_KEY = {"name": "OLD", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "old"}}}
VOLUME = {"name": "flags", "configMap": {"name": "flags"}}
MOUNT = {"name": "flags", "mountPath": "/etc/flags"}
AT_START = {"restartReaders": "AtStart"}


def reads(shop: Shop, ref: model.Ref, *, env: Any = None, mount: Any = None) -> None:
    """Let a workload read the ConfigMap."""

    def change(manifest: Any) -> None:
        pod = manifest["spec"]["template"]["spec"]
        if env:
            pod["containers"][0]["env"] = [env]
        if mount:
            pod["volumes"] = [VOLUME]
            pod["containers"][0]["volumeMounts"] = [mount]

    shop.edit(ref, change)


async def opened(story: Story, step: dict[str, Any], **read: Any) -> Shop:
    """Given checkout that reads the ConfigMap, and a policy with this step."""
    shop = restoring.stocked(story, restoring.policy(restore=step))
    reads(shop, CHECKOUT, **read)
    await story.run(harness.QUIET + 60)
    return shop


def slowed(shop: Shop) -> str:
    """Let somebody write a bad value; errors last until checkout has read the good one again."""
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    bad = shop.seen(FLAGS)
    shop.broken_while(lambda: shop.seen(FLAGS) == bad or not restarts(shop, CHECKOUT))
    shop.incident((FLAGS, change), causeKind="Configuration")
    return change


def restarts(shop: Shop, ref: model.Ref) -> bool:
    """Whether a workload's template says that it was restarted."""
    template: Any = (shop.seen(ref) or {})["spec"]["template"]
    return "kubectl.kubernetes.io/restartedAt" in template["metadata"].get("annotations", {})


def sent(story: Story) -> list[model.Ref]:
    """The objects that were written, in order."""
    return [effect.target for effect, _ in story.world.cluster.sent]


AT_START_READ = [
    pytest.param({"env": BY_KEY}, id="a key as environment"),
    pytest.param({"mount": {**MOUNT, "subPath": "mode"}}, id="a file by subPath"),
]


@pytest.mark.parametrize("read", AT_START_READ)
async def test_who_has_read_it_is_restarted_after_it(story: Story, read: dict[str, Any]) -> None:
    """Both are effects of one record, and one proof."""
    shop = await opened(story, AT_START, **read)
    slowed(shop)
    await story.until(lambda: story.phases() == RESTORED)
    assert [FLAGS, CHECKOUT] == sent(story)
    summaries = [effect.summary for effect in story.records()[0].spec.effects]
    assert summaries[1] == f"restart {CHECKOUT}, which has read {FLAGS} as it started"
    await story.run(120)
    assert (1, []) == (len(story.records()), story.pages())


async def test_without_the_word_it_is_left_alone(story: Story) -> None:
    """Putting it back would change nothing: the refusal says what is needed."""
    shop = await opened(story, {}, env=BY_KEY)
    slowed(shop)
    await story.run(30)
    assert ("NeedsRestart", []) == (story.sick().refused, story.records())
    assert f"{CHECKOUT} read {FLAGS} as they started" in story.sick().refusal
    assert "restartReaders: AtStart" in story.sick().refusal


LIVE = [
    pytest.param({"mount": MOUNT}, {}, [FLAGS], id="it is mounted"),
    pytest.param({"mount": MOUNT}, AT_START, [FLAGS], id="it is mounted, and none has read it"),
    pytest.param({"env": OTHER_KEY}, AT_START, [FLAGS], id="another key was read"),
    pytest.param(
        {"mount": MOUNT}, {"restartReaders": "All"}, [FLAGS, CHECKOUT], id="mounted, and All"
    ),
]


@pytest.mark.parametrize(("read", "step", "expected"), LIVE)
async def test_who_sees_the_new_value_is_not_restarted(
    story: Story, read: dict[str, Any], step: dict[str, Any], expected: list[model.Ref]
) -> None:
    """A volume is brought up to date; but there are programs that never look again."""
    shop = await opened(story, step, **read)
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    bad = shop.seen(FLAGS)
    shop.broken_while(lambda: shop.seen(FLAGS) == bad)
    shop.incident((FLAGS, change), causeKind="Configuration")
    await story.until(lambda: story.phases() == RESTORED)
    assert expected == sent(story)


async def test_in_vain_both_are_undone(story: Story) -> None:
    """The ConfigMap first, so that the pods that are made anew read what it was found with."""
    shop = await opened(story, AT_START, env=BY_KEY)
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    edited, before = shop.seen(FLAGS), shop.seen(CHECKOUT)
    shop.broken_while(lambda: True)
    shop.incident((FLAGS, change), causeKind="Configuration")
    undone = [("restore", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone, limit=400)
    assert [FLAGS, CHECKOUT, FLAGS, CHECKOUT] == sent(story)
    after: Any = shop.seen(CHECKOUT)
    assert (edited, (before or {})["spec"]) == (shop.seen(FLAGS), after["spec"])


async def test_the_proof_waits_for_the_rollout_of_others(story: Story) -> None:
    """Web reads it, too: what checkout's callers see counts once web's pods are new."""
    shop = restoring.stocked(story, restoring.policy(restore=AT_START))
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD, startup_seconds=40)
    reads(shop, WEB, env=BY_KEY)
    await story.run(harness.QUIET + 200)
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    shop.broken_while(lambda: not restarts(shop, WEB))
    shop.incident((FLAGS, change), causeKind="Configuration")
    await story.until(lambda: story.phases() == [("restore", Phase.VERIFYING)])
    await story.until(lambda: story.workload(WEB).rolled_out)
    (record,) = story.records()
    assert record.status.verification is None
    await story.until(lambda: story.phases() == RESTORED)
    assert [FLAGS, WEB] == sent(story)


async def test_a_reader_in_the_middle_of_a_rollout_is_waited_for(story: Story) -> None:
    """Given new pods of web on their way, then nothing is written until they are all there."""
    shop = restoring.stocked(story, restoring.policy(restore=AT_START))
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD, startup_seconds=40)
    reads(shop, WEB, env=BY_KEY)
    await story.run(harness.QUIET + 200)
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    shop.broken_while(lambda: not restarts(shop, WEB))
    shop.edit(WEB, lambda m: m["spec"]["template"]["metadata"]["labels"].update(new="yes"))
    shop.incident((FLAGS, change), causeKind="Configuration")
    await story.run(30)
    assert ("RolloutInProgress", []) == (story.sick().refused, story.records())
    assert f"{WEB} reads {FLAGS}, and rolls out" in story.sick().refusal
    await story.until(lambda: story.phases() == RESTORED, limit=400)


async def test_without_the_right_to_restart_nothing_is_written(story: Story) -> None:
    """All effects are tried in a dry run first: half of it would be of no use."""
    shop = await opened(story, AT_START, env=BY_KEY)
    story.world.cluster.forbid("restart")
    slowed(shop)
    await story.run(30)
    assert ("ForbiddenByServer", [], []) == (story.sick().refused, story.records(), sent(story))
    assert story.sick().refusal.startswith(f"restart {CHECKOUT}, which has read {FLAGS}")


UNFIT = [
    pytest.param({"paused": True}, "RolloutPaused", id="paused"),
    pytest.param({"replicas": 0}, "", id="scaled to nothing"),
]


@pytest.mark.parametrize(("spec", "reason"), UNFIT)
async def test_a_reader_that_would_not_restart(
    story: Story, spec: dict[str, Any], reason: str
) -> None:
    """A person paused its rollout; or it has no pods, and so needs none."""
    shop = restoring.stocked(story, restoring.policy(restore=AT_START))
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD)
    reads(shop, WEB, env=BY_KEY)
    await story.run(harness.QUIET + 60)
    shop.edit(WEB, lambda m: m["spec"].update(spec))
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    bad = shop.seen(FLAGS)
    shop.broken_while(lambda: shop.seen(FLAGS) == bad)
    shop.incident((FLAGS, change), causeKind="Configuration")
    await story.run(40)
    assert (reason, [] if reason else [FLAGS]) == (story.sick().refused, sent(story))


async def test_a_death_between_the_two_leaves_no_half(story: Story) -> None:
    """The ConfigMap tells by its fields that it was put back; the restart follows, once."""
    shop = await opened(story, AT_START, env=BY_KEY)

    def die(point: Point) -> None:
        if point is Point.AFTER_SEND and story.world.cluster.sent:
            story.faults.watch = lambda _: None
            story.faults.once(Point.AFTER_SEND, Crash("here"))

    story.faults.watch = die
    slowed(shop)
    for _ in range(40):
        await story.run(5)
        if not story.alive:
            story.start()
    assert ([FLAGS, CHECKOUT], RESTORED, 1) == (sent(story), story.phases(), story.deaths)
