"""The arithmetic of the ledger: names as locks, hashes of plans, counts and latches.

A record's name is made of its target and its number, so two deciders who mean the same
target and have read the same history choose the same name, and the API server lets only
one of them have it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final

from prunella.api import reasons
from prunella.core import model, objects, progressive, pushes
from prunella.core.decisions import releases

REQUESTED = "Requested"
"""Reason of a record that ended with a request to people: a pull request that they may merge."""
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
REVERT: Final = "revert"
"""The action of a record that undoes another one; no step of a policy has it."""
SHIFT_TRAFFIC: Final = "shiftTraffic"
RETURN_TRAFFIC: Final = "returnTraffic"
"""The action that takes a part of a shift back; no step of a policy has it."""
RETURN_NODE: Final = "returnNode"
"""The action that gives a node back that is Healthy again; no step of a policy has it."""
WAYS_BACK: Final = frozenset({RETURN_TRAFFIC, RETURN_NODE})
"""Actions that give back what was moved away, to what is Healthy again."""
TAKES_BACK: Final = WAYS_BACK | {REVERT}
"""Actions that take something back: they are no further tries to heal."""
MOVES: Final = frozenset({SHIFT_TRAFFIC, RETURN_TRAFFIC})
ABORT_PATH: Final = f"{progressive.STATUS}{progressive.ABORT}"
LONGEST_WINDOW = DAY
"""The longest time by which any limit counts records: retention keeps what is counted."""


def next_attempt(records: Iterable[objects.Record], target_uid: str) -> int:
    """One more than the highest number among the target's records."""
    numbers = (r.spec.attempt for r in records if r.spec.target.uid == target_uid)
    return 1 + max(numbers, default=0)


def record_name(target: model.Ref, target_uid: str, attempt: int) -> str:
    """Name of a target's n-th record: kind, name, and a hash of UID and number.

    Shortened to the 63 characters that also fit a label value.
    """
    digest = hashlib.sha256(f"{target_uid}/{attempt}".encode()).hexdigest()[:10]
    stem = f"{target.kind.lower()}-{target.name}"[:52].rstrip("-.")
    return f"{stem}-{digest}"


def plan_hash(target_uid: str, action: str, step: int, effects: Sequence[model.Effect]) -> str:
    """Hash of all that a plan would do and of the state that it was made for."""
    content = [
        [e.verb, str(e.target), e.uid, e.generation, [dict(op) for op in e.patch], *_how(e)]
        for e in effects
    ]
    return _digest([target_uid, action, step, content])


def _how(effect: model.Effect) -> list[str]:
    """How an effect is sent, where that is not as usual."""
    told = {"paced": effect.paced, "forced": effect.forced}
    return [*(word for word, so in told.items() if so), *_pushed(effect.git)]


def _pushed(change: pushes.GitChange | None) -> list[str]:
    """What a push does and where; its message tells values that differ from pass to pass."""
    if change is None:
        return []
    return [str(each) for each in dataclasses.astuple(dataclasses.replace(change, message=""))]


def fingerprint(effect: model.Effect, workload: model.Workload) -> str:
    """Hash of just what an effect wrote, so that a later edit of it by others shows.

    An effect on the pod template is judged by the template, one on replicas by replicas:
    an autoscaler that scales a restarted workload has not undone the restart.
    """
    paths = [str(operation["path"]) for operation in effect.patch]
    if any(path.startswith(("/spec/template", "/spec/restartAt")) for path in paths):
        return _digest(["template", workload.template])
    if any(path.startswith("/spec/replicas") for path in paths):
        return _digest(["replicas", workload.replicas])
    if "/spec/suspend" in paths:
        return _digest(["suspended", workload.suspended])
    if "/spec/unschedulable" in paths and workload.node is not None:
        return _digest(["unschedulable", workload.node.unschedulable])
    if ABORT_PATH in paths and workload.delivery is not None:
        return _digest(["aborted", workload.delivery.aborted])
    return ""


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def acted_since(
    records: Iterable[objects.Record], since: datetime.datetime
) -> list[objects.Record]:
    """Records that count for limits and were decided after ``since``, oldest first."""
    found = [r for r in records if r.acted and r.spec.decided_at > since]
    return sorted(found, key=lambda record: record.spec.decided_at)


def same_remedy(
    records: Iterable[objects.Record],
    policy: objects.Policy,
    target: model.Ref,
    action: str,
    since: datetime.datetime,
) -> list[objects.Record]:
    """The times that a policy did the same to a target after ``since`` and since it was resumed."""
    resumed = resumed_at(policy)
    return [
        record
        for record in acted_since(records, since)
        if (resumed is None or record.spec.decided_at >= resumed)
        and record.policy == policy.key
        and record.target == target
        and record.spec.action == action
    ]


def newest(records: Iterable[objects.Record]) -> objects.Record | None:
    """The record with the highest number; decided last where targets differ."""
    return max(records, key=lambda r: (r.spec.decided_at, r.spec.attempt), default=None)


def unhelpful_streak(
    records: Iterable[objects.Record], policy: objects.Key, resumed: datetime.datetime | None
) -> list[objects.Record]:
    """The policy's failed or unhelpful actions in a row, newest last, since it was resumed.

    A success ends the streak, but for records whose outcome nobody knows: only a person can
    settle those. Records that did nothing are passed over.
    """
    own = [r for r in records if r.policy == policy and r.acted and r.phase.final]
    own.sort(key=lambda each: each.finished_or_decided_at)
    streak: list[objects.Record] = []
    for record in own:
        if resumed is not None and record.finished_or_decided_at <= resumed:
            continue
        if record.status.reason == REQUESTED:
            continue  # What is left to a person has neither helped nor failed.
        if record.phase in reasons.UNHELPFUL:
            streak.append(record)
        elif record.phase is reasons.Phase.SUCCEEDED and record.spec.action != REVERT:
            streak = [each for each in streak if each.phase is reasons.Phase.UNKNOWN]
    return streak


