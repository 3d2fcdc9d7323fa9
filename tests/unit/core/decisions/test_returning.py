"""When a part of moved traffic comes back, and that nothing else does."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.changes import swaps
from prunella.core.decisions import episode, ledger, moves, returning, weights
from tests.unit.core import builders
from tests.unit.core.builders import HEALTHY, UNHEALTHY, UNKNOWN, minutes

Phase = reasons.Phase
BACK = {"after": "30m", "require": [{"query": "min(probe_success)", "atLeast": 1}]}
STEP: dict[str, Any] = {"kind": "HTTPRoute", "name": "web", "to": {"workload": "b"}, "back": BACK}
ROUTE = model.Ref("HTTPRoute", builders.NAMESPACE, "web")
LEFT, TAKING = weights.Backend("checkout"), weights.Backend("b")


def route(left: int) -> dict[str, Any]:
    """A route that gives the target so much of 100."""
    backends = [{"name": "checkout", "weight": left}, {"name": "b", "weight": 100 - left}]
    return {
        "kind": "HTTPRoute",
        "metadata": {"namespace": builders.NAMESPACE},
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def moved(found: weights.Shift) -> model.Effect:
    """The effect of a move."""
    patch, inverse = found.swaps.patch, found.swaps.inverse
    return model.Effect(model.Verb.PATCH, ROUTE, "r", "move", patch=patch, inverse=inverse)


SHIFT = moved(weights.shift(route(20), LEFT, TAKING, weights.Bounds(100, 0)))
BEFORE = weights.tested(SHIFT.patch)


def part(now: int, most: int) -> model.Effect:
    """The effect of a part of the way back."""
    return moved(weights.step_back(route(now), BEFORE, most))


def shift(ago: float = 60, **changes: Any) -> objects.Record:
    """A shift that ended so many minutes ago."""
    told = {"action": "shiftTraffic", "effects": [SHIFT], "ago": minutes(ago), **changes}
    return builders.record("move-1", **told)


def back(effect: model.Effect, attempt: int = 2, ago: float = 40, **changes: Any) -> objects.Record:
    """A part of the way back that ended so many minutes ago."""
    told = {"action": "returnTraffic", "follows": f"move-{attempt - 1}", "attempt": attempt}
    return builders.record(
        f"move-{attempt}", effects=[effect], ago=minutes(ago), **{**told, **changes}
    )


def due(*records: objects.Record, **spec: Any) -> episode.Next | None:
    """What is due now."""
    found = answered(*records, **spec)
    assert not isinstance(found, model.Refusal), found
    return found


def answered(*records: objects.Record, **spec: Any) -> episode.Next | model.Refusal | None:
    """What is due now, or why that is not known."""
    policy = builders.policy(**{"steps": [{"shiftTraffic": STEP}], **spec})
    assert policy.spec is not None
    uid = builders.workload().uid
    return returning.due(policy, policy.spec, uid, records, builders.NOW)


def test_the_first_part_follows_the_shift() -> None:
    """After its time."""
    found = due(shift())
    assert found is not None
    assert (0, "move-1", "move-1", False) == (
        found.step,
        found.follows and found.follows.name,
        found.back and found.back.name,
        found.revert,
    )


def test_a_later_part_follows_the_last_and_knows_the_shift() -> None:
    """What was there before the shift is in the record of that alone."""
    found = due(shift(120), back(part(0, 8), ago=80), back(part(8, 8), 3))
    assert found is not None
    assert ("move-3", "move-1") == (
        found.follows and found.follows.name,
        found.back and found.back.name,
    )


def test_a_part_that_is_left_out_of_the_ledger_for_it_was_not_sent_is_tried_again() -> None:
    """It has moved nothing."""
    found = due(shift(120), back(part(0, 8), phase=Phase.NOT_SENT))
    assert found is not None
    assert (found.follows and found.follows.name) == "move-1"


NOT_DUE: dict[str, tuple[tuple[objects.Record, ...], dict[str, Any]]] = {
    "nothing was moved": ((), {}),
    "its time has not come": ((shift(29),), {}),
    "the time of a later part has not come": ((shift(120), back(part(0, 8), ago=29)), {}),
    "it was not proved": ((shift(phase=Phase.UNPROVEN),), {}),
    "it is being proved": ((shift(phase=Phase.VERIFYING),), {}),
    "it was undone": (
        (shift(120), back(SHIFT, action="revert")),
        {},
    ),
    "a part was in vain": ((shift(120), back(part(0, 8), phase=Phase.UNHELPFUL)), {}),
    "something else was done since": ((shift(120), back(SHIFT, action="restart")), {}),
    "another policy has moved it": ((shift(key=objects.Key("shop", "other")),), {}),
    "the policy says no way back": (
        (shift(),),
        {"steps": [{"shiftTraffic": {k: v for k, v in STEP.items() if k != "back"}}]},
    ),
    "the policy has another step there": ((shift(),), {"steps": [{"restart": {}}]}),
    "the policy has no such step": ((shift(step=1),), {"steps": [{"restart": {}}]}),
    "the step is about another route": (
        (shift(),),
        {"steps": [{"shiftTraffic": {**STEP, "name": "other"}}]},
    ),
    "all is back": ((shift(120), back(part(0, 8), ago=80), back(part(8, 50), 3)), {}),
}


@pytest.mark.parametrize(("records", "spec"), NOT_DUE.values(), ids=NOT_DUE)
def test_nothing_is_due(records: tuple[objects.Record, ...], spec: dict[str, Any]) -> None:
    """Only what was moved away with success, by this very step, comes back."""
    assert due(*records, **spec) is None


RESTARTED_FIRST = {"steps": [{"restart": {}}, {"shiftTraffic": STEP}]}
LOST: dict[str, tuple[tuple[objects.Record, ...], dict[str, Any], str]] = {
    "a step was written above": ((shift(),), RESTARTED_FIRST, "step 0 of the policy no longer is"),
    "a step above was taken out": ((shift(step=1),), {}, "step 1 of the policy no longer is"),
    "its step is gone half way": (
        (shift(120), back(part(0, 8))),
        {"steps": [{"restart": {}}]},
        "step 0 of the policy no longer is the shiftTraffic that moved it",
    ),
    "the policy only advises": (
        (shift(),),
        {"mode": policy_api.Mode.ADVISE},
        "mode is Advise, and only Live and Approve bring it back",
    ),
    "the policy only rehearses": ((shift(),), {"mode": policy_api.Mode.DRY_RUN}, "mode is DryRun"),
    "the record of the shift is gone": (
        (back(part(0, 8)),),
        {},
        "HTTPRoute/web that move-2 left away stays away: the record of the shift is gone",
    ),
}


@pytest.mark.parametrize(("records", "spec", "words"), LOST.values(), ids=LOST)
def test_traffic_that_stays_away_is_told(
    records: tuple[objects.Record, ...], spec: dict[str, Any], words: str
) -> None:
    """Where the policy or the records no longer say how it comes back: not silence."""
    found = answered(*records, **spec)
    assert isinstance(found, model.Refusal)
    assert (reasons.Refused.PLAN_CHANGED, True) == (found.reason, words in found.message)


def test_what_is_all_back_is_not_told_as_away() -> None:
    """Whatever the policy says by then."""
    records = (shift(120), back(part(0, 50)))
    assert answered(*records, **RESTARTED_FIRST) is None


PARTS = {
    "the first": (0, 8, 8),
    "a later one": (8, 8, 16),
    "the last, which is smaller": (16, 8, 20),
    "all at once": (0, 100, 20),
}


@pytest.mark.parametrize(("now", "most", "then"), PARTS.values(), ids=PARTS)
def test_a_part_is_bounded_and_goes_no_further_than_before(now: int, most: int, then: int) -> None:
    """Its inverse is what was there."""
    (move,) = weights.step_back(route(now), BEFORE, most).moves
    assert ((now, then), (100 - now, 100 - then)) == (move.left, move.taken)
    writes = [each for each in part(now, most).patch if each["op"] == "replace"]
    assert [then, 100 - then] == [each["value"] for each in writes]


def two(first: int, second: int) -> dict[str, Any]:
    """A route of two rules, which give the target so much of 100."""
    rules = [each["spec"]["rules"][0] for each in (route(first), route(second))]
    return {**route(0), "spec": {"rules": rules}}


SHIFT_OF_TWO = moved(weights.shift(two(10, 50), LEFT, TAKING, weights.Bounds(100, 0)))
BEFORE_TWO = weights.tested(SHIFT_OF_TWO.patch)


def test_rules_of_different_shares_come_back_and_that_ends() -> None:
    """One is back before the other; each part tests both, and after the last nothing is due."""
    now, records = two(0, 0), [shift(600, effects=[SHIFT_OF_TWO])]
    shares = []
    while due(*records) is not None:
        effect = moved(weights.step_back(now, BEFORE_TWO, 10))
        assert now["spec"]["rules"] == weights.tested(effect.patch)
        now = swaps.apply(effect.patch, now)
        records.append(back(effect, len(records) + 1))
        shares.append([rule["backendRefs"][0]["weight"] for rule in now["spec"]["rules"]])
    assert [[10, 10], [10, 20], [10, 30], [10, 40], [10, 50]] == shares
    with pytest.raises(weights.NotMovableError, match="all of what was moved is back"):
        weights.step_back(now, BEFORE_TWO, 10)


EMPTIED: dict[str, tuple[tuple[objects.Record, ...], bool]] = {
    "moved away": ((shift(),), True),
    "partly back": ((shift(120), back(part(0, 8))), True),
    "all back": ((shift(120), back(part(0, 50))), False),
    "not proved": ((shift(phase=Phase.UNPROVEN),), False),
    "undone": ((shift(120), back(SHIFT, action="revert")), False),
}


@pytest.mark.parametrize(("records", "left"), EMPTIED.values(), ids=EMPTIED)
def test_who_has_lost_its_traffic_is_known(records: tuple[objects.Record, ...], left: bool) -> None:
    """By the target's last move, and what is back of it."""
    found = moves.emptied(records)
    assert ([builders.ref()] if left else []) == list(found)


