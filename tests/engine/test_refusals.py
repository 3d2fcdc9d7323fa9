"""When the API server is asked again about what it has refused."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide
from prunella.engine import refusals

NOW = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
KEY = objects.Key("shop", "checkout")
REF = model.Ref("Deployment", "shop", "checkout")
WORKLOAD = model.Workload(REF, "uid", 4, 4, 3, 3, 3, 3)
COMMAND = decide.Command(
    name="deployment-checkout-1",
    attempt=1,
    workload=WORKLOAD,
    mode=policy_api.Mode.LIVE,
    step=0,
    action="restart",
    effects=(model.Effect(model.Verb.PATCH, REF, "uid", "restart"),),
    plan_hash="hash",
    decided_at=NOW,
    findings=(),
    held_since=NOW,
    answers=(model.GuardAnswer("disruption_budgets_allow", None, "no pod is evicted"),),
)
NO = model.Refusal(reasons.Refused.REFUSED_BY_ADMISSION, "no")


def after(seconds: float) -> datetime.datetime:
    """So many seconds later."""
    return NOW + datetime.timedelta(seconds=seconds)


def test_the_same_attempt_is_asked_ever_more_seldom() -> None:
    """15 s, then twice as long each time, at most 5 min."""
    known, moment, waits = refusals.Refusals(), 0.0, []
    for _ in range(7):
        known.note(KEY, COMMAND, NO, after(moment))
        waited = next(s for s in range(1000) if not known.standing(KEY, COMMAND, after(moment + s)))
        waits.append(waited)
        moment += waited
    assert [15, 30, 60, 120, 240, 300, 300] == waits


ROOM = (model.GuardAnswer("disruption_budgets_allow", None, "allows 1 disruptions"),)
NEWER = dataclasses.replace(WORKLOAD, generation=5)
OTHERS = {
    "the same, planned later": (
        dataclasses.replace(COMMAND, plan_hash="later", decided_at=after(5)),
        NO,
    ),
    "another generation": (dataclasses.replace(COMMAND, workload=NEWER), None),
    "another step": (dataclasses.replace(COMMAND, step=1, action="rollback"), None),
    "a budget with room": (dataclasses.replace(COMMAND, answers=ROOM), None),
}


@pytest.mark.parametrize(("command", "expected"), OTHERS.values(), ids=OTHERS)
def test_another_attempt_is_asked_at_once(
    command: decide.Command, expected: model.Refusal | None
) -> None:
    """What may be answered otherwise is asked; the time in a patch is no difference."""
    known = refusals.Refusals()
    known.note(KEY, COMMAND, NO, NOW)
    assert expected == known.standing(KEY, command, after(5))


def test_a_refusal_is_of_one_policy_and_ends_with_a_yes() -> None:
    """Another policy asks for itself; after a yes the waiting begins anew."""
    known = refusals.Refusals()
    known.note(KEY, COMMAND, NO, NOW)
    assert known.standing(objects.Key("shop", "other"), COMMAND, after(5)) is None
    known.note(KEY, COMMAND, None, after(15))
    assert known.standing(KEY, COMMAND, after(16)) is None
    known.note(KEY, COMMAND, NO, after(20))
    assert known.standing(KEY, COMMAND, after(34)) == NO
    assert known.standing(KEY, COMMAND, after(35)) is None


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    """Refusals of policies and targets that are gone do not pile up."""
    known = refusals.Refusals()
    for number in range(100):
        key = objects.Key("shop", f"policy-{number}")
        known.note(key, COMMAND, NO, after(60 * number))
    assert len(known) <= 10
    assert known.standing(key, COMMAND, after(60 * 99 + 14)) == NO
