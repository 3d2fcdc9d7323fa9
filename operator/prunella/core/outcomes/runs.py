"""What an action has started outside its target: followed to its end, then the signals prove it.

    Verifying --(Running)--> look again --(Succeeded, or nobody can tell)--> the proof begins
                                  +------(Failed, or not over in time)-----> Unhelpful
                                  +------(Waiting)-----------> a person is called, once

How it ended is one thing, whether it helped another: only the policy's signals say that.
"""

from __future__ import annotations

import datetime
import re

from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.changes import redact
from prunella.core.decisions import helm, ledger, started

RUN_JOB, WEBHOOK = "runJob", "webhook"
STARTS_RUNS = frozenset({RUN_JOB, WEBHOOK, helm.HELM_ROLLBACK, ledger.REVERT})
"""Actions that start something that has an end of its own; of reverts one that makes a Job."""
GRACE = datetime.timedelta(seconds=60)
"""How long after its own deadline its end may be told."""
MOST_LINES, MOST_LOG = 40, 4096
_HASH = re.compile(rf"{re.escape(redact.MARK)}[0-9a-f]{{12}}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would obey; a tab is none."""
_ENDED = {
    started.RunState.SUCCEEDED: "it has ended well",
    started.RunState.UNKNOWN: "how it ended can't be told",
}


def starts_run(record: objects.Record) -> bool:
    """Whether the record's effect starts something that has an end of its own."""
    starts = any(
        effect.verb == model.Verb.CALL.value
        or (effect.verb == model.Verb.CREATE.value and effect.kind == "Job")
        for effect in record.spec.effects
    )
    return record.spec.action in STARTS_RUNS and starts


def is_running(record: objects.Record) -> bool:
    """Whether the end of what it has started was not seen yet."""
    run = record.status.run
    ended = run is not None and run.ended_at is not None
    return record.phase is reasons.Phase.VERIFYING and starts_run(record) and not ended


def waits_for_a_person(record: objects.Record) -> bool:
    """Whether what it has started goes on only when a person says so."""
    run = record.status.run
    return is_running(record) and run is not None and run.state == started.RunState.WAITING.value


def due(record: objects.Record) -> datetime.datetime:
    """When the end must have been seen."""
    return (record.sent_at or record.spec.decided_at) + _allowed(record) + GRACE


def _allowed(record: objects.Record) -> datetime.timedelta:
    effect = ledger.effects_of(record)[0]
    if effect.verb is model.Verb.CALL:
        return datetime.timedelta(seconds=effect.manifest[started.DEADLINE])
    return datetime.timedelta(seconds=effect.manifest["spec"]["activeDeadlineSeconds"])


def ended_at(record: objects.Record) -> datetime.datetime | None:
    """When what was started had ended; None for actions that start nothing."""
    return record.status.run.ended_at if record.status.run is not None else None


def settled(record: objects.Record, run: started.Run | None, now: datetime.datetime) -> str:
    """What became of a request whose answer was lost, by looking for what it has started.

    A Job that is not there was never made, unless it may have been cleaned up since.  Another
    system may still have the request in a queue: then nobody knows.
    """
    if run is not None:
        return "Effective" if run.mark == record.name else "Unknown"
    effect = ledger.effects_of(record)[0]
    if effect.verb is model.Verb.CALL:
        return "Unknown"
    spec = effect.manifest["spec"]
    kept = datetime.timedelta(seconds=spec["ttlSecondsAfterFinished"])
    sent_at = record.sent_at
    return "NotSent" if sent_at is not None and now - sent_at < kept else "Unknown"


def followed(
    record: objects.Record, run: started.Run | None, now: datetime.datetime
) -> remediation.RemediationStatus:
    """The record's status after a look at what it has started; None: it is not there."""
    if run is None:
        gone = "it is no longer there: somebody has removed it"
        run = started.Run(started.RunState.UNKNOWN, gone)
    running = run.state in started.UNFINISHED
    if running and now >= due(record):
        # Who was called for what waited is called anew if its end is no good.
        ended = {"run": seen(record, run, now), "escalated_at": None}
        status = record.status.model_copy(update=ended)
        seconds = _allowed(record).total_seconds()
        message = f"not over {seconds:.0f} s after it was started, as it should have been"
        return _unhelpful(status, "RunOverdue", message, now)
    ended_at = None if running else now
    called_at = record.status.escalated_at if running else None
    looked = {"run": seen(record, run, ended_at), "escalated_at": called_at}
    status = record.status.model_copy(update=looked)
    if run.state is started.RunState.FAILED:
        return _failed(status, run, now)
    if run.state is started.RunState.WAITING:
        told = f"a person must decide about it: {redacted(run.message)}"
        return status.model_copy(update={"reason": "WaitsForPerson", "message": told[:2048]})
    if running:
        return status.model_copy(update={"reason": "Running", "message": "its end is waited for"})
    told = f"{_ENDED[run.state]}; the signals are measured again"
    return status.model_copy(update={"reason": "RunEnded", "message": told})


def with_started(
    status: remediation.RemediationStatus,
    record: objects.Record,
    run: started.Run | None,
    now: datetime.datetime,
) -> remediation.RemediationStatus:
    """The status with what the answer tells of a run; some are over with it."""
    if run is None:
        return status
    ended_at = None if run.state in started.UNFINISHED else now
    status = status.model_copy(update={"run": seen(record, run, ended_at)})
    return _failed(status, run, now) if run.state is started.RunState.FAILED else status


def seen(
    record: objects.Record, run: started.Run, ended_at: datetime.datetime | None
) -> remediation.RunStatus:
    """What the ledger keeps of a run; its name and address stay once they are known."""
    known = record.status.run or remediation.RunStatus(state=run.state.value)
    return remediation.RunStatus(
        state=run.state.value,
        id=redacted(run.id)[:253] or known.id,
        url=redacted(run.url)[:2048] or known.url,
        message=redacted(run.message)[:2048],
        log=tail(run.log),
        ended_at=ended_at,
    )


def redacted(text: str) -> str:
    """A line as it may be shown: without credentials, and nothing that a terminal would obey."""
    return _HASH.sub("[redacted]", str(redact.redact(_CONTROL.sub("", text), "")))


def tail(log: str) -> str:
    """The last lines, bounded, each as it may be shown."""
    lines = [redacted(line) for line in log.splitlines()[-MOST_LINES:]]
    return "\n".join(lines)[-MOST_LOG:]


def _failed(
    status: remediation.RemediationStatus, run: started.Run, now: datetime.datetime
) -> remediation.RemediationStatus:
    why = redacted(helm.refusal(run.log) or run.message)
    return _unhelpful(status, "RunFailed", f"it has failed: {why}", now)


def _unhelpful(
    status: remediation.RemediationStatus, reason: str, message: str, now: datetime.datetime
) -> remediation.RemediationStatus:
    return status.model_copy(
        update={
            "phase": reasons.Phase.UNHELPFUL,
            "reason": reason,
            "message": message[:2048],
            "finished_at": now,
        }
    )
