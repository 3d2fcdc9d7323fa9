"""What stops a policy, and when that was last seen."""

from __future__ import annotations

import dataclasses
import datetime

from prunella.core import model, objects
from prunella.engine import switches
from prunella.engine import world as worlds


class Pauses:
    """Reads the switches; what was seen during a pause or a freeze is observed anew after it."""

    def __init__(self, world: worlds.World, reading: switches.Switches) -> None:
        self._clock = world.clock
        self._switches = reading
        self._last_seen: dict[objects.Key, datetime.datetime] = {}

    async def read(self, policy: objects.Key) -> model.PauseState:
        """Whether a policy may act now; unreadable means paused."""
        found = await self._switches.read(policy)
        if found.paused or found.frozen:
            self._last_seen[policy] = self._clock.now()
        return dataclasses.replace(found, last_seen=self._last_seen.get(policy))
