"""Where a target stands in a policy's steps: the whole table, and chains of records."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import episode
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase
Mode = policy_api.Mode
STEPS = [{"scale": {"by": 2}}, {"restart": {}}]
UID = builders.workload().uid


def told(policy: objects.Policy, *records: objects.Record, target_uid: str = UID) -> str:
    """What comes next, in words that a table can hold."""
    assert policy.spec is not None
    following = episode.next_attempt(policy, policy.spec, target_uid, records)
    if isinstance(following, model.Refusal):
        return f"refused {following.reason}"
    if isinstance(following, episode.AlreadyAdvised):
        return f"said {following.record.name}"
    what = "revert" if following.revert else "step"
    after = f" after {following.follows.name}" if following.follows is not None else ""
    return f"{what} {following.step}{after}"


def policy(otherwise: str = "Continue", **fields: Any) -> objects.Policy:
    """A policy of two steps."""
    return builders.policy(**{"steps": STEPS, "verify": {"otherwise": otherwise}, **fields})


def tried(name: str, phase: Phase, attempt: int = 1, **fields: Any) -> objects.Record:
    """A record of the first step, which can be undone, ended ten minutes ago."""
    effects = fields.pop("effects", [builders.scale_effect()])
    return builders.record(name, phase, attempt=attempt, effects=effects, ago=minutes(10), **fields)


BY_PHASE = {
    Phase.AWAITING_APPROVAL: "step 0",
    Phase.PENDING: "step 0",
    Phase.ACTING: "step 0",
    Phase.VERIFYING: "step 0",
    Phase.NOT_SENT: "step 0",
    Phase.SUCCEEDED: "step 0",
    Phase.ADVISED: "said A",
    Phase.DRY_RUN: "said A",
    Phase.REJECTED: "refused Rejected",
    Phase.EXPIRED: "refused NotApprovedInTime",
    Phase.UNPROVEN: "refused NoStepLeft",
    Phase.FAILED: "refused NoStepLeft",
    Phase.UNKNOWN: "refused NoStepLeft",
    Phase.SUPERSEDED: "refused ChangedByOthers",
}
"""What does not depend on ``otherwise``; an unfinished record is the guards' affair."""
UNHELPFUL = {
    # otherwise, undoable, step of two
    ("Escalate", True, 0): "refused NoStepLeft",
    ("Escalate", False, 0): "refused NoStepLeft",
    ("Escalate", True, 1): "refused NoStepLeft",
    ("Escalate", False, 1): "refused NoStepLeft",
    ("Continue", True, 0): "step 1 after A",
    ("Continue", False, 0): "step 1 after A",
    ("Continue", True, 1): "refused NoStepLeft",
    ("Continue", False, 1): "refused NoStepLeft",
    ("Revert", True, 0): "revert 0 after A",
    ("Revert", False, 0): "step 1 after A",
    ("Revert", True, 1): "revert 1 after A",
    ("Revert", False, 1): "refused NoStepLeft",
}
TABLE = list(itertools.product(Phase, ("Escalate", "Continue", "Revert"), (True, False), (0, 1)))


@pytest.mark.parametrize(("phase", "otherwise", "undoable", "step"), TABLE)
def test_what_follows_one_record(phase: Phase, otherwise: str, undoable: bool, step: int) -> None:
    """The table: each phase, each ``otherwise``, with and without an inverse, first and last."""
    effects = [builders.scale_effect() if undoable else builders.effect()]
    record = tried("A", phase, effects=effects, step=step)
    expected = BY_PHASE.get(phase) or UNHELPFUL[otherwise, undoable, step]
    assert expected == told(policy(otherwise), record)


def test_a_target_that_was_out_of_sight_is_asked_about_again() -> None:
    """The question ended with the target, not by a person's silence: the same one is back."""
    gone = tried("A", Phase.EXPIRED, reason="TargetGone")
    assert told(policy(mode="Approve"), gone) == "step 0"


def test_the_first_sickness_begins_with_the_first_step() -> None:
    """No history, no record to follow."""
    assert told(policy()) == "step 0"


CLEARED = [phase for phase in Phase if phase.final]


@pytest.mark.parametrize("phase", CLEARED)
def test_a_target_seen_healthy_begins_anew(phase: Phase) -> None:
    """``clearedAt`` ends any episode; limits and latches still hold by other rules."""
    record = tried("A", phase, cleared_at=NOW - minutes(5))
    assert told(policy(), record) == "step 0"


