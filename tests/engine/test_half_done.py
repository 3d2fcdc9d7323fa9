"""Half an action is no state to leave: it is undone, or the record says what stays.

Rehearsals pass, and then the API server refuses the second effect, or the operator dies.
"""

from __future__ import annotations

from typing import Any

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters.simulated.faults import Crash, Point
from prunella.core import objects
from prunella.core.outcomes import records
from tests.engine import (
    harness,
    restoring,
    test_restore_readers,
    test_rollback_with_release,
    test_rollouts,
)
from tests.engine.harness import BAD, CHECKOUT, Phase, Story
from tests.engine.restoring import FLAGS, Shop
from tests.engine.test_restore_readers import AT_START, BY_KEY, sent

HALF = [("restore", Phase.FAILED)]
UNDONE = [*HALF, ("revert", Phase.SUCCEEDED)]
IN_VAIN = [("restore", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
HALF_UNDONE = [("restore", Phase.UNHELPFUL), ("revert", Phase.FAILED)]


def forbid_after(story: Story, action: str, effects: int = 1) -> None:
    """Take the right to an action from the operator once so many effects were carried out."""

    def watch(point: Point) -> None:
        if point is Point.AFTER_SEND and len(story.world.cluster.sent) == effects:
            story.world.cluster.forbid(action)

    story.faults.watch = watch


async def slowed(story: Story, **policy: Any) -> Shop:
    """Given checkout that has read a bad value at its start, and a policy that restarts it."""
    shop = restoring.stocked(story, restoring.policy(restore=AT_START, **policy))
    test_restore_readers.reads(shop, CHECKOUT, env=BY_KEY)
    await story.run(harness.QUIET + 60)
    return shop


def suspect(shop: Shop) -> None:
    """Let somebody write the bad value, and an incident suspect that."""
    change = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    shop.broken_while(lambda: True)
    shop.incident((FLAGS, change), causeKind="Configuration")


async def half_undone(story: Story) -> None:
    """Until the operator has died between the two effects of a revert, and then was paused."""

    def die(point: Point) -> None:
        if point is Point.AFTER_SEND and len(sent(story)) == 3:
            story.faults.watch = lambda _: None
            story.world.cluster.pause("a person looks")
            story.faults.once(Point.AFTER_UPDATE, Crash("here"))

    story.faults.watch = die
    await story.until(lambda: story.deaths == 1, limit=400)
    story.start()
    await story.until(lambda: story.phases() == HALF_UNDONE)


async def test_what_was_done_before_a_refusal_is_undone_once(story: Story) -> None:
    """The reader may not be restarted any more: the ConfigMap is put back, and a person called."""
    shop = await slowed(story)
    forbid_after(story, "restart")
    suspect(shop)
    edited = shop.seen(FLAGS)
    await story.until(lambda: story.phases() == UNDONE)
    half, undoing = story.records()
    assert (edited, [FLAGS, FLAGS]) == (shop.seen(FLAGS), sent(story))
    assert "; done, and can be undone: restore data.mode of ConfigMap/flags" in half.status.message
    assert half.status.message.startswith("after 1 of 2 effects: ")
    assert f"after {half.name} stopped half way (ForbiddenByServer)" in undoing.spec.reason
    await story.run(300)
    assert (UNDONE, [half.name]) == (story.phases(), story.pages())


async def test_a_long_answer_of_the_server_leaves_room_for_what_is_left(story: Story) -> None:
    """A longer message would be refused, and the record would never end."""
    shop = await slowed(story)
    denied = ports.ClusterError("x" * 3000, status=403)

    def watch(point: Point) -> None:
        if point is Point.AFTER_SEND and len(sent(story)) == 1:
            story.faults.watch = lambda _: None
            story.faults.once(Point.BEFORE_SEND, denied)

    story.faults.watch = watch
    suspect(shop)
    await story.until(lambda: story.phases() == UNDONE)
    message = story.records()[0].status.message
    assert (records.MESSAGE, True) == (len(message), "; done, and can be undone: " in message)


async def test_a_rollback_that_only_wrote_its_config_map_is_undone(story: Story) -> None:
    """The template was never written: with the ConfigMap put back all is as before."""
    shop = await test_rollback_with_release.opened(story)
    test_rollback_with_release.switch(shop)
    forbid_after(story, "rollback")
    story.release(BAD)
    expected = [("rollback", Phase.FAILED), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == expected)
    assert (BAD, "new") == (story.image(), test_rollback_with_release.mode(shop))


async def test_what_nothing_undoes_is_named() -> None:
    """A StatefulSet was rolled back, and the pod that holds that up may not be evicted."""
    limits = settings_module.Limits(rollout_seconds=test_rollouts.PATIENCE)
    async with harness.telling(settings_module.Settings(limits=limits)) as story:
        forbid_after(story, "evictPod")
        await test_rollouts.stuck(story, test_rollouts.DB)
        await story.until(lambda: story.phases() == [("rollback", Phase.FAILED)])
        await story.run(60)
        (record,) = story.records()
        assert f"; done, and nothing undoes it: roll {record.target} back" in record.status.message
        assert [record.name] == story.pages()


async def test_an_edit_of_the_policy_loses_no_undoing(story: Story) -> None:
    """Suspended while it was proved, edited, and resumed: it is put back all the same, once."""
    shop = await slowed(story)
    suspect(shop)
    edited = shop.seen(FLAGS)
    await story.until(lambda: story.phases() == [("restore", Phase.VERIFYING)])
    document = restoring.policy(restore=AT_START)
    story.apply({**document, "suspend": True})
    await story.until(lambda: story.phases() == IN_VAIN[:1])
    await story.run(20)
    story.apply({**document, "interval": "6s"})
    await story.until(lambda: story.phases() == IN_VAIN)
    assert (edited, 4) == (shop.seen(FLAGS), len(sent(story)))


async def test_a_revert_that_stopped_half_way_is_not_called_done(story: Story) -> None:
    """A death between its two effects, and a pause: what is left is told, and done after it."""
    shop = await slowed(story)
    suspect(shop)
    edited = shop.seen(FLAGS)

    await half_undone(story)
    message = story.records()[1].status.message
    assert message.startswith("1 of 2 effects were carried out; not undone: ")
    assert message.endswith(f"undo: restart {CHECKOUT}, which has read {FLAGS} as it started")
    await story.run(30)
    assert (HALF_UNDONE, True) == (story.phases(), story.records()[1].name in story.pages())
    story.world.cluster.resume()
    finished = [*HALF_UNDONE, ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == finished)
    assert [FLAGS, CHECKOUT, FLAGS, CHECKOUT] == sent(story)
    assert (edited, False) == (shop.seen(FLAGS), test_restore_readers.restarts(shop, CHECKOUT))
    await story.run(60)
    assert finished == story.phases()


async def test_a_revert_whose_record_is_gone_blocks_nothing(story: Story) -> None:
    """Somebody has deleted what it undoes: nobody knows the inverse, and it is not sent."""
    shop = await slowed(story)
    suspect(shop)

    def forget(point: Point) -> None:
        if point is Point.AFTER_CREATE and len(story.records()) == 2:
            story.faults.watch = lambda _: None
            ledger = story.world.ledger_server
            ledger.delete(min(story.records(), key=lambda each: each.spec.attempt))
            story.faults.once(Point.AFTER_CREATE, Crash("here"))

    story.faults.watch = forget
    await story.until(lambda: story.deaths == 1, limit=400)
    story.start()
    await story.until(lambda: ("revert", Phase.NOT_SENT) in story.phases())
    revert = next(each for each in story.records() if each.spec.action == "revert")
    assert ("PlanChanged", "what it undoes is gone") == (
        revert.status.reason,
        revert.status.message,
    )


async def test_who_resumes_the_policy_meanwhile_ends_an_undoing(story: Story) -> None:
    """It was recorded and not sent as the operator died: by then a person has taken it in hand."""
    shop = await slowed(story)
    suspect(shop)

    def die(point: Point) -> None:
        if point is Point.AFTER_CREATE and len(story.records()) == 2:
            story.faults.watch = lambda _: None
            story.faults.once(Point.AFTER_CREATE, Crash("here"))

    story.faults.watch = die
    await story.until(lambda: story.deaths == 1, limit=400)
    story.resume()
    story.start()
    await story.until(lambda: ("revert", Phase.NOT_SENT) in story.phases())
    assert [FLAGS, CHECKOUT] == sent(story)
    assert "is not to be undone any more" in story.records()[1].status.message


async def test_an_edit_of_what_was_put_back_ends_the_rest_of_an_undoing(story: Story) -> None:
    """A person writes the ConfigMap while half is undone: no reader is restarted any more."""
    shop = await slowed(story)
    suspect(shop)
    await half_undone(story)
    shop.edit(FLAGS, lambda m: m["data"].update(mode="mine"))
    story.world.cluster.resume()
    await story.run(60)
    assert [FLAGS, CHECKOUT, FLAGS] == sent(story)
    assert HALF_UNDONE == story.phases()


async def test_what_somebody_adds_to_a_restored_object_is_not_deleted(story: Story) -> None:
    """A ConfigMap is created again; a person adds to it; in vain, and it stays."""
    shop = await restoring.opened(story)
    shop.broken_while(lambda: True)
    old = shop.add(restoring.config_map("old", a="1"))
    shop.incident((old, shop.delete(old)))
    await story.until(lambda: story.phases() == [("restore", Phase.VERIFYING)])
    story.world.cluster.edit_object(old, lambda m: m["data"].update(b="2"), "kubectl-edit")
    await story.until(lambda: story.phases() == [("restore", Phase.SUPERSEDED)])
    await story.run(60)
    found: Any = shop.seen(old)
    assert {"a": "1", "b": "2"} == found["data"]


async def test_only_what_was_done_is_put_back(story: Story) -> None:
    """The restart never arrived, and its answer was lost: of that there is nothing to undo."""
    shop = await slowed(story)

    def die(point: Point) -> None:
        if point is Point.BEFORE_SEND and len(sent(story)) == 1:
            story.faults.watch = lambda _: None
            story.faults.once(Point.BEFORE_SEND, Crash("here"))

    story.faults.watch = die
    suspect(shop)
    edited = shop.seen(FLAGS)
    await story.until(lambda: story.deaths == 1)
    story.start()
    await story.until(lambda: story.phases() == IN_VAIN, limit=400)
    assert (edited, [FLAGS, FLAGS]) == (shop.seen(FLAGS), sent(story))
    assert objects.MARK not in story.workload().annotations
