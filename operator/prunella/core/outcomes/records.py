"""What the ledger keeps: a command as a Remediation's frozen spec, and the phases that it takes."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import approvals, decide, nodes, sides

MESSAGE = 2048
LABELS = "prunella.dev"
"""Prefix of the labels that records bear."""
MOST_LABEL_CHARACTERS = 63
_FIRST_PHASE = {
    policy_api.Mode.ADVISE: reasons.Phase.ADVISED,
    policy_api.Mode.DRY_RUN: reasons.Phase.DRY_RUN,
    policy_api.Mode.LIVE: reasons.Phase.PENDING,
}


def first_phase(mode: policy_api.Mode, action: str) -> reasons.Phase:
    """The phase that a record of a mode begins with; what undoes is not asked for again."""
    if mode is policy_api.Mode.APPROVE:
        asks = approvals.asks(mode, action)
        return reasons.Phase.AWAITING_APPROVAL if asks else reasons.Phase.PENDING
    return _FIRST_PHASE[mode]


def labels(spec: remediation.RemediationSpec, phase: reasons.Phase) -> dict[str, str]:
    """What ``kubectl get rem -l`` may ask for. The spec holds the full names."""
    values = {
        "policy": spec.policy.name,
        "target": spec.target.name,
        "action": spec.action,
        "phase": phase.value,
    }
    return {f"{LABELS}/{key}": label_value(value) for key, value in values.items()}


def label_value(name: str) -> str:
    """A name as the value of a label: what is too long is cut and told apart by a hash."""
    if len(name) <= MOST_LABEL_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    stem = name[: MOST_LABEL_CHARACTERS - len(digest) - 1].rstrip("-._")
    return f"{stem}-{digest}"


def mislabelled(record: objects.Record) -> bool:
    """Whether a record's labels do not say what it is."""
    return not labels(record.spec, record.phase).items() <= record.labels.items()


def to_spec(
    command: decide.Command, policy: objects.Policy, queries: Mapping[str, str]
) -> remediation.RemediationSpec:
    """A command as a frozen spec. ``queries`` tells each signal's queries as they were sent."""
    ref = command.workload.ref
    return remediation.RemediationSpec(
        policy=remediation.PolicyReference(
            name=policy.key.name,
            namespace=policy.key.namespace,
            uid=policy.uid,
            generation=policy.generation,
        ),
        target=remediation.TargetReference(
            kind=ref.kind, namespace=ref.namespace, name=ref.name, uid=command.workload.uid
        ),
        attempt=command.attempt,
        mode=command.mode,
        step=command.step,
        action=command.action,
        follows=command.follows.name if command.follows is not None else "",
        incident=command.incident,
        decided_at=command.decided_at,
        reason=why(command)[:MESSAGE],
        evidence=[_evidence(f, command.held_since, queries) for f in command.findings[:8]],
        guards=[_guard(answer) for answer in command.answers],
        effects=[objects.effect_to_spec(effect) for effect in command.effects],
        plan_hash=command.plan_hash,
        leaves=command.leaves,
        before=remediation.PodsBefore(
            wanted=command.workload.replicas,
            available=command.workload.available,
            lost=command.lost,
        ),
        approval_expires_at=approvals.expiry(command, policy),
    )


def why(command: decide.Command) -> str:
    """The reason for a command in one sentence."""
    seen = "; ".join(f"{finding.signal}: {finding.message}" for finding in command.findings)
    way_back = command.action in {sides.RETURN_TRAFFIC, nodes.RETURN_NODE}
    if way_back and command.follows is not None:
        return f"{seen}, some time after {command.follows.name}"
    return f"{seen}{_after(command.follows)}"


def _after(follows: objects.Record | None) -> str:
    if follows is None:
        return ""
    if follows.phase is reasons.Phase.FAILED:
        return f" after {follows.name} stopped half way ({follows.status.reason})"
    return f" after {follows.name} did not help"


def _evidence(
    finding: model.Finding, since: datetime.datetime | None, queries: Mapping[str, str]
) -> remediation.Evidence:
    return remediation.Evidence(
        signal=finding.signal,
        verdict=finding.verdict.value,
        message=finding.message[:MESSAGE],
        value=finding.value,
        since=since,
        query=queries.get(finding.signal, "")[:8192],
        mapped_by=finding.mapped_by,
    )


def _guard(answer: model.GuardAnswer) -> remediation.GuardResult:
    return remediation.GuardResult(
        guard=answer.guard, passed=answer.refusal is None, message=answer.message[:MESSAGE]
    )


def first_status(
    phase: reasons.Phase, message: str, now: datetime.datetime, effects: int
) -> remediation.RemediationStatus:
    """The status that a new record begins with."""
    return remediation.RemediationStatus(
        phase=phase,
        reason=phase.value,
        message=message[:MESSAGE],
        effects=[remediation.EffectStatus() for _ in range(effects)],
        finished_at=now if phase.final else None,
    )


def closed(
    record: objects.Record,
    phase: reasons.Phase,
    reason: str,
    message: str,
    now: datetime.datetime,
) -> remediation.RemediationStatus:
    """The record's status with a final phase."""
    return record.status.model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "message": message[:MESSAGE],
            "finished_at": now,
        }
    )