RESUMED: dict[str, tuple[datetime.timedelta, str]] = {
    "after it ended": (minutes(9), "step 0"),
    "at its end": (minutes(10), "step 0"),
    "before it ended": (minutes(11), "refused NoStepLeft"),
}


@pytest.mark.parametrize("phase", [Phase.UNHELPFUL, Phase.UNPROVEN, Phase.FAILED, Phase.UNKNOWN])
@pytest.mark.parametrize(("ago", "expected"), RESUMED.values(), ids=RESUMED)
def test_a_person_who_resumes_begins_a_new_episode(
    ago: datetime.timedelta, expected: str, phase: Phase
) -> None:
    """Resuming speaks of what had ended by then."""
    resumed = policy("Escalate", annotations=builders.resumed(NOW - ago))
    assert expected == told(resumed, tried("A", phase))


EDITED: dict[str, tuple[Phase, str]] = {
    "unhelpful": (Phase.UNHELPFUL, "step 0"),
    "advised": (Phase.ADVISED, "step 0"),
    "failed": (Phase.FAILED, "step 0"),
    "superseded": (Phase.SUPERSEDED, "step 0"),
    "nobody knows": (Phase.UNKNOWN, "refused NoStepLeft"),
}


@pytest.mark.parametrize("change", [{"generation": 2}, {"uid": "made-again"}], ids=str)
@pytest.mark.parametrize(("phase", "expected"), EDITED.values(), ids=EDITED)
def test_an_edited_policy_begins_anew(phase: Phase, expected: str, change: dict[str, Any]) -> None:
    """Other steps, other episode; but no edit settles what nobody knows."""
    assert expected == told(policy(**change), tried("A", phase))


def test_resuming_settles_an_unknown_outcome_after_an_edit_too() -> None:
    """The person who looked may have edited the policy first."""
    edited = policy(generation=2, annotations=builders.resumed(NOW))
    assert told(edited, tried("A", Phase.UNKNOWN)) == "step 0"


@pytest.mark.parametrize("phase", [Phase.ADVISED, Phase.DRY_RUN])
def test_advice_does_not_bind_another_mode(phase: Phase) -> None:
    """A policy that went from DryRun to Live acts on a target that is sick all along."""
    mode = Mode.ADVISE if phase is Phase.ADVISED else Mode.DRY_RUN
    advice = tried("A", phase, mode=mode)
    assert told(policy(mode=mode.value), advice) == "said A"
    assert told(policy(mode="Live"), advice) == "step 0"
    assert told(policy(mode="Live", generation=2), advice) == "step 0"


@pytest.mark.parametrize("phase", [Phase.ADVISED, Phase.DRY_RUN])
def test_another_mode_goes_on_at_the_step_that_was_advised(phase: Phase) -> None:
    """A mode that was lowered and raised in mid-episode repeats nothing that did not help."""
    mode = Mode.ADVISE if phase is Phase.ADVISED else Mode.DRY_RUN
    done = tried("A", Phase.UNHELPFUL)
    advice = tried("B", phase, 2, step=1, follows="A", mode=mode)
    assert told(policy(), done, advice) == "step 1 after A"
    assert told(policy(mode=mode.value), done, advice) == "said B"
    assert told(policy(), advice) == "step 1", "what it follows was deleted"


def test_a_target_that_was_out_of_sight_goes_on_where_it_was() -> None:
    """The steps before the question did not help the same target."""
    done = tried("A", Phase.UNHELPFUL)
    gone = tried("B", Phase.EXPIRED, 2, step=1, follows="A", reason="TargetGone")
    assert told(policy(mode="Approve"), done, gone) == "step 1 after A"


