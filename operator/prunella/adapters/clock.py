"""The machine's own clock."""

from __future__ import annotations

import asyncio
import datetime


class RealClock:
    """UTC and real waiting."""

    def now(self) -> datetime.datetime:
        """The time in UTC, with its zone."""
        return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - this is the Clock

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
