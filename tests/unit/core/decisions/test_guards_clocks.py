"""The guard of time itself."""

from __future__ import annotations

import datetime

import pytest

from prunella.api.reasons import Refused
from prunella.core import model
from prunella.core.decisions import halts
from prunella.core.decisions.guards import clocks
from tests.unit.core import builders
from tests.unit.core.builders import NOW

HOUR = 3600.0
LATER = NOW + datetime.timedelta(seconds=HOUR)
CASES: dict[str, tuple[float | None, str, bool]] = {
    "nobody to ask": (None, "there is no other clock to compare with", False),
    "the same time": (0.0, "0 s behind the API server's", False),
    "a little late": (-60.0, "60 s behind the API server's", False),
    "a little early": (60.0, "60 s ahead of the API server's", False),
    "too late": (-61.0, "61 s behind the API server's, the most is 60 s", True),
    "too early": (61.0, "61 s ahead of the API server's, the most is 60 s", True),
    "an hour ahead": (HOUR, "3600 s ahead of the API server's, the most is 60 s", True),
}


@pytest.mark.parametrize(("ahead", "told", "refused"), CASES.values(), ids=CASES)
def test_a_wrong_clock_counts_wrong_hours(ahead: float | None, told: str, refused: bool) -> None:
    """The operator's time is compared with the API server's, to the second."""
    seen = None if ahead is None else NOW - datetime.timedelta(seconds=ahead)
    pause = model.PauseState(paused=False, server_time=seen, own_time=NOW)
    answer = clocks.clock_agrees(builders.case(now=NOW, pause=pause))
    expected = told if ahead is None else f"the operator's clock is {told}"
    assert (model.Refusal(Refused.CLOCK_WRONG, expected) if refused else expected) == answer


def test_the_api_servers_time_is_kept_for_each_policy() -> None:
    """What is not paused is judged by the clock, whatever else is."""
    times = {"server_time": NOW, "own_time": LATER, "no_time": "no Date"}
    told = model.PauseState(paused=False, scopes={"namespace.blog": "x"}, **times)  # type: ignore[arg-type]
    seen = halts.for_policy(told, builders.policy().key, halts.NOT_FROZEN, NOW)
    assert (False, {}, times) == (
        seen.paused,
        seen.scopes,
        {each: getattr(seen, each) for each in times},
    )


def test_a_slow_pass_is_no_wrong_clock() -> None:
    """Two clocks that agree when the switch is read do so however long ago the pass began."""
    pause = model.PauseState(paused=False, server_time=LATER, own_time=LATER)
    answer = clocks.clock_agrees(builders.case(now=NOW, pause=pause))
    assert "the operator's clock is 0 s behind the API server's" == answer


def test_a_pass_that_began_by_a_wrong_clock_ends_without_an_action() -> None:
    """A clock that was ahead and was set right meanwhile has counted wrong hours all the same."""
    pause = model.PauseState(paused=False, server_time=NOW, own_time=NOW)
    answer = clocks.clock_agrees(builders.case(now=LATER, pause=pause))
    how = "put back by 3600 s or more since the pass began, the most is 60 s"
    assert model.Refusal(Refused.CLOCK_WRONG, f"the operator's clock was {how}") == answer


def test_a_server_that_tells_no_time_is_not_believed() -> None:
    """Unlike history, which has no other clock: whether this one is wrong, nobody knows."""
    pause = model.PauseState(paused=False, no_time="no Date", own_time=NOW)
    answer = clocks.clock_agrees(builders.case(now=NOW, pause=pause))
    assert model.Refusal(Refused.CLOCK_WRONG, "no Date") == answer
