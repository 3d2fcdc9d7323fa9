"""Builders for the core's tests: each gives a healthy, harmless value; a test changes one thing.

Times are minutes and seconds around ``NOW``; nothing here reads a clock.  Signals and readings
are in ``signals.py``.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prunella.actions import registry
from prunella.api import incident as incident_api
from prunella.api import policy as policy_api
from prunella.api import policy_status, reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import causes, guards
from prunella.core.decisions.rules import Rules

NOW = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
NAMESPACE = "shop"
KEY = objects.Key(NAMESPACE, "checkout")
HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict.HEALTHY, model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN
TEMPLATE: Mapping[str, Any] = {"metadata": {"labels": {"app": "checkout"}}, "spec": {"image": "v1"}}
SIGNAL: Mapping[str, Any] = {
    "name": "errors",
    "prometheus": {"query": "errors"},
    "threshold": {"above": 0.05},
}


def seconds(number: float) -> datetime.timedelta:
    """So many seconds."""
    return datetime.timedelta(seconds=number)


def minutes(number: float) -> datetime.timedelta:
    """So many minutes."""
    return datetime.timedelta(minutes=number)


def ref(name: str = "checkout", namespace: str = NAMESPACE, kind: str = "Deployment") -> model.Ref:
    """A reference to a workload."""
    return model.Ref(kind, namespace, name)


def workload(
    name: str = "checkout", namespace: str = NAMESPACE, kind: str = "Deployment", **changes: Any
) -> model.Workload:
    """A workload of three replicas, rolled out. ``changes`` are fields of ``model.Workload``."""
    whole = model.Workload(
        ref=ref(name, namespace, kind),
        uid=f"{name}-uid",
        generation=4,
        observed_generation=4,
        replicas=3,
        updated=3,
        available=3,
        total=3,
        labels={"app": "checkout"},
        selector={"app": name},
        template=TEMPLATE,
        resource_version="100",
    )
    return dataclasses.replace(whole, **changes)


def spec(**fields: Any) -> policy_api.RemediationPolicySpec:
    """A Live policy's spec with one signal and one restart; ``fields`` as written in YAML."""
    document: dict[str, Any] = {
        "mode": "Live",
        "target": {"selector": {"matchLabels": {"app": "checkout"}}},
        "signals": [SIGNAL],
        "steps": [{"restart": {}}],
    }
    return policy_api.RemediationPolicySpec.model_validate({**document, **fields})


def policy(
    *,
    key: objects.Key = KEY,
    generation: int = 1,
    uid: str = "policy-uid",
    annotations: Mapping[str, str] = model.NO_LABELS,
    status: policy_status.RemediationPolicyStatus | None = None,
    **fields: Any,
) -> objects.Policy:
    """A policy as read; ``fields`` are those of its spec, as written in YAML."""
    return objects.Policy(
        key=key,
        uid=uid,
        generation=generation,
        spec=spec(**fields),
        status=status or policy_status.RemediationPolicyStatus(),
        annotations=annotations,
    )


def resumed(at: datetime.datetime, author: str = "someone") -> dict[str, str]:
    """The annotation that ``prunella resume`` leaves on a policy."""
    return {objects.RESUMED: f"{at.isoformat()} by {author}"}


def finding(
    target: model.Ref | None = None,
    verdict: model.Verdict = UNHEALTHY,
    signal: str = "errors",
    **changes: Any,
) -> model.Finding:
    """A finding, Unhealthy unless said otherwise."""
    words = {
        HEALTHY: ("InLimit", "0.01 is not above 0.05", 0.01),
        UNHEALTHY: ("OverLimit", "0.5 is above 0.05", 0.5),
        UNKNOWN: (reasons.Doubt.NO_DATA, "no series", None),
    }
    reason, message, value = words[verdict]
    whole = model.Finding(
        signal, target or ref(), verdict, reason, message, value, mapped_by="deployment"
    )
    return dataclasses.replace(whole, **changes)


def effect(target: model.Workload | None = None, **changes: Any) -> model.Effect:
    """A restart's effect."""
    of = target or workload()
    path = "/spec/template/metadata/annotations"
    whole = model.Effect(
        verb=model.Verb.PATCH,
        target=of.ref,
        uid=of.uid,
        generation=of.generation,
        patch=({"op": "add", "path": path, "value": {"restarted": "yes"}},),
        summary=f"restart {of.ref}",
    )
    return dataclasses.replace(whole, **changes)


