"""The API server's clock: slow passes do not make it wrong, and no undoing waits for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

SLOW = 90.0
"""Seconds: more than clocks may be apart."""
NO_DATE = "no Date"


def drop_the_date(story: Story, when: Callable[[], bool]) -> None:
    """A proxy is put before the API server, which passes on no ``Date``."""
    asked = story.world.cluster.paused

    async def paused() -> model.PauseState:
        found = await asked()
        if not when():
            return found
        return dataclasses.replace(found, server_time=None, no_time=NO_DATE)

    story.world.cluster.paused = paused  # type: ignore[method-assign]


async def test_a_slow_pass_is_not_blamed_on_the_clock(story: Story) -> None:
    """Given switches that are read long after the pass began, then a bad release is healed."""
    asked = story.world.cluster.paused

    async def paused() -> model.PauseState:
        await story.world.clock.sleep(seconds)
        return await asked()

    seconds = SLOW

    story.world.cluster.paused = paused  # type: ignore[method-assign]
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], limit=1200)

    seconds = 0.0
    await story.run(2 * SLOW)  # A pass that waits would have no end.


async def test_nothing_is_begun_while_the_api_server_tells_no_time(story: Story) -> None:
    """Given answers without a Date, then nothing is begun, and the clock is named, not a pause."""
    drop_the_date(story, when=lambda: True)
    await harness.bad_release(story)
    await story.run(120)

    sick = story.sick()
    assert ([], reasons.Refused.CLOCK_WRONG) == (story.sent(), sick.refused)
    assert NO_DATE == sick.refusal
    assert "Paused" not in {each.type for each in story.status().conditions}


async def test_harm_is_undone_though_the_api_server_tells_no_time(story: Story) -> None:
    """Given a step in vain, when the Date is lost, then it is undone, and nothing else is done."""
    drop_the_date(story, when=lambda: bool(story.sent()))
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    steps: list[dict[str, object]] = [{"scale": {"by": 1}}, {"restart": {}}]
    verify = {"within": "5s", "samples": 1}
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))
    await story.run(300)

    assert [("scale", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)] == story.phases()
    assert reasons.Refused.CLOCK_WRONG == story.sick().refused
