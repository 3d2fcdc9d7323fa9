"""`prunella lint` on the steps of each action: what is wrong, where, and what is wanted."""

from __future__ import annotations

import json

import pytest

from prunella.api import steps
from tests.cli.bad_steps import BAD
from tests.cli.test_lint_policies import GOOD, found


@pytest.mark.parametrize("action", steps.ACTIONS)
def test_a_step_that_can_not_be_meant_is_told(action: str) -> None:
    """At its line, with the field, what was found and what is wanted; a new action has a row."""
    bad = BAD[action]
    step = json.dumps({action: bad.step})
    (told,) = found(GOOD.replace("- restart: {}", f"- {step}"))
    assert f"error {bad.lint} [" in told
