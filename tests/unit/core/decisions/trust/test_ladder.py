"""What counts support: shares by the lower end of their Wilson interval."""

from __future__ import annotations

import pytest

from prunella.api import trust
from prunella.core.decisions.trust import ladder
from tests.unit.core.builders import NOW

BOUNDS = {
    "nothing": (0, 0, 0.0),
    "none of ten": (0, 10, 0.0),
    "one of one": (1, 1, 0.207),
    "8 of 10": (8, 10, 0.490),
    "9 of 10": (9, 10, 0.596),
    "20 of 20": (20, 20, 0.839),
    "24 of 25": (24, 25, 0.805),
    "45 of 50": (45, 50, 0.786),
    "81 of 263": (81, 263, 0.255),
}


@pytest.mark.parametrize(("good", "of", "expected"), BOUNDS.values(), ids=BOUNDS)
def test_the_lower_bound_is_wilsons(good: int, of: int, expected: float) -> None:
    """The bound of 81 of 263 is Newcombe's example (Statistics in Medicine 17, 1998, table I)."""
    assert expected == pytest.approx(ladder.lower_bound(good, of), abs=0.0006)


def score(action: str = "restart", **counts: int) -> trust.Score:
    """One period of an action."""
    return trust.Score(action=action, since=NOW, **counts)


CASES = {
    "nothing but advice, too little": (score(needed=9), "Advise"),
    "advice that was called for": (score(needed=10), "Approve"),
    "advice that was called for too seldom": (score(needed=8, needless=2), "Advise"),
    "people who reject it": (score(needed=10, rejected=12), "Advise"),
    "approved, and it helped": (score(approved=20, effective=20), "Live"),
    "approved too seldom": (score(approved=19, effective=20), "Approve"),
    "approved, and it helped too seldom": (
        score(approved=25, effective=21, not_better=4),
        "Approve",
    ),
    "nobody knows whether it helped": (
        score(approved=25, effective=20, unsettled=5),
        "Approve",
    ),
    "Live from the first day": (score(effective=24, not_better=1), "Live"),
    "Live, and it does not help": (score(effective=3, not_better=5), "Advise"),
    "nobody answered in time": (score(approved=20, effective=20, expired=30), "Live"),
}


@pytest.mark.parametrize(("told", "expected"), CASES.values(), ids=CASES)
def test_a_mode_is_earned_by_numbers(told: trust.Score, expected: str) -> None:
    """Each rung wants enough cases and a high enough bound."""
    assert expected == ladder.earned(told).mode


def test_all_actions_must_have_earned_it() -> None:
    """A policy's mode holds for all of its actions: the lowest counts; periods are added up."""
    scores = [
        score(approved=10, effective=10),
        score(approved=10, effective=10),
        score("scale", needed=10),
    ]

    found = ladder.recommend(["restart", "scale", "rollback"], scores)
    alone = ladder.recommend(["restart"], scores)

    assert ("Approve", "Live") == (found.mode, alone.mode)
    assert "restart: approved 20 of 20 (bound 0.84; 0.80 of at least 20 wanted)" in found.because
    assert found.because.endswith("; never tried: rollback")


def test_without_counts_it_is_advice() -> None:
    """A new policy has earned nothing yet, and is told so."""
    earned = ladder.Earned("Advise", "nothing was counted yet")
    assert earned == ladder.recommend(["restart"], [])
