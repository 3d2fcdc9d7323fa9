"""Tests of who is called, for which records, and when nobody is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import decide
from prunella.core.outcomes import escalation
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes
from tests.unit.core.outcomes import test_summary

Phase = reasons.Phase
TWO_STEPS = [{"scale": {"by": 2}}, {"restart": {}}]
NOTHING_LEFT = {
    builders.ref(): decide.Decision(refusal=model.Refusal(reasons.Refused.NO_STEP_LEFT, "why"))
}


def tried(name: str, phase: Phase, attempt: int = 1, **fields: Any) -> objects.Record:
    """A record that ended ten minutes ago."""
    return builders.record(name, phase, attempt=attempt, ago=minutes(10), **fields)


CASES: dict[str, tuple[list[objects.Record], dict[model.Ref, decide.Decision], list[str]]] = {
    "nothing was tried": ([], NOTHING_LEFT, []),
    "helped": ([tried("A", Phase.SUCCEEDED)], {}, []),
    "not proved": ([tried("A", Phase.UNPROVEN)], {}, ["A"]),
    "called already": ([tried("A", Phase.UNPROVEN, escalated_at=NOW)], {}, []),
    "healthy again": ([tried("A", Phase.UNPROVEN, cleared_at=NOW)], {}, []),
    "another step is left": ([tried("A", Phase.UNHELPFUL)], {}, []),
    "the last step": ([tried("A", Phase.UNHELPFUL, step=1)], {}, ["A"]),
    "the other steps do not apply": ([tried("A", Phase.UNHELPFUL)], NOTHING_LEFT, ["A"]),
    "only for the newest": (
        [tried("A", Phase.UNHELPFUL), tried("B", Phase.UNHELPFUL, 2)],
        NOTHING_LEFT,
        ["B"],
    ),
    "waits for a word": ([tried("A", Phase.AWAITING_APPROVAL)], {}, ["A"]),
    "has got it, and waits for room": (
        [tried("A", Phase.AWAITING_APPROVAL, reason=reasons.Refused.NAMESPACE_DISRUPTIONS)],
        {},
        [],
    ),
    "of another policy": (
        [tried("A", Phase.UNPROVEN, key=objects.Key("shop", "other"))],
        NOTHING_LEFT,
        [],
    ),
}


@pytest.mark.parametrize(("records", "decisions", "expected"), CASES.values(), ids=CASES)
def test_for_whom_a_person_is_called(
    records: list[objects.Record],
    decisions: dict[model.Ref, decide.Decision],
    expected: list[str],
) -> None:
    """Once for each record that nothing automatic follows."""
    policy = builders.policy(steps=TWO_STEPS, verify={"otherwise": "Continue"})
    called = escalation.to_call(policy, records, decisions, 3)
    assert expected == [record.name for record in called]


def test_a_latch_calls_a_person_though_its_target_has_recovered() -> None:
    """Three in a row did not help: the policy has stopped, somebody must know."""
    records = [tried(str(n), Phase.UNHELPFUL, n, cleared_at=NOW) for n in (1, 2, 3)]
    policy = builders.policy(steps=TWO_STEPS)
    called = [record.name for record in escalation.to_call(policy, records, {}, 3)]
    assert called
    assert called[-1] == "3"


# Targets that nothing is done about

Refused = reasons.Refused


def entry(ago: float = 0.0, **changes: Any) -> escalation.Unattended:
    """An entry of the status: refused for no known good revision, so many minutes ago."""
    fields = {"refused": "NoKnownGoodRevision", "refusal": "numbers", **changes}
    return escalation.Unattended(**{"name": "checkout", "since": NOW - minutes(ago), **fields})


CALLED = entry(20, called_at=NOW - minutes(5))
WAITING = entry(5)
NOW_COOLING = {"refused": "Cooldown", "refusal": "numbers"}
ACTING = [builders.record("A", Phase.VERIFYING)]
Before = list[escalation.Unattended]
UNATTENDED: dict[
    str, tuple[Before, model.Verdict, reasons.Refused | None, dict[str, Any], Before]
] = {
    "refused": ([], UNHEALTHY, Refused.NO_KNOWN_GOOD_REVISION, {}, [entry()]),
    "healthy": ([], HEALTHY, None, {}, []),
    "nothing was decided": ([], UNHEALTHY, None, {}, []),
    "still refused": ([WAITING], UNHEALTHY, Refused.NO_KNOWN_GOOD_REVISION, {}, [WAITING]),
    "refused for another reason": (
        [WAITING],
        UNHEALTHY,
        Refused.COOLDOWN,
        {},
        [WAITING.model_copy(update=NOW_COOLING)],
    ),
    "what was told stays": ([CALLED], UNHEALTHY, Refused.COOLDOWN, {}, [CALLED]),
    "recovered": ([WAITING], HEALTHY, None, {}, []),
    "recovered after a call": ([CALLED], HEALTHY, None, {}, []),
    "doubt ends nothing": ([WAITING], UNKNOWN, None, {}, [WAITING]),
    "not held yet begins nothing": ([], UNHEALTHY, Refused.NOT_HELD, {}, []),
    "not held yet, as after a restart": ([CALLED], UNHEALTHY, Refused.NOT_HELD, {}, [CALLED]),
    "a person deletes it": ([], UNHEALTHY, Refused.TARGET_GONE, {}, []),
    "another policy is at work": ([WAITING], UNHEALTHY, Refused.IN_FLIGHT, {}, [WAITING]),
    "suspended": ([], UNHEALTHY, Refused.SUSPENDED, {}, []),
    "paused while it waits": ([WAITING], UNHEALTHY, Refused.PAUSED, {}, []),
    "paused after a call": ([CALLED], UNHEALTHY, Refused.PAUSED, {}, [CALLED]),
    "acted on at last": ([WAITING], UNHEALTHY, None, {"records": ACTING}, []),
    "acted on after a call": ([CALLED], UNHEALTHY, None, {"records": ACTING}, [CALLED]),
    "an attempt that was not sent": (
        [WAITING],
        UNHEALTHY,
        None,
        {"records": [builders.record("A", Phase.NOT_SENT)]},
        [WAITING],
    ),
    "resumed by a person": (
        [CALLED],
        UNHEALTHY,
        Refused.NO_KNOWN_GOOD_REVISION,
        {"annotations": builders.resumed(NOW - minutes(1))},
        [entry()],
    ),
    "advice calls nobody": (
        [],
        UNHEALTHY,
        Refused.NO_KNOWN_GOOD_REVISION,
        {"mode": "Advise"},
        [],
    ),
    "gone": ([entry(5, name="cart")], HEALTHY, None, {}, []),
}


@pytest.mark.parametrize(
    ("before", "verdict", "refused", "fields", "expected"), UNATTENDED.values(), ids=UNATTENDED
)
def test_which_targets_nothing_is_done_about(
    before: Before,
    verdict: model.Verdict,
    refused: reasons.Refused | None,
    fields: dict[str, Any],
    expected: Before,
) -> None:
    """From the first refusal on, until the target is Healthy or somebody acts."""
    records = fields.pop("records", [])
    decisions = {} if refused is None else {"checkout": test_summary.refuse(refused)}
    outcome = test_summary.outcome({"checkout": verdict}, decisions)
    policy = builders.policy(**fields)
    assert expected == escalation.unattended(policy, outcome, records, before, NOW)


ADVISED = tried("A", Phase.ADVISED, mode=policy_api.Mode.ADVISE)
SAID: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "by the policy's own mode": ("Advise", {}, []),
    "its own mode is more": ("Live", {}, ["A only advises restart, in mode Advise"]),
    "it would ask": ("Approve", {}, ["A only advises restart, in mode Advise"]),
    "by a limit of all actions": (
        "Live",
        {"modeLimitedBy": "a bad streak"},
        ["A only advises restart, in mode Advise: a bad streak"],
    ),
    "by a limit of this action": (
        "Live",
        {
            "modeLimitedBy": "another action's",
            "modes": [
                {"action": "restart", "risk": "low", "mode": "Advise", "limitedBy": "a ceiling"}
            ],
        },
        ["A only advises restart, in mode Advise: a ceiling"],
    ),
}


@pytest.mark.parametrize(("mode", "limited", "expected"), SAID.values(), ids=SAID)
def test_advice_alone_leaves_a_target_unattended_where_the_policy_acts(
    mode: str, limited: dict[str, Any], expected: list[str]
) -> None:
    """A limit that lowers the mode is told to a person: the policy has promised to act."""
    outcome = test_summary.outcome(
        {"checkout": UNHEALTHY}, {"checkout": decide.Decision(said=ADVISED)}
    )
    status = policy_status.RemediationPolicyStatus.model_validate(limited)
    policy = builders.policy(mode=mode, status=status)
    found = escalation.unattended(policy, outcome, [ADVISED], [], NOW)
    assert expected == [each.refusal for each in found]
    assert {Refused.MODE_LOWERED} >= {each.refused for each in found}


def test_no_more_are_kept_than_the_status_holds() -> None:
    """Those for whom a person was called come first: to forget them would call again."""
    names = [f"app-{n:02}" for n in range(30)]
    decisions = {each: test_summary.refuse(Refused.TOO_MANY_UNHEALTHY) for each in names}
    outcome = test_summary.outcome(dict.fromkeys(names, UNHEALTHY), decisions)
    before = [entry(5, name="app-29", called_at=NOW)]
    found = escalation.unattended(builders.policy(), outcome, [], before, NOW)
    assert ["app-29", *names[:19]] == [each.name for each in found]


OVERDUE: dict[str, tuple[escalation.Unattended, dict[str, Any], bool]] = {
    "a moment too early": (entry(14.99), {}, False),
    "after a quarter of an hour": (entry(15), {}, True),
    "as the policy writes it": (entry(3), {"escalateAfter": "3m"}, True),
    "called already": (entry(60, called_at=NOW), {}, False),
    "what no waiting ends": (entry(0, refused="SameRemedyLimit"), {}, True),
    "its record calls in this pass": (entry(60), {"spoken_for": [builders.ref()]}, False),
    "its record has called": (
        entry(60),
        {"records": [tried("A", Phase.UNPROVEN, escalated_at=NOW)]},
        False,
    ),
    "its record called in an episode that is over": (
        entry(60),
        {"records": [tried("A", Phase.UNPROVEN, escalated_at=NOW, cleared_at=NOW)]},
        True,
    ),
    "another policy's record has called": (
        entry(60),
        {
            "records": [
                tried("A", Phase.UNPROVEN, key=objects.Key("shop", "other"), escalated_at=NOW)
            ]
        },
        True,
    ),
}


@pytest.mark.parametrize(("waiting", "fields", "expected"), OVERDUE.values(), ids=OVERDUE)
def test_when_a_person_is_called_for_a_target(
    waiting: escalation.Unattended, fields: dict[str, Any], *, expected: bool
) -> None:
    """Once, after ``escalateAfter``, unless a record has called for the same target."""
    rest = dict(fields)
    records, spoken_for = rest.pop("records", []), rest.pop("spoken_for", [])
    policy = builders.policy(**rest)
    found = escalation.overdue(policy, [waiting], records, spoken_for, NOW)
    assert expected == (found == [waiting])


@pytest.mark.parametrize(
    ("before", "expected"),
    [(WAITING, []), (CALLED, [CALLED])],
    ids=["nobody was called", "a person was called"],
)
def test_nobody_is_called_for_what_was_scaled_to_nothing(before: Any, expected: Before) -> None:
    """Who puts it at 0 replicas, a person or an autoscaler, has taken it in hand.

    One who was called before is not called again when it comes back as sick as it was.
    """
    policy = builders.policy()
    idle = builders.workload(replicas=0, updated=0, available=0, total=0)
    seen = test_summary.outcome({"checkout": UNKNOWN})
    outcome = dataclasses.replace(seen, workloads={builders.ref(): idle})
    assert expected == escalation.unattended(policy, outcome, [], [before], NOW)
