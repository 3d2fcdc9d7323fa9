"""Signals that are put together by an expression."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import sickness, step
from prunella.core.signals import compiled
from tests.unit.core import builders, fixtures, passes
from tests.unit.core.builders import ref, seconds

HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
NOW = builders.NOW
Refused = reasons.Refused

BAD, GOOD, DARK = 0.5, 0.0, math.nan
VERDICTS = {
    "both": ("errors && slow", BAD, BAD, UNHEALTHY),
    "one of two is not enough": ("errors && slow", BAD, GOOD, HEALTHY),
    "unknown and healthy": ("errors && slow", DARK, GOOD, HEALTHY),
    "unknown and unhealthy": ("errors && slow", DARK, BAD, UNKNOWN),
    "a veto": ("errors && !slow", BAD, BAD, HEALTHY),
    "a veto that nobody knows of": ("errors && !slow", BAD, DARK, UNKNOWN),
    "either": ("errors || slow", DARK, BAD, UNHEALTHY),
}


def run(
    expression: str, errors: float, slow: float, held: dict[str, float] | None = None
) -> step.Outcome:
    """One pass over two signals, each Unhealthy for so many seconds by now; both ``for: 1m``."""
    names = ("errors", "slow")
    policy = builders.policy(
        signals=[{**builders.SIGNAL, "name": name} for name in names], when=expression
    )
    readings = {
        name: fixtures.reading(fixtures.by_deployment(checkout=value))
        for name, value in zip(names, (errors, slow), strict=True)
    }
    onsets: dict[tuple[str, model.Ref], datetime.datetime] = {
        (name, ref()): NOW - seconds(ago) for name, ago in (held or {}).items()
    }
    return passes.run(passes.snapshot(readings=readings), step.Memory(onsets), policy)


@pytest.mark.parametrize(
    ("expression", "errors", "slow", "expected"), VERDICTS.values(), ids=VERDICTS
)
def test_the_expression_says_whether_a_target_is_sick(
    expression: str, errors: float, slow: float, expected: model.Verdict
) -> None:
    """Unknown stays Unknown where it matters."""
    assert {ref(): expected} == run(expression, errors, slow).verdicts


HELD = {
    "both have held": ("errors && slow", {"errors": 90, "slow": 90}, None),
    "one is young": ("errors && slow", {"errors": 90, "slow": 30}, Refused.NOT_HELD),
    "one of two is enough": ("errors || slow", {"errors": 90, "slow": 30}, None),
    "none has held": ("errors || slow", {"errors": 10, "slow": 30}, Refused.NOT_HELD),
}


@pytest.mark.parametrize(("expression", "held", "refused"), HELD.values(), ids=HELD)
def test_the_expression_must_be_true_of_what_has_held(
    expression: str, held: dict[str, float], refused: Refused | None
) -> None:
    """A signal that is younger than its ``for`` may be a flicker: it proves nothing yet."""
    outcome = run(expression, BAD, BAD, held)
    decision = outcome.decisions[ref()]
    assert refused == (decision.refusal.reason if decision.refusal is not None else None)


def test_only_what_has_held_is_evidence() -> None:
    """What is young may be chance, though it is true by now."""
    config = passes.config(
        builders.policy(
            signals=[{**builders.SIGNAL, "name": "errors"}, {**builders.SIGNAL, "name": "slow"}],
            when="errors || slow",
        )
    )
    outcome = run("errors || slow", BAD, BAD, {"errors": 90, "slow": 30})
    sick = sickness.judge(
        config.compiled, builders.workload(), outcome.findings, outcome.memory, NOW
    )
    assert ("errors",) == tuple(finding.signal for finding in sick.findings)


def test_an_expression_that_can_not_be_used_names_itself() -> None:
    """Before anything is watched by it."""
    with pytest.raises(compiled.PolicyError, match=r"^when: .*did you mean errors"):
        passes.config(builders.policy(when="error"))