CHAINS: dict[str, tuple[str, list[objects.Record], str]] = {
    "reverted, next step": (
        "Revert",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("R", Phase.SUCCEEDED, 2, action="revert", follows="A", effects=()),
        ],
        "step 1 after R",
    ),
    "reverted, no step left": (
        "Revert",
        [
            tried("A", Phase.UNHELPFUL, 1, step=1),
            tried("R", Phase.SUCCEEDED, 2, step=1, action="revert", follows="A"),
        ],
        "refused NoStepLeft",
    ),
    "revert failed": (
        "Revert",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("R", Phase.FAILED, 2, action="revert", follows="A"),
        ],
        "refused NoStepLeft",
    ),
    "revert edited by others": (
        "Revert",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("R", Phase.SUPERSEDED, 2, action="revert", follows="A"),
        ],
        "refused ChangedByOthers",
    ),
    "revert of a forgotten record": (
        "Revert",
        [tried("R", Phase.SUCCEEDED, 2, action="revert", follows="A")],
        "step 1 after R",
    ),
    "follow-up not sent": (
        "Continue",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("B", Phase.NOT_SENT, 2, step=1, follows="A"),
            tried("C", Phase.NOT_SENT, 3, step=1, follows="A"),
        ],
        "step 1 after A",
    ),
    "revert not sent": (
        "Revert",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("R", Phase.NOT_SENT, 2, action="revert", follows="A"),
        ],
        "revert 0 after A",
    ),
    "second step unhelpful": (
        "Continue",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("B", Phase.UNHELPFUL, 2, step=1, follows="A"),
        ],
        "refused NoStepLeft",
    ),
    "second step helped": (
        "Continue",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("B", Phase.SUCCEEDED, 2, step=1, follows="A"),
        ],
        "step 0",
    ),
    "another policy's record": (
        "Continue",
        [
            tried("A", Phase.UNHELPFUL, 1),
            tried("B", Phase.FAILED, 2, key=objects.Key(builders.NAMESPACE, "other")),
        ],
        "step 1 after A",
    ),
    "a target that was made again": (
        "Continue",
        [tried("A", Phase.FAILED, 1, target=builders.workload(uid="before"))],
        "step 0",
    ),
}


@pytest.mark.parametrize(("otherwise", "records", "expected"), CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("order", [1, -1], ids=["as written", "reversed"])
def test_chains_of_records(
    otherwise: str, records: list[objects.Record], expected: str, order: int
) -> None:
    """The highest number speaks, whatever order the list comes in; what was not sent is silent."""
    assert expected == told(policy(otherwise), *records[::order])


def test_a_refusal_says_why_and_when_it_goes_on() -> None:
    """A person reads which record it was and what ends the wait."""
    chosen = policy("Escalate")
    assert chosen.spec is not None
    refusal = episode.next_attempt(chosen, chosen.spec, UID, [tried("A", Phase.UNHELPFUL)])
    assert isinstance(refusal, model.Refusal)
    assert refusal.message == (
        "A did not help, and verify.otherwise is Escalate; "
        "goes on when Deployment/checkout was Healthy once"
    )


def clear(*records: objects.Record, target: model.Ref | None = None) -> list[str]:
    """Names of the records whose episode ends now."""
    found = episode.to_clear(policy(), target or builders.ref(), records)
    return [record.name for record in found]


CLEARS: dict[str, tuple[list[objects.Record], list[str]]] = {
    "nothing": ([], []),
    "ended": ([tried("A", Phase.UNHELPFUL)], ["A"]),
    "advice": ([tried("A", Phase.ADVISED)], ["A"]),
    "cleared before": ([tried("A", Phase.UNHELPFUL, cleared_at=NOW)], []),
    "under way": ([tried("A", Phase.UNHELPFUL), tried("B", Phase.VERIFYING, 2)], []),
    "newest never sent": (
        [tried("A", Phase.UNHELPFUL, 1), tried("B", Phase.NOT_SENT, 2)],
        ["A", "B"],
    ),
    "of another policy": ([tried("A", Phase.FAILED, key=objects.Key("shop", "other"))], []),
    "of another target": ([tried("A", Phase.FAILED, target=builders.workload("other"))], []),
}


@pytest.mark.parametrize(("records", "expected"), CLEARS.values(), ids=CLEARS)
def test_a_healthy_target_ends_the_episode_of_all_its_records(
    records: list[objects.Record], expected: list[str]
) -> None:
    """A newest record that was never sent must not hide the one that still waits."""
    assert expected == clear(*reversed(records))


def test_a_follow_up_that_was_not_needed_leaves_no_chain_behind() -> None:
    """The target recovered just before the second step: the next sickness begins with the first."""
    unhelpful = tried("A", Phase.UNHELPFUL, 1)
    not_sent = tried("B", Phase.NOT_SENT, 2, step=1, follows="A")
    cleared = set(clear(unhelpful, not_sent))
    after = [
        tried(r.name, r.phase, r.spec.attempt, cleared_at=NOW if r.name in cleared else None)
        for r in (unhelpful, not_sent)
    ]
    assert told(policy(), *after) == "step 0"
