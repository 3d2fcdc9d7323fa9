"""A policy's status: conditions, counts, sick targets, and that nothing is written for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import conditions, policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, step
from prunella.core.decisions.rules import Rules
from prunella.core.outcomes import summary
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes, seconds
from tests.unit.core.outcomes import test_records

Phase = reasons.Phase
Refused = reasons.Refused


def outcome(
    verdicts: dict[str, model.Verdict] | None = None,
    decisions: dict[str, decide.Decision] | None = None,
    findings: tuple[model.Finding, ...] | None = None,
) -> step.Outcome:
    """What one pass found: one finding for each named target, unless given."""
    by_name = {"checkout": HEALTHY} if verdicts is None else verdicts
    by_ref = {builders.ref(name): verdict for name, verdict in by_name.items()}
    seen = tuple(builders.finding(ref, verdict) for ref, verdict in by_ref.items())
    return step.Outcome(
        memory=step.Memory(),
        findings=seen if findings is None else findings,
        verdicts=by_ref,
        decisions={builders.ref(name): each for name, each in (decisions or {}).items()},
        needs=(),
        command=None,
        to_clear=(),
        next_check=NOW,
    )


def status(
    found: step.Outcome | None = None,
    *records: objects.Record,
    of: objects.Policy | None = None,
    now: Any = NOW,
) -> policy_status.RemediationPolicyStatus:
    """The status after one pass."""
    return summary.summarize(of or builders.policy(), found or outcome(), records, Rules(), now)


def condition(of: policy_status.RemediationPolicyStatus, kind: str) -> conditions.Condition:
    """The condition of a type."""
    (found,) = [each for each in of.conditions if each.type == kind]
    return found


def refuse(reason: reasons.Refused, message: str = "numbers") -> decide.Decision:
    """A decision that refuses."""
    return decide.Decision(refusal=model.Refusal(reason, message))


SICK = {"checkout": UNHEALTHY}
Row = tuple[step.Outcome, tuple[objects.Record, ...], dict[str, Any], tuple[str, str]]
READY: dict[str, Row] = {
    "healthy": (outcome(), (), {}, ("True", "Healthy")),
    "no targets": (outcome({}), (), {}, ("False", "NoTargets")),
    "sick": (outcome(SICK), (), {}, ("True", "TargetsUnhealthy")),
    "one unknown": (
        outcome({"a": HEALTHY, "b": UNKNOWN}),
        (),
        {},
        ("True", "TargetsUnknown"),
    ),
    "sick and unknown": (
        outcome({"a": UNHEALTHY, "b": UNKNOWN}),
        (),
        {},
        ("True", "TargetsUnhealthy"),
    ),
    "all unknown": (outcome({"a": UNKNOWN, "b": UNKNOWN}), (), {}, ("False", "NoData")),
    "refused": (
        outcome(SICK, {"checkout": refuse(Refused.COOLDOWN)}),
        (),
        {},
        ("True", "Cooldown"),
    ),
    "forbidden": (
        outcome(
            {"a": UNHEALTHY, "checkout": UNHEALTHY},
            {"a": refuse(Refused.COOLDOWN), "checkout": refuse(Refused.FORBIDDEN)},
        ),
        (),
        {},
        ("False", "ForbiddenByServer"),
    ),
    "suspended": (outcome(SICK), (), {"suspend": True}, ("True", "Suspended")),
    "latched": (
        outcome(),
        tuple(builders.record(f"r{n}", Phase.UNHELPFUL, attempt=n) for n in (1, 2, 3)),
        {},
        ("False", "Latched"),
    ),
    "latched and suspended": (
        outcome(),
        tuple(builders.record(f"r{n}", Phase.UNHELPFUL, attempt=n) for n in (1, 2, 3)),
        {"suspend": True},
        ("False", "Latched"),
    ),
}


@pytest.mark.parametrize(("found", "records", "fields", "expected"), READY.values(), ids=READY)
def test_ready_gives_the_word_that_matters_most(
    found: step.Outcome,
    records: tuple[objects.Record, ...],
    fields: dict[str, Any],
    expected: tuple[str, str],
) -> None:
    """Whether the policy can do its work, and why not."""
    ready = condition(status(found, *records, of=builders.policy(**fields)), conditions.READY)
    assert expected == (ready.status, ready.reason)


def test_the_message_of_doubt_is_about_the_signal_in_doubt() -> None:
    """One signal is Healthy, the other unknown: the reader is told of the other."""
    findings = (
        builders.finding(verdict=HEALTHY, signal="latency"),
        builders.finding(verdict=UNKNOWN, signal="errors"),
    )
    ready = condition(status(outcome({"checkout": UNKNOWN}, findings=findings)), conditions.READY)
    assert (ready.reason, ready.message) == ("NoData", "no target can be judged: errors: no series")


def test_reconciling_while_a_record_is_under_way() -> None:
    """As Flux writes it."""
    busy = condition(status(None, builders.record("R", Phase.VERIFYING)), conditions.RECONCILING)
    assert (busy.status, busy.reason, busy.message) == ("True", "Acting", "R is Verifying")
    idle = condition(status(None, builders.record("R")), conditions.RECONCILING)
    assert (idle.status, idle.reason, idle.message) == ("False", "Idle", "")


LATCH: dict[str, tuple[str, dict[str, str], bool]] = {
    "two": ("UU", {}, False),
    "three": ("UUU", {}, True),
    "one that nobody knows": ("?", {}, True),
    "success since": ("UUUS", {}, False),
    "resumed since": ("UUU", builders.resumed(NOW), False),
    "resumed before": ("UUU", builders.resumed(NOW - minutes(90)), True),
    "annotation unreadable": ("UUU", {objects.RESUMED: "soon by someone"}, True),
    "annotation without a zone": ("UUU", {objects.RESUMED: "2026-01-05T10:00:00 by me"}, True),
}
LETTERS = {"U": Phase.UNHELPFUL, "S": Phase.SUCCEEDED, "?": Phase.UNKNOWN}


@pytest.mark.parametrize(("phases", "annotations", "expected"), LATCH.values(), ids=LATCH)
def test_a_policy_stops_itself_until_resumed(
    phases: str, annotations: dict[str, str], expected: bool
) -> None:
    """Latch and Stalled condition say the same, and how to go on."""
    records = [
        builders.record(f"r{n}", LETTERS[letter], attempt=n + 1, ago=minutes(60 - n))
        for n, letter in enumerate(phases)
    ]
    found = status(None, *records, of=builders.policy(annotations=annotations))
    stalled = condition(found, conditions.STALLED)
    assert expected == (found.latch is not None)
    assert ("True" if expected else "False") == stalled.status
    if found.latch is not None:
        assert stalled.message == found.latch.message
        assert "`prunella resume checkout -n shop` goes on" in found.latch.message


def escalated(**fields: Any) -> objects.Record:
    """A record for which a person was called ten minutes ago."""
    whole = {"escalated_at": NOW - minutes(10), "ago": minutes(15), "message": "why", **fields}
    return builders.record("R", Phase.UNPROVEN, **whole)


ESCALATED: dict[str, tuple[objects.Record, dict[str, str], bool]] = {
    "waiting": (escalated(), {}, True),
    "the alert has not arrived": (escalated(escalated_at=None), {}, True),
    "healthy again": (escalated(cleared_at=NOW), {}, False),
    "resumed since": (escalated(), builders.resumed(NOW - minutes(9)), False),
    "resumed before": (escalated(ago=minutes(10)), builders.resumed(NOW - minutes(11)), True),
    "of another policy": (escalated(key=objects.Key("shop", "other")), {}, False),
}


@pytest.mark.parametrize(("record", "annotations", "expected"), ESCALATED.values(), ids=ESCALATED)
def test_escalated_until_healthy_again_or_resumed(
    record: objects.Record, annotations: dict[str, str], expected: bool
) -> None:
    """The condition lasts as long as a person is waited for."""
    policy = builders.policy(annotations=annotations)
    found = condition(status(None, record, of=policy), conditions.ESCALATED)
    wanted = ("True", "Unproven", "R: why") if expected else ("False", "NothingToEscalate", "")
    assert wanted == (found.status, found.reason, found.message)


def test_counts() -> None:
    """Targets by verdict, and those with an unfinished action."""
    names = {"a": HEALTHY, "b": HEALTHY, "c": UNHEALTHY, "d": UNKNOWN}
    busy = [
        builders.record("1", Phase.VERIFYING, target=builders.workload("a")),
        builders.record("2", Phase.PENDING, target=builders.workload("a")),
        builders.record("3", Phase.SUCCEEDED, target=builders.workload("b")),
        builders.record("4", Phase.ACTING, key=objects.Key("shop", "other")),
    ]
    expected = policy_status.TargetCounts(
        selected=4, healthy=2, unhealthy=1, unknown=1, in_flight=1
    )
    assert expected == status(outcome(names), *busy).targets


def test_at_most_twenty_sick_targets_worst_first() -> None:
    """Unhealthy before Unknown, then by name; the healthy are only counted."""
    names = {
        **{f"u{n:02}": UNKNOWN for n in range(15)},
        **{f"x{n:02}": UNHEALTHY for n in reversed(range(15))},
        "fine": HEALTHY,
    }
    shown = [each.name for each in status(outcome(names)).sick]
    assert [f"x{n:02}" for n in range(15)] + [f"u{n:02}" for n in range(5)] == shown


ADVICE: dict[str, tuple[decide.Decision | None, tuple[objects.Record, ...], str]] = {
    "nothing decided": (None, (), ""),
    "refused": (refuse(Refused.COOLDOWN), (), ""),
    "decided": (
        decide.Decision(command=test_records.command()),
        (),
        "scale: scale Deployment/checkout from 3 to 5 replicas",
    ),
    "said": (
        decide.Decision(said=builders.record("R", Phase.ADVISED)),
        (),
        "would restart Deployment/checkout (R)",
    ),
    "under way": (
        refuse(Refused.IN_FLIGHT),
        (builders.record("R", Phase.VERIFYING),),
        "restart is under way: R is Verifying",
    ),
}


@pytest.mark.parametrize(("decision", "records", "expected"), ADVICE.values(), ids=ADVICE)
def test_advice_of_a_sick_target(
    decision: decide.Decision | None, records: tuple[objects.Record, ...], expected: str
) -> None:
    """What would be, or is being, done."""
    decisions = {} if decision is None else {"checkout": decision}
    (shown,) = status(outcome(SICK, decisions), *records).sick
    assert expected == shown.advice


def pass_after_pass(first: step.Outcome, second: step.Outcome, *records: objects.Record) -> bool:
    """Whether the second of two passes, 30 s apart, leaves the status as it was, to the byte."""
    policy = builders.policy()
    before = status(first, *records, of=policy)
    after = status(
        second, *reversed(records), of=objects.with_status(policy, before), now=NOW + seconds(30)
    )
    return before.model_dump_json() == after.model_dump_json()


def aged(
    number: int, verdict: model.Verdict = UNKNOWN, reason: str = reasons.Doubt.STALE
) -> tuple[model.Finding, ...]:
    """A finding with numbers that change in every pass."""
    return (builders.finding(verdict=verdict, reason=reason, message=f"{number} s"),)


def counted(seconds_held: int, reason: reasons.Refused = Refused.NOT_HELD) -> Any:
    """A refusal with numbers that change in every pass."""
    return {"checkout": refuse(reason, f"Unhealthy for {seconds_held} s of 60 s")}


LATCHED = tuple(
    builders.record(f"r{n}", Phase.UNHELPFUL, attempt=n, ago=minutes(9 - n)) for n in (1, 2, 3)
)
STEADY: dict[str, tuple[step.Outcome, step.Outcome, tuple[objects.Record, ...], bool]] = {
    "healthy": (outcome(), outcome(), (), True),
    "other healthy values": (
        outcome(findings=(builders.finding(verdict=HEALTHY, value=0.01),)),
        outcome(findings=(builders.finding(verdict=HEALTHY, value=0.02),)),
        (),
        True,
    ),
    "held a little longer": (
        outcome(SICK, counted(10)),
        outcome(SICK, counted(40)),
        (),
        True,
    ),
    "forbidden again": (
        outcome(SICK, counted(10, Refused.FORBIDDEN)),
        outcome(SICK, counted(40, Refused.FORBIDDEN)),
        (),
        True,
    ),
    "staler": (
        outcome({"checkout": UNKNOWN}, findings=aged(40)),
        outcome({"checkout": UNKNOWN}, findings=aged(70)),
        (),
        True,
    ),
    "other bad values": (
        outcome(SICK, findings=aged(1, UNHEALTHY, "OverLimit")),
        outcome(SICK, findings=aged(2, UNHEALTHY, "OverLimit")),
        (),
        True,
    ),
    "latched": (outcome(), outcome(), LATCHED, True),
    "two under way": (
        outcome(),
        outcome(),
        (
            builders.record("a", Phase.VERIFYING),
            builders.record("b", Phase.VERIFYING, target=builders.workload("b")),
        ),
        True,
    ),
    "another refusal": (
        outcome(SICK, counted(10)),
        outcome(SICK, counted(10, Refused.COOLDOWN)),
        (),
        False,
    ),
    "another doubt": (
        outcome({"checkout": UNKNOWN}, findings=aged(40)),
        outcome({"checkout": UNKNOWN}, findings=aged(40, reason=reasons.Doubt.NO_DATA)),
        (),
        False,
    ),
    "sick now": (outcome(), outcome(SICK), (), False),
    "healthy now": (outcome(SICK), outcome(), (), False),
}


@pytest.mark.parametrize(("first", "second", "records", "same"), STEADY.values(), ids=STEADY)
def test_seconds_that_pass_write_nothing_and_news_do(
    first: step.Outcome, second: step.Outcome, records: tuple[objects.Record, ...], same: bool
) -> None:
    """A status is a request to the API server: it is written for news alone."""
    assert same == pass_after_pass(first, second, *records)


def test_an_edited_policy_is_told_the_numbers_anew() -> None:
    """Numbers of a limit that the policy no longer has are no longer shown."""
    first = builders.policy()
    before = status(outcome(SICK, counted(10)), of=first)
    edited = objects.with_status(builders.policy(generation=2), before)
    after = status(outcome(SICK, counted(40)), of=edited, now=NOW + seconds(30))
    assert after.conditions[0].message == "Unhealthy for 40 s of 60 s"
    assert after.sick[0].refusal == "Unhealthy for 40 s of 60 s"
    assert 2 * len(after.conditions) == sum(each.observed_generation for each in after.conditions)


def test_transition_times_are_of_the_change_of_status() -> None:
    """Another reason is no transition; another status is."""
    policy = builders.policy()
    before = status(outcome(SICK), of=policy)
    later = NOW + minutes(1)
    refused = status(outcome(SICK, counted(1)), of=objects.with_status(policy, before), now=later)
    blind = status(outcome({}), of=objects.with_status(policy, before), now=later)
    assert condition(refused, conditions.READY).last_transition_time == NOW
    assert later == condition(blind, conditions.READY).last_transition_time


def test_the_last_action_is_the_newest_of_this_policy() -> None:
    """Whatever order the ledger is read in."""
    records = [
        builders.record("old", ago=minutes(5)),
        builders.record("new", attempt=2, ago=minutes(1)),
        builders.record("theirs", attempt=3, key=objects.Key("shop", "other")),
    ]
    found = status(None, *records)
    assert ("new", NOW - minutes(1)) == (found.last_action, found.last_action_time)


def test_a_spec_that_can_t_be_used_is_not_ready_and_stalled() -> None:
    """The problem is told, and what was known of sick targets is not repeated."""
    policy = objects.with_status(builders.policy(generation=3), status(outcome(SICK)))
    found = summary.invalid(policy, "signals[0].threshold: give one limit", NOW)
    assert [(each.type, each.status, each.reason) for each in found.conditions] == [
        (conditions.READY, "False", "InvalidSpec"),
        (conditions.STALLED, "True", "InvalidSpec"),
    ]
    assert found.sick == []
    assert {"signals[0].threshold: give one limit"} == {c.message for c in found.conditions}
    assert found.observed_generation == 3
    again = summary.invalid(
        objects.with_status(policy, found), "signals[0].threshold: give one limit", NOW + minutes(1)
    )
    assert found.model_dump_json() == again.model_dump_json()
