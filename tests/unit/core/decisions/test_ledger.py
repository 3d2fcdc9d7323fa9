"""The ledger's arithmetic: names as locks, plan hashes, counts, latches, retention."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger
from tests.unit.core import builders
from tests.unit.core.builders import KEY, NOW, minutes

Phase = reasons.Phase
OTHER = objects.Key(builders.NAMESPACE, "other")
NAMES = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def test_two_deciders_with_the_same_history_choose_the_same_name() -> None:
    """The name is the lock: it depends on the target's UID and number, on no policy or time."""
    target = builders.workload()
    mine = [builders.record("a", attempt=1), builders.record("b", attempt=2, key=OTHER)]
    number = ledger.next_attempt(mine, target.uid)
    assert number == 3
    assert ledger.record_name(target.ref, target.uid, 3) == ledger.record_name(
        target.ref, target.uid, ledger.next_attempt(reversed(mine), target.uid)
    )


def test_a_target_made_again_under_its_name_begins_with_one_and_other_names() -> None:
    """Numbers belong to a UID, so an old record never locks a new object."""
    old, new = builders.workload(uid="old"), builders.workload(uid="new")
    records = [builders.record(target=old, attempt=7)]
    assert ledger.next_attempt(records, new.uid) == 1
    names = {ledger.record_name(w.ref, w.uid, 1) for w in (old, new)}
    assert len(names) == 2


@pytest.mark.parametrize(
    "name", ["web", "a" * 253, "a" * 41 + ".b", "a" * 40 + "-" * 3 + "b"], ids=len
)
def test_names_fit_labels_and_differ_by_number(name: str) -> None:
    """A record's name is a DNS name of at most 63 characters, whatever its target is called."""
    target = builders.ref(name)
    names = {ledger.record_name(target, "uid", number) for number in range(1, 50)}
    assert len(names) == 49
    assert all(len(each) <= 63 and NAMES.fullmatch(each) for each in names), names


BASE = builders.effect()
HASHES: dict[str, tuple[dict[str, Any], bool]] = {
    "summary": ({"summary": "in other words"}, False),
    "target": ({"target": builders.ref("other")}, True),
    "uid": ({"uid": "another"}, True),
    "generation": ({"generation": 5}, True),
    "no generation": ({"generation": None}, True),
    "verb": ({"verb": model.Verb.EVICT}, True),
    "value": ({"patch": ({**BASE.patch[0], "value": {"restarted": "no"}},)}, True),
    "operation": ({"patch": ({**BASE.patch[0], "op": "replace"},)}, True),
    "order of keys": ({"patch": (dict(reversed(list(BASE.patch[0].items()))),)}, False),
    "no patch": ({"patch": ()}, True),
}


@pytest.mark.parametrize(("changes", "differs"), HASHES.values(), ids=HASHES)
def test_a_plan_hash_changes_with_all_that_would_be_done(
    changes: dict[str, Any], differs: bool
) -> None:
    """Any change of an effect or of the state it was made for changes the hash; words do not."""
    before = ledger.plan_hash("uid", "restart", 0, [BASE])
    after = ledger.plan_hash("uid", "restart", 0, [dataclasses.replace(BASE, **changes)])
    assert differs == (before != after)


def test_a_plan_hash_changes_with_target_action_step_and_number_of_effects() -> None:
    """What surrounds the effects is hashed too."""
    plans = [
        ("uid", "restart", 0, [BASE]),
        ("other", "restart", 0, [BASE]),
        ("uid", "rollback", 0, [BASE]),
        ("uid", "restart", 1, [BASE]),
        ("uid", "restart", 0, [BASE, BASE]),
        ("uid", "restart", 0, []),
    ]
    assert len({ledger.plan_hash(*plan) for plan in plans}) == len(plans)


FINGERPRINTS: dict[str, tuple[model.Effect, dict[str, Any], bool]] = {
    "restart, template edited": (BASE, {"template": {"spec": {"image": "v2"}}}, True),
    "restart, scaled": (BASE, {"replicas": 9}, False),
    "restart, status": (BASE, {"available": 0, "generation": 9}, False),
    "scale, scaled": (builders.scale_effect(), {"replicas": 9}, True),
    "scale, template edited": (builders.scale_effect(), {"template": {}}, False),
}


