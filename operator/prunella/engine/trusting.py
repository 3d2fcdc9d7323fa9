"""Reading what a namespace's administrator allows, and marking the records that are counted."""

from __future__ import annotations

import datetime
import logging

from prunella import ports
from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.decisions.trust import board, ceilings
from prunella.engine import memory as memories
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
FRESH = datetime.timedelta(0)
"""For a decision."""
SICK_LAST = datetime.timedelta(seconds=60)
"""How old the ceilings may be that a status tells while a target is sick..."""
HEALTHY_LAST = datetime.timedelta(minutes=15)
"""...and while none is: a healthy policy costs next to no requests."""


class Trusting:
    """Keeps the ceilings of each namespace, and writes the marks of counted records."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._known: dict[str, tuple[datetime.datetime, ceilings.Ceilings]] = {}

    async def told(
        self, policy: objects.Policy, memory: memories.PolicyMemory
    ) -> ceilings.Ceilings:
        """What a pass begins with, kept for its report."""
        sick = model.Verdict.UNHEALTHY in memory.verdicts.values()
        memory.ceilings = await self.ceilings(policy, SICK_LAST if sick else HEALTHY_LAST)
        return memory.ceilings

    async def ceilings(
        self, policy: objects.Policy, oldest: datetime.timedelta = FRESH
    ) -> ceilings.Ceilings:
        """What a policy's namespace allows; a policy that only advises asks for nothing.

        Labels that can't be read allow nothing but advice. Policies of the cluster have no
        namespace: administrators write them.
        """
        namespace, now = policy.key.namespace, self._world.clock.now()
        asks = policy.spec is not None and policy.spec.mode is not policy_api.Mode.ADVISE
        if self._world.namespaces is None or not asks or not namespace:
            return ceilings.NO_CEILINGS
        known = self._known.get(namespace)
        if known is not None and now - known[0] < oldest:
            return known[1]
        try:
            labels = await self._world.namespaces.namespace_labels(namespace)
            found = ceilings.parse(namespace, labels)
        except ports.ClusterError as error:
            found = ceilings.unreadable(namespace, str(error))
        self._known[namespace] = now, found
        return found

    async def mark(self, policy: objects.Policy) -> None:
        """Write the marks of the records that the policy's status says are counted.

        ``policy`` is as the API server has shown it: a status that was not written marks nothing.
        """
        own = [record for record in self._world.ledger.records() if record.policy == policy.key]
        for record in board.unmarked(policy, own):
            status = record.status.model_copy(update={"counted_for": policy.uid})
            try:
                await self._world.ledger.update(record, status)
            except ports.ClusterError as error:
                LOG.info("%s is marked as counted later: %s", record.name, error)
