"""Who asks the same in the same moment gets the same answer, for one request."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from prunella.adapters.prometheus import round as rounds
from prunella.adapters.simulated import clock as clocks
from prunella.api import reasons
from prunella.core import model

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Key = tuple[str, str, str, datetime.datetime | None]


class Source:
    """A Metrics that answers with the number of the request, when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[Key] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failing = False

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """The number of requests so far."""
        self.asked.append((source, namespace, query, at))
        number = len(self.asked)
        await self.open.wait()
        if self.failing:
            return model.Failure(reasons.Doubt.UNREACHABLE, str(number))
        return model.Vector((model.Sample({}, float(number)),))


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """Time that is moved by hand."""
    return clocks.VirtualClock(START)


async def test_asked_at_the_same_time(clock: clocks.VirtualClock) -> None:
    """Many who ask while nobody knows yet wait for one answer."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    answers = await asyncio.gather(*(shared.query("default", "shop", "up") for _ in range(50)))

    assert len(source.asked) == 1 == shared.requests
    assert [model.Vector((model.Sample({}, 1.0),))] * 50 == answers


DIFFERENT: dict[str, Key] = {
    "source": ("other", "shop", "up", None),
    "namespace": ("default", "bank", "up", None),
    "query": ("default", "shop", "up == 1", None),
    "time": ("default", "shop", "up", START),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
async def test_not_the_same(clock: clocks.VirtualClock, other: Key) -> None:
    """An answer is never shared between namespaces, nor with another question."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    first = await shared.query("default", "shop", "up")
    second = await shared.query(*other)

    assert first != second
    assert [("default", "shop", "up", None), other] == source.asked


@pytest.mark.parametrize(("seconds", "requests"), [(0.0, 1), (0.9, 1), (1.0, 2), (30.0, 2)])
async def test_asked_again(clock: clocks.VirtualClock, seconds: float, requests: int) -> None:
    """Within a second the answer is the same; then it is old."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    await shared.query("default", "shop", "up")
    await clock.advance(seconds)
    await shared.query("default", "shop", "up")

    assert requests == len(source.asked)


async def test_failures_are_shared_too(clock: clocks.VirtualClock) -> None:
    """A source that is down is not asked by every policy again."""
    source = Source()
    source.failing = True
    shared = rounds.SharedRound(source, clock)

    answers = [await shared.query("default", "shop", "up") for _ in range(3)]

    assert [model.Failure(reasons.Doubt.UNREACHABLE, "1")] * 3 == answers


async def test_a_slow_answer_is_waited_for(clock: clocks.VirtualClock) -> None:
    """While a request is under way nobody asks the same again, however long it takes."""
    source = Source()
    source.open.clear()
    shared = rounds.SharedRound(source, clock)
    first = asyncio.ensure_future(shared.query("default", "shop", "up"))
    await clock.advance(9.0)
    second = asyncio.ensure_future(shared.query("default", "shop", "up"))
    await clocks.settle()

    source.open.set()

    assert await first == await second
    assert len(source.asked) == 1


async def test_a_cancelled_asker_takes_nothing_from_others(clock: clocks.VirtualClock) -> None:
    """The answer comes to those who still wait."""
    source = Source()
    source.open.clear()
    shared = rounds.SharedRound(source, clock)
    first = asyncio.ensure_future(shared.query("default", "shop", "up"))
    second = asyncio.ensure_future(shared.query("default", "shop", "up"))
    await clocks.settle()

    first.cancel()
    await clocks.settle()
    source.open.set()

    assert model.Vector((model.Sample({}, 1.0),)) == await second
    assert first.cancelled()


async def test_memory_is_bounded(clock: clocks.VirtualClock) -> None:
    """Old answers are forgotten, and the oldest also when there are too many young ones."""
    shared = rounds.SharedRound(Source(), clock, most_answers=10)

    for number in range(25):
        await shared.query("default", "shop", f"up + {number}")

    assert len(shared._asked) == 10
    await clock.advance(1.0)
    await shared.query("default", "shop", "up")
    assert len(shared._asked) == 1
