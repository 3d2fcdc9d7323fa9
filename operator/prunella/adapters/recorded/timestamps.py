"""Times as people and files write them."""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

from prunella.api import types

_MILLISECONDS_FROM: Final = 1e11
"""A number above is milliseconds: as seconds it would be beyond the year 5000."""
_AGO: Final = re.compile(r"-\s*(\w+)")


def parse_seconds(value: Any) -> float:
    """Unix seconds of a number (seconds or milliseconds), a time, or its ISO 8601 text.

    A time without a zone is UTC.  Raises ValueError.
    """
    if isinstance(value, datetime.datetime):
        return _aware(value).timestamp()
    if isinstance(value, int | float):
        return _scaled(float(value))
    text = str(value).strip()
    try:
        return _scaled(float(text))
    except ValueError:
        pass
    try:
        return _aware(datetime.datetime.fromisoformat(text)).timestamp()
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time: write Unix seconds or milliseconds, or 2026-01-31T08:30:00Z"
        ) from error


def _scaled(number: float) -> float:
    return number / 1000 if abs(number) > _MILLISECONDS_FROM else number


def _aware(when: datetime.datetime) -> datetime.datetime:
    return when if when.tzinfo is not None else when.replace(tzinfo=datetime.UTC)


def parse(text: str, now: datetime.datetime) -> datetime.datetime:
    """A time on the command line: ``now``, ``-30d``, or as `parse_seconds`. Raises ValueError."""
    if text.strip() == "now":
        return now
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - datetime.timedelta(seconds=types.duration(ago[1]).total_seconds())
    return datetime.datetime.fromtimestamp(parse_seconds(text), datetime.UTC)


def show(seconds: float) -> str:
    """Unix seconds as people read them."""
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