FIRST_HALF = moved(weights.shift(route(100), LEFT, TAKING, weights.Bounds(50, 0)))
SECOND_HALF = moved(weights.shift(route(50), LEFT, TAKING, weights.Bounds(50, 0)))


def again(effect: model.Effect, attempt: int, **changes: Any) -> objects.Record:
    """Another shift."""
    return dataclasses.replace(shift(attempt=attempt, effects=[effect], **changes), name="move-2")


CHAINS: dict[str, tuple[tuple[objects.Record, ...], str]] = {
    "two halves": (
        (shift(90, effects=[FIRST_HALF], phase=Phase.UNHELPFUL), again(SECOND_HALF, 2)),
        "move-1",
    ),
    "what came back is moved away again": (
        (
            shift(200),
            dataclasses.replace(back(part(0, 8), ago=80), name="part"),
            again(moved(weights.shift(route(8), LEFT, TAKING, weights.Bounds(100, 0))), 3),
        ),
        "move-1",
    ),
    "all was back in between": (
        (shift(200), dataclasses.replace(back(part(0, 50), ago=80), name="part"), again(SHIFT, 3)),
        "move-2",
    ),
    "somebody wrote in between": ((shift(90, effects=[FIRST_HALF]), again(SHIFT, 2)), "move-2"),
    "another policy's": (
        (
            shift(90, effects=[FIRST_HALF], key=objects.Key("shop", "other")),
            again(SECOND_HALF, 2),
        ),
        "move-2",
    ),
}


