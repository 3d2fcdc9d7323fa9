"""From a sick target to a command, a refusal, or the question to be answered first."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.actions import registry
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, episode, ledger
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import NOW, UNHEALTHY, minutes

Phase = reasons.Phase
Refused = reasons.Refused
TARGET = builders.workload()
LIVE_STATE = model.LiveState(TARGET)
HELD = minutes(5)


def scene(
    of: objects.Policy | None = None,
    records: tuple[objects.Record, ...] = (),
    live_state: model.LiveState | None = LIVE_STATE,
    **changes: Any,
) -> decide.Scene:
    """A pass over one sick target that was looked at, with nothing in the way."""
    policy = of or builders.policy()
    assert policy.spec is not None
    whole = decide.Scene(
        policy=policy,
        spec=policy.spec,
        rules=Rules(),
        actions=registry.all_actions(),
        now=NOW,
        verdicts={TARGET.ref: UNHEALTHY},
        peers={},
        records=records,
        pause=model.PauseState(paused=False),
        live_states={TARGET.ref: live_state},
        verdicts_at={},
    )
    return dataclasses.replace(whole, **changes)


def sick(
    target: model.Workload = TARGET, held: datetime.timedelta = HELD
) -> decide.UnhealthyTarget:
    """A target that has been Unhealthy for a while."""
    found = builders.finding(target.ref)
    return decide.UnhealthyTarget(target, (found,), NOW - held, minutes(1))


def command(decision: decide.Decision) -> decide.Command:
    """The command of a decision that has one."""
    assert decision.command is not None, decision
    return decision.command


def refused(decision: decide.Decision) -> reasons.Refused:
    """The reason of a decision that refuses."""
    assert decision.refusal is not None, decision
    return decision.refusal.reason


def tried(name: str, phase: Phase, attempt: int = 1, **fields: Any) -> objects.Record:
    """A scale that was tried twenty minutes ago."""
    whole = {"effects": [builders.scale_effect()], "action": "scale", "ago": minutes(20), **fields}
    return builders.record(name, phase, attempt=attempt, **whole)


def test_a_command_keeps_all_that_the_ledger_needs() -> None:
    """Name and number from the ledger, the plan and its hash, and every guard's answer."""
    other = builders.record("before", attempt=6, key=objects.Key("shop", "other"), ago=minutes(90))
    found = command(decide.decide(scene(records=(other,)), sick()))
    assert (7, ledger.record_name(TARGET.ref, TARGET.uid, 7)) == (found.attempt, found.name)
    assert (
        found.action,
        found.step,
        found.mode,
        found.decided_at,
    ) == ("restart", 0, policy_api.Mode.LIVE, NOW)
    assert found.plan_hash == ledger.plan_hash(TARGET.uid, "restart", 0, found.effects)
    assert len(found.answers) == len(scene().guards)
    assert all(answer.refusal is None for answer in found.answers)
    assert found.summary == "restart Deployment/checkout, pod by pod (3 replicas)"


def test_a_close_look_is_asked_for_before_anything_is_planned() -> None:
    """The watch may be behind: preconditions come from a live look."""
    decision = decide.decide(scene(live_states={}), sick())
    assert (model.Need(model.NeedKind.LIVE_STATE, TARGET.ref),) == decision.needs
    assert decision.command is None


def test_no_look_is_asked_for_what_is_refused_anyway() -> None:
    """A refusal costs no request."""
    decision = decide.decide(scene(live_states={}), sick(held=minutes(0)))
    assert Refused.NOT_HELD is refused(decision)
    assert decision.needs == ()


GONE: dict[str, model.LiveState | None] = {
    "gone": None,
    "made again": model.LiveState(dataclasses.replace(TARGET, uid="another")),
}


@pytest.mark.parametrize("live_state", GONE.values(), ids=GONE)
def test_a_target_that_is_gone_or_another_one_is_left_alone(
    live_state: model.LiveState | None,
) -> None:
    """The evidence was about the object before."""
    assert Refused.TARGET_GONE is refused(decide.decide(scene(live_state=live_state), sick()))


def test_the_plan_rests_on_the_look_and_not_on_the_watch() -> None:
    """Generation as precondition comes from the live object."""
    live = dataclasses.replace(TARGET, generation=9, observed_generation=9, replicas=4, updated=4)
    found = command(decide.decide(scene(live_state=model.LiveState(live)), sick()))
    assert [effect.generation for effect in found.effects] == [9]


def test_the_guards_are_asked_again_on_the_look() -> None:
    """A rollout that the watch has not shown yet stops the action."""
    rolling = model.LiveState(dataclasses.replace(TARGET, generation=5))
    assert Refused.ROLLOUT_IN_PROGRESS is refused(decide.decide(scene(live_state=rolling), sick()))


