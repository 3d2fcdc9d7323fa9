"""Whether actions may begin at a time, until when, and when they may again.

A pure function of windows and a time.  Windows that deny win over those that allow, and each level
(the policy's own windows, those of the operator) must be open.  A window that can't be understood
closes its level, whichever kind it is of.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Iterator, Sequence
from typing import Final

from prunella.api import policy as policy_api
from prunella.api.windows import Window, Windows
from prunella.core.decisions import cron, halts
from prunella.core.decisions.rules import Rules

Level = tuple[str, Windows]
"""Where windows are written, in words, and the windows."""
OWN: Final = "spec.windows"
OPERATORS: Final = "the operator's windows"
MOST_JOINED: Final = 32
"""Windows that follow without a gap, as far as they are joined to one."""
MOST_TRIED: Final = 100
"""Times that are looked at for an opening; what is closed longer counts as never open."""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What windows say at a time."""

    open: bool
    message: str
    """The same from one change to the next."""
    changes_at: datetime.datetime | None = None
    """When it closes or opens; None: not foreseen."""


ALWAYS: Final = State(open=True, message="no windows are set")


def levels(spec: policy_api.RemediationPolicySpec, rules: Rules) -> tuple[Level, ...]:
    """The windows that hold for a policy."""
    return (OWN, spec.windows), (OPERATORS, rules.windows)


def look_again(
    spec: policy_api.RemediationPolicySpec,
    rules: Rules,
    regular: datetime.datetime,
    now: datetime.datetime,
) -> datetime.datetime:
    """The next regular look, or the opening before it."""
    found = state(levels(spec, rules), now)
    sooner = not found.open and found.changes_at is not None
    return min(regular, found.changes_at) if sooner and found.changes_at else regular


def state(found: tuple[Level, ...], now: datetime.datetime) -> State:
    """What all levels say together. Windows open and close at whole minutes."""
    given = tuple(level for level in found if level[1].given)
    if not given:
        return ALWAYS
    return _state(given, now.replace(second=0, microsecond=0).astimezone(datetime.UTC))


def problems(windows: Windows) -> Iterator[tuple[str, int, str]]:
    """What can't be understood: the list, the place in it, and what is wrong."""
    for name, listed in (("allow", windows.allow), ("deny", windows.deny)):
        for index, window in enumerate(listed):
            try:
                cron.check(window.cron, window.time_zone)
            except cron.CronError as error:
                yield name, index, str(error)


@functools.lru_cache(maxsize=4096)
def _state(found: tuple[Level, ...], now: datetime.datetime) -> State:
    for where, windows in found:
        for name, index, problem in problems(windows):
            told = f"{where}.{name}[{index}] can't be read, and so it is closed: {problem}"
            return State(open=False, message=told)
    shut = _shut(found, now)
    if shut is None:
        end = _closes(found, now)
        until = f"open until {halts.moment(end)}" if end is not None else "open"
        return State(open=True, message=until, changes_at=end)
    opening = _opening(found, now)
    opens = f"opens {halts.moment(opening)}" if opening is not None else "never opens"
    return State(open=False, message=f"{shut[0]}; {opens}", changes_at=opening)


def _shut(
    found: Sequence[Level], at: datetime.datetime
) -> tuple[str, datetime.datetime | None] | None:
    """What closes it at a time, and when that may be over; None when it is open."""
    for where, windows in found:
        for index, window in enumerate(windows.deny):
            end = open_until(window, at)
            if end is not None:
                return f"closed by {where}.deny[{index}] ({window})", end
    for where, windows in found:
        if windows.allow and all(open_until(each, at) is None for each in windows.allow):
            starts = [_next_start(each, at) for each in windows.allow]
            known = [start for start in starts if start is not None]
            return f"outside {where}.allow", min(known, default=None)
    return None


def _opening(found: Sequence[Level], now: datetime.datetime) -> datetime.datetime | None:
    """The first time after ``now`` at which it is open."""
    at: datetime.datetime | None = now
    for _ in range(MOST_TRIED):
        if at is None:
            return None
        shut = _shut(found, at)
        if shut is None:
            return at
        at = shut[1]
    return None


def _closes(found: Sequence[Level], now: datetime.datetime) -> datetime.datetime | None:
    """The first time after ``now`` at which it is closed, as far as it is foreseen."""
    ends = []
    for _, windows in found:
        starts = (_next_start(each, now) for each in windows.deny)
        ends += [start for start in starts if start is not None]
        if windows.allow and (end := _allowed_until(windows.allow, now)) is not None:
            ends.append(end)
    return min(ends, default=None)


def _allowed_until(allow: Sequence[Window], now: datetime.datetime) -> datetime.datetime | None:
    """The end of what is open now, with what follows without a gap; None: not foreseen."""
    at = now
    for _ in range(MOST_JOINED):
        ends = [end for each in allow if (end := open_until(each, at)) is not None]
        if not ends:
            return at
        at = max(ends)
    return None


def open_until(window: Window, at: datetime.datetime) -> datetime.datetime | None:
    """When a window that is open at a time closes; None when it is not open. Raises CronError."""
    began = cron.last(window.cron, window.time_zone, at)
    if began is None or at >= began + window.duration:
        return None
    return began + window.duration


def _next_start(window: Window, after: datetime.datetime) -> datetime.datetime | None:
    return cron.following(window.cron, window.time_zone, after)
