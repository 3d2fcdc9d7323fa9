"""Moments of cron expressions where clocks are moved, and against a search by hand."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.core.decisions import cron

UTC = datetime.UTC


def at(text: str) -> datetime.datetime:
    """A time in UTC from ``2026-03-29 01:00``."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


BERLIN, YORK, HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
NEXT = {
    # Berlin 2026: +1 -> +2 on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC.
    "Berlin, winter": ("0 22 * * *", BERLIN, "2026-01-10 12:00", "2026-01-10 21:00"),
    "Berlin, summer": ("0 22 * * *", BERLIN, "2026-07-10 12:00", "2026-07-10 20:00"),
    "Berlin, skipped": ("30 2 * * *", BERLIN, "2026-03-28 12:00", "2026-03-29 01:00"),
    "Berlin, after it": ("30 2 * * *", BERLIN, "2026-03-29 01:00", "2026-03-30 00:30"),
    "Berlin, twice": ("30 2 * * *", BERLIN, "2026-10-24 12:00", "2026-10-25 00:30"),
    "Berlin, not again": ("30 2 * * *", BERLIN, "2026-10-25 00:30", "2026-10-26 01:30"),
    "Berlin, in the second": ("30 2 * * *", BERLIN, "2026-10-25 01:10", "2026-10-26 01:30"),
    "Berlin, each hour": ("30 * * * *", BERLIN, "2026-10-25 00:30", "2026-10-25 01:30"),
    # New York 2026: -5 -> -4 on 8 March at 07:00 UTC, back on 1 November at 06:00 UTC.
    "New York, skipped": ("15 2 * * *", YORK, "2026-03-08 00:00", "2026-03-08 07:00"),
    "New York, twice": ("15 1 * * *", YORK, "2026-11-01 00:00", "2026-11-01 05:15"),
    "New York, not again": ("15 1 * * *", YORK, "2026-11-01 05:15", "2026-11-02 06:15"),
    # Lord Howe 2026: half an hour; +11 -> +10:30 on 4 April at 15:00, +11 on 3 October at 15:30.
    "Lord Howe, skipped": ("15 2 * * *", HOWE, "2026-10-03 00:00", "2026-10-03 15:30"),
    "Lord Howe, not skipped": ("30 2 * * *", HOWE, "2026-10-03 00:00", "2026-10-03 15:30"),
    "Lord Howe, twice": ("45 1 * * *", HOWE, "2026-04-04 00:00", "2026-04-04 14:45"),
    "Lord Howe, not again": ("45 1 * * *", HOWE, "2026-04-04 14:45", "2026-04-05 15:15"),
    "UTC": ("0 0 * * *", "UTC", "2026-03-29 00:00", "2026-03-30 00:00"),
    "leap day": ("0 0 29 2 *", "UTC", "2026-01-01 00:00", "2028-02-29 00:00"),
    "first Saturday": ("0 3 * * 6#1", "UTC", "2026-01-05 00:00", "2026-02-07 03:00"),
    "Sunday is 0 and 7": ("0 3 * * 7", "UTC", "2026-01-05 00:00", "2026-01-11 03:00"),
    "day of month or week": ("0 0 13 * FRI", "UTC", "2026-01-01 00:00", "2026-01-02 00:00"),
}


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), NEXT.values(), ids=NEXT)
def test_the_next_moment(expression: str, zone: str, after: str, expected: str) -> None:
    """What is skipped comes as the clock goes on, what would come twice comes once."""
    found = cron.following(expression, zone, at(after))
    assert at(expected) == found
    assert at(expected) == cron.last(expression, zone, at(expected))


LAST = {
    "in the second half of a repeated hour": (BERLIN, "2026-10-25 01:10", "2026-10-25 00:30"),
    "just before it": (BERLIN, "2026-10-25 00:29", "2026-10-24 00:30"),
    "after a skipped one": (BERLIN, "2026-03-29 05:00", "2026-03-29 01:00"),
    "before a skipped one": (BERLIN, "2026-03-29 00:59", "2026-03-28 01:30"),
    "at the moment": ("UTC", "2026-01-10 02:30", "2026-01-10 02:30"),
    "a minute before": ("UTC", "2026-01-10 02:29", "2026-01-09 02:30"),
}


@pytest.mark.parametrize(("zone", "now", "expected"), LAST.values(), ids=LAST)
def test_the_last_moment(zone: str, now: str, expected: str) -> None:
    """Of 02:30 each day: never one that is still to come."""
    assert at(expected) == cron.last("30 2 * * *", zone, at(now))


