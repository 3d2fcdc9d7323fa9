"""Who asks the same in the same moment gets the same answer, for one request."""

from __future__ import annotations

import asyncio
import datetime

import numpy as np
import pytest

from prunella import ports
from prunella.adapters.prometheus import query_cache as rounds
from prunella.adapters.simulated import clock as clocks
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Key = tuple[str, str, str, datetime.datetime | None]
Long = tuple[str, str, str, ports.Span]
SPAN = ports.Span(0.0, 3600.0, 300.0)


class Source:
    """A Metrics that answers with the number of the request, when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[Key] = []
        self.ranges: list[Long] = []
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

    async def history(
        self, source: str, namespace: str, query: str, span: ports.Span
    ) -> history.Answer:
        """As many series as there were requests so far."""
        self.ranges.append((source, namespace, query, span))
        number = len(self.ranges)
        await self.open.wait()
        if self.failing:
            return model.Failure(reasons.Doubt.UNREACHABLE, str(number))
        return history.Matrix(np.zeros(1), ({},) * number, np.zeros((number, 1)))


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """Time that is moved by hand."""
    return clocks.VirtualClock(START)


async def test_asked_at_the_same_time(clock: clocks.VirtualClock) -> None:
    """Many who ask while nobody knows yet wait for one answer."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    answers = await asyncio.gather(*(shared.query("default", "shop", "up") for _ in range(50)))

    assert len(source.asked) == 1
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


async def test_histories_under_way_are_shared(clock: clocks.VirtualClock) -> None:
    """Many who ask for the same history wait for one; it is not kept after that."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    answers = await asyncio.gather(
        *(shared.history("default", "shop", "up", SPAN) for _ in range(50))
    )
    again = await shared.history("default", "shop", "up", SPAN)

    assert len(source.ranges) == 2
    assert {id(answers[0])} == {id(each) for each in answers}
    assert isinstance(again, history.Matrix)
    assert len(again.labels) == 2
    assert {} == shared._histories


OTHER_HISTORIES: dict[str, Long] = {
    "source": ("other", "shop", "up", SPAN),
    "namespace": ("default", "bank", "up", SPAN),
    "query": ("default", "shop", "up == 1", SPAN),
    "start": ("default", "shop", "up", ports.Span(300.0, 3600.0, 300.0)),
    "end": ("default", "shop", "up", ports.Span(0.0, 3300.0, 300.0)),
    "step": ("default", "shop", "up", ports.Span(0.0, 3600.0, 600.0)),
}


@pytest.mark.parametrize("other", OTHER_HISTORIES.values(), ids=OTHER_HISTORIES)
async def test_not_the_same_history(clock: clocks.VirtualClock, other: Long) -> None:
    """A history is never shared between namespaces, nor with another question."""
    source = Source()
    shared = rounds.SharedRound(source, clock)

    await asyncio.gather(shared.history("default", "shop", "up", SPAN), shared.history(*other))

    assert [("default", "shop", "up", SPAN), other] == source.ranges


async def test_failed_histories_are_asked_again(clock: clocks.VirtualClock) -> None:
    """A Failure goes to those who wait for it, and is forgotten."""
    source = Source()
    source.failing = True
    shared = rounds.SharedRound(source, clock)

    answers = [await shared.history("default", "shop", "up", SPAN) for _ in range(2)]

    assert [model.Failure(reasons.Doubt.UNREACHABLE, each) for each in "12"] == answers


async def test_a_cancelled_asker_takes_no_history_from_others(clock: clocks.VirtualClock) -> None:
    """The history comes to those who still wait."""
    source = Source()
    source.open.clear()
    shared = rounds.SharedRound(source, clock)
    asking = [
        asyncio.ensure_future(shared.history("default", "shop", "up", SPAN)) for _ in range(2)
    ]
    await clocks.settle()

    asking[0].cancel()
    await clocks.settle()
    source.open.set()

    assert isinstance(await asking[1], history.Matrix)
    assert asking[0].cancelled()
    assert len(source.ranges) == 1
