"""How a drain goes on: which pod may be evicted next, what is waited for, and when it is given up.

    cordoned --(no budget in the way, no pod of the same owner is just ending)--> evict the next
        |
        +-- all gone --> proof        +-- deadline over --> given up, and the cordon is undone
        +-- Healthy again, or uncordoned by somebody --> no further pod is evicted

A pod whose budget allows no eviction is asked for in a dry run only.  What was refused after all,
or whose answer was lost while the pod stays, is asked for again: its UID makes that safe.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Final

from prunella.api import nodes as nodes_api
from prunella.api import reasons, remediation
from prunella.core import model, node_state, objects
from prunella.core.decisions import ledger, nodes

Phase = reasons.Phase
MESSAGE: Final = 2048


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A drain as it stands."""

    record: objects.Record
    node: model.Workload | None
    now: datetime.datetime
    verdict: model.Verdict
    params: nodes_api.Drain | None
    """None when the policy has no such step any more."""
    may_send: bool
    """False while somebody has paused the operator or suspended the policy."""

    @property
    def there(self) -> Mapping[str, node_state.NodePod]:
        """The pods on the node by UID."""
        state = self.node.node if self.node is not None else None
        return {pod.uid: pod for pod in state.pods} if state is not None else {}


def end(look: Look) -> tuple[Phase, str, str] | None:
    """Phase, reason and message of a drain that is not gone on with; None: it goes on."""
    record, node = look.record, look.node
    if node is None or node.uid != record.spec.target.uid:
        return Phase.SUPERSEDED, "TargetGone", f"{record.target} is gone"
    if nodes.owner(node) != record.name:
        message = f"somebody has uncordoned {record.target}: its pods are left alone"
        return Phase.SUPERSEDED, "ChangedByOthers", message
    remaining = left(look)
    if not remaining:
        return None
    if look.params is None:
        message = f"the policy has no such step any more; {_pods(remaining)} are left"
        return Phase.UNHELPFUL, "NotDrained", message
    if look.verdict is model.Verdict.HEALTHY:
        message = f"Healthy again; {_pods(remaining)} are left where they are"
        return Phase.SUCCEEDED, "HealthyAgain", message
    began = record.sent_at or record.spec.decided_at
    limit = look.params.deadline.total_seconds()
    if (look.now - began).total_seconds() > limit:
        waits = waiting(look) or _pods(remaining)
        return Phase.UNHELPFUL, "NotDrained", f"not drained within {limit:.0f} s: {waits}"
    return None


def left(look: Look) -> list[node_state.NodePod]:
    """The pods of the plan that are still on the node."""
    planned = {effect.uid for effect in _evictions(look.record)}
    return [pod for uid, pod in look.there.items() if uid in planned]


def due(look: Look) -> list[int]:
    """The places of the evictions that may be tried now, one of each owner."""
    if not look.may_send:
        return []
    there = look.there
    busy = {_owner(pod) for pod in left(look) if pod.deleting}
    found = []
    for place, effect in enumerate(ledger.effects_of(look.record)):
        status = look.record.status.effects[place]
        pod = there.get(effect.uid)
        if effect.verb is not model.Verb.EVICT or status.sent_at or status.outcome or pod is None:
            continue
        if _owner(pod) not in busy and not pod.deleting:
            busy.add(_owner(pod))
            found.append(place)
    return found


def seen(look: Look, settle_after: datetime.timedelta) -> remediation.RemediationStatus:
    """The status with what the node tells: pods that have gone, answers that were lost."""
    statuses = []
    for effect, status in zip(
        ledger.effects_of(look.record), look.record.status.effects, strict=True
    ):
        told: dict[str, object] = {}
        if effect.verb is model.Verb.EVICT and status.outcome == "":
            pod = look.there.get(effect.uid)
            gone = pod is None or pod.deleting
            if status.sent_at is None:
                told = {"outcome": "NotSent"} if pod is None else {}
            elif look.now - status.sent_at >= settle_after:
                told = {"outcome": "Effective"} if gone else {"sent_at": None}
        statuses.append(status.model_copy(update=told) if told else status)
    return look.record.status.model_copy(update={"effects": statuses})


def progress(look: Look, blocked: Mapping[int, str]) -> remediation.RemediationStatus:
    """The status that says what is done, and what is waited for; ``blocked`` by place."""
    effects = list(look.record.status.effects)
    for place, each in enumerate(effects):
        waits = blocked.get(place, "")
        if each.sent_at is None and each.outcome == "" and each.message != waits:
            effects[place] = each.model_copy(update={"message": waits[:MESSAGE]})
    status = look.record.status.model_copy(update={"effects": effects})
    changed = dataclasses.replace(look, record=dataclasses.replace(look.record, status=status))
    remaining, planned = left(changed), len(_evictions(look.record))
    if not remaining:
        phase = Phase.VERIFYING
        message = f"{planned} pods of the plan are gone"
        return status.model_copy(update={"phase": phase, "reason": phase.value, "message": message})
    told = f"{planned - len(remaining)} of {planned} pods are gone"
    if waits := waiting(changed):
        told = f"{told}; {waits}"
    elif not look.may_send:
        told = f"{told}; stopped by a person for now"
    return status.model_copy(update={"reason": "Draining", "message": told[:MESSAGE]})


def waiting(look: Look) -> str:
    """What holds the drain up, in the API server's words; empty when nothing does."""
    pairs = zip(look.record.spec.effects, look.record.status.effects, strict=True)
    held = [
        f"{effect.namespace}/{effect.name} waits: {status.message}"
        for effect, status in pairs
        if status.outcome == "" and status.sent_at is None and status.message
    ]
    more = f" and {len(held) - 3} more" if len(held) > 3 else ""
    return "; ".join(held[:3]) + more


def ended(look: Look, phase: Phase, reason: str, message: str) -> remediation.RemediationStatus:
    """The status of a drain that is over: what was not sent is left out."""
    effects = [
        each if each.outcome else each.model_copy(update={"outcome": "NotSent"})
        for each in look.record.status.effects
    ]
    return look.record.status.model_copy(
        update={
            "effects": effects,
            "phase": phase,
            "reason": reason,
            "message": message[:MESSAGE],
            "finished_at": look.now,
        }
    )


def _owner(pod: node_state.NodePod) -> str:
    """What would make the pod again; a pod that nothing controls is its own."""
    return f"{pod.namespace}/{pod.controller}" if pod.controller else str(pod)


def _evictions(record: objects.Record) -> list[model.Effect]:
    return [each for each in ledger.effects_of(record) if each.verb is model.Verb.EVICT]


def _pods(pods: Sequence[node_state.NodePod]) -> str:
    names = ", ".join(map(str, pods[:3]))
    more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
    return f"{len(pods)} pods ({names}{more})"
