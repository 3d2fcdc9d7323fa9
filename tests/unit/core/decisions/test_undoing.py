"""What of an action is taken back: what was done, if all of it can be, while it is owed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import episode, guards, returning, undoing
from prunella.core.decisions.guards import timing
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase
UNDONE = builders.scale_effect()
ONE_WAY = builders.effect(summary="restart it")
EVICTION = builders.effect(verb=model.Verb.EVICT, patch=(), summary="evict a pod")


def record(
    phase: Phase, *halves: tuple[model.Effect, str], action: str = "restore", **fields: Any
) -> objects.Record:
    """A record whose effects have these outcomes."""
    effects = [effect for effect, _ in halves]
    statuses = [remediation.EffectStatus(outcome=outcome) for _, outcome in halves]  # type: ignore[arg-type]
    return builders.record(
        "A", phase, action=action, effects=effects, effect_statuses=statuses, **fields
    )


DONE, REFUSED, NEVER = "Effective", "Refused", ""
HALVES = [
    pytest.param(Phase.FAILED, [(UNDONE, DONE), (ONE_WAY, REFUSED)], True, id="the first one was"),
    pytest.param(
        Phase.FAILED, [(UNDONE, REFUSED), (UNDONE, NEVER)], False, id="nothing was done of it"
    ),
    pytest.param(
        Phase.FAILED,
        [(UNDONE, DONE), (ONE_WAY, DONE), (UNDONE, REFUSED)],
        False,
        id="a part has no inverse",
    ),
    pytest.param(
        Phase.FAILED,
        [(UNDONE, DONE), (EVICTION, DONE), (EVICTION, REFUSED)],
        True,
        id="evicted pods need none",
    ),
    pytest.param(
        Phase.FAILED, [(EVICTION, DONE), (EVICTION, REFUSED)], False, id="evictions alone"
    ),
    pytest.param(Phase.UNHELPFUL, [(UNDONE, DONE), (ONE_WAY, DONE)], True, id="in vain: a part"),
    pytest.param(Phase.UNHELPFUL, [(UNDONE, "NotSent")], False, id="in vain, and never sent"),
]


@pytest.mark.parametrize(("phase", "halves", "expected"), HALVES)
def test_what_can_be_undone(
    phase: Phase, halves: list[tuple[model.Effect, str]], *, expected: bool
) -> None:
    """Of half an action all that was done must go back: nobody has ever run a third state."""
    assert expected is undoing.undoable(record(phase, *halves))


LEFT = [
    pytest.param(
        "restore", [(UNDONE, DONE), (ONE_WAY, REFUSED)], "done, and can be undone: scale", id="both"
    ),
    pytest.param(
        "restart",
        [(ONE_WAY, DONE), (EVICTION, REFUSED)],
        "done, and nothing undoes it: restart it",
        id="no inverse",
    ),
    pytest.param(
        "revert",
        [(UNDONE, DONE), (ONE_WAY, REFUSED)],
        "not undone: restart it",
        id="an undoing",
    ),
    pytest.param("restart", [(ONE_WAY, REFUSED)], "", id="nothing was done"),
    pytest.param(
        "revert",
        [(UNDONE, REFUSED), (UNDONE, NEVER)],
        f"not undone: {UNDONE.summary}; {UNDONE.summary}",
        id="nothing was undone",
    ),
]


@pytest.mark.parametrize(("action", "halves", "told"), LEFT)
def test_a_record_tells_what_is_left(
    action: str, halves: list[tuple[model.Effect, str]], told: str
) -> None:
    """Who is called reads it there."""
    found = undoing.left(record(Phase.FAILED, *halves, action=action))
    assert found.startswith(f"; {told}") if told else found == ""


OWED = [
    pytest.param({}, {}, True, id="it did not help"),
    pytest.param({"verify": {"otherwise": "Continue"}}, {}, False, id="the policy wants none"),
    pytest.param({"mode": "Advise"}, {}, False, id="nothing is written any more"),
    pytest.param({"generation": 7}, {}, True, id="the policy was edited"),
    pytest.param({"uid": "another"}, {}, False, id="the policy was deleted and made anew"),
    pytest.param({}, {"action": "revert"}, False, id="an undoing itself"),
    pytest.param({}, {"cleared_at": NOW}, False, id="the target was Healthy"),
    pytest.param({"annotations": builders.resumed(NOW)}, {}, False, id="a person resumed it"),
]


@pytest.mark.parametrize(("policy", "fields", "expected"), OWED)
def test_how_long_an_undoing_is_owed(
    policy: dict[str, Any], fields: dict[str, Any], *, expected: bool
) -> None:
    """An edit of the policy loses no inverse; a person who takes it in hand ends it."""
    owner = builders.policy(**policy)
    assert owner.spec is not None
    done = record(Phase.UNHELPFUL, (UNDONE, DONE), ago=minutes(5), **fields)
    uid = builders.workload().uid
    following = episode.next_attempt(owner, owner.spec, uid, [done])
    assert expected is (isinstance(following, episode.Next) and following.revert)


def test_half_an_action_that_was_undone_is_for_a_person() -> None:
    """Once: what the API server refuses is not tried again and again."""
    owner = builders.policy(steps=[{"scale": {"by": 1}}, {"restart": {}}])
    assert owner.spec is not None
    half = record(Phase.FAILED, (UNDONE, DONE), (ONE_WAY, REFUSED))
    uid = builders.workload().uid
    assert episode.Next(0, half, revert=True) == episode.next_attempt(
        owner, owner.spec, uid, [half]
    )
    undone = builders.record("B", action="revert", attempt=2, follows="A")
    refusal = episode.next_attempt(owner, owner.spec, uid, [half, undone])
    assert isinstance(refusal, model.Refusal)
    assert "A ended Failed (Failed), and what was done of it was undone" in refusal.message


EDITS = [
    pytest.param(Phase.UNHELPFUL, 1, "begins anew", id="in vain, and edited"),
    pytest.param(Phase.FAILED, 1, "begins anew", id="half done, and edited"),
    pytest.param(Phase.UNHELPFUL, 2, "all 2 steps were tried", id="in vain, as it is"),
    pytest.param(Phase.FAILED, 2, "what was done of it was undone", id="half done, as it is"),
]


@pytest.mark.parametrize(("phase", "generation", "expected"), EDITS)
def test_after_an_edit_and_the_undoing_the_steps_begin_anew(
    phase: Phase, generation: int, expected: str
) -> None:
    """The second step of the policy before says nothing about those of now."""
    owner = builders.policy(generation=2, steps=[{"scale": {"by": 1}}, {"restart": {}}])
    assert owner.spec is not None
    acted = record(phase, (UNDONE, DONE), action="scale", step=1, generation=generation)
    undone = builders.record("B", action="revert", attempt=2, follows="A", step=1, generation=2)
    following = episode.next_attempt(owner, owner.spec, builders.workload().uid, [acted, undone])
    if isinstance(following, model.Refusal):
        assert expected in following.message
    else:
        assert ("begins anew", episode.Next(0)) == (expected, following)


TESTED = builders.effect(
    patch=({"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2}),
    summary="undo it",
)
HALF = "HalfUndone"
CHAINS = [
    pytest.param(TESTED, HALF, 1, "revert 0 after R1", id="the rest never arrived"),
    pytest.param(TESTED, HALF, 2, "refused", id="finished once, and half way again"),
    pytest.param(TESTED, "ForbiddenByServer", 1, "refused", id="the rest was refused"),
    pytest.param(UNDONE, HALF, 1, "refused", id="the rest does not tell what it found"),
]


@pytest.mark.parametrize(("late", "reason", "reverts", "expected"), CHAINS)
def test_a_revert_that_stopped_half_way_is_finished_once(
    late: model.Effect, reason: str, reverts: int, expected: str
) -> None:
    """By another record: what was sent is never sent again by the same one."""
    owner = builders.policy()
    assert owner.spec is not None
    halves = [(TESTED, DONE), (late, "NotSent")]
    chain = [record(Phase.UNHELPFUL, (UNDONE, DONE))]
    for number in range(1, reverts + 1):
        half = record(Phase.FAILED, *halves, action="revert", attempt=number + 1, reason=reason)
        spec = half.spec.model_copy(update={"follows": chain[-1].name})
        chain.append(dataclasses.replace(half, name=f"R{number}", spec=spec))
    following = episode.next_attempt(owner, owner.spec, builders.workload().uid, chain)
    if isinstance(following, episode.Next) and following.follows is not None:
        assert expected == f"revert {following.step} after {following.follows.name}"
    else:
        assert expected == "refused"


@pytest.mark.parametrize(
    ("unsent", "of", "expected"), [(2, "A", False), (3, "A", True), (3, "Z", False)]
)
def test_an_undoing_that_can_t_be_sent_is_not_tried_in_each_pass(
    unsent: int, of: str, *, expected: bool
) -> None:
    """Three in ten minutes, of the same record."""
    tried = [
        builders.record(f"R{n}", Phase.NOT_SENT, action="revert", follows=of, attempt=n + 2)
        for n in range(unsent)
    ]
    case = builders.case(action="revert", records=tried, follows=record(Phase.UNHELPFUL))
    answer = timing.undone_not_too_often(dataclasses.replace(case, params=None))
    assert expected is isinstance(answer, model.Refusal)
    assert timing.undone_not_too_often in guards.REVERT_GUARDS


def test_after_an_undoing_in_two_parts_the_next_step_follows() -> None:
    """What tells is the record that was undone, not the revert that stopped half way."""
    owner = builders.policy(steps=[{"scale": {"by": 1}}, {"restart": {}}])
    assert owner.spec is not None
    chain = [
        record(Phase.UNHELPFUL, (UNDONE, DONE), action="scale"),
        builders.record("B", Phase.FAILED, action="revert", attempt=2, follows="A", reason=HALF),
        builders.record("C", action="revert", attempt=3, follows="B"),
    ]
    following = episode.next_attempt(owner, owner.spec, builders.workload().uid, chain)
    assert episode.Next(1, chain[-1]) == following


def test_a_person_reads_what_superseded_an_action() -> None:
    """Who has edited what is in the record's message."""
    owner = builders.policy()
    assert owner.spec is not None
    edited = record(Phase.SUPERSEDED, (UNDONE, DONE), message="cart was changed by somebody else")
    refusal = episode.next_attempt(owner, owner.spec, builders.workload().uid, [edited])
    assert isinstance(refusal, model.Refusal)
    assert "ended Superseded (Superseded): cart was changed by somebody else;" in refusal.message


