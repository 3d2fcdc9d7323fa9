"""What an illness remembers in virtual time: flickers, modes that change, windows that close."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.test_approvals import REJECT, approving, asked, decide


async def test_one_healthy_sample_does_not_silence_the_next_illness(story: Story) -> None:
    """Given a question, when it is Healthy in one pass and sick again, then it is asked again."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    document = approving({"restart": {}}, signals=[harness.saturation()], interval="30s")
    story.apply(document)
    await story.until(lambda: bool(story.records()))
    story.world.apps.surge(CHECKOUT, load=0.0)
    await story.until(lambda: story.records()[0].phase is Phase.EXPIRED)
    story.world.apps.surge(CHECKOUT, load=100.0)
    await story.until(lambda: len(story.records()) == 2)

    first, second = story.records()
    assert first.status.reason == "RecoveredByItself"
    assert first.status.cleared_at == first.status.finished_at
    assert second.phase is Phase.AWAITING_APPROVAL
    assert len(story.pages()) == 2, "one for each question"


def unreadable(story: Story, *, now: bool) -> None:
    """The Namespace, and with it the ceiling, can't be read for a while."""
    if now:
        story.faults.always(faults.Point.NAMESPACE, ports.ClusterError("timeout"))
    else:
        story.faults.heal()


def ceiling(story: Story, *, now: bool) -> None:
    """An administrator lowers what actions of high risk may do, and takes that back."""
    labels = {"prunella.dev/max-mode.high": "Advise"} if now else {}
    story.world.cluster.labels_of_namespaces[NAMESPACE] = labels


@pytest.mark.parametrize("lower", [unreadable, ceiling])
async def test_a_mode_that_was_lowered_for_a_while_repeats_no_step(
    story: Story, lower: Callable[..., None]
) -> None:
    """Given a restart in vain, when the rollback is only advised for a while, then it follows."""
    await harness.bad_release(story, harness.spec({"restart": {}}, {"rollback": {}}))
    await story.until(lambda: story.phases() == [("restart", Phase.VERIFYING)])
    lower(story, now=True)
    await story.until(lambda: ("rollback", Phase.ADVISED) in story.phases())
    lower(story, now=False)
    await story.until(lambda: ("rollback", Phase.SUCCEEDED) in story.phases())

    assert story.phases() == [
        ("restart", Phase.UNHELPFUL),
        ("rollback", Phase.ADVISED),
        ("rollback", Phase.SUCCEEDED),
    ]
    restart, _, rollback = story.records()
    assert rollback.spec.follows == restart.name


async def test_a_policy_whose_mode_was_lowered_calls_a_person(story: Story) -> None:
    """Given a Live policy under a ceiling, when its target stays sick, then a person is called."""
    ceiling(story, now=True)
    await harness.bad_release(story, harness.spec(escalateAfter="10m"))
    await story.run(540)
    assert story.pages() == []
    await story.run(3600)

    assert story.phases() == [("rollback", Phase.ADVISED)]
    (call,) = story.world.notifier.escalations
    assert "ModeLowered" in call.description
    assert 'prunella.dev/max-mode.high="Advise"' in call.description
    assert story.condition("Escalated") == ("True", "ModeLowered")


async def test_a_rejection_calls_nobody_when_a_window_closes(story: Story) -> None:
    """Given a rejection, when the policy's window closes over it, then it is still a rejection."""
    shuts = story.world.clock.now() + datetime.timedelta(minutes=6)
    closed = {"cron": f"{shuts.minute} {shuts.hour} * * *", "duration": "20h"}
    record = await asked(story, approving(windows={"deny": [closed]}, escalateAfter="10m"))
    decide(story, record, REJECT, reason="a load test")
    await story.run(3600)

    assert story.condition("Paused") == ("True", "WindowClosed")
    assert story.sick().refused == "Rejected"
    assert story.pages() == [record.name], "the question, and nothing after it"
