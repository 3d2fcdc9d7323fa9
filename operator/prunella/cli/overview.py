"""Policies and recent remediations as tables, and as JSON."""

from __future__ import annotations

import datetime
import json
from typing import Any

from rich import console

from prunella.api import conditions, policy_status
from prunella.cli import page, read, terminal
from prunella.cli.read import Overview
from prunella.core import objects

NONE = "-"
POLICY_COLUMNS = (
    "NAMESPACE", "NAME", "MODE", "READY", "REASON", "H/U/?", "BUSY", "LAST ACTION", "LATCHED"
)  # fmt: skip
"""H/U/? counts targets that are Healthy, Unhealthy and Unknown; BUSY those in flight."""
_NOTICES = (conditions.ESCALATED, conditions.CONDEMNED)
"""Conditions that a person should hear of while they are True, also of a policy that is Ready."""
WAITING_COLUMNS = ("LEFT", "POLICY", "ACTION", "TARGET", "REMEDIATION")
RECORD_COLUMNS = ("AGE", "POLICY", "ACTION", "MODE", "PHASE", "NAME")


def as_text(
    found: Overview,
    recent: int,
    now: datetime.datetime,
    out: console.Console,
    scope: str | None,
) -> None:
    """The pause, a table of policies, what is not healthy and why, recent remediations."""
    written = page.Page(out.width)
    for line in found.pause.told().splitlines():
        written.say(line, indent=0, style="bold yellow")
    if found.pause.told():
        written.say("")
    if found.policies:
        written.table(POLICY_COLUMNS, [_policy_row(each, found, now) for each in found.policies])
        _sick(written, found, now)
    else:
        where = "in any namespace" if scope is None else f"in namespace {scope}; -A looks in all"
        written.say(f"No remediationpolicies.prunella.dev {where}", indent=0)
    waiting = [record for record in found.records if record.awaiting]
    if waiting:
        written.section("Waiting for approval", "`prunella approve NAMESPACE/NAME`, or reject")
        written.table(WAITING_COLUMNS, [waiting_row(each, now) for each in waiting])
    if found.records and recent:
        written.section("Recent remediations", "`prunella explain remediation/NAME -n NAMESPACE`")
        written.table(RECORD_COLUMNS, [_record_row(each, now) for each in found.records[:recent]])
    if found.unreadable:
        written.say(f"Remediations of another version, not shown: {found.unreadable}", indent=0)
    written.print(out)


def _policy_row(policy: objects.Policy, found: Overview, now: datetime.datetime) -> tuple[str, ...]:
    status, ready = policy.status, ready_condition(policy)
    counts = status.targets
    return (
        policy.key.namespace,
        policy.key.name,
        _acting(policy),
        ready.status if ready else NONE,
        ready.reason if ready else NONE,
        f"{counts.healthy}/{counts.unhealthy}/{counts.unknown}",
        str(counts.in_flight),
        _last_action(policy, found, now),
        terminal.age(status.latch.since, now) if status.latch is not None else NONE,
    )


def mode(policy: objects.Policy) -> str:
    """The mode; suspended policies say so."""
    if policy.spec is None:
        return "(invalid)"
    return f"{policy.spec.mode}{' (suspended)' if policy.spec.suspend else ''}"


def _acting(policy: objects.Policy) -> str:
    """The mode, and the lowest that counts for an action where that is another."""
    lowered = policy.status.effective_mode if policy.status.mode_limited_by else ""
    some = any(not each.limited_by for each in policy.status.modes)
    word = "in part as" if some else "acts as"
    return f"{mode(policy)}, {word} {lowered}" if lowered else mode(policy)


def ready_condition(policy: objects.Policy) -> conditions.Condition | None:
    """The Ready condition, once the operator has written it."""
    return next((c for c in policy.status.conditions if c.type == conditions.READY), None)


def _last_action(policy: objects.Policy, found: Overview, now: datetime.datetime) -> str:
    status = policy.status
    if not status.last_action or status.last_action_time is None:
        return NONE
    ago = terminal.age(status.last_action_time, now)
    for record in found.records:
        if record.name == status.last_action and record.policy == policy.key:
            return f"{record.spec.action} {record.phase} {ago}"
    return f"{ago} ago"


