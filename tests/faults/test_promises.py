"""The promises can be broken: an operator with a fault of its own is found out."""

from __future__ import annotations

import pytest

from prunella.adapters.simulated import metrics as metrics_module
from prunella.api.reasons import Phase
from prunella.core.outcomes import settling
from tests.faults import promises, stage, stories

ONE_AN_HOUR = {"maxPerHour": 1, "cooldown": "0s"}
LIMIT = "within_hourly_limits"


async def broken(story: stage.FaultStory, seconds: float = 200.0) -> set[str]:
    """The promises that a story has broken after a while."""
    await story.run(seconds)
    story.promises.at_the_end()
    return {kind for kind, _ in story.promises.broken}


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        pytest.param("", set(), id="with all guards"),
        pytest.param(LIMIT, {promises.OVER_LIMIT}, id="without the hourly limit"),
    ],
)
async def test_an_action_over_the_limit_is_seen(without: str, expected: set[str]) -> None:
    """Given one action an hour, when the first does not help, then a second one is noted."""
    async with stage.telling(guards=ONE_AN_HOUR, without=without) as story:
        stories.unhelpful_scale(story)
        assert expected == await broken(story)


async def test_a_record_that_denies_what_was_done_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an operator that takes each effect without an answer for not sent, then it is noted."""
    settle = settling.settle

    def deny(*args: object) -> object:
        status = settle(*args)  # type: ignore[arg-type]
        return status.model_copy(
            update={"phase": Phase.NOT_SENT, "finished_at": status.finished_at}
        )

    monkeypatch.setattr(settling, "settle", deny)
    async with stage.telling() as story:
        stories.scale(story)
        story.die_after(stories.sent)
        await story.run(60)
        story.start()
        assert promises.DOUBLE in await broken(story)


async def test_a_decision_on_doubt_is_seen() -> None:
    """Given an operator that believes a Prometheus which is down, then its decision is noted."""
    async with stage.telling() as story:
        world = story.world
        world.metrics.faults.set(metrics_module.Fault.DOWN, world.clock.now())
        believed = metrics_module.SimulatedMetrics(world.store, world.clock)
        world.metrics.query = believed.query  # type: ignore[method-assign]
        stories.scale(story)
        assert {promises.ON_UNKNOWN} == await broken(story)


async def test_what_is_left_unfinished_is_seen() -> None:
    """Given an operator that nobody starts again, then its record is noted."""
    async with stage.telling() as story:
        stories.scale(story)
        story.die_after(stories.sent)
        assert {promises.UNSETTLED} == await broken(story)


async def test_an_effect_without_its_time_on_the_record_is_seen() -> None:
    """Given an effect whose record was not written before it, then it is noted."""
    async with stage.telling() as story:
        stories.scale(story)
        server = story.world.ledger_server
        update = server.update

        def forget(record, status):  # type: ignore[no-untyped-def]
            effects = [each.model_copy(update={"sent_at": None}) for each in status.effects]
            return update(record, status.model_copy(update={"effects": effects}))

        server.update = forget  # type: ignore[method-assign]
        assert promises.UNRECORDED in await broken(story, 60)
