"""Whether what was begun may go on: asked anew before each effect that is sent after the first."""

from __future__ import annotations

import dataclasses

from prunella.core import model, objects
from prunella.core.decisions.trust import standing
from prunella.core.outcomes import pacing
from prunella.engine import switches, trusting
from prunella.engine import world as worlds


@dataclasses.dataclass(frozen=True, slots=True)
class Stops:
    """Reads what people have said since an action was begun: policy, switches, ceilings."""

    world: worlds.World
    options: worlds.Options
    switches: switches.Switches
    trusting: trusting.Trusting

    async def why(self, record: objects.Record, target: model.Workload | None) -> str:
        """Why nothing more of a record may be sent; empty: it may go on. Raises ClusterError."""
        policy = await self.world.policies.read(record.policy)
        halted = await self.switches.read(record.policy, target)
        if policy is None or policy.spec is None:
            return pacing.stop(record, policy, halted, {})
        allowed = await self.trusting.ceilings(policy)
        rules, actions = self.options.rules, self.options.actions
        known = (policy, policy.spec, tuple(self.world.ledger.records()), rules, actions)
        found = standing.modes_now(*known, allowed, self.world.clock.now())
        return pacing.stop(record, policy, halted, found)
