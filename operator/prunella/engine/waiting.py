"""Waiting on the world's clock, for no longer than it is worth."""

from __future__ import annotations

import asyncio
from typing import Any

from prunella import ports


async def at_most(clock: ports.Clock, seconds: float, asked: asyncio.Future[Any]) -> None:
    """Wait until something is done, but so long at most; what is not done goes on."""
    sleeping = asyncio.create_task(clock.sleep(seconds))
    await asyncio.wait({sleeping, asked}, return_when=asyncio.FIRST_COMPLETED)
    sleeping.cancel()
    await asyncio.gather(sleeping, return_exceptions=True)


async def until_set(clock: ports.Clock, seconds: float, event: asyncio.Event) -> None:
    """Wait until an event is set, but so long at most."""
    waking = asyncio.create_task(event.wait())
    await at_most(clock, seconds, waking)
    waking.cancel()
    await asyncio.gather(waking, return_exceptions=True)
