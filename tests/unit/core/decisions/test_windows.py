"""Windows that allow and deny: open or not, until when, and when they open again."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.api import windows as windows_api
from prunella.core import model
from prunella.core.decisions import guards, windows
from prunella.core.decisions.guards import windows as guard
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders

OPERATORS = windows.OPERATORS


def at(text: str) -> datetime.datetime:
    """A time in UTC from ``2026-03-29 01:00``."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def window(cron: str, duration: str, zone: str = "UTC") -> dict[str, str]:
    """A window as a policy writes it."""
    return {"cron": cron, "duration": duration, "timeZone": zone}


def given_windows(**lists: list[dict[str, str]]) -> windows_api.Windows:
    """Windows of a policy."""
    return windows_api.Windows.model_validate(lists)


def state(found: windows_api.Windows, now: str, above: Any = windows_api.NONE) -> windows.State:
    """What the windows of a policy, and those of the operator, say."""
    return windows.state(((windows.OWN, found), (OPERATORS, above)), at(now))


NIGHT = window("0 22 * * *", "8h", "Europe/Berlin")
OFFICE = window("0 8 * * MON-FRI", "10h", "Europe/Berlin")
HOUR = window("0 * * * *", "1h")
FRIDAY = window("0 0 * * FRI", "1d")
NEVER_AGAIN = window("0 0 * * *", "900d")
SHUT = "outside spec.windows.allow"
TOLD = "closed by spec.windows.deny[0] (0 8 * * MON-FRI for 10h, Europe/Berlin)"
CASES = {
    # 2 March 2026 is a Monday; Berlin is one hour ahead.
    "none": ({}, "2026-03-02 12:00", True, "no windows are set"),
    "before": ({"allow": [NIGHT]}, "2026-03-02 20:59", False, f"{SHUT}; opens A"),
    "at the opening": ({"allow": [NIGHT]}, "2026-03-02 21:00", True, "open until B"),
    "in its last minute": ({"allow": [NIGHT]}, "2026-03-03 04:59:59", True, "open until B"),
    "at the end": (
        {"allow": [NIGHT]},
        "2026-03-03 05:00",
        False,
        "outside spec.windows.allow; opens 2026-03-03T21:00:00Z",
    ),
    "denied": (
        {"deny": [OFFICE]},
        "2026-03-02 07:00",
        False,
        f"{TOLD}; opens 2026-03-02T17:00:00Z",
    ),
    "not denied": ({"deny": [OFFICE]}, "2026-03-02 17:00", True, "open until 2026-03-03T07:00:00Z"),
    "denied while allowed": (
        {"allow": [HOUR], "deny": [OFFICE]},
        "2026-03-02 07:00",
        False,
        f"{TOLD}; opens 2026-03-02T17:00:00Z",
    ),
    "one of two": ({"allow": [OFFICE, NIGHT]}, "2026-03-02 21:30", True, "open until B"),
    "one after the other": (
        {"deny": [OFFICE], "allow": [window("0 6 * * *", "2h")]},
        "2026-03-02 07:30",
        False,
        f"{TOLD}; opens 2026-03-03T06:00:00Z",
    ),
    "an hour each hour is for ever": ({"allow": [HOUR]}, "2026-03-02 12:30", True, "open"),
    "denied for ever": (
        {"deny": [window("* * * * *", "1m")]},
        "2026-03-02 12:30",
        False,
        "closed by spec.windows.deny[0] (* * * * * for 1m, UTC); never opens",
    ),
    "longer than between two": (
        {"deny": [NEVER_AGAIN]},
        "2026-03-02 12:30",
        False,
        "closed by spec.windows.deny[0] (0 0 * * * for 900d, UTC); never opens",
    ),
    "no such zone": (
        {"allow": [window("0 0 * * *", "1d", "Europe/Nowhere")]},
        "2026-03-02 12:30",
        False,
        (
            "spec.windows.allow[0] can't be read, and so it is closed: "
            "no data of time zone Europe/Nowhere"
        ),
    ),
    "one of two can't be read": (
        {"allow": [HOUR, window("0 25 * * *", "1h")]},
        "2026-03-02 12:30",
        False,
        (
            "spec.windows.allow[1] can't be read, and so it is closed: "
            "cron '0 25 * * *': '25' is no hour"
        ),
    ),
    "what denies can't be read": (
        {"deny": [window("0 0 31 2 *", "1h")]},
        "2026-03-02 12:30",
        False,
        (
            "spec.windows.deny[0] can't be read, and so it is closed: "
            "cron '0 0 31 2 *': no month of it has a day 31"
        ),
    ),
}
TIMES = {"A": "2026-03-02T21:00:00Z", "B": "2026-03-03T05:00:00Z"}


@pytest.mark.parametrize(("lists", "now", "is_open", "told"), CASES.values(), ids=CASES)
def test_what_windows_say(
    lists: dict[str, list[dict[str, str]]], now: str, is_open: bool, told: str
) -> None:
    """Who reads it knows whether it is open, why not, and until when."""
    for name, time in TIMES.items():
        told = told.replace(f" {name}", f" {time}") if told.endswith(f" {name}") else told
    found = state(given_windows(**lists), now)
    assert (is_open, told) == (found.open, found.message)


