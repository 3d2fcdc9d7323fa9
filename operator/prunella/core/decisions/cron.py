"""Moments of a cron expression in a time zone, in UTC.

Five fields as in crontab(5): numbers, names, ranges, lists and steps; ``6#1`` is the first Saturday
of a month.  Days match by both their fields when one begins with ``*``, else by either.

Where clocks are moved it is as in Debian's cron: what is set for an hour and minute that the clock
skips comes as the clock goes on, and what would come twice comes the first time; schedules of
every minute or every hour follow the time that passes.
"""

from __future__ import annotations

import bisect
import calendar
import dataclasses
import datetime
import functools
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Final

MOST_MONTHS: Final = 12 * 50
"""How far a moment is looked for: 29 February on a certain day of the week may be 40 years off."""
DAY: Final = datetime.timedelta(days=1)
MINUTE: Final = datetime.timedelta(minutes=1)
_MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_TERM: Final = re.compile(
    r"(\*|(?P<low>[0-9A-Z]{1,3})(-(?P<high>[0-9A-Z]{1,3}))?)(/(?P<step>[0-9]{1,4}))?", re.ASCII
)
_NTH: Final = re.compile(r"(?P<day>[0-9A-Z]{1,3})#(?P<nth>[1-5])", re.ASCII)
_LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class CronError(ValueError):
    """An expression or a zone that can't be used: what was found, and what is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Schedule:
    """An expression as sets of numbers; days of the week from 0, Sunday."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    nths: frozenset[tuple[int, int]]
    """Days of the week, each with which of the month it is."""
    both: bool
    """A day must match by both fields."""
    fixed: bool
    """Neither minutes nor hours begin with ``*``: it is about certain times of a day."""

    def matches(self, day: datetime.date) -> bool:
        """Whether it is due on a day of one of its months."""
        weekday = (day.weekday() + 1) % 7
        of_month = day.day in self.days
        of_week = weekday in self.weekdays or (weekday, (day.day + 6) // 7) in self.nths
        return of_month and of_week if self.both else of_month or of_week


def check(expression: str, zone: str) -> None:
    """Raise CronError for an expression that nobody understands, or a zone that is not known."""
    _read(expression)
    _zone(zone)


def last(expression: str, zone: str, at: datetime.datetime) -> datetime.datetime | None:
    """The newest moment that is not after ``at``; None: there is none in 50 years.

    Raises CronError.
    """
    schedule, place = _read(expression), _zone(zone)
    begin = at.astimezone(place).date() + datetime.timedelta(days=1)
    for day in _days(schedule, begin, -1):
        found = _moments(expression, zone, day)
        index = bisect.bisect_right(found, at)
        if index:
            return found[index - 1]
    return None


def following(expression: str, zone: str, after: datetime.datetime) -> datetime.datetime | None:
    """The first moment after ``after``; None: there is none in 50 years. Raises CronError."""
    schedule, place = _read(expression), _zone(zone)
    begin = after.astimezone(place).date() - datetime.timedelta(days=1)
    for day in _days(schedule, begin, 1):
        found = _moments(expression, zone, day)
        index = bisect.bisect_right(found, after)
        if index < len(found):
            return found[index]
    return None


def _days(schedule: _Schedule, begin: datetime.date, way: int) -> Iterator[datetime.date]:
    """The days of a schedule from a day on, forwards or (-1) backwards."""
    year, month = begin.year, begin.month
    for _ in range(MOST_MONTHS):
        if month in schedule.months:
            days = range(1, calendar.monthrange(year, month)[1] + 1)
            for number in days[::way]:
                day = datetime.date(year, month, number)
                if (day - begin).days * way >= 0 and schedule.matches(day):
                    yield day
        year, month = year + (month - 1 + way) // 12, (month - 1 + way) % 12 + 1


@functools.lru_cache(maxsize=128)
def _moments(expression: str, zone: str, day: datetime.date) -> tuple[datetime.datetime, ...]:
    """The moments of a day in order, in UTC; of some that are asked for again and again."""
    schedule, place = _read(expression), _zone(zone)
    midnight = datetime.datetime(day.year, day.month, day.day, tzinfo=place)
    around = (midnight - DAY, midnight, midnight + 2 * DAY)
    offsets = {each.utcoffset() or datetime.timedelta() for each in around}
    walls = (
        midnight.replace(hour=hour, minute=minute)
        for hour in schedule.hours
        for minute in schedule.minutes
    )
    if len(offsets) == 1:
        [offset] = offsets
        return tuple(wall.replace(tzinfo=datetime.UTC) - offset for wall in walls)
    found = {moment for wall in walls for moment in _where_moved(wall, place, fixed=schedule.fixed)}
    return tuple(sorted(found))


def _where_moved(
    wall: datetime.datetime, place: zoneinfo.ZoneInfo, *, fixed: bool
) -> Iterator[datetime.datetime]:
    """The moments of a time on the wall: none or two where clocks are moved."""
    first = wall.astimezone(datetime.UTC)
    if first.astimezone(place).replace(tzinfo=None) != wall.replace(tzinfo=None):
        if fixed:
            yield _goes_on(first, place)
        return
    yield first
    if not fixed:
        yield wall.replace(fold=1).astimezone(datetime.UTC)


def _goes_on(late: datetime.datetime, place: zoneinfo.ZoneInfo) -> datetime.datetime:
    """The first minute after the clock was moved, from a later one in which nothing else was."""
    offset = late.astimezone(place).utcoffset()
    while (late - MINUTE).astimezone(place).utcoffset() == offset:
        late -= MINUTE
    return late


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CronError(f"no data of time zone {name}") from error


@functools.lru_cache(maxsize=4096)
def _read(expression: str) -> _Schedule:
    parts = expression.upper().split(" ")
    if len(parts) != len(_FIELDS):
        told = f"cron {expression!r}: it takes 5 fields, found {len(parts)}"
        raise CronError(told)
    nths = frozenset(found for term in parts[4].split(",") if (found := _nth(expression, term)))
    weekly = [term for term in parts[4].split(",") if not _NTH.fullmatch(term)]
    minutes, hours, days, months = (
        _numbers(expression, field, part.split(","))
        for field, part in zip(_FIELDS[:4], parts[:4], strict=True)
    )
    weekdays = _numbers(expression, _FIELDS[4], weekly) if weekly else frozenset[int]()
    both = parts[2].startswith("*") or parts[4].startswith("*")
    if both and all(_LONGEST_MONTHS[month - 1] < min(days) for month in months):
        raise CronError(f"cron {expression!r}: no month of it has a day {min(days)}")
    return _Schedule(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(each % 7 for each in weekdays),
        nths=nths,
        both=both,
        fixed=not parts[0].startswith("*") and not parts[1].startswith("*"),
    )


def _nth(expression: str, term: str) -> tuple[int, int] | None:
    """``6#1`` as (6, 1); None for any other term."""
    found = _NTH.fullmatch(term)
    if found is None:
        return None
    return _number(expression, _FIELDS[4], found["day"]) % 7, int(found["nth"])


def _numbers(
    expression: str, field: tuple[str, int, int, Sequence[str]], terms: Sequence[str]
) -> frozenset[int]:
    """What the terms of one field name."""
    name, lowest, highest, _ = field
    numbers: set[int] = set()
    for term in terms:
        found = _TERM.fullmatch(term)
        if found is None:
            raise CronError(f"cron {expression!r}: {term!r} is no {name}")
        low, high, step = lowest, highest, int(found["step"] or 1)
        if found["low"]:
            low = _number(expression, field, found["low"])
            high = highest if found["step"] else low
        if found["high"]:
            high = _number(expression, field, found["high"])
        if step == 0 or high < low:
            raise CronError(f"cron {expression!r}: {term!r} names no {name}")
        numbers.update(range(low, high + 1, step))
    return frozenset(numbers)


def _number(expression: str, field: tuple[str, int, int, Sequence[str]], text: str) -> int:
    name, lowest, highest, names = field
    number = lowest + names.index(text) if text in names else -1
    if text.isdigit():
        number = int(text)
    if not lowest <= number <= highest:
        raise CronError(f"cron {expression!r}: {text!r} is no {name}")
    return number
