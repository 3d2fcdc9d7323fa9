"""Times are read as people and files write them."""

from __future__ import annotations

import datetime

import pytest

from prunella.adapters.recorded import timestamps

NOW = datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.UTC)
TIMES = {
    "now": NOW,
    "-30d": NOW - datetime.timedelta(days=30),
    "- 90m": NOW - datetime.timedelta(minutes=90),
    "2026-01-30T10:00:00Z": NOW - datetime.timedelta(hours=26),
    "2026-01-30": NOW - datetime.timedelta(hours=36),
    "2026-01-31T13:00:00+01:00": NOW,
    "1769860800": NOW,
    "1769860800000": NOW,
}


@pytest.mark.parametrize(("text", "expected"), TIMES.items(), ids=TIMES.keys())
def test_times_of_the_command_line(text: str, expected: datetime.datetime) -> None:
    """Given a time in any of the forms, then it is read."""
    assert expected == timestamps.parse(text, NOW)


@pytest.mark.parametrize("text", ["yesterday", "-5 parsecs", "", "2026-13-01"])
def test_other_texts_are_no_time(text: str) -> None:
    """Given a text that is no time, then it is refused."""
    with pytest.raises(ValueError, match=r"time|duration"):
        timestamps.parse(text, NOW)


def test_a_time_without_zone_is_utc() -> None:
    """Given a time object without zone, then it is taken for UTC."""
    assert timestamps.parse_seconds(datetime.datetime(2026, 1, 31, 12, 0)) == NOW.timestamp()  # noqa: DTZ001