def latching(
    records: Sequence[objects.Record],
    policy: objects.Key,
    resumed: datetime.datetime | None,
    limit: int,
) -> set[str]:
    """Names of the records that made a policy stop itself; empty when it has not."""
    streak = unhelpful_streak(records, policy, resumed)
    unknown = {record.name for record in streak if record.phase is reasons.Phase.UNKNOWN}
    return unknown | {record.name for record in streak[-1:] if len(streak) >= limit}


def _latch_rests_on(records: Sequence[objects.Record], policy: objects.Key) -> list[objects.Record]:
    """The policy's streak, and the success that ended the one before."""
    successes = [
        record
        for record in records
        if record.policy == policy
        and record.phase is reasons.Phase.SUCCEEDED
        and record.spec.action != REVERT
    ]
    last = sorted(successes, key=lambda each: each.finished_or_decided_at)[-1:]
    return [*unhelpful_streak(records, policy, None), *last]


def expired(
    records: Sequence[objects.Record],
    now: datetime.datetime,
    retention: datetime.timedelta,
    longest_window: datetime.timedelta,
) -> list[objects.Record]:
    """Records that retention may delete.

    Never a target's newest one nor the newest that acted for each policy, which may still have to
    be undone, nor what these follow; never an unfinished one, none younger than the longest
    window by which any limit in force counts, and none by which a latch is counted: time clears
    none.
    What condemned a release is kept for as long as that counts.
    """
    keep_for = max(retention, longest_window, HOUR)
    holding = {
        (record.namespace, record.name)
        for policy in {record.policy for record in records}
        for record in _latch_rests_on(records, policy)
    }
    holding |= _newest(records)
    return [
        record
        for record in records
        if record.phase.final
        and (record.namespace, record.name) not in holding
        and now - record.finished_or_decided_at > keep_for
        and not (
            releases.condemns(record)
            and now - record.finished_or_decided_at <= releases.CONDEMNED_FOR
        )
    ]


def _newest(records: Iterable[objects.Record]) -> set[tuple[str, str]]:
    """Namespace and name of what a decision rests on: of each target, and of what acted on it.

    An undoing, or a part of traffic's way back, tells what comes next only together with the
    records that it follows.
    """
    by_number = sorted(records, key=lambda record: record.spec.attempt)
    of_targets = {record.spec.target.uid: record for record in by_number}
    acted = {(r.policy, r.spec.target.uid): r for r in by_number if r.acted}
    kept = {(r.namespace, r.name) for r in (*of_targets.values(), *acted.values())}
    chains = moves_in_a_row(by_number).values()
    kept |= {(r.namespace, r.name) for chain in chains for r in chain}
    for record in reversed(by_number):
        if record.spec.follows and (record.namespace, record.name) in kept:
            kept.add((record.namespace, record.spec.follows))
    return kept


def moves_in_a_row(records: Iterable[objects.Record]) -> dict[Mover, list[objects.Record]]:
    """The last unbroken chain of moves of traffic of each policy and target, oldest first.

    Each has found just what the one before it left, on the same route.  When all is back, the
    next move begins another chain.
    """
    chains: dict[Mover, list[objects.Record]] = {}
    for record in sorted(records, key=lambda record: record.spec.attempt):
        if record.spec.action not in MOVES or not (record.acted or record.in_flight):
            continue
        chain = chains.setdefault((record.policy, record.spec.target.uid), [])
        if chain and (not _goes_on(chain[-1], record) or _all_back(chain)):
            chain.clear()
        chain.append(record)
    return chains


Mover = tuple[objects.Key, str]
"""A policy, and the UID of the target whose traffic it moves."""


def _goes_on(before: objects.Record, after: objects.Record) -> bool:
    """Whether a move has found just what another one left."""
    (left,), (found,) = effects_of(before), effects_of(after)
    same = (left.target, left.uid) == (found.target, found.uid)
    return same and tested(left.inverse) == tested(found.patch)


def _all_back(chain: Sequence[objects.Record]) -> bool:
    (first,), (last,) = effects_of(chain[0]), effects_of(chain[-1])
    return tested(first.patch) == tested(last.inverse)


def tested(patch: Iterable[model.PatchOperation]) -> dict[str, object]:
    """What a patch finds where it is sent, by the pointer to it."""
    return {str(each["path"]): each["value"] for each in patch if each["op"] == "test"}


def edited_since(record: objects.Record, workload: model.Workload) -> str | None:
    """What somebody else has changed since a record's effects, or None."""
    if workload.uid != record.spec.target.uid:
        return f"{workload.ref} was replaced: its UID is another one"
    for effect, status in zip(effects_of(record), record.status.effects, strict=False):
        if effect.verb is not model.Verb.PATCH or not status.fingerprint:
            continue
        if fingerprint(effect, workload) != status.fingerprint:
            return f"{workload.ref} was changed by somebody else after {record.name}"
    return None


def effects_of(record: objects.Record) -> list[model.Effect]:
    """A record's effects as data again."""
    return [objects.effect_from_spec(effect) for effect in record.spec.effects]


def resumed_at(policy: objects.Policy) -> datetime.datetime | None:
    """When a person last cleared the policy's latch; the annotation is ``TIME by AUTHOR``."""
    written = policy.annotations.get(objects.RESUMED, "").split(" ", 1)[0]
    try:
        time = datetime.datetime.fromisoformat(written)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