@pytest.mark.parametrize(("records", "origin"), CHAINS.values(), ids=CHAINS)
def test_the_way_back_ends_where_the_chain_of_moves_began(
    records: tuple[objects.Record, ...], origin: str
) -> None:
    """Not at what the last of several shifts has found; retention keeps what tells it."""
    found = due(*records)
    assert (found and found.back and found.back.name) == origin
    later = builders.NOW + datetime.timedelta(days=100)
    limits = (datetime.timedelta(days=1), datetime.timedelta(days=1))
    gone = ledger.expired(records, later, *limits)
    kept = {record.name for record in records} - {record.name for record in gone}
    assert (origin in kept, "part" in kept) == (True, origin == "move-1" and len(records) == 3)


CHANGED = {
    "a backend more": [{"backendRefs": [{"name": "c"}]}, {}],
    "a rule more": [{}, {}, {"backendRefs": []}],
    "a rule less": [{}],
    "another match": [{"matches": [{"path": {"value": "/"}}]}, {}],
}


@pytest.mark.parametrize("changes", CHANGED.values(), ids=CHANGED)
def test_rules_that_somebody_has_changed_are_told(changes: list[dict[str, Any]]) -> None:
    """Their weights are not what was left: no crash, and no write."""
    known = two(10, 0)["spec"]["rules"]
    rules = [
        {**(known[number] if number < 2 else {}), **each} for number, each in enumerate(changes)
    ]
    with pytest.raises(weights.NotMovableError, match="no longer those whose weights were moved"):
        weights.step_back({**route(0), "spec": {"rules": rules}}, BEFORE_TWO, 10)