SKIPS: dict[str, tuple[list[dict[str, Any]], int | None, reasons.Refused | None]] = {
    "first applies": ([{"scale": {"by": 1}}, {"restart": {}}], 0, None),
    "first at its bound": ([{"scale": {"to": 3}}, {"restart": {}}], 1, None),
    "two at their bound": ([{"scale": {"to": 3}}, {"scale": {"by": 0}}, {"restart": {}}], 2, None),
    "all at their bound": ([{"scale": {"to": 3}}, {"scale": {"by": 0}}], None, Refused.AT_BOUND),
    "a refusal is no skip": (
        [{"rollback": {"to": "Previous"}}, {"restart": {}}],
        None,
        Refused.NO_KNOWN_GOOD_REVISION,
    ),
}


@pytest.mark.parametrize(("steps", "step", "reason"), SKIPS.values(), ids=SKIPS)
def test_steps_that_do_not_apply_are_skipped(
    steps: list[dict[str, Any]], step: int | None, reason: reasons.Refused | None
) -> None:
    """The first step that applies is the one; any other refusal ends the search."""
    decision = decide.decide(scene(builders.policy(steps=steps)), sick())
    if reason is not None:
        assert reason is refused(decision)
        return
    assert step == command(decision).step


TWO = [{"scale": {"by": 2}}, {"restart": {}}]


def scaled(generation: int = 5, **changes: Any) -> model.Workload:
    """The target after a scale to five replicas."""
    counts = dict.fromkeys(("replicas", "updated", "available", "total"), 5)
    seen = {"generation": generation, "observed_generation": generation, **counts, **changes}
    return dataclasses.replace(TARGET, **seen)


def unhelpful(workload: model.Workload) -> objects.Record:
    """The scale that led to it and did not help."""
    fingerprint = ledger.fingerprint(builders.scale_effect(), workload)
    status = {"outcome": "Effective", "generation": 5, "fingerprint": fingerprint}
    return tried("A", Phase.UNHELPFUL, effect_statuses=[status])


def test_what_did_not_help_is_put_back_first() -> None:
    """The revert is planned from the record, numbered and hashed as any attempt."""
    now = scaled()
    policy = builders.policy(steps=TWO, verify={"otherwise": "Revert"})
    shown = scene(policy, (unhelpful(now),), model.LiveState(now))
    found = command(decide.decide(shown, sick(now)))
    assert (
        found.action,
        found.step,
        found.attempt,
        found.follows.name if found.follows else "",
    ) == ("revert", 0, 2, "A")
    assert [effect.patch for effect in found.effects] == [
        ({"op": "add", "path": "/spec/replicas", "value": 3},)
    ]


def test_what_somebody_else_has_changed_is_not_put_back() -> None:
    """A human's hand wins: no revert over a later edit."""
    now = scaled()
    policy = builders.policy(steps=TWO, verify={"otherwise": "Revert"})
    theirs = scaled(generation=6, replicas=7, updated=7, available=7, total=7)
    shown = scene(policy, (unhelpful(now),), model.LiveState(theirs))
    assert Refused.CHANGED_BY_OTHERS is refused(decide.decide(shown, sick(theirs)))


def test_a_follow_up_waits_neither_for_its_for_nor_for_the_cooldown() -> None:
    """It rests on a verification; the limits and all other guards still hold."""
    policy = builders.policy(steps=TWO, verify={"otherwise": "Continue"})
    now = scaled()
    record = ended(unhelpful(now), minutes(1))
    shown = scene(policy, (record,), model.LiveState(now))
    found = command(decide.decide(shown, sick(now, held=minutes(0))))
    assert (found.action, found.step) == ("restart", 1)
    limited = builders.policy(steps=TWO, verify={"otherwise": "Continue"}, guards={"maxPerHour": 1})
    shown = scene(limited, (record,), model.LiveState(now))
    assert Refused.POLICY_HOURLY_LIMIT is refused(decide.decide(shown, sick(now)))


def ended(record: objects.Record, ago: datetime.timedelta) -> objects.Record:
    """The record, its verification ended so long ago."""
    status = record.status.model_copy(update={"finished_at": NOW - ago})
    return dataclasses.replace(record, status=status)


def test_an_old_verification_is_no_reason_to_go_on_at_once() -> None:
    """After a day of suspension the next step waits for its own evidence."""
    policy = builders.policy(steps=TWO, verify={"otherwise": "Continue"})
    now = scaled()
    shown = scene(policy, (ended(unhelpful(now), minutes(11)),), model.LiveState(now))
    assert Refused.NOT_HELD is refused(decide.decide(shown, sick(now, held=minutes(0))))


def test_a_persons_fix_is_not_overtaken_by_the_next_step() -> None:
    """The next step is refused when somebody has changed what the last one wrote."""
    policy = builders.policy(steps=TWO, verify={"otherwise": "Continue"})
    theirs = scaled(generation=6, replicas=7, updated=7, available=7, total=7)
    shown = scene(policy, (ended(unhelpful(scaled()), minutes(1)),), model.LiveState(theirs))
    assert Refused.CHANGED_BY_OTHERS is refused(decide.decide(shown, sick(theirs)))


