"""The machine's own clock."""

from __future__ import annotations

import asyncio
import datetime
import time


class RealClock:
    """UTC and real waiting."""

    def now(self) -> datetime.datetime:
        """The time in UTC, with its zone."""
        return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - this is the Clock

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def monotonic() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine is suspended."""
    boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(boot)