def test_what_is_left_leaves_room_for_the_servers_own_words() -> None:
    """A record's message holds both."""
    long = dataclasses.replace(ONE_WAY, summary="x" * 400)
    halves = [(long, DONE)] * 4
    found = undoing.left(record(Phase.FAILED, *halves, (ONE_WAY, REFUSED), action="restart"))
    assert undoing.MOST_TOLD == len(found)


PLANNED = [
    pytest.param({"action": "revert", "step": 4}, 1, "", id="an undoing needs no step"),
    pytest.param({"action": "restart", "step": 4}, 1, "no such step now", id="a step that is gone"),
    pytest.param({"action": "restart"}, 1, "", id="a step"),
    pytest.param({"action": "revert"}, 0, "what it undoes is gone", id="no record, no inverse"),
]


@pytest.mark.parametrize(("fields", "known", "refused"), PLANNED)
def test_what_was_recorded_is_asked_for_again_before_it_is_sent(
    fields: dict[str, Any], known: int, refused: str
) -> None:
    """The policy, or a person, may have ended it since."""
    owner = builders.policy()
    assert owner.spec is not None
    done = record(Phase.UNHELPFUL, (UNDONE, DONE), step=fields.get("step", 0))
    pending = builders.record("B", Phase.PENDING, attempt=2, follows="A", **fields)
    records = [done, pending][1 - known :]
    told = episode.ended(returning.again(pending, records), owner, owner.spec, pending, records)
    assert (bool(refused), True) == (bool(told), refused in told)
