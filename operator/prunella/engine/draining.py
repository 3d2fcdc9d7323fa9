"""A drain under way: looks, evicts what may go, and writes down what it waits for."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Sequence

from prunella import ports
from prunella.api import nodes as nodes_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import budgets, decide, halts, ledger, nodes
from prunella.core.decisions.rules import Rules
from prunella.core.outcomes import draining, pacing
from prunella.engine import refusals, sending
from prunella.engine import world as worlds

Phase = reasons.Phase
SETTLE_AFTER = datetime.timedelta(seconds=15)
"""How long an eviction whose answer was lost may still be under way, as for other effects."""
ITS_OWN_END = frozenset({404, 409})
"""Answers about a pod that has gone, or another of its name: nothing is left to evict."""


def rehearsed(command: decide.Command) -> Sequence[model.Effect]:
    """What is tried before anything is done: of a drain not the evictions, which may wait."""
    if command.action != nodes.DRAIN:
        return command.effects
    return [effect for effect in command.effects if effect.verb is not model.Verb.EVICT]


def is_drain(record: objects.Record) -> bool:
    """Whether a record is of a drain that has begun: its cordon is settled, its pods are next."""
    drains = record.spec.action == nodes.DRAIN and record.phase is Phase.ACTING
    return drains and record.status.effects[0].outcome == "Effective"


async def go_on(
    world: worlds.World, record: objects.Record, scene: pacing.Scene
) -> tuple[objects.Record, remediation.RemediationStatus | None]:
    """Take a drain one pass further; the record as it is by then, and its status if it ends so.

    Each eviction is tried first, and sent after its ``sentAt`` was written.  Raises ClusterError.
    """
    look = await _look(world, record, scene)
    fresh = draining.seen(look, SETTLE_AFTER)
    if fresh != record.status:
        look = _with(look, await world.ledger.update(record, fresh))
    over = draining.end(look)
    if over is not None:
        return look.record, draining.ended(look, *over)
    blocked: dict[int, str] = {}
    for place in draining.due(look):
        effect = ledger.effects_of(look.record)[place]
        told = _no_place(world, record.target)
        told = told or await _stopped(world, effect.target, scene.rules)
        if not told:
            sent, told = await _sent(world, look, effect, place)
            look = _with(look, sent)
        if told:
            blocked[place] = told
    status = draining.progress(look, blocked)
    if status.phase is not Phase.ACTING:
        return look.record, status
    if status == look.record.status:
        return look.record, None
    return await world.ledger.update(look.record, status), None


async def _look(world: worlds.World, record: objects.Record, scene: pacing.Scene) -> draining.Look:
    live_state = await world.cluster.live_state(record.target)
    policy = await world.policies.read(record.policy)
    steps = policy.spec.steps if policy is not None and policy.spec is not None else []
    step = steps[record.spec.step].params if record.spec.step < len(steps) else None
    return draining.Look(
        record=record,
        node=live_state.workload if live_state is not None else None,
        now=scene.now,
        verdict=scene.verdict,
        params=step if isinstance(step, nodes_api.Drain) else None,
        may_send=scene.may_send,
    )


def _with(look: draining.Look, record: objects.Record) -> draining.Look:
    return dataclasses.replace(look, record=record)


def _no_place(world: worlds.World, target: model.Ref) -> str:
    """Why pods would find no other node by now, the operator's own among them."""
    known = world.cluster.workloads("")
    states = {each.ref: each.node for each in known if each.node is not None}
    return nodes.last_in_service(target, states)


async def _stopped(world: worlds.World, pod: model.Ref, rules: Rules) -> str:
    """What people have said of a pod's namespace that keeps it where it is for now."""
    cluster, namespace = world.cluster, pod.namespace
    pause, freeze = await asyncio.gather(cluster.paused(), cluster.freeze(namespace))
    told = halts.for_pods(pause, namespace, freeze, world.clock.now())
    if told or world.disruptions is None:
        return told
    return budgets.forbids_all(await world.disruptions.look(pod), namespace, rules)


async def _sent(
    world: worlds.World, look: draining.Look, effect: model.Effect, place: int
) -> tuple[objects.Record, str]:
    """The record after one eviction, and what is in its way, if it could not be.

    What was refused after all, as when somebody else has used up the budget, is as it was before.
    """
    record = look.record
    tried = await world.cluster.send(effect, record.name, dry_run=True)
    if tried.outcome is not ports.Outcome.WOULD_SUCCEED and tried.status not in ITS_OWN_END:
        return record, _refused(tried)
    unsent = record.status.effects[place]
    sent = unsent.model_copy(update={"sent_at": world.clock.now(), "message": ""})
    record = await world.ledger.update(record, _status(record, place, sent))
    receipt = await world.cluster.send(effect, record.name, dry_run=False)
    if receipt.outcome is ports.Outcome.REFUSED and receipt.status not in ITS_OWN_END:
        return await world.ledger.update(record, _status(record, place, unsent)), _refused(receipt)
    done = sent.model_copy(update=sending.received(record, effect, receipt))
    return await world.ledger.update(record, _status(record, place, done)), ""


def _refused(receipt: ports.Receipt) -> str:
    waits = receipt.status == refusals.BUDGET_IN_THE_WAY
    return receipt.message if waits else f"the API server refuses it: {receipt.message}"


def _status(
    record: objects.Record, place: int, effect: remediation.EffectStatus
) -> remediation.RemediationStatus:
    effects = list(record.status.effects)
    effects[place] = effect
    return record.status.model_copy(update={"effects": effects})
