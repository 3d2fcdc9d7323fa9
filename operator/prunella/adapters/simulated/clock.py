"""Time that passes only when it is told to: hours of a story in milliseconds.

Sleepers are woken one by one in the order of their times, and between two of them every task
that can run does run, so a simulation always plays out the same way.  The code under it must
be plain asyncio: what happens in another thread is not waited for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MOST_TURNS: Final = 100_000
_BLIND_TURNS: Final = 200
_DAY: Final = datetime.timedelta(days=1)


class StuckError(Exception):
    """The simulation can't go on: nobody sleeps, or somebody never does."""


@dataclasses.dataclass(slots=True, order=True)
class Alarm:
    """Something to call at a time; alarms of the same time ring in the order of their making."""

    time: datetime.datetime
    order: int
    ring: Callable[[], None] = dataclasses.field(compare=False)
    cancelled: bool = dataclasses.field(default=False, compare=False)

    def cancel(self) -> None:
        """Do not ring."""
        self.cancelled = True


class VirtualClock:
    """A Clock whose time is moved by `run_until`, `advance` or `complete`.

    ``pace`` is real seconds for each simulated second, for people who watch; 0 is as fast as
    possible.
    """

    def __init__(self, start: datetime.datetime, *, pace: float = 0.0) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start must have a time zone, found {start.isoformat()}")
        self._now = start.astimezone(datetime.UTC)
        self._alarms: list[Alarm] = []
        self._order = itertools.count()
        self._driven = False
        self.pace = pace

    def now(self) -> datetime.datetime:
        """The simulated time in UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the time has been moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.call_later(seconds, lambda: woken.set_result(None))
        try:
            await woken
        finally:
            alarm.cancel()

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Call a function when so much time has passed; the Alarm can be cancelled."""
        when = self._now + datetime.timedelta(seconds=max(seconds, 0.0))
        alarm = Alarm(when, next(self._order), ring)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def every(self, seconds: float, ring: Callable[[], None]) -> None:
        """Call a function again and again, first after ``seconds``."""

        def again() -> None:
            self.call_later(seconds, again)
            ring()

        self.call_later(seconds, again)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        await self.run_until(self._now + datetime.timedelta(seconds=seconds))

    async def run_until(self, time: datetime.datetime) -> None:
        """Let time pass until then, waking everybody on the way."""
        self._take()
        try:
            await settle()
            while (alarm := self._next()) is not None and alarm.time <= time:
                await self._ring(alarm)
            await self._pass(time)
            await settle()
        finally:
            self._driven = False

    async def complete(
        self, work: Coroutine[Any, Any, T], *, limit: datetime.timedelta = _DAY
    ) -> T:
        """Run ``work`` to its end, jumping to the next alarm whenever everything is idle.

        Raises StuckError when no alarm is left or ``limit`` of simulated time has passed.
        """
        self._take()
        deadline = self._now + limit
        task = asyncio.ensure_future(work)
        try:
            await settle()
            while not task.done():
                alarm = self._next()
                if alarm is None:
                    raise StuckError(f"at {self._now}: the work waits, and nobody sleeps")
                if alarm.time > deadline:
                    raise StuckError(f"the work is not done after {limit} of simulated time")
                await self._ring(alarm)
            return task.result()
        finally:
            self._driven = False
            task.cancel()

    def _take(self) -> None:
        if self._driven:
            raise StuckError("the clock is driven already: only one at a time may move it")
        self._driven = True

    def _next(self) -> Alarm | None:
        while self._alarms and self._alarms[0].cancelled:
            heapq.heappop(self._alarms)
        return self._alarms[0] if self._alarms else None

    async def _ring(self, alarm: Alarm) -> None:
        await self._pass(alarm.time)
        heapq.heappop(self._alarms)
        alarm.ring()
        await settle()

    async def _pass(self, time: datetime.datetime) -> None:
        seconds = (time - self._now).total_seconds()
        if seconds <= 0:
            return
        if self.pace > 0:
            await asyncio.sleep(seconds * self.pace)
        self._now = time


async def settle() -> None:
    """Return when no other task of the loop can run.

    asyncio has no public way to know; its loops in Python keep a queue of what is ready.  Under
    a loop without it, a generous number of turns is waited instead.
    """
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    for turn in range(_MOST_TURNS):
        await asyncio.sleep(0)
        if not ready if ready is not None else turn >= _BLIND_TURNS:
            return
    raise StuckError(f"a task is still busy after {_MOST_TURNS} turns of the loop")