def scale_effect(target: model.Workload | None = None, to: int = 5) -> model.Effect:
    """A change of replicas, with its inverse."""
    of = target or workload()
    return effect(
        of,
        patch=({"op": "add", "path": "/spec/replicas", "value": to},),
        inverse=({"op": "add", "path": "/spec/replicas", "value": of.replicas},),
        summary=f"scale {of.ref} from {of.replicas} to {to} replicas",
    )


def record(
    name: str = "checkout-1",
    phase: reasons.Phase = reasons.Phase.SUCCEEDED,
    *,
    target: model.Workload | None = None,
    key: objects.Key = KEY,
    policy_uid: str = "policy-uid",
    generation: int = 1,
    attempt: int = 1,
    step: int = 0,
    action: str = "restart",
    mode: policy_api.Mode = policy_api.Mode.LIVE,
    follows: str = "",
    ago: datetime.timedelta = datetime.timedelta(),
    finished_ago: datetime.timedelta | None = None,
    effects: Sequence[model.Effect] | None = None,
    effect_statuses: Sequence[remediation.EffectStatus] | None = None,
    evidence: Sequence[remediation.Evidence] = (),
    namespace: str = NAMESPACE,
    **status: Any,
) -> objects.Record:
    """A record decided ``ago`` before ``NOW``; a final one ended then, or ``finished_ago``.

    ``status`` are further fields of ``RemediationStatus``.
    """
    of = target or workload()
    planned = (effect(of),) if effects is None else tuple(effects)
    decided_at = NOW - ago
    statuses = effect_statuses
    if statuses is None:
        statuses = [remediation.EffectStatus() for _ in planned]
    finished_at = NOW - (ago if finished_ago is None else finished_ago) if phase.final else None
    return objects.Record(
        name=name,
        namespace=namespace,
        uid=f"{name}-uid",
        resource_version="1",
        created=decided_at,
        spec=remediation.RemediationSpec(
            policy=remediation.PolicyReference(
                name=key.name, namespace=key.namespace, uid=policy_uid, generation=generation
            ),
            target=remediation.TargetReference(
                kind=of.ref.kind, namespace=of.ref.namespace, name=of.ref.name, uid=of.uid
            ),
            attempt=attempt,
            mode=mode,
            step=step,
            action=action,
            follows=follows,
            decided_at=decided_at,
            reason="errors: 0.5 is above 0.05",
            evidence=list(evidence),
            effects=[objects.effect_to_spec(each) for each in planned],
            plan_hash="hash",
        ),
        status=remediation.RemediationStatus.model_validate(
            {
                "phase": phase,
                "reason": phase.value,
                "effects": list(statuses),
                "finished_at": finished_at,
                **status,
            }
        ),
    )


def verdicts(
    healthy: int = 0, unhealthy: int = 0, unknown: int = 0, prefix: str = "app"
) -> dict[model.Ref, model.Verdict]:
    """So many targets of each verdict, the Unhealthy first: ``app-0``, ``app-1``, ..."""
    listed = [UNHEALTHY] * unhealthy + [HEALTHY] * healthy + [UNKNOWN] * unknown
    return {ref(f"{prefix}-{number}"): verdict for number, verdict in enumerate(listed)}


def case(
    *,
    action: str = "restart",
    target: model.Workload | None = None,
    of: objects.Policy | None = None,
    records: Iterable[objects.Record] = (),
    **changes: Any,
) -> guards.Case:
    """A case that every guard lets pass: one sick target, held for long, nothing else going on.

    ``of`` is the policy; ``changes`` are further fields of ``guards.Case``.
    """
    owner = of or policy()
    assert owner.spec is not None
    chosen = target or workload()
    whole = guards.Case(
        policy=owner,
        spec=owner.spec,
        rules=Rules(),
        now=NOW,
        workload=chosen,
        action=registry.all_actions()[action],
        findings=(finding(chosen.ref),),
        held_since=NOW - minutes(5),
        held_for=minutes(1),
        verdicts={chosen.ref: UNHEALTHY},
        peers={},
        records=tuple(records),
        pause=model.PauseState(paused=False),
        live_state=model.LiveState(chosen),
    )
    return dataclasses.replace(whole, **changes)


def incident(now: datetime.datetime = NOW, **changes: Any) -> causes.OpenIncident:
    """An incident that names Deployment database as its cause, by a release, since 10 s."""
    whole = causes.OpenIncident(
        name="inc-1",
        suspect=ref("database"),
        cause_kind=incident_api.CauseKind.RELEASE,
        confidence=incident_api.Confidence.HIGH,
        summary="Deployment/database: image v1 -> v2",
        started_at=now - seconds(30),
        named_at=now - seconds(10),
        changed_at=now - seconds(70),
    )
    found = {**changes, "members": frozenset(changes.get("members", ()))}
    return dataclasses.replace(whole, **found)
