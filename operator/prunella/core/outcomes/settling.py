"""What became of effects that were sent and have no outcome, told by what is seen now."""

from __future__ import annotations

import dataclasses
import datetime
import types
from collections.abc import Mapping, Sequence

from prunella.api import reasons, remediation
from prunella.core import model, objects, progressive
from prunella.core.decisions import ledger, restoring, started, undoing
from prunella.core.outcomes import runs

Phase = reasons.Phase
Seen = Mapping[model.Ref, restoring.Manifest | None]
"""Objects as they are now; None for one that is not there."""


def settle(
    record: objects.Record,
    live_state: model.LiveState | None,
    now: datetime.datetime,
    seen: Seen = types.MappingProxyType({}),
    run: started.Run | None = None,
) -> remediation.RemediationStatus:
    """Settle, by observation alone, a record that was sent and has no outcome.

    The mark is on the target: effective.  No mark and the generation is the planned one: it was
    never carried out.  Anything else: nobody knows, and a person must look.  An effect that tests
    what it writes leaves no mark: ``seen``, the objects that it writes, tells.  Of what was
    started outside the target ``run`` does.
    """
    effects = ledger.effects_of(record)
    outcomes = [
        runs.settled(record, run, now)
        if status.outcome == "" and status.sent_at is not None and runs.starts_run(record)
        else _settle_effect(record, effect, status, live_state, seen)
        if status.outcome == ""
        else status.outcome
        for effect, status in zip(effects, record.status.effects, strict=True)
    ]
    statuses = [
        status.model_copy(update={"outcome": outcome, **_written(effect, outcome, live_state)})
        if status.outcome == ""
        else status
        for effect, status, outcome in zip(effects, record.status.effects, outcomes, strict=True)
    ]
    if "Unknown" in outcomes:
        phase, reason = Phase.UNKNOWN, "NobodyKnows"
        message = "the target has changed since, and does not carry this record's mark"
    elif _undone_by_half(record, outcomes):
        phase, reason = Phase.FAILED, undoing.HALF_UNDONE
        message = _half_told(record, statuses)
    elif "Effective" in outcomes:
        phase, reason, message = Phase.VERIFYING, "Settled", "seen on the target after a restart"
    else:
        phase, reason, message = Phase.NOT_SENT, "NotSent", "the target is as it was planned for"
    return record.status.model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "message": message,
            "effects": statuses,
            "finished_at": now if phase.final else None,
        }
    )


def _undone_by_half(record: objects.Record, outcomes: Sequence[str]) -> bool:
    """Whether a revert has put back one thing and not the other: that is no state to leave."""
    return record.spec.action == ledger.REVERT and {"Effective", "NotSent"} <= set(outcomes)


def _half_told(record: objects.Record, statuses: Sequence[remediation.EffectStatus]) -> str:
    update = {"phase": Phase.FAILED, "effects": list(statuses)}
    half = dataclasses.replace(record, status=record.status.model_copy(update=update))
    done = f"{len(undoing.done(half))} of {len(statuses)} effects were carried out"
    return f"{done}{undoing.left(half)}"


def half_done(
    record: objects.Record,
    settled: remediation.RemediationStatus,
    live_state: model.LiveState | None,
) -> bool:
    """Whether effects of a settled record were never sent and are still right to send.

    Evictions are right while the target is as the effect before left it, and while their pods are
    there and not ready; those that go one after the other are judged when their turn comes.  What
    tests what it writes is refused by the API server where it is not right any more; so is a patch
    of the target, which is sent only in the generation that it was planned for.
    """
    halves = list(zip(ledger.effects_of(record), settled.effects, strict=True))
    unsent = [effect for effect, status in halves if status.sent_at is None]
    sent = [(effect, status) for effect, status in halves if status.sent_at is not None]
    if not unsent or not sent or live_state is None or not all(_is_over(*each) for each in sent):
        return False
    patched = [effect for effect, _ in sent if effect.verb is model.Verb.PATCH]
    as_left = all(_as_left(record, effect, live_state.workload) for effect in patched)
    waiting = {pod.uid for pod in live_state.pods if not (pod.ready or pod.deleting)}
    return as_left and all(
        e.tested
        or (e.verb is model.Verb.EVICT and (e.paced or e.uid in waiting))
        or (e.target == live_state.workload.ref and e.generation == live_state.workload.generation)
        for e in unsent
    )