@pytest.mark.parametrize(("effect", "changes", "differs"), FINGERPRINTS.values(), ids=FINGERPRINTS)
def test_a_fingerprint_covers_just_what_was_written(
    effect: model.Effect, changes: dict[str, Any], differs: bool
) -> None:
    """An autoscaler that scales a restarted workload has not undone the restart."""
    before = ledger.fingerprint(effect, builders.workload())
    after = ledger.fingerprint(effect, builders.workload(**changes))
    assert differs == (before != after)


def test_an_eviction_has_no_fingerprint() -> None:
    """A pod leaves nothing on its workload that somebody could edit."""
    assert ledger.fingerprint(builders.effect(patch=()), builders.workload()) == ""


@pytest.mark.parametrize("phase", Phase)
def test_only_what_may_have_been_sent_counts_for_limits(phase: Phase) -> None:
    """Advice, dry runs and what was not sent count for nothing; a doubtful outcome counts."""
    nothing_done = {Phase.PENDING, Phase.ADVISED, Phase.DRY_RUN, Phase.NOT_SENT}
    nothing_done |= {Phase.AWAITING_APPROVAL, Phase.REJECTED, Phase.EXPIRED}
    record = builders.record(phase=phase, ago=minutes(1))
    counted = ledger.acted_since([record], NOW - minutes(2))
    assert ([] if phase in nothing_done else [record]) == counted


def test_actions_are_counted_from_an_exclusive_moment_oldest_first() -> None:
    """A record exactly as old as the window is out of it."""
    ages = (5, 30, 60, 61)
    records = [builders.record(f"r{age}", ago=minutes(age)) for age in ages]
    found = ledger.acted_since(records, NOW - minutes(60))
    assert [record.name for record in found] == ["r30", "r5"]


BAD = {
    "U": Phase.UNHELPFUL,
    "P": Phase.UNPROVEN,
    "F": Phase.FAILED,
    "?": Phase.UNKNOWN,
    "S": Phase.SUCCEEDED,
    "N": Phase.NOT_SENT,
    "A": Phase.ADVISED,
    "D": Phase.DRY_RUN,
    "X": Phase.SUPERSEDED,
    "V": Phase.VERIFYING,
}
STREAKS: dict[str, tuple[str, str]] = {
    "nothing": ("", ""),
    "three of a kind": ("UUU", "UUU"),
    "all kinds count": ("UPF?", "UPF?"),
    "success ends it": ("UUUS", ""),
    "begins again": ("UUSU", "U"),
    "passed over": ("UNADXVU", "UU"),
    "success does not settle what nobody knows": ("U?US", "?"),
}


def history(phases: str, **fields: Any) -> list[objects.Record]:
    """One record for each letter, a minute apart, oldest first."""
    return [
        builders.record(
            f"r{index}", BAD[letter], attempt=index + 1, ago=minutes(len(phases) - index), **fields
        )
        for index, letter in enumerate(phases)
    ]


@pytest.mark.parametrize(("phases", "expected"), STREAKS.values(), ids=STREAKS)
def test_streak_of_unhelpful_actions(phases: str, expected: str) -> None:
    """Only a success ends a streak; what did nothing is passed over."""
    letters = {phase: letter for letter, phase in BAD.items()}
    streak = ledger.unhelpful_streak(reversed(history(phases)), KEY, None)
    assert expected == "".join(letters[record.phase] for record in streak)


def test_a_successful_revert_does_not_end_a_streak() -> None:
    """To have undone an action proves nothing about healing."""
    undone = builders.record("undo", Phase.SUCCEEDED, action="revert", attempt=4)
    streak = ledger.unhelpful_streak([*history("UUU"), undone], KEY, None)
    assert [record.name for record in streak] == ["r0", "r1", "r2"]