def test_of_three_sides_none_gets_less_than_before() -> None:
    """What another step has moved elsewhere comes back from there, in another part."""
    names = ("checkout", "b", "c")

    def shared(*shares: int) -> dict[str, Any]:
        backends = [{"name": n, "weight": w} for n, w in zip(names, shares, strict=True)]
        return {**route(0), "spec": {"rules": [{"backendRefs": backends}]}}

    before = shared(60, 20, 20)["spec"]["rules"]
    found = weights.step_back(shared(0, 50, 50), before, 40)
    then = swaps.apply(found.swaps.patch, shared(0, 50, 50))
    assert shared(30, 20, 50) == then
    assert (
        before
        == swaps.apply(weights.step_back(then, before, 40).swaps.patch, then)["spec"]["rules"]
    )


def test_weights_that_were_not_written_are_so_again() -> None:
    """The last part writes just what was there, and removes what was not."""
    bare = route(50)
    for each in bare["spec"]["rules"][0]["backendRefs"]:
        del each["weight"]
    first = weights.shift(bare, LEFT, TAKING, weights.Bounds(100, 0))
    after = route(0)
    after["spec"]["rules"][0]["backendRefs"][1]["weight"] = 2
    assert [0, 2] == [each["value"] for each in first.swaps.patch if each["op"] == "add"]
    before = weights.tested(first.swaps.patch)
    last = weights.step_back(after, before, 100).swaps
    assert ["test", "remove", "remove"] == [each["op"] for each in last.patch]
    assert ["test", "add", "add"] == [each["op"] for each in last.inverse]


def test_a_target_must_be_healthy_by_all_its_signals() -> None:
    """Doubt of one of them keeps its traffic away."""
    workload = builders.workload()
    well = [builders.finding(verdict=HEALTHY), builders.finding(verdict=HEALTHY, signal="slow")]
    other = builders.finding(builders.ref("other"), UNHEALTHY)
    found = returning.healthy(workload, [*well, other], HEALTHY)
    assert found is not None
    assert (tuple(well), None) == (found.findings, found.held_since)
    doubted = [well[0], dataclasses.replace(well[1], verdict=UNKNOWN)]
    assert returning.healthy(workload, doubted, HEALTHY) is None
    assert returning.healthy(workload, [], HEALTHY) is None
    for verdict in (UNHEALTHY, UNKNOWN, None):
        assert returning.healthy(workload, well, verdict) is None