WRONG = {
    "an hour": ("0 24 * * *", "UTC", "'24' is no hour"),
    "a day of the week": ("0 0 * * 8", "UTC", "'8' is no day of the week"),
    "backwards": ("0 0 * * 5-1", "UTC", "'5-1' names no day of the week"),
    "no step": ("*/0 0 * * *", "UTC", "'*/0' names no minute"),
    "no such name": ("0 0 * FOO *", "UTC", "'FOO' is no month"),
    "a sixth of a month": ("0 0 * * 1#6", "UTC", "'1#6' is no day of the week"),
    "four fields": ("0 0 * *", "UTC", "it takes 5 fields, found 4"),
    "no such day": ("0 0 30 2 *", "UTC", "no month of it has a day 30"),
}


@pytest.mark.parametrize(("expression", "zone", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_no_expression_is_told(expression: str, zone: str, expected: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(cron.CronError) as found:
        cron.check(expression, zone)
    assert f"cron {expression!r}: {expected}" == str(found.value)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Europe", "../etc/passwd", "/etc/localtime"])
def test_a_zone_without_data_is_told(zone: str) -> None:
    """A misspelt one, a folder of zones, and ways out of the zones."""
    with pytest.raises(cron.CronError) as found:
        cron.check("0 0 * * *", zone)
    assert f"no data of time zone {zone}" == str(found.value)


WORDS = st.text("0123456789*,/-#MON", min_size=1, max_size=8)


@given(st.lists(WORDS, min_size=5, max_size=5).map(" ".join))
def test_no_text_does_anything_else_than_be_refused(expression: str) -> None:
    """Whatever a policy says, it is a time, never, or a CronError."""
    try:
        found = cron.following(expression, BERLIN, at("2026-03-28 12:00"))
        before = cron.last(expression, BERLIN, at("2026-03-28 12:00"))
    except cron.CronError:
        return
    assert found is None or found > at("2026-03-28 12:00")
    assert before is None or before <= at("2026-03-28 12:00")


AROUND = {
    "Berlin, spring": (BERLIN, "2026-03-28 12:00"),
    "Berlin, autumn": (BERLIN, "2026-10-24 12:00"),
    "New York, spring": (YORK, "2026-03-07 18:00"),
    "New York, autumn": (YORK, "2026-10-31 18:00"),
    "Lord Howe, spring": (HOWE, "2026-10-03 03:00"),
    "Lord Howe, autumn": (HOWE, "2026-04-04 03:00"),
}
MINUTES = 36 * 60


def by_hand(minute: int, hour: int | None, zone: str, begin: datetime.datetime) -> list[int]:
    """The minutes from ``begin`` at which it is due, by a look at the clock in each minute."""
    place = zoneinfo.ZoneInfo(zone)
    walls = [
        (begin + datetime.timedelta(minutes=n)).astimezone(place).replace(tzinfo=None)
        for n in range(MINUTES)
    ]
    if hour is None:
        return [n for n, wall in enumerate(walls) if wall.minute == minute]
    found, seen = [], set[datetime.date]()
    for n, wall in enumerate(walls):
        due = wall.replace(hour=hour, minute=minute)
        skipped = n > 0 and walls[n - 1] < due < wall
        if (wall == due or skipped) and wall.date() not in seen:
            seen.add(wall.date())
            found.append(n)
    return found


@given(
    minute=st.integers(0, 59),
    hour=st.none() | st.integers(0, 6),
    place=st.sampled_from(sorted(AROUND)),
)
def test_it_is_as_by_hand_where_clocks_are_moved(minute: int, hour: int | None, place: str) -> None:
    """Forwards and backwards, from each quarter of an hour, as a look at the clock finds."""
    zone, text = AROUND[place]
    begin = at(text)
    due = by_hand(minute, hour, zone, begin)
    expression = f"{minute} {'*' if hour is None else hour} * * *"
    for n in range(due[0], due[-1], 15):
        now = begin + datetime.timedelta(minutes=n)
        later = min((each for each in due if each > n), default=None)
        assert later is not None
        assert begin + datetime.timedelta(minutes=later) == cron.following(expression, zone, now)
        before = max(each for each in due if each <= n)
        assert begin + datetime.timedelta(minutes=before) == cron.last(expression, zone, now)