def test_resuming_clears_what_ended_until_then_and_nothing_later() -> None:
    """A record that ended after the person looked still counts, whenever it was decided."""
    records = history("UUU")
    late = builders.record("late", Phase.UNHELPFUL, ago=minutes(30), finished_ago=minutes(1))
    streak = ledger.unhelpful_streak([*records, late], KEY, NOW - minutes(2))
    assert [record.name for record in streak] == ["r2", "late"]
    assert ledger.unhelpful_streak([*records, late], KEY, NOW) == []


def test_a_policy_made_again_under_its_name_inherits_the_streak() -> None:
    """Streaks are counted by namespace and name, so re-creating a policy clears nothing."""
    records = history("UUU", policy_uid="the-policy-before", generation=9)
    assert len(ledger.unhelpful_streak(records, KEY, None)) == 3
    assert ledger.unhelpful_streak(records, OTHER, None) == []
    elsewhere = objects.Key("another-namespace", KEY.name)
    assert ledger.unhelpful_streak(records, elsewhere, None) == []


@hypothesis.given(st.lists(st.sampled_from("UPFSNXV?"), max_size=10), st.randoms())
def test_the_order_in_which_records_are_read_changes_no_streak(
    phases: list[str], random: Any
) -> None:
    """A list from the API server comes in any order."""
    records = history("".join(phases))
    shuffled = list(records)
    random.shuffle(shuffled)
    expected = ledger.unhelpful_streak(records, KEY, None)
    assert expected == ledger.unhelpful_streak(shuffled, KEY, None)


WEEK = datetime.timedelta(days=7)
OLD = WEEK + minutes(1)


def test_retention_deletes_old_records_but_never_the_newest_of_a_target() -> None:
    """The newest one carries the number that locks the next name."""
    records = [
        builders.record("old", Phase.NOT_SENT, attempt=1, ago=OLD),
        builders.record("newest", Phase.NOT_SENT, attempt=2, ago=OLD),
        builders.record("alone", target=builders.workload("other"), ago=OLD),
    ]
    found = ledger.expired(records, NOW, WEEK, minutes(60))
    assert [record.name for record in found] == ["old"]


SENT_NOTHING = {"phase": Phase.NOT_SENT}
EXPIRY: dict[str, tuple[dict[str, Any], datetime.timedelta, datetime.timedelta, bool]] = {
    "older than all": ({**SENT_NOTHING, "ago": OLD}, WEEK, minutes(60), True),
    "the last success": ({"ago": OLD}, WEEK, minutes(60), False),
    "as old as the retention": ({**SENT_NOTHING, "ago": WEEK}, WEEK, minutes(60), False),
    "younger than the longest window": ({**SENT_NOTHING, "ago": OLD}, WEEK, 2 * WEEK, False),
    "never under an hour": ({**SENT_NOTHING, "ago": minutes(59)}, minutes(0), minutes(0), False),
    "over an hour": ({**SENT_NOTHING, "ago": minutes(61)}, minutes(0), minutes(0), True),
    "ended late": (
        {**SENT_NOTHING, "ago": OLD, "finished_ago": minutes(5)},
        WEEK,
        minutes(60),
        False,
    ),
    "unfinished": ({"ago": OLD, "phase": Phase.VERIFYING}, WEEK, minutes(60), False),
    "advice": ({"ago": OLD, "phase": Phase.ADVISED}, WEEK, minutes(60), True),
    "unhelpful, unanswered": ({"ago": OLD, "phase": Phase.UNHELPFUL}, WEEK, minutes(60), False),
    "nobody knows": ({"ago": OLD, "phase": Phase.UNKNOWN}, WEEK, minutes(60), False),
}


@pytest.mark.parametrize(("fields", "retention", "window", "gone"), EXPIRY.values(), ids=EXPIRY)
def test_retention_of_one_record_with_a_newer_one(
    fields: dict[str, Any],
    retention: datetime.timedelta,
    window: datetime.timedelta,
    gone: bool,
) -> None:
    """Nothing younger than a window in force goes, nor what is unfinished or holds a latch."""
    records = [
        builders.record("first", attempt=1, **fields),
        builders.record("newest", Phase.NOT_SENT, attempt=2),
    ]
    found = [record.name for record in ledger.expired(records, NOW, retention, window)]
    assert (["first"] if gone else []) == found