def _as_left(record: objects.Record, effect: model.Effect, workload: model.Workload) -> bool:
    """Whether the target is as a patch left it: what was written elsewhere does not tell.

    One patch is one generation: with any later one somebody else has written, too.
    """
    if effect.target != workload.ref:
        return True
    marked = effect.tested or workload.annotations.get(objects.MARK) == record.name
    return marked and effect.generation is not None and workload.generation == effect.generation + 1


def _is_over(effect: model.Effect, status: remediation.EffectStatus) -> bool:
    """Whether nothing of a sent effect is left to do; the pod to evict may have gone by itself."""
    gone_by_itself = effect.verb is model.Verb.EVICT and status.outcome == "Refused"
    return status.outcome == "Effective" or gone_by_itself


def _settle_effect(
    record: objects.Record,
    effect: model.Effect,
    status: remediation.EffectStatus,
    live_state: model.LiveState | None,
    seen: Seen,
) -> str:
    if status.sent_at is None:
        return "NotSent"
    if effect.tested:
        found = restoring.as_written(effect, seen.get(effect.target))
        found = True if found is False and _taken_up(effect, live_state) else found
        return {True: "Effective", False: "NotSent", None: "Unknown"}[found]
    if live_state is None:
        return "Unknown"
    if effect.verb is model.Verb.EVICT:
        pod = next((pod for pod in live_state.pods if pod.uid == effect.uid), None)
        # A pod that is removed without grace was in deletion before.
        gone = pod is None or (pod.deleting and not effect.forced)
        return "Effective" if gone else "NotSent"
    workload = live_state.workload
    if effect.verb is model.Verb.CREATE:
        return _settle_job(record, effect, live_state)
    if workload.uid != effect.uid:
        return "Unknown"
    if workload.annotations.get(objects.MARK) == record.name:
        return "Effective"
    return "NotSent" if workload.generation == effect.generation else "Unknown"


def _taken_up(effect: model.Effect, live_state: model.LiveState | None) -> bool:
    """Whether a controller has obeyed a switch of a Rollout that it turns off again by itself.

    Told to go to the end, it takes that word out of the status when the release is the stable one.
    """
    told = any(each["path"] == f"{progressive.STATUS}{progressive.FULL}" for each in effect.patch)
    delivery = live_state.workload.delivery if live_state is not None else None
    return told and delivery is not None and not delivery.under_way


def _settle_job(record: objects.Record, effect: model.Effect, live_state: model.LiveState) -> str:
    """Whether a Job was made; one that is not there may have ended and been cleaned up."""
    job = next((job for job in live_state.jobs if job.name == effect.target.name), None)
    if job is not None:
        own = job.annotations.get(objects.MARK) == record.name
        return "Effective" if own else "Unknown"
    cleaned_up = effect.manifest["spec"].get("ttlSecondsAfterFinished") is not None
    return "Unknown" if cleaned_up else "NotSent"


def _written(
    effect: model.Effect, outcome: str, live_state: model.LiveState | None
) -> dict[str, object]:
    if outcome != "Effective" or live_state is None or effect.verb is not model.Verb.PATCH:
        return {}
    if effect.target != live_state.workload.ref:
        return {}
    return {
        "generation": live_state.workload.generation,
        "fingerprint": ledger.fingerprint(effect, _as_sent(effect, live_state.workload)),
    }


def _as_sent(effect: model.Effect, workload: model.Workload) -> model.Workload:
    """The workload with what was sent: a person may have changed it since."""
    for operation in effect.patch:
        if operation["path"] == "/spec/replicas" and isinstance(operation["value"], int):
            workload = dataclasses.replace(workload, replicas=operation["value"])
        if operation["path"] == "/spec/suspend":
            workload = dataclasses.replace(workload, suspended=bool(operation["value"]))
        if (operation["op"], operation["path"]) == ("add", ledger.ABORT_PATH):
            told = dataclasses.replace(workload.delivery or progressive.NONE, abort=True)
            workload = dataclasses.replace(workload, delivery=told)
    return workload
