"""What was started outside the target is followed to its end."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import started
from prunella.core.outcomes import runs, settling
from tests.unit.core import builders
from tests.unit.core.builders import NOW

Phase, State = reasons.Phase, started.RunState
SENT_AT = NOW - datetime.timedelta(seconds=100)


def begun(
    phase: Phase = Phase.VERIFYING, sent_at: datetime.datetime = SENT_AT, **spec: Any
) -> objects.Record:
    """A record that has started a Job with a deadline of 300 s."""
    whole = {"spec": {"activeDeadlineSeconds": 300, "ttlSecondsAfterFinished": 600, **spec}}
    effect = model.Effect(
        model.Verb.CREATE,
        builders.ref("job-1", kind="Job"),
        "",
        "create it",
        patch=({"op": "add", "path": "", "value": whole},),
    )
    sent = remediation.EffectStatus(sent_at=sent_at)
    return builders.record(
        "R", phase, effects=[effect], effect_statuses=[sent], action=runs.RUN_JOB
    )


def seconds_ago(number: float) -> datetime.datetime:
    """A time before now."""
    return NOW - datetime.timedelta(seconds=number)


Row = tuple[objects.Record, started.Run | None, tuple[Phase, str, str | None, bool]]
FOLLOWED: dict[str, Row] = {
    "it runs": (
        begun(),
        started.Run(State.RUNNING),
        (Phase.VERIFYING, "Running", "Running", False),
    ),
    "it runs for too long": (
        begun(sent_at=seconds_ago(360)),
        started.Run(State.RUNNING),
        (Phase.UNHELPFUL, "RunOverdue", "Running", True),
    ),
    "it may still be told": (
        begun(sent_at=seconds_ago(359)),
        started.Run(State.RUNNING),
        (Phase.VERIFYING, "Running", "Running", False),
    ),
    "it waits for a person": (
        begun(),
        started.Run(State.WAITING, "run-1: planned, 2 to add"),
        (Phase.VERIFYING, "WaitsForPerson", "Waiting", False),
    ),
    "nobody has decided": (
        begun(sent_at=seconds_ago(360)),
        started.Run(State.WAITING),
        (Phase.UNHELPFUL, "RunOverdue", "Waiting", True),
    ),
    "it has failed": (
        begun(),
        started.Run(State.FAILED, "DeadlineExceeded"),
        (Phase.UNHELPFUL, "RunFailed", "Failed", True),
    ),
    "it has ended well": (
        begun(),
        started.Run(State.SUCCEEDED),
        (Phase.VERIFYING, "RunEnded", "Succeeded", True),
    ),
    "somebody has removed it": (
        begun(),
        None,
        (Phase.VERIFYING, "RunEnded", "Unknown", True),
    ),
}


@pytest.mark.parametrize(("record", "run", "expected"), FOLLOWED.values(), ids=FOLLOWED)
def test_it_is_followed_to_its_end(
    record: objects.Record, run: started.Run | None, expected: tuple[Phase, str, str | None, bool]
) -> None:
    """Failed or late is Unhelpful at once; what has ended otherwise is for the signals to prove."""
    status = runs.followed(record, run, NOW)
    assert status.run is not None
    ended = status.run.ended_at is not None
    assert expected == (status.phase, status.reason, status.run.state, ended)
    assert (status.finished_at is not None) is status.phase.final


ANSWERED = {
    "it goes on": (State.RUNNING, Phase.VERIFYING, False),
    "it waits for a person": (State.WAITING, Phase.VERIFYING, False),
    "it is over": (State.SUCCEEDED, Phase.VERIFYING, True),
    "it has failed": (State.FAILED, Phase.UNHELPFUL, True),
}


@pytest.mark.parametrize(("state", "phase", "ended"), ANSWERED.values(), ids=ANSWERED)
def test_the_answer_to_a_call_may_be_its_end(state: State, phase: Phase, *, ended: bool) -> None:
    """What has failed with it is Unhelpful at once, as what fails later is."""
    record = begun()
    status = runs.with_started(record.status, record, started.Run(state, "said"), NOW)
    assert status.run is not None
    assert (phase, ended) == (status.phase, status.run.ended_at is not None)


def test_a_person_is_told_what_to_decide() -> None:
    """The plan is in the record's message."""
    run = started.Run(State.WAITING, "run-1: planned, 2 to add")
    status = runs.followed(begun(), run, NOW)
    assert "a person must decide about it: run-1: planned, 2 to add" == status.message


def test_a_failure_says_why() -> None:
    """In the words of what has failed."""
    status = runs.followed(begun(), started.Run(State.FAILED, "BackoffLimitExceeded"), NOW)
    assert "it has failed: BackoffLimitExceeded" == status.message


SETTLED: dict[str, tuple[objects.Record, started.Run | None, str]] = {
    "ours": (begun(Phase.ACTING), started.Run(State.RUNNING, mark="R"), "Effective"),
    "somebody else's": (begun(Phase.ACTING), started.Run(State.RUNNING, mark="Q"), "Unknown"),
    "never made": (begun(Phase.ACTING), None, "NotSent"),
    "perhaps cleaned up": (begun(Phase.ACTING, seconds_ago(600)), None, "Unknown"),
}


@pytest.mark.parametrize(("record", "run", "expected"), SETTLED.values(), ids=SETTLED)
def test_a_lost_answer_is_settled_by_looking(
    record: objects.Record, run: started.Run | None, expected: str
) -> None:
    """The mark tells whose it is; what could have been cleaned up since is anybody's guess."""
    status = settling.settle(record, None, NOW, run=run)
    assert expected == status.effects[0].outcome


def test_the_log_is_kept_without_credentials() -> None:
    """The last lines, bounded, without control characters and what looks like a credential."""
    log = "\n".join(
        [
            *(f"line {number}" for number in range(100)),
            "connected with password=hunter2 to redis://app:s3cr3t@redis:6379",
            "\x1b[31mpurged 7 keys\x1b[0m",
        ]
    )
    kept = runs.tail(log).splitlines()
    assert runs.MOST_LINES == len(kept)
    assert "line 62" == kept[0]
    assert "connected with password=[redacted] to redis://app:[redacted]@redis:6379" == kept[-2]
    assert "[31mpurged 7 keys[0m" == kept[-1]
    assert runs.MOST_LOG == len(runs.tail("x y" * 5000))


RUNNING = {
    "not sent": (begun(Phase.ACTING), False),
    "sent": (begun(), True),
    "ended": (
        builders.record("R", Phase.VERIFYING, action="restart"),
        False,
    ),
}


@pytest.mark.parametrize(("record", "expected"), RUNNING.values(), ids=RUNNING)
def test_only_what_was_started_is_waited_for(record: objects.Record, *, expected: bool) -> None:
    """Other actions start nothing that has an end of its own."""
    assert expected is runs.is_running(record)