def test_an_unhelpful_record_goes_once_a_success_came_after_it() -> None:
    """What holds no latch any more needs no keeping."""
    records = [
        builders.record("bad", Phase.UNHELPFUL, attempt=1, ago=OLD + minutes(1)),
        builders.record("good", attempt=2, ago=OLD),
        builders.record("newest", attempt=3, ago=OLD),
    ]
    found = [record.name for record in ledger.expired(records, NOW, WEEK, minutes(60))]
    assert found == ["bad", "good"]


def test_what_may_have_to_be_undone_is_kept() -> None:
    """Its inverse is nowhere else: neither attempts that were not sent nor successes end that."""
    records = [
        builders.record("earlier", Phase.UNHELPFUL, attempt=1, ago=OLD + minutes(3)),
        builders.record("to undo", Phase.UNHELPFUL, attempt=2, ago=OLD + minutes(2)),
        builders.record("other", target=builders.workload("other"), ago=OLD + minutes(1)),
        builders.record("undoing 1", Phase.NOT_SENT, attempt=3, ago=OLD),
        builders.record("undoing 2", Phase.NOT_SENT, attempt=4, ago=OLD),
    ]
    found = [record.name for record in ledger.expired(records, NOW, WEEK, minutes(60))]
    assert ["earlier", "undoing 1"] == found


OTHER = objects.Key("shop", "other")
STILL_OWED = [
    pytest.param(
        [
            builders.record("by another", attempt=2, ago=OLD, key=OTHER),
            builders.record("once more", attempt=3, ago=OLD, key=OTHER),
        ],
        ["by another"],
        id="another policy acted on the target since",
    ),
    pytest.param(
        [
            builders.record("half", Phase.FAILED, action="revert", follows="owed", attempt=2),
            builders.record("later", target=builders.workload("other")),
        ],
        [],
        id="its undoing stopped half way",
    ),
    pytest.param(
        [builders.record("part", action="returnTraffic", follows="owed", attempt=2, ago=OLD)],
        [],
        id="a part of its traffic came back",
    ),
]


@pytest.mark.parametrize(("later", "gone"), STILL_OWED)
def test_what_is_owed_is_kept_whatever_came_after_it(
    later: list[objects.Record], gone: list[str]
) -> None:
    """Each policy owes its own undoing, and half an undoing says nothing without what it undoes."""
    records = [
        builders.record("owed", Phase.UNHELPFUL, attempt=1, ago=OLD + minutes(2)),
        builders.record("well", target=builders.workload("third"), ago=OLD + minutes(1)),
        *later,
    ]
    found = ledger.expired(records, NOW, WEEK, minutes(60))
    assert gone == [record.name for record in found]


@hypothesis.example([(0, Phase.SUCCEEDED, 10_081), (0, Phase.UNHELPFUL, 10_082)])
@hypothesis.given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(Phase), st.integers(0, 20_000)), max_size=12
    )
)
def test_retention_changes_neither_names_nor_latches_nor_counts(
    rows: list[tuple[int, Phase, int]],
) -> None:
    """After a clean-up the ledger answers every question as before."""
    records = [
        builders.record(
            f"r{i}", phase, target=builders.workload(f"w{w}"), attempt=i + 1, ago=minutes(ago)
        )
        for i, (w, phase, ago) in enumerate(rows)
    ]
    gone = ledger.expired(records, NOW, WEEK, minutes(60))
    left = [record for record in records if record not in gone]
    assert ledger.expired(left, NOW, WEEK, minutes(60)) == []
    for number in range(3):
        uid = builders.workload(f"w{number}").uid
        assert ledger.next_attempt(records, uid) == ledger.next_attempt(left, uid)
    since = NOW - minutes(60)
    assert ledger.acted_since(records, since) == ledger.acted_since(left, since)
    assert ledger.unhelpful_streak(records, KEY, None) == ledger.unhelpful_streak(left, KEY, None)
