"""The pace of an action that evicts one pod after the other: when the next one may go.

    evicted --(its replacement is ready, the next pod is still sick)--> evict the next
       |
       +-- Healthy, stopped, or no progress for as long as a rollout may take --> proof

What is left when it stops is never sent: the verification judges what was done.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Collection, Mapping
from typing import Final

from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import budgets, ledger, nodes, step
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import modes

BY_A_PERSON: Final = "stopped by a person"


class Turn(enum.StrEnum):
    """What comes next."""

    WAIT = "Wait"
    SEND = "Send"
    STOP = "Stop"


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What the next turn is decided by."""

    now: datetime.datetime
    rules: Rules
    may_send: bool
    """False when somebody has paused or frozen it, suspended or edited the policy, or lets it do
    less now."""
    verdict: model.Verdict
    sick: Collection[str]
    """The pods that the signals name now; empty when they name none."""
    no_room: bool = False
    """True when a disruption budget has just been found to be in the way."""
    stopped: str = BY_A_PERSON
    """Why nothing may be sent, where nothing may be."""


def stop(
    record: objects.Record,
    policy: objects.Policy | None,
    pause: model.PauseState,
    found: Mapping[str, modes.Effective],
) -> str:
    """Why nothing more of a record may be sent; empty: nobody has said stop since it was begun.

    ``found`` are the modes of the policy's actions now.  What takes back goes on in a lower mode
    and after an edit: it was decided together with what it takes back.  A drain goes on after an
    edit, too: it reads its step anew each time.
    """
    spec, action = policy.spec if policy is not None else None, record.spec.action
    live = spec is not None and spec.mode.acts and not spec.suspend
    if policy is None or spec is None or not live or pause.paused or pause.frozen:
        return BY_A_PERSON
    if action in budgets.TAKES_BACK:
        return ""
    was, edited = record.spec.policy, record.spec.policy.generation != policy.generation
    if was.uid != policy.uid or (edited and action != nodes.DRAIN):
        return f"the policy has generation {policy.generation}, it was decided by {was.generation}"
    now = found.get(action)
    return modes.lowered(record.spec.mode, now.mode if now is not None else spec.mode, now)


def scene(
    record: objects.Record,
    outcome: step.Outcome,
    rules: Rules,
    now: datetime.datetime,
    *,
    stopped: str,
) -> Scene:
    """What the newest pass says of a record's target; ``stopped`` is why it is over, if it is."""
    found = [finding for finding in outcome.findings if finding.target == record.target]
    return Scene(
        now=now,
        rules=rules,
        may_send=not stopped,
        verdict=outcome.verdicts.get(record.target, model.Verdict.UNKNOWN),
        sick=frozenset(pod for finding in found for pod in finding.sick_pods),
        stopped=stopped or BY_A_PERSON,
    )


def is_paced(record: objects.Record) -> bool:
    """Whether the effects before the next one are all settled, and that one is to wait for them.

    A drain always is: it tells by itself what it waits for.
    """
    if record.spec.action == nodes.DRAIN:
        return bool(record.status.effects) and record.status.effects[0].outcome == "Effective"
    effects = list(zip(record.spec.effects, record.status.effects, strict=False))
    unsent = [effect for effect, status in effects if status.sent_at is None]
    doubt = any(status.sent_at is not None and status.outcome == "" for _, status in effects)
    return bool(unsent) and len(unsent) < len(effects) and unsent[0].paced and not doubt


def turn(
    record: objects.Record, scene: Scene, live_state: model.LiveState | None
) -> tuple[Turn, str]:
    """What to do about the next pod, and why."""
    left = _left(record)
    if not scene.may_send:
        return Turn.STOP, scene.stopped
    if live_state is None or scene.verdict is model.Verdict.HEALTHY:
        return Turn.STOP, "the target is gone" if live_state is None else "Healthy again"
    waits = _waits(record, live_state, left) or _doubt(scene)
    if waits and _patience_is_over(record, scene):
        limit = scene.rules.rollout_seconds
        return Turn.STOP, f"no progress for {limit:.0f} s: {waits}"
    return (Turn.WAIT, waits) if waits else (Turn.SEND, "")


def passed_over(record: objects.Record, scene: Scene) -> bool:
    """Whether the next pod is not among the sick ones any more: it needs no eviction."""
    return bool(scene.sick) and due(record).target.name not in scene.sick


def due(record: objects.Record) -> model.Effect:
    """The next effect of a record that has one left."""
    return _left(record)[0]


def without_next(record: objects.Record) -> remediation.RemediationStatus:
    """The status with the next effect left out, which is never sent."""
    statuses = list(record.status.effects)
    place = next(index for index, status in enumerate(statuses) if status.outcome == "")
    note = {"outcome": "NotSent", "message": "its pod is not sick any more"}
    statuses[place] = statuses[place].model_copy(update=note)
    phase = reasons.Phase.ACTING if place + 1 < len(statuses) else reasons.Phase.VERIFYING
    return record.status.model_copy(
        update={"effects": statuses, "phase": phase, "reason": phase.value}
    )


def stopped(record: objects.Record, why: str) -> remediation.RemediationStatus:
    """The status with all that was never sent left out; what was sent is to be proved."""
    left = len(_left(record))
    statuses = [
        each if each.outcome else each.model_copy(update={"outcome": "NotSent", "message": why})
        for each in record.status.effects
    ]
    phase = reasons.Phase.VERIFYING
    message = f"{why}: {left} of {len(statuses)} evictions were not needed or not possible"
    update = {"effects": statuses, "phase": phase, "reason": phase.value, "message": message[:2048]}
    return record.status.model_copy(update=update)


def _left(record: objects.Record) -> list[model.Effect]:
    """The effects that were neither sent nor left out."""
    halves = zip(ledger.effects_of(record), record.status.effects, strict=True)
    return [effect for effect, status in halves if status.outcome == "" and status.sent_at is None]


def _waits(
    record: objects.Record, live_state: model.LiveState, left: Collection[model.Effect]
) -> str:
    """What the next eviction has to wait for; empty when nothing.

    Pods whose turn is still to come, and those that were not ready before, are not waited for.
    """
    waiting = {effect.uid for effect in left}
    started = record.sent_at
    for pod in live_state.pods:
        evicted = any(pod.uid == e.precondition.uid for e in record.spec.effects)
        before = pod.created is not None and started is not None and pod.created < started
        if pod.uid in waiting or (before and not evicted and not pod.deleting):
            continue
        if pod.deleting or not pod.ready:
            return f"pod {pod.name} {'is still there' if pod.deleting else 'is not ready yet'}"
    workload = live_state.workload
    available = record.spec.before.available if record.spec.before is not None else 0
    if len(live_state.pods) < workload.replicas or workload.available < available:
        there = len(live_state.pods)
        return (
            f"{there} of {workload.replicas} pods are there, {workload.available} available, "
            f"{available} were before"
        )
    return ""


def _doubt(scene: Scene) -> str:
    if scene.verdict is not model.Verdict.UNHEALTHY:
        return "the signals are Unknown"
    return "a PodDisruptionBudget allows no eviction now" if scene.no_room else ""


def _patience_is_over(record: objects.Record, scene: Scene) -> bool:
    since = record.last_sent_or_decided_at
    return (scene.now - since).total_seconds() > scene.rules.rollout_seconds
