"""What an action has started outside its target: followed to its end, then the signals prove it.

    Verifying --(Running)--> look again --(Succeeded, or nobody can tell)--> the proof begins
                                  +------(Failed, or not over in time)-----> Unhelpful

How it ended is one thing, whether it helped another: only the policy's signals say that.
"""

from __future__ import annotations

import datetime
import re

from prunella.api import reasons, remediation
from prunella.core import objects
from prunella.core.changes import redact
from prunella.core.decisions import ledger, started

RUN_JOB = "runJob"
STARTS_RUNS = frozenset({RUN_JOB})
"""Actions that start something that has an end of its own."""
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
    return record.spec.action in STARTS_RUNS and bool(record.spec.effects)


def is_running(record: objects.Record) -> bool:
    """Whether the end of what it has started was not seen yet."""
    run = record.status.run
    ended = run is not None and run.ended_at is not None
    return record.phase is reasons.Phase.VERIFYING and starts_run(record) and not ended


def due(record: objects.Record) -> datetime.datetime:
    """When the end must have been seen."""
    return (record.sent_at or record.spec.decided_at) + _allowed(record) + GRACE


def _allowed(record: objects.Record) -> datetime.timedelta:
    effect = ledger.effects_of(record)[0]
    return datetime.timedelta(seconds=effect.manifest["spec"]["activeDeadlineSeconds"])


def ended_at(record: objects.Record) -> datetime.datetime | None:
    """When what was started had ended; None for actions that start nothing."""
    return record.status.run.ended_at if record.status.run is not None else None


def settled(record: objects.Record, run: started.Run | None, now: datetime.datetime) -> str:
    """What became of a request whose answer was lost, by looking for what it has started.

    A Job that is not there was never made, unless it may have been cleaned up since.
    """
    if run is not None:
        return "Effective" if run.mark == record.name else "Unknown"
    spec = ledger.effects_of(record)[0].manifest["spec"]
    kept = datetime.timedelta(seconds=spec["ttlSecondsAfterFinished"])
    sent_at = record.sent_at
    return "NotSent" if sent_at is not None and now - sent_at < kept else "Unknown"


def followed(
    record: objects.Record, run: started.Run | None, now: datetime.datetime
) -> remediation.RemediationStatus:
    """The record's status after a look at what it has started; None: it is not there."""
    if run is None:
        run = started.Run(
            started.RunState.UNKNOWN, "it is no longer there: somebody has removed it"
        )
    running = run.state is started.RunState.RUNNING
    overdue = running and now >= due(record)
    seen = remediation.RunStatus(
        state=run.state.value,
        message=run.message[:2048],
        log=tail(run.log),
        ended_at=now if overdue or not running else None,
    )
    status = record.status.model_copy(update={"run": seen})
    if overdue:
        seconds = _allowed(record).total_seconds()
        message = f"not over {seconds:.0f} s after it was started, as it should have been"
        return _unhelpful(status, "RunOverdue", message, now)
    if run.state is started.RunState.FAILED:
        return _unhelpful(status, "RunFailed", f"it has failed: {run.message}", now)
    if running:
        return status.model_copy(update={"reason": "Running", "message": "its end is waited for"})
    told = f"{_ENDED[run.state]}; the signals are measured again"
    return status.model_copy(update={"reason": "RunEnded", "message": told})


def tail(log: str) -> str:
    """The last lines, without what looks like a credential."""
    lines = [
        _HASH.sub("[redacted]", str(redact.redact(_CONTROL.sub("", line), "")))
        for line in log.splitlines()[-MOST_LINES:]
    ]
    return "\n".join(lines)[-MOST_LOG:]


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
