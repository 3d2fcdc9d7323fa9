"""What the other policies of a namespace have found of their targets, and how old that is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from prunella.core import model, objects
from prunella.core.decisions import moves, step
from prunella.engine import memory as memories
from prunella.engine import world as worlds

VERDICTS_LAST = datetime.timedelta(minutes=1)
"""A verdict of another policy is in doubt after two of its intervals, these at most so long."""


class Peers:
    """Reads the verdicts that each policy's pass has left in its memory."""

    def __init__(
        self, world: worlds.World, known: Mapping[objects.Key, memories.PolicyMemory]
    ) -> None:
        self._world = world
        self._memories = known

    def verdicts(
        self, key: objects.Key, workloads: Sequence[model.Workload]
    ) -> dict[model.Ref, model.Verdict]:
        """The worst verdict of each target of the namespace's other policies; Unknown: not yet."""
        seen: dict[model.Ref, set[model.Verdict]] = {}
        for other, memory in self._memories.items():
            if other.namespace == key.namespace and other != key:
                for ref, verdict in memory.verdicts.items():
                    seen.setdefault(ref, set()).add(verdict)
        for policy, judged_at in self._judged(key):
            if judged_at is None:
                for each in step.select(key.namespace, step.valid_spec(policy).target, workloads):
                    seen.setdefault(each.ref, set()).add(model.Verdict.UNKNOWN)
        return {ref: step.worst(found) for ref, found in seen.items()}

    def doubted(self, key: objects.Key, now: datetime.datetime) -> frozenset[model.Ref]:
        """Targets of the namespace's other policies that one of these has not judged lately."""
        found: set[model.Ref] = set()
        for policy, judged_at in self._judged(key):
            interval = min(step.valid_spec(policy).interval, VERDICTS_LAST)
            if judged_at is not None and now - judged_at > max(VERDICTS_LAST, 2 * interval):
                found.update(self._memories[policy.key].verdicts)
        return frozenset(found)

    def sick_taking(
        self,
        record: objects.Record,
        policy: objects.Policy,
        own: Mapping[model.Ref, model.Verdict],
    ) -> model.Ref | None:
        """The side that a shift has moved traffic to, when any policy calls it Unhealthy."""
        ref = moves.taking(record, step.valid_spec(policy))
        if ref is None:
            return None
        found = {own.get(ref), self.verdicts(policy.key, ()).get(ref)}
        return ref if model.Verdict.UNHEALTHY in found else None

    def _judged(
        self, key: objects.Key
    ) -> Iterator[tuple[objects.Policy, datetime.datetime | None]]:
        """The namespace's other policies that can judge, and when they last did."""
        for policy in self._world.policies.all():
            if policy.key.namespace != key.namespace or policy.key == key or policy.deleting:
                continue
            memory = self._memories.get(policy.key, memories.PolicyMemory())
            if policy.spec is not None and not memory.problem:
                yield policy, memory.judged_at