def _sick(written: page.Page, found: Overview, now: datetime.datetime) -> None:
    """What keeps a policy from being ready or waits for a person, and targets not healthy."""
    for policy in found.policies:
        ready = ready_condition(policy)
        trouble = ready is not None and ready.status != "True"
        told = {ready.message: ready.reason} if trouble and ready is not None else {}
        for each in policy.status.conditions:
            if each.type in _NOTICES and each.status == "True":
                told.setdefault(each.message, each.type)
        called = [each for each in policy.status.unattended if each.called_at is not None]
        if not (told or called or policy.status.sick):
            continue
        written.section(str(policy.key))
        for message, word in told.items():
            written.say(f"{word}: {message}")
        for entry in called:
            written.say(f"Left alone: {left_alone(entry, now)}")
        for target in policy.status.sick:
            write_sick(written, target, now)


def left_alone(entry: policy_status.Unattended, now: datetime.datetime) -> str:
    """A target that nothing is done about: for how long, and whether a person was called."""
    told = f"{entry.name} for {terminal.age(entry.since, now)}"
    if entry.called_at is not None:
        told += f", a person was called {terminal.age(entry.called_at, now)} ago"
    return f"{told}: {entry.refused}: {entry.refusal}"


def write_sick(
    written: page.Page, target: policy_status.TargetStatus, now: datetime.datetime
) -> None:
    """One target that is not healthy: what was seen, why nothing is done, what would be."""
    held = f" for {terminal.age(target.since, now)}" if target.since is not None else ""
    written.item(target.name, f"{target.verdict}{held}: {target.message}", style=page.STRONG)
    written.fact("refused", _joined(target.refused, target.refusal), indent=4, column=8)
    written.fact("advice", target.advice, indent=4, column=8)


def _joined(word: str, message: str) -> str:
    return f"{word}: {message}" if word and message else word or message


def waiting_row(record: objects.Record, now: datetime.datetime) -> tuple[str, ...]:
    """A question, and how long it waits yet."""
    until = record.spec.approval_expires_at
    return (
        terminal.age(now, until) if until is not None else NONE,
        str(record.policy),
        record.spec.action,
        str(record.target),
        f"{record.namespace}/{record.name}",
    )


def _record_row(record: objects.Record, now: datetime.datetime) -> tuple[str, ...]:
    return (
        terminal.age(record.spec.decided_at, now),
        str(record.policy),
        record.spec.action,
        record.spec.mode.value,
        record.phase.value,
        record.name,
    )


def as_json(found: Overview, recent: int, out: console.Console) -> None:
    """One object: pause, policies, remediations; fields are named as in the custom resources."""
    document = {
        "paused": found.pause.paused,
        "pause": {
            "reason": found.pause.reason,
            "by": found.pause.by,
            "at": found.pause.at,
            "scopes": {read.in_words(key): why for key, why in found.pause.scopes.items()},
        },
        "policies": [_policy_json(policy) for policy in found.policies],
        "remediations": [_record_json(record) for record in found.records[:recent]],
    }
    out.file.write(json.dumps(document, indent=2) + "\n")


def _policy_json(policy: objects.Policy) -> dict[str, Any]:
    ready = ready_condition(policy)
    status = policy.status.model_dump(mode="json", by_alias=True)
    return {
        "namespace": policy.key.namespace,
        "name": policy.key.name,
        "mode": policy.spec.mode if policy.spec is not None else None,
        "suspended": policy.spec.suspend if policy.spec is not None else None,
        "problem": policy.problem,
        "ready": ready.status if ready is not None else None,
        "reason": ready.reason if ready is not None else None,
        **status,
    }


def _record_json(record: objects.Record) -> dict[str, Any]:
    spec = record.spec.model_dump(mode="json", by_alias=True)
    return {
        "namespace": record.namespace,
        "name": record.name,
        **{key: spec[key] for key in ("policy", "target", "action", "mode", "decidedAt")},
        "phase": record.phase,
        "reason": record.status.reason,
        "message": record.status.message,
    }