LONG_NIGHTS = {
    # The night in which clocks are put forward, and the one in which they are put back.
    "spring": ("2026-03-28 21:00", "2026-03-29T05:00:00Z"),
    "autumn": ("2026-10-24 20:00", "2026-10-25T04:00:00Z"),
}


@pytest.mark.parametrize(("now", "end"), LONG_NIGHTS.values(), ids=LONG_NIGHTS)
def test_a_night_of_eight_hours_is_eight_hours(now: str, end: str) -> None:
    """It lasts as long as it says, whatever the clocks show in the morning."""
    assert f"open until {end}" == state(given_windows(allow=[NIGHT]), now).message


def test_both_levels_must_be_open() -> None:
    """Neither the policy's own windows nor those of the operator open the other's."""
    own, above = given_windows(allow=[NIGHT]), given_windows(deny=[FRIDAY])
    # Thursday night begins at 21:00 and is cut at midnight; the next free night is Saturday's.
    assert "open until 2026-03-06T00:00:00Z" == state(own, "2026-03-05 22:00", above).message
    closed = state(own, "2026-03-06 01:00", above)
    assert (False, at("2026-03-07 00:00")) == (closed.open, closed.changes_at)
    assert closed.message.startswith(f"closed by {OPERATORS}.deny[0] (0 0 * * FRI for 1d, UTC)")


@given(
    st.lists(st.sampled_from([NIGHT, OFFICE, HOUR, FRIDAY]), max_size=2),
    st.lists(st.sampled_from([NIGHT, OFFICE, FRIDAY]), max_size=2),
    st.integers(0, 14 * 24 * 60),
)
def test_it_changes_when_it_says_and_not_before(
    allow: list[dict[str, str]], deny: list[dict[str, str]], minute: int
) -> None:
    """What is told of the next change is what a look in each minute finds."""
    found = given_windows(allow=allow, deny=deny)
    now = at("2026-03-20 00:00") + datetime.timedelta(minutes=minute)
    levels = ((windows.OWN, found), (OPERATORS, windows_api.NONE))
    before = windows.state(levels, now)
    end = before.changes_at
    if end is None:
        later = [now + datetime.timedelta(hours=7 * n) for n in range(24)]
        assert {before.open} == {windows.state(levels, each).open for each in later}
        return
    steps = int((end - now).total_seconds() // 60)
    for step in (*range(0, min(steps, 3000), 191), steps - 1):
        passing = windows.state(levels, now + datetime.timedelta(minutes=step))
        assert (before.open, before.changes_at) == (passing.open, passing.changes_at)
    assert before.open is not windows.state(levels, end).open


def test_the_guard_tells_what_windows_say() -> None:
    """Outside of them it refuses, inside it tells until when."""
    case = builders.case()
    shut = given_windows(deny=[window("* * * * *", "1m")])
    by_policy = dataclasses.replace(case, spec=case.spec.model_copy(update={"windows": shut}))
    by_operator = dataclasses.replace(case, rules=dataclasses.replace(case.rules, windows=shut))
    assert "no windows are set" == guard.within_windows(case)
    for each, where in ((by_policy, windows.OWN), (by_operator, OPERATORS)):
        message = f"closed by {where}.deny[0] (* * * * * for 1m, UTC); never opens"
        assert model.Refusal(reasons.Refused.WINDOW_CLOSED, message) == guard.within_windows(each)


def test_an_undoing_is_not_kept_back() -> None:
    """What was done in a window is put back after it: it would stay half done until the next."""
    assert guard.within_windows in guards.GUARDS
    assert guard.within_windows in guards.RETURN_GUARDS
    assert guard.within_windows not in guards.REVERT_GUARDS


LOOKS = {
    "an opening before the regular look": ("2026-03-02 20:59:50", "2026-03-02 21:00"),
    "an opening after it": ("2026-03-02 20:58", "2026-03-02 20:58:30"),
    "open already": ("2026-03-02 21:00", "2026-03-02 21:00:30"),
}


@pytest.mark.parametrize(("now", "expected"), LOOKS.values(), ids=LOOKS)
def test_an_opening_is_looked_at_at_once(now: str, expected: str) -> None:
    """Not with the next regular look, and no sooner than it opens."""
    spec = builders.spec(windows=given_windows(allow=[NIGHT]))
    regular = at(now) + datetime.timedelta(seconds=30)
    assert at(expected) == windows.look_again(spec, Rules(), regular, at(now))


LENGTHS = {"8h": True, "1d12h": True, "90m": True, "0h": False, "30s": False, "1h30s": False}


@pytest.mark.parametrize(("text", "good"), LENGTHS.items(), ids=LENGTHS)
def test_windows_last_whole_minutes(text: str, good: bool) -> None:
    """Windows open and close at whole minutes, and for a minute at least."""
    problem = ""
    try:
        windows_api.Window.model_validate(window("0 0 * * *", text))
    except ValueError as error:
        problem = str(error)
    assert good is (problem == "")
    assert good or "must be days, hours and minutes, at least 1m, such as 8h or 1d12h" in problem
