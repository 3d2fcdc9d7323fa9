"""The proof as a state table, in virtual time."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import ledger
from prunella.core.decisions.rules import Rules
from prunella.core.outcomes import verification
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes, seconds

Phase = reasons.Phase
SENT = NOW - minutes(5)
COUNTS_FROM = NOW - minutes(2)
ROLLED_OUT = builders.workload(
    generation=5, observed_generation=5, replicas=5, updated=5, available=5, total=5
)
SCALED = builders.scale_effect(to=5)


def scene(**changes: Any) -> verification.Scene:
    """All rolled out, Healthy, a range of 60 s, scrapes of 5 s, three samples within 5 min."""
    whole = verification.Scene(
        now=NOW,
        verify=policy_api.Verify(),
        rules=Rules(),
        workload=ROLLED_OUT,
        verdict=HEALTHY,
        message="errors: 0.01 is not above 0.05",
        longest_range=60.0,
        scrape_seconds=5.0,
    )
    return dataclasses.replace(whole, **changes)


def sent(effect: model.Effect = SCALED, after: model.Workload = ROLLED_OUT, **fields: Any) -> Any:
    """What is kept of an effect that the API server carried out."""
    return remediation.EffectStatus(
        sent_at=fields.get("sent_at", SENT),
        outcome="Effective",
        generation=after.generation,
        fingerprint=ledger.fingerprint(effect, after),
    )


def verifying(
    effect: model.Effect = SCALED,
    *,
    counts_from: datetime.datetime | None = None,
    deadline: datetime.datetime | None = None,
    sent_at: datetime.datetime = SENT,
    after: model.Workload = ROLLED_OUT,
    **fields: Any,
) -> objects.Record:
    """A record in Verifying: before its rollout is complete, or counting from a moment on."""
    verification = None
    if counts_from is not None:
        verification = remediation.Verification(
            rollout_complete_at=SENT,
            counts_from=counts_from,
            deadline=deadline or counts_from + minutes(5),
        )
    return builders.record(
        "R",
        Phase.VERIFYING,
        action=fields.pop("action", "scale"),
        effects=[effect],
        effect_statuses=[sent(effect, after, sent_at=sent_at)],
        verification=verification,
        **fields,
    )


WAITING = verifying()
COUNTING = verifying(counts_from=COUNTS_FROM)
LATE = verifying(counts_from=NOW - minutes(5), deadline=NOW)
ROLLING = dataclasses.replace(ROLLED_OUT, updated=4, available=4)
NOTHING = dataclasses.replace(ROLLED_OUT, replicas=0, updated=0, available=0, total=0)
SCALED_TO_ZERO = builders.scale_effect(to=0)
RESTART = builders.effect()
RESTARTING = verifying(RESTART, action="restart")
STILL = ("Verifying", "Verifying")
MEASURING = ("Verifying", "Measuring")


def at(moment: datetime.datetime, **changes: Any) -> dict[str, Any]:
    """Changes of the scene at some moment."""
    return {"now": moment, **changes}


Row = tuple[objects.Record, dict[str, Any], int, tuple[str, str]]
STATES: dict[str, Row] = {
    "target gone": (COUNTING, {"workload": None}, 2, ("Superseded", "TargetGone")),
    "target made again": (
        COUNTING,
        {"workload": dataclasses.replace(ROLLED_OUT, uid="another")},
        2,
        ("Superseded", "ChangedByOthers"),
    ),
    "replicas edited": (
        COUNTING,
        {"workload": dataclasses.replace(ROLLED_OUT, replicas=9)},
        2,
        ("Superseded", "ChangedByOthers"),
    ),
    "replicas edited while rolling": (
        WAITING,
        {"workload": dataclasses.replace(ROLLING, replicas=9)},
        0,
        ("Superseded", "ChangedByOthers"),
    ),
    "template edited, replicas were ours": (
        COUNTING,
        {"workload": dataclasses.replace(ROLLED_OUT, template={"spec": {"image": "v2"}})},
        2,
        ("Succeeded", "Healthy"),
    ),
    "template edited, template was ours": (
        verifying(builders.effect(), counts_from=COUNTS_FROM),
        {"workload": dataclasses.replace(ROLLED_OUT, template={"spec": {"image": "v2"}})},
        2,
        ("Superseded", "ChangedByOthers"),
    ),
    "scaled by others, template was ours": (
        verifying(builders.effect(), counts_from=COUNTS_FROM),
        {"workload": dataclasses.replace(ROLLED_OUT, replicas=9, updated=9, total=9)},
        2,
        ("Succeeded", "Healthy"),
    ),
    "rolling": (WAITING, {"workload": ROLLING}, 0, STILL),
    "rolled out, not available": (
        WAITING,
        {"workload": dataclasses.replace(ROLLED_OUT, available=4)},
        0,
        STILL,
    ),
    "an old pod is left": (
        WAITING,
        {"workload": dataclasses.replace(ROLLED_OUT, total=6)},
        0,
        STILL,
    ),
    "the watch is behind the effect": (
        WAITING,
        {"workload": dataclasses.replace(ROLLED_OUT, generation=4, observed_generation=4)},
        0,
        STILL,
    ),
    "not yet observed": (
        WAITING,
        {"workload": dataclasses.replace(ROLLED_OUT, observed_generation=4)},
        0,
        STILL,
    ),
    "rolled out": (WAITING, {}, 0, MEASURING),
    "stuck": (
        WAITING,
        {"workload": dataclasses.replace(ROLLING, stuck=True)},
        0,
        ("Unhelpful", "RolloutStuck"),
    ),
    "stuck, but that was the rollout before": (
        verifying(sent_at=NOW - seconds(60)),
        {"workload": dataclasses.replace(ROLLING, stuck=True)},
        0,
        STILL,
    ),
    "stuck, as a watch that is behind says": (
        WAITING,
        {"workload": dataclasses.replace(ROLLING, stuck=True, generation=4)},
        0,
        STILL,
    ),
    "rolling for ten minutes": (
        verifying(sent_at=NOW - seconds(600)),
        {"workload": ROLLING},
        0,
        STILL,
    ),
    "rolling for longer": (
        verifying(sent_at=NOW - seconds(601)),
        {"workload": ROLLING},
        0,
        ("Unhelpful", "RolloutStuck"),
    ),
    "unhealthy sample before it counts": (
        COUNTING,
        at(COUNTS_FROM, verdict=UNHEALTHY),
        0,
        STILL,
    ),
    "healthy sample before it counts": (COUNTING, at(COUNTS_FROM - minutes(1)), 9, STILL),
    "first healthy sample": (COUNTING, {}, 0, STILL),
    "second healthy sample": (COUNTING, {}, 1, STILL),
    "third healthy sample": (COUNTING, {}, 2, ("Succeeded", "Healthy")),
    "one sample is enough if the policy says so": (
        COUNTING,
        {"verify": policy_api.Verify(samples=1)},
        0,
        ("Succeeded", "Healthy"),
    ),
    "unhealthy before the deadline": (COUNTING, {"verdict": UNHEALTHY}, 2, STILL),
    "unknown before the deadline": (COUNTING, {"verdict": UNKNOWN}, 2, STILL),
    "unhealthy just before the deadline": (
        LATE,
        at(NOW - seconds(1), verdict=UNHEALTHY),
        0,
        STILL,
    ),
    "unhealthy at the deadline": (
        LATE,
        {"verdict": UNHEALTHY},
        0,
        ("Unhelpful", "StillUnhealthy"),
    ),
    "unknown at the deadline": (LATE, {"verdict": UNKNOWN}, 2, ("Unproven", "NotProven")),
    "healthy at the deadline, not often enough": (LATE, {}, 0, STILL),
    "healthy after the deadline, often enough": (
        LATE,
        at(NOW + minutes(1)),
        2,
        ("Succeeded", "Healthy"),
    ),
    "a person paused the rollout": (
        RESTARTING,
        {"workload": dataclasses.replace(ROLLING, paused=True)},
        0,
        ("Superseded", "RolloutPaused"),
    ),
    "paused, with nothing left to roll out": (
        RESTARTING,
        {"workload": dataclasses.replace(ROLLED_OUT, paused=True)},
        0,
        MEASURING,
    ),
    "paused before, and no business of the action": (
        WAITING,
        {"workload": dataclasses.replace(ROLLED_OUT, updated=4, paused=True)},
        0,
        MEASURING,
    ),
    "scaled to nothing while it rolls out": (
        RESTARTING,
        {"workload": NOTHING},
        0,
        ("Superseded", "ScaledToZero"),
    ),
    "scaled to nothing while it is measured": (
        verifying(RESTART, counts_from=NOW - minutes(5), deadline=NOW, action="restart"),
        {"workload": NOTHING, "verdict": UNKNOWN},
        0,
        ("Superseded", "ScaledToZero"),
    ),
    "scaled to nothing by the action itself": (
        verifying(SCALED_TO_ZERO, after=NOTHING, counts_from=NOW - minutes(5), deadline=NOW),
        {"workload": NOTHING, "verdict": UNKNOWN},
        0,
        ("Unproven", "NotProven"),
    ),
    "revert": (
        verifying(action="revert"),
        {"verdict": UNHEALTHY},
        0,
        ("Succeeded", "Reverted"),
    ),
    "revert, edited by others": (
        verifying(action="revert"),
        {"workload": dataclasses.replace(ROLLED_OUT, replicas=9)},
        0,
        ("Superseded", "ChangedByOthers"),
    ),
}


@pytest.mark.parametrize(("record", "changes", "healthy", "expected"), STATES.values(), ids=STATES)
def test_state_table(
    record: objects.Record, changes: dict[str, Any], healthy: int, expected: tuple[str, str]
) -> None:
    """One step of a record in Verifying: what is seen decides phase and reason."""
    seen = scene(**changes)
    status = verification.progress(record, seen, healthy)
    assert expected == (status.phase, status.reason)
    assert (seen.now if status.phase.final else None) == status.finished_at
    assert (expected == STILL) == (status == record.status), "nothing new, nothing written"


def test_counting_begins_after_rollout_longest_range_and_two_scrapes() -> None:
    """Until then a window still sees the time before; the deadline counts from there."""
    status = verification.progress(WAITING, scene(longest_range=300.0, scrape_seconds=15.0), 0)
    assert status.verification is not None
    assert (
        remediation.Verification(
            rollout_complete_at=NOW,
            counts_from=NOW + seconds(330),
            deadline=NOW + seconds(330) + minutes(5),
            message="rolled out; samples count after 330 s",
        )
        == status.verification
    )


def test_a_success_keeps_what_was_seen() -> None:
    """The record shows the values that proved it."""
    status = verification.progress(COUNTING, scene(), 2)
    assert status.verification is not None
    assert status.verification.healthy_samples == 3
    assert status.message == "Healthy in 3 samples in a row: errors: 0.01 is not above 0.05"


def test_a_stuck_rollout_names_its_numbers() -> None:
    """A person sees how far it came."""
    stuck = dataclasses.replace(ROLLING, stuck=True)
    status = verification.progress(WAITING, scene(workload=stuck), 0)
    assert status.message == (
        "the rollout is stuck after 300 s: 4 of 5 replicas updated, 4 available"
    )


ROW: dict[str, tuple[objects.Record, dict[str, Any], int]] = {
    "before the rollout": (WAITING, {}, 0),
    "before it counts": (COUNTING, at(COUNTS_FROM - minutes(1)), 0),
    "healthy": (COUNTING, {}, 5),
    "unhealthy": (COUNTING, {"verdict": UNHEALTHY}, 0),
    "unknown": (COUNTING, {"verdict": UNKNOWN}, 0),
}


@pytest.mark.parametrize(("record", "changes", "expected"), ROW.values(), ids=ROW)
def test_healthy_samples_in_a_row(
    record: objects.Record, changes: dict[str, Any], expected: int
) -> None:
    """Anything but a counted Healthy sample begins the row anew."""
    assert expected == verification.healthy_in_a_row(record, scene(**changes), 4)


def play(
    record: objects.Record, verdicts: dict[datetime.datetime, model.Verdict], **changes: Any
) -> tuple[remediation.RemediationStatus, datetime.datetime]:
    """Take a record through samples until it ends, as the engine does."""
    healthy, last = 0, NOW
    for now, verdict in sorted(verdicts.items()):
        last, seen = now, scene(now=now, verdict=verdict, **changes)
        status = verification.progress(record, seen, healthy)
        healthy = verification.healthy_in_a_row(record, seen, healthy)
        record = dataclasses.replace(record, status=status)
        if record.phase.final:
            break
    return record.status, last


BLIND: dict[str, tuple[float, str]] = {
    "waiting for the window": (300.0, "Succeeded"),
    "not waiting": (0.0, "Unhelpful"),
}


@pytest.mark.parametrize(("longest_range", "expected"), BLIND.values(), ids=BLIND)
def test_a_good_rollback_is_not_undone_because_a_5m_window_still_sees_the_errors(
    longest_range: float, expected: str
) -> None:
    """Errors stay in the window for five minutes; who does not wait for it condemns a cure."""
    samples = {
        NOW + seconds(tick): UNHEALTHY if tick < 295 else HEALTHY for tick in range(0, 900, 5)
    }
    within = policy_api.Verify.model_validate({"within": "1m"})
    status, ended = play(WAITING, samples, longest_range=longest_range, verify=within)
    assert expected == status.phase
    assert (ended > NOW + seconds(310)) == (expected == "Succeeded")


@hypothesis.given(
    st.lists(st.sampled_from(list(model.Verdict)), min_size=1, max_size=80), st.integers(1, 5)
)
def test_nothing_is_proved_but_by_samples_that_count(
    listed: list[model.Verdict], samples: int
) -> None:
    """Success takes that many Healthy samples in a row; no verdict falls before the deadline."""
    times = [NOW + seconds(10 * number) for number in range(len(listed))]
    rules = policy_api.Verify(samples=samples)
    status, ended = play(WAITING, dict(zip(times, listed, strict=True)), verify=rules)
    counts_from, deadline = NOW + seconds(70), NOW + seconds(370)
    counted = [v for t, v in zip(times, listed, strict=True) if counts_from <= t <= ended]
    if status.phase is Phase.SUCCEEDED:
        assert [HEALTHY] * samples == counted[-samples:]
    elif status.phase.final:
        expected = UNHEALTHY if status.phase is Phase.UNHELPFUL else UNKNOWN
        assert expected == counted[-1]
        assert ended >= deadline
    else:
        assert [HEALTHY] * samples not in [
            counted[i : i + samples] for i in range(len(counted) - samples + 1)
        ]
        assert ended < deadline or counted[-1] is HEALTHY


ESCALATIONS: dict[str, tuple[Phase, str, int, bool]] = {
    "unproven": (Phase.UNPROVEN, "Continue", 0, True),
    "failed": (Phase.FAILED, "Continue", 0, True),
    "nobody knows": (Phase.UNKNOWN, "Continue", 0, True),
    "unhelpful, a step is left": (Phase.UNHELPFUL, "Continue", 0, False),
    "unhelpful, escalate": (Phase.UNHELPFUL, "Escalate", 0, True),
    "unhelpful, last step": (Phase.UNHELPFUL, "Continue", 1, True),
    "unhelpful, last step, revert": (Phase.UNHELPFUL, "Revert", 1, True),
    "succeeded": (Phase.SUCCEEDED, "Escalate", 1, False),
    "superseded": (Phase.SUPERSEDED, "Escalate", 1, False),
    "not sent": (Phase.NOT_SENT, "Escalate", 1, False),
    "advised": (Phase.ADVISED, "Escalate", 1, False),
    "under way": (Phase.VERIFYING, "Escalate", 1, False),
}


@pytest.mark.parametrize(
    ("phase", "otherwise", "step", "expected"), ESCALATIONS.values(), ids=ESCALATIONS
)
def test_a_person_is_called_when_nothing_more_is_tried(
    phase: Phase, otherwise: str, step: int, expected: bool
) -> None:
    """Doubt always calls; what did not help calls when no step is left or the policy says so."""
    rules = policy_api.Verify.model_validate({"otherwise": otherwise})
    assert expected == verification.must_escalate(builders.record(phase=phase, step=step), rules, 2)


def before(wanted: int, available: int, lost: int = 0, kind: str = "DaemonSet") -> objects.Record:
    """A record that was waiting for its rollout, with the pods as they were before it."""
    record = verifying(sent_at=NOW - seconds(600))
    pods = remediation.PodsBefore(wanted=wanted, available=available, lost=lost)
    target = record.spec.target.model_copy(update={"kind": kind})
    spec = record.spec.model_copy(update={"before": pods, "target": target})
    return dataclasses.replace(record, spec=spec)


PATIENT, OVER = NOW, NOW + seconds(1)
MISSING: dict[str, tuple[objects.Record, dict[str, int], Any, tuple[str, str]]] = {
    # the pods before, the pods now, when it is looked at
    "a lost node's pod is not waited for": (before(5, 4, 1), {"available": 4}, NOW, MEASURING),
    "it is not even updated": (before(5, 4, 1), {"updated": 4, "available": 4}, NOW, MEASURING),
    "one more is missing": (before(5, 4, 1), {"available": 3}, NOW, STILL),
    "a Deployment takes another node": (
        before(5, 4, 1, "Deployment"),
        {"available": 4},
        NOW,
        STILL,
    ),
    "sick before, waited for": (before(5, 4), {"available": 4}, PATIENT, STILL),
    "sick before, as much as before when time is up": (
        before(5, 4),
        {"available": 4},
        OVER,
        MEASURING,
    ),
    "less than before when time is up": (
        before(5, 4),
        {"available": 3},
        OVER,
        ("Unhelpful", "RolloutStuck"),
    ),
    "nothing was available before": (
        before(5, 0),
        {"available": 0},
        OVER,
        ("Unhelpful", "RolloutStuck"),
    ),
    "the rollout was blocked": (
        before(5, 4),
        {"updated": 0, "available": 4},
        OVER,
        ("Unhelpful", "RolloutStuck"),
    ),
}


@pytest.mark.parametrize(("record", "pods", "now", "expected"), MISSING.values(), ids=MISSING)
def test_a_rollout_is_compared_with_what_ran_before(
    record: objects.Record, pods: dict[str, int], now: datetime.datetime, expected: tuple[str, str]
) -> None:
    """Pods that could not run before the action prove nothing against it."""
    workload = dataclasses.replace(ROLLED_OUT, **pods)  # type: ignore[arg-type]
    status = verification.progress(record, scene(workload=workload, now=now), 0)
    assert expected == (status.phase, status.reason)


def test_pods_that_did_not_run_before_either_are_told() -> None:
    """The reader sees that the rollout is not whole, and why it counts."""
    workload = dataclasses.replace(ROLLED_OUT, available=4)
    status = verification.progress(before(5, 4, 1), scene(workload=workload), 0)
    assert status.verification is not None
    words = "rolled out but for 1 pods that did not run before either; samples count after"
    assert status.verification.message.startswith(words)


def begun(**told: Any) -> objects.Record:
    """A record that waits for its rollout, sent five minutes ago."""
    record = verifying()
    return dataclasses.replace(record, status=record.status.model_copy(update=told))


ROLLOUTS = [
    pytest.param({}, SENT, id="when it was sent"),
    pytest.param(
        {"verification": remediation.Verification(synced_at=NOW - minutes(1))},
        NOW - minutes(1),
        id="when the commit was applied",
    ),
    pytest.param(
        {"run": remediation.RunStatus(state="Succeeded", ended_at=NOW - minutes(2))},
        NOW - minutes(2),
        id="when what it had started ended",
    ),
]


@pytest.mark.parametrize(("told", "began"), ROLLOUTS)
def test_a_rollout_is_waited_for_since_it_may_have_begun(
    told: dict[str, Any], began: datetime.datetime
) -> None:
    """Who gives a record up counts as the verification itself does."""
    limits = Rules(rollout_seconds=600.0)
    assert began + seconds(600) == verification.until(begun(**told), limits)


EDITED = "Service/cart was changed by somebody else after R"


@pytest.mark.parametrize("verdict", [HEALTHY, UNHEALTHY, UNKNOWN])
def test_an_edit_beside_the_target_ends_the_proof(verdict: model.Verdict) -> None:
    """Whatever the signals say by then, they say it of a person's work."""
    status = verification.progress(
        verifying(counts_from=COUNTS_FROM), scene(verdict=verdict, edited=EDITED), 0
    )
    assert (Phase.SUPERSEDED, "ChangedByOthers", EDITED) == (
        status.phase,
        status.reason,
        status.message,
    )


@pytest.mark.parametrize("verdict", [HEALTHY, UNHEALTHY, UNKNOWN])
def test_a_sick_side_that_took_traffic_over_ends_the_proof(verdict: model.Verdict) -> None:
    """Whatever the signals of the target say; not before samples count."""
    taking = builders.ref("stable")
    found = verification.progress(
        verifying(counts_from=COUNTS_FROM), scene(taking=taking, verdict=verdict), 0
    )
    assert (Phase.UNHELPFUL, "OtherSideUnhealthy") == (found.phase, found.reason)
    early = verifying(counts_from=NOW + seconds(1))
    assert Phase.VERIFYING is verification.progress(early, scene(taking=taking), 0).phase
