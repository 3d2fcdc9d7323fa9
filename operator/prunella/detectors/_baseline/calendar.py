"""Local time and the days that are not like others."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 86400
_OFFSETS_CHANGE_AT = 900
"""All time zones of today change their offset at a full quarter of an hour."""


class Exempt(Protocol):
    """Days on which the usual season is not expected."""

    @property
    def date(self) -> datetime.date:
        """The first day, in local time."""

    @property
    def days(self) -> int:
        """How many days from that on."""

    @property
    def like(self) -> str | None:
        """The weekday that they are like; None when they are like no other day."""


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Calendar:
    """Local time of a place, with exceptions. Days without a likeness are not judged."""

    def __init__(self, zone: str, exceptions: Sequence[Exempt]) -> None:
        self._zone = zoneinfo.ZoneInfo(zone)
        self._fixed = zone == "UTC"
        self._offsets: dict[int, float] = {}
        self._exceptions = {
            _number(each.date) + day: each.like for each in exceptions for day in range(each.days)
        }

    def local(self, times: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Unix times as local seconds on the day that they are like, and whether to judge."""
        judged = np.ones(times.shape, np.bool_)
        if self._fixed and not self._exceptions:
            return times, judged
        quarters, index = np.unique(np.floor_divide(times, _OFFSETS_CHANGE_AT), return_inverse=True)
        local = times + np.array([self._offset(int(each)) for each in quarters])[index]
        for place, number in enumerate(np.floor_divide(local, DAY).astype(int)):
            if number in self._exceptions:
                like = self._exceptions[number]
                judged[place] = like is not None
                local[place] += _days_to(number, like) * DAY
        return local, judged

    def _offset(self, quarter: int) -> float:
        if quarter not in self._offsets:
            if len(self._offsets) > 4096:
                self._offsets.clear()
            moment = datetime.datetime.fromtimestamp(quarter * _OFFSETS_CHANGE_AT, self._zone)
            self._offsets[quarter] = (moment.utcoffset() or datetime.timedelta()).total_seconds()
        return self._offsets[quarter]


def _number(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days


def _days_to(number: int, like: str | None) -> int:
    """Days from this day to the weekday that it is like; 1970-01-01 was a Thursday."""
    return 0 if like is None else WEEKDAYS.index(like) - (number + 3) % 7