def test_a_chain_whose_other_steps_do_not_apply_ends_with_a_person() -> None:
    """Nothing left to do is said as that, not as a bound that was met."""
    steps = [{"scale": {"by": 2}}, {"scale": {"by": 1, "max": 5}}]
    policy = builders.policy(steps=steps, verify={"otherwise": "Continue"})
    now = scaled()
    shown = scene(policy, (ended(unhelpful(now), minutes(1)),), model.LiveState(now))
    assert Refused.NO_STEP_LEFT is refused(decide.decide(shown, sick(now)))


def test_a_plan_that_the_ledger_cannot_hold_is_refused() -> None:
    """No record, no action: a template larger than a record's patch is not rolled back to."""
    huge = {"metadata": {"annotations": {"big": "x" * 70_000}}, "spec": {"containers": []}}
    live_state = model.LiveState(
        TARGET,
        revisions=(
            model.Revision(1, "r1", NOW - minutes(60), huge),
            model.Revision(2, "r2", NOW - minutes(5), TARGET.template, current=True),
        ),
    )
    policy = builders.policy(steps=[{"rollback": {"to": "Previous"}}])
    assert Refused.PLAN_TOO_LARGE is refused(decide.decide(scene(policy, (), live_state), sick()))


def test_advice_that_was_given_is_not_given_again() -> None:
    """One record for each onset."""
    advice = builders.record("said", Phase.ADVISED, mode=policy_api.Mode.ADVISE)
    decision = decide.decide(scene(builders.policy(mode="Advise"), (advice,)), sick())
    assert advice == decision.said
    assert (decision.command, decision.refusal) == (None, None)


ENDED = tried("A", Phase.UNPROVEN)
STANDING: dict[str, tuple[dict[str, Any], reasons.Refused]] = {
    "nothing else": ({}, Refused.NO_STEP_LEFT),
    "paused": ({"pause": model.PauseState(paused=True)}, Refused.PAUSED),
    "suspended": ({"of": builders.policy(suspend=True)}, Refused.SUSPENDED),
    "latched": (
        {"records": tuple(tried(f"A{n}", Phase.UNPROVEN, n) for n in (1, 2, 3))},
        Refused.LATCHED,
    ),
}


@pytest.mark.parametrize(("changes", "expected"), STANDING.values(), ids=STANDING)
def test_what_stops_the_policy_as_a_whole_is_told_first(
    changes: dict[str, Any], expected: reasons.Refused
) -> None:
    """Who has paused the operator need not read that no step is left."""
    decision = decide.decide(scene(**{"records": (ENDED,), **changes}), sick())
    assert expected is refused(decision)


def test_planning_again_in_an_unchanged_world_gives_the_same_plan() -> None:
    """Seconds later, with its own record in the ledger: equal hash, so it may go on."""
    first = command(decide.decide(scene(), sick()))
    own = builders.record(first.name, Phase.PENDING, attempt=first.attempt)
    later = scene(records=(own,), now=NOW + minutes(1))
    again = command(decide.plan_attempt(later, sick(), episode.Next(0), first.decided_at, own.name))
    assert first.plan_hash == again.plan_hash
    blocked = decide.plan_attempt(later, sick(), episode.Next(0), first.decided_at)
    assert Refused.IN_FLIGHT is refused(blocked), "any other record in flight stops it"


def test_planning_again_after_an_edit_gives_another_plan() -> None:
    """A generation later nothing that was decided still holds."""
    first = command(decide.decide(scene(), sick()))
    edited = dataclasses.replace(TARGET, generation=5, observed_generation=5)
    again = command(decide.decide(scene(live_state=model.LiveState(edited)), sick(edited)))
    assert first.plan_hash != again.plan_hash


def test_history_is_asked_step_by_step() -> None:
    """A rollback's questions are passed on, and only answers about its own target count."""
    releases = [{"spec": {"image": f"v{number}"}} for number in (1, 2)]
    revisions = tuple(
        model.Revision(number, f"r{number}", NOW - minutes(60 - 10 * number), template, number == 2)
        for number, template in enumerate(releases, 1)
    )
    live_state = model.LiveState(
        dataclasses.replace(TARGET, template=releases[1]), revisions=revisions
    )
    policy = builders.policy(steps=[{"rollback": {}}])
    (need,) = decide.decide(scene(policy, live_state=live_state), sick()).needs
    assert need.at is not None
    answer = {(builders.ref("other"), need.at): model.Verdict.HEALTHY}
    asked_again = decide.decide(scene(policy, live_state=live_state, verdicts_at=answer), sick())
    assert (need,) == asked_again.needs
    answer = {(TARGET.ref, need.at): model.Verdict.HEALTHY}
    found = command(decide.decide(scene(policy, live_state=live_state, verdicts_at=answer), sick()))
    assert [releases[0]] == [effect.patch[0]["value"] for effect in found.effects]
