"""The switches that people have: read anew before anything is sent, now and then for the status."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import halts
from prunella.engine import world as worlds

PAUSE_LASTS = datetime.timedelta(seconds=10)
"""How old the pause may be in a status; decisions read it anew."""
FREEZE_LASTS = datetime.timedelta(seconds=30)
"""The same of namespaces, of which there are many."""


class Switches:
    """Pauses and frozen namespaces, as policies see them."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._pause: tuple[datetime.datetime, model.PauseState] | None = None
        self._freezes: dict[str, tuple[datetime.datetime, halts.Freeze]] = {}
        self._looking = asyncio.Lock()

    async def read(
        self, policy: objects.Key, target: model.Workload | None = None
    ) -> model.PauseState:
        """What stops a policy at this moment, and an action on its target where one is given."""
        namespace = policy.namespace
        pause, freeze = await asyncio.gather(self._paused(), self._freeze(namespace))
        now = self._world.clock.now()
        self._pause, self._freezes[namespace] = (now, pause), (now, freeze)
        return halts.for_policy(pause, policy, freeze, now, target)

    async def _paused(self) -> model.PauseState:
        """What is paused, and the operator's clock just when the API server told its own."""
        found = await self._world.cluster.paused()
        return dataclasses.replace(found, own_time=self._world.clock.now())

    async def _freeze(self, namespace: str) -> halts.Freeze:
        """What a namespace says; a policy of the cluster has none."""
        return await self._world.cluster.freeze(namespace) if namespace else halts.NOT_FROZEN

    async def refusal(self, policy: objects.Key) -> model.Refusal | None:
        """Why an action that is about to be sent must not be, after all."""
        found = await self.read(policy)
        if found.paused:
            return model.Refusal(reasons.Refused.PAUSED, found.message)
        return model.Refusal(reasons.Refused.FROZEN, found.frozen) if found.frozen else None

    async def lately(self, policy: objects.Key) -> model.PauseState:
        """What has stopped a policy some seconds ago at most: enough for a status."""
        namespace = policy.namespace
        async with self._looking:
            now = self._world.clock.now()
            if self._pause is None or now - self._pause[0] >= PAUSE_LASTS:
                self._pause = now, await self._paused()
            known = self._freezes.get(namespace)
            if known is None or now - known[0] >= FREEZE_LASTS:
                known = now, await self._freeze(namespace)
                self._freezes[namespace] = known
            return halts.for_policy(self._pause[1], policy, known[1], now)
