"""Two policies that would write the same object beside their targets."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.decisions import fields, guards, restoring
from prunella.core.decisions.guards import timing
from tests.unit.actions import test_restart_readers
from tests.unit.core import builders
from tests.unit.core.builders import ref, seconds
from tests.unit.core.decisions.test_restoring import CART, effect

Phase, Refused = reasons.Phase, reasons.Refused
OTHER = dataclasses.replace(builders.KEY, name="other")
WEB = builders.workload("web")
RESTORE = restore_api.Restore.model_validate({"kinds": ["ConfigMap"], "restartReaders": "AtStart"})
FLAGS = test_restart_readers.looked("reader")
RESTORED = {"action": "restore", "params": RESTORE, "suspect": FLAGS.ref, "looked": FLAGS}
PATCHED = {"action": "patchField", "written": fields.Written(CART, (("spec", "size"),))}
SAME: dict[str, tuple[dict[str, Any], model.Ref, bool]] = {
    "the field of a step": (PATCHED, CART, True),
    "a suspect": (RESTORED, FLAGS.ref, True),
    "a reader": (RESTORED, ref("reader"), True),
    "what goes back with a rollback": (
        {"action": "rollback", "also": (restoring.Looked(CART, None),)},
        CART,
        True,
    ),
    "the target itself": ({}, ref(), True),
    "another object": (PATCHED, FLAGS.ref, False),
    "a reader that nothing restarts": ({**PATCHED, "looked": FLAGS}, ref("reader"), False),
}


def met(
    guard: guards.Guard, phase: Phase, changes: dict[str, Any], wrote: model.Ref
) -> guards.Answer:
    """What a guard says of a record that has written an object for another target and policy."""
    record = builders.record(
        "web-1", phase, key=OTHER, target=WEB, effects=[effect(wrote)], ago=seconds(60)
    )
    return guard(builders.case(records=[record], **changes))


@pytest.mark.parametrize(("changes", "wrote", "same"), SAME.values(), ids=SAME)
def test_one_attempt_at_a_time_on_an_object(
    changes: dict[str, Any], wrote: model.Ref, *, same: bool
) -> None:
    """Whatever the targets are: two steps for one cause would add up."""
    answer = met(timing.nothing_in_flight, Phase.VERIFYING, changes, wrote)
    refusal = model.Refusal(Refused.IN_FLIGHT, f"web-1 on {wrote} is unfinished")
    assert answer == (refusal if same else "no unfinished action on Deployment/checkout")


@pytest.mark.parametrize(("changes", "wrote", "same"), SAME.values(), ids=SAME)
def test_the_cooldown_is_an_object_s_too(
    changes: dict[str, Any], wrote: model.Ref, *, same: bool
) -> None:
    """What was just written for another target has had no time to show."""
    answer = met(timing.cooled_down, Phase.SUCCEEDED, changes, wrote)
    told = f"web-1 on {wrote} was 60 s ago, the cooldown is 600 s"
    refusal = model.Refusal(Refused.COOLDOWN, told)
    assert answer == (refusal if same else "no action in the last 600 s")


def test_the_target_of_another_action_is_not_written_meanwhile() -> None:
    """Given a suspect on which another policy is at work, then its proof is not disturbed."""
    record = builders.record("web-1", Phase.VERIFYING, key=OTHER, target=WEB)
    case = builders.case(action="restore", records=[record], params=RESTORE, suspect=WEB.ref)
    answer = timing.nothing_in_flight(case)
    assert model.Refusal(Refused.IN_FLIGHT, "web-1 on Deployment/web is unfinished") == answer
