"""The switch for the whole operator, and when it was last seen on."""

from __future__ import annotations

import dataclasses
import datetime

from prunella.core import model
from prunella.engine import world as worlds


class Pauses:
    """Reads the pause; what was seen during one is observed anew after it."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._last_seen: datetime.datetime | None = None

    async def read(self) -> model.PauseState:
        """Whether the operator may act now; unreadable means paused."""
        found = await self._world.cluster.paused()
        if found.paused:
            self._last_seen = self._world.clock.now()
        return dataclasses.replace(found, last_seen=self._last_seen)
