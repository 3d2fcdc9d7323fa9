"""Time that is moved by hand."""

from __future__ import annotations

import asyncio
import datetime
import time

import pytest

from prunella.adapters import clock as real
from prunella.adapters.simulated import clock as clocks

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)


def after(seconds: float) -> datetime.datetime:
    """The time so much after the start."""
    return START + datetime.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """A clock that stands."""
    return clocks.VirtualClock(START)


async def test_sleepers_wake_in_the_order_of_their_times(clock: clocks.VirtualClock) -> None:
    """Sleepers wake by time, those of one time in the order in which they lay down."""
    woken: list[tuple[str, datetime.datetime]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in [("c", 3), ("a", 1), ("b1", 2), ("b2", 2), ("now", 0)]:
            group.create_task(sleeper(name, seconds))
        await clock.run_until(after(3))
    expected = [("now", 0), ("a", 1), ("b1", 2), ("b2", 2), ("c", 3)]
    assert [(name, after(seconds)) for name, seconds in expected] == woken


async def test_all_that_a_wakened_task_starts_is_done_before_the_next_wakes(
    clock: clocks.VirtualClock,
) -> None:
    """A chain of tasks that hand on to each other is finished within its moment."""
    seen: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def producer() -> None:
        await clock.sleep(1)
        queue.put_nowait(50)

    async def relay() -> None:
        while (left := await queue.get()) > 0:
            queue.put_nowait(left - 1)
            await asyncio.sleep(0)
        seen.append(f"relayed at {clock.now():%S}")

    async def late() -> None:
        await clock.sleep(1)
        seen.append("late")

    tasks = [asyncio.ensure_future(each()) for each in (producer, relay, late)]
    await clock.advance(1)
    assert ["relayed at 01", "late"] == seen
    await asyncio.gather(*tasks)


async def test_time_stops_where_it_was_told_to(clock: clocks.VirtualClock) -> None:
    """A sleeper whose time has not come goes on sleeping."""
    task = asyncio.ensure_future(clock.sleep(10))
    await clock.advance(9.5)
    assert (after(9.5), False) == (clock.now(), task.done())
    await clock.advance(0.5)
    assert (after(10), True) == (clock.now(), task.done())


async def test_a_repeated_sleep_is_woken_each_time_within_one_advance(
    clock: clocks.VirtualClock,
) -> None:
    """One advance covers sleeps that begin on the way."""
    ticks: list[datetime.datetime] = []

    async def ticker() -> None:
        while True:
            await clock.sleep(5)
            ticks.append(clock.now())

    task = asyncio.ensure_future(ticker())
    clock.every(10, lambda: ticks.append(START))
    await clock.advance(20)
    assert [after(5), START, after(10), after(15), START, after(20)] == ticks
    task.cancel()


async def test_complete_jumps_to_the_end_of_the_work(clock: clocks.VirtualClock) -> None:
    """Half an hour of a story takes next to no real time, and its result comes back."""

    async def story() -> str:
        for _ in range(360):
            await clock.sleep(5)
        return "the end"

    began = time.monotonic()
    assert "the end" == await clock.complete(story())
    assert after(1800) == clock.now()
    assert time.monotonic() - began < 1


async def test_complete_passes_on_what_the_work_raises(clock: clocks.VirtualClock) -> None:
    """An error of the work is the caller's."""

    async def story() -> None:
        await clock.sleep(1)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        await clock.complete(story())
    await clock.advance(1)


async def test_complete_says_when_nothing_can_happen_any_more(clock: clocks.VirtualClock) -> None:
    """Work that waits for something that never comes is an error, not a hang."""
    with pytest.raises(clocks.StuckError, match="nobody sleeps"):
        await clock.complete(asyncio.Event().wait())


async def test_complete_says_when_the_work_takes_too_long(clock: clocks.VirtualClock) -> None:
    """Work that waits among endless ticks is stopped at the limit."""
    clock.every(5, lambda: None)
    with pytest.raises(clocks.StuckError, match="0:01:00"):
        await clock.complete(asyncio.Event().wait(), limit=datetime.timedelta(minutes=1))


async def test_only_one_may_drive(clock: clocks.VirtualClock) -> None:
    """Work under the clock may sleep, but not move the time."""
    with pytest.raises(clocks.StuckError, match="driven already"):
        await clock.complete(clock.advance(1))


async def test_a_cancelled_sleeper_leaves_no_alarm(clock: clocks.VirtualClock) -> None:
    """The clock does not jump to the time of somebody who no longer sleeps."""
    task = asyncio.ensure_future(clock.sleep(1000))
    await clock.advance(1)
    task.cancel()
    with pytest.raises(clocks.StuckError, match="nobody sleeps"):
        await clock.complete(asyncio.Event().wait())
    assert after(1) == clock.now()


async def test_pace_ties_simulated_to_real_time() -> None:
    """With a pace, people can watch."""
    clock = clocks.VirtualClock(START, pace=0.001)
    began = time.monotonic()
    await clock.complete(clock.sleep(50))
    assert time.monotonic() - began >= 0.05


def test_a_start_without_zone_is_refused() -> None:
    """Times without a zone never get in."""
    with pytest.raises(ValueError, match="time zone"):
        clocks.VirtualClock(datetime.datetime(2026, 1, 5))  # noqa: DTZ001 - the mistake


async def test_the_real_clock_is_in_utc() -> None:
    """The machine's clock tells the same time, and waits."""
    clock = real.RealClock()
    began = clock.now()
    await clock.sleep(0.001)
    assert datetime.timedelta() == began.utcoffset()
    assert clock.now() > began
