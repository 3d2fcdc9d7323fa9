"""The terminal: consoles, the time, and times as people read them."""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Iterable

from rich import console, segment

from prunella.cli import visible

WIDTH_OF_PIPES = 160
"""Columns when nobody is looking: tables are kept whole for grep and files."""


class _Console(console.Console):
    """Shows what others wrote as it is, and obeys nothing in it; colours are added after."""

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[segment.Segment]:
        for each in super().render(renderable, options):
            yield each if each.control else each._replace(text=visible.visible(each.text))


def out() -> console.Console:
    """The console of standard output."""
    return _console(stderr=False)


def err() -> console.Console:
    """The console of standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> console.Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_PIPES
    return _Console(file=stream, width=width, highlight=False, emoji=False, markup=False)


def now() -> datetime.datetime:
    """The time in UTC: commands are at the edge, where the clock is read."""
    return datetime.datetime.fromtimestamp(time.time(), datetime.UTC)


def age(since: datetime.datetime, until: datetime.datetime) -> str:
    """A length of time as kubectl shows it: ``45s``, ``12m``, ``5h10m``, ``3d``."""
    seconds = max(0, int((until - since).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 7200:
        return f"{seconds // 60}m"
    if seconds < 2 * 86_400:
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    return f"{seconds // 86_400}d"


def moment(when: datetime.datetime) -> str:
    """A time in the zone of this machine and in UTC; once where they are the same."""
    local, utc = when.astimezone(), when.astimezone(datetime.UTC)
    if local.utcoffset() == utc.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    day = "%H:%M:%S" if local.date() == utc.date() else "%Y-%m-%d %H:%M:%S"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({utc.strftime(day)} UTC)"
