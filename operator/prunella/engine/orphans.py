"""What nobody else ends: records whose policy is gone or broken, fields that are still ours."""

from __future__ import annotations

from collections.abc import Iterable

from prunella import ports
from prunella.api import reasons
from prunella.core import objects
from prunella.core.decisions import rules
from prunella.core.outcomes import verification
from prunella.engine import attempt
from prunella.engine import world as worlds

Phase = reasons.Phase


async def close_orphans(
    world: worlds.World, executor: attempt.Executor, alive: Iterable[objects.Key]
) -> None:
    """End the unfinished records of deleted policies: nothing more is done or undone."""
    known = set(alive)
    message = "the policy was deleted; nothing more is done, nothing is undone"
    for record in tuple(world.ledger.records()):
        if record.phase.final or record.policy in known:
            continue
        if await world.policies.read(record.policy) is not None:
            continue
        try:
            await _end(executor, await _settled(executor, record), "PolicyDeleted", message)
        except ports.ClusterError:
            continue


async def close_unjudged(
    world: worlds.World,
    executor: attempt.Executor,
    policy: objects.Policy,
    problem: str,
    limits: rules.Rules,
) -> None:
    """End what a policy has begun and can't judge any more, and call a person.

    What was sent is given the time that it had: a policy that is mended meanwhile proves it.
    """
    now = world.clock.now()
    message = f"nothing proves that it helped: the policy can't be evaluated: {problem}"
    for record in tuple(world.ledger.records()):
        if record.phase.final or record.policy != policy.key:
            continue
        settled = await _settled(executor, record)
        if settled.phase is Phase.VERIFYING and now < verification.until(settled, limits):
            continue
        ended = await _end(executor, settled, "PolicyInvalid", message)
        if ended.phase in reasons.UNHELPFUL:
            await executor.escalate(ended)


async def give_back_fields(world: worlds.World, executor: attempt.Executor) -> None:
    """Give back what ended remediations wrote, where that did not succeed as they ended.

    The watched objects tell: nothing is asked where the operator owns no field.
    """
    records = tuple(world.ledger.records())
    busy = {record.target for record in records if record.in_flight}
    # A record that wrote no field, as an eviction, gives none back.
    wrote = (r for r in records if r.target not in busy and attempt.writes_fields(r))
    ended = {record.spec.target.uid: record for record in wrote}
    for namespace in {record.target.namespace for record in ended.values()}:
        for workload in world.cluster.workloads(namespace):
            owned = any(objects.FIELD_MANAGER in each for each in workload.field_owners.values())
            if owned and workload.uid in ended:
                await executor.give_back(ended[workload.uid])


async def _settled(executor: attempt.Executor, record: objects.Record) -> objects.Record:
    return await executor.settle(record) if record.phase is Phase.ACTING else record


async def _end(
    executor: attempt.Executor, record: objects.Record, reason: str, message: str
) -> objects.Record:
    """End a record that is not under way: without proof if it was sent."""
    ends = {
        Phase.AWAITING_APPROVAL: Phase.EXPIRED,
        Phase.PENDING: Phase.NOT_SENT,
        Phase.VERIFYING: Phase.UNPROVEN,
    }
    if record.phase not in ends:
        return record
    return await executor.close(record, ends[record.phase], reason, message)
