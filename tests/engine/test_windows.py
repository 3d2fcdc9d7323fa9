"""Windows: nothing begins outside of them, it is told when they open, and done at the opening."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core.decisions import halts
from prunella.settings import Settings
from tests.engine import harness
from tests.engine.harness import Phase, Story

Refused = reasons.Refused
LONG = datetime.timedelta(minutes=4)


def opening(story: Story, ahead: datetime.timedelta) -> tuple[datetime.datetime, str]:
    """A whole minute some time ahead, and the cron expression of it each day."""
    when = (story.world.clock.now() + ahead).replace(second=0, microsecond=0)
    return when, f"{when.minute} {when.hour} * * *"


async def test_a_bad_release_waits_for_the_window(story: Story) -> None:
    """Given a window in some minutes, then it is told until when, done at the opening, and proved.

    Nobody looks at the policy in between but at its own interval: the opening is a look of its own.
    """
    when, cron = opening(story, LONG)
    windows = {"allow": [{"cron": cron, "duration": "1h"}]}
    await harness.bad_release(story, harness.spec(interval="45s", windows=windows))
    await story.run(120)
    told = f"outside spec.windows.allow; opens {halts.moment(when)}"
    assert ([], Refused.WINDOW_CLOSED, told) == (
        story.sent(),
        story.sick().refused,
        story.sick().refusal,
    )
    assert ("True", Refused.WINDOW_CLOSED) == story.condition("Paused")

    await story.until(lambda: bool(story.records()))
    decided = story.records()[0].spec.decided_at
    assert 0 <= (decided - when).total_seconds() < 2
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert "Paused" not in {each.type for each in story.status().conditions}


async def test_windows_of_the_operator_hold_for_each_policy() -> None:
    """Given a chart that denies, when a policy without windows finds a fault, then it waits."""
    always = {"deny": [{"cron": "* * * * *", "duration": "1m"}]}
    async with harness.telling(Settings.model_validate({"windows": always})) as story:
        await harness.bad_release(story)
        await story.run(120)
        assert ([], Refused.WINDOW_CLOSED) == (story.sent(), story.sick().refused)
        assert story.sick().refusal.startswith("closed by the operator's windows.deny[0]")


async def test_what_was_begun_is_undone_after_the_window(story: Story) -> None:
    """Given an action that does not help before the window closes, then it is undone after it."""
    story.world.cluster.add_deployment(harness.NAMESPACE, "checkout", harness.BAD)
    when, cron = opening(story, datetime.timedelta(minutes=1))
    step: dict[str, Any] = {"scale": {"by": 1, "max": 5}}
    windows = {"allow": [{"cron": cron, "duration": "1m"}]}
    verify = {"within": "90s", "samples": 2, "otherwise": "Revert"}
    story.apply(harness.spec(step, windows=windows, verify=verify))
    await story.until(lambda: [("revert", Phase.SUCCEEDED)] == story.phases()[1:], 600)

    scale, revert = story.records()
    closes = when + datetime.timedelta(minutes=1)
    assert when <= scale.spec.decided_at < closes < revert.spec.decided_at


async def test_closed_for_too_long_a_person_is_called(story: Story) -> None:
    """Given a fault outside of the windows, when `escalateAfter` is over, then a person is called.

    A window is no person who knows of the fault.
    """
    _, cron = opening(story, datetime.timedelta(hours=6))
    windows = {"allow": [{"cron": cron, "duration": "1h"}]}
    await harness.bad_release(story, harness.spec(windows=windows, escalateAfter="2m"))
    await story.until(lambda: bool(story.world.notifier.escalations))
    assert ("True", Refused.WINDOW_CLOSED) == story.condition("Escalated")


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Mars/Base"])
async def test_a_zone_without_data_is_closed(story: Story, zone: str) -> None:
    """Given a window that can't be read, then nothing is done, and why."""
    windows = {"deny": [{"cron": "0 0 1 1 *", "duration": "1m", "timeZone": zone}]}
    await harness.bad_release(story, harness.spec(windows=windows))
    await story.run(120)
    assert ([], Refused.WINDOW_CLOSED) == (story.sent(), story.sick().refused)
    assert story.sick().refusal.endswith(f"closed: no data of time zone {zone}")
