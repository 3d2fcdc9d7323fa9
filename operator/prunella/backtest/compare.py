"""What a change of a policy changes, on the same history."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from prunella.backtest import summary as summaries

Row = TypeVar("Row")
SAME_WITHIN: Final = datetime.timedelta(hours=1)
AT_ONCE: Final = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One row that only one of the two policies has."""

    kind: str
    """``action`` or ``finding``."""
    sign: str
    """``+``: only with the new policy; ``-``: only with the old one; ``~``: at another time."""
    at: datetime.datetime
    target: str
    what: str


def compare(new: summaries.Summary, old: summaries.Summary) -> list[Change]:
    """The rows that came or went, by time.

    Actions are the same when they do the same to the same target within an hour, findings when
    they are of the same signal and target and overlap.
    """
    changes = [
        *_differ("action", new.actions, old.actions, _same_action, _action, _moved),
        *_differ("finding", new.held, old.held, _same_finding, _finding, _as_before),
    ]
    return sorted(changes, key=lambda each: (each.at, each.kind, each.target, each.sign))


def _differ(
    kind: str,
    new: Sequence[Row],
    old: Sequence[Row],
    same: Callable[[Row, Row], bool],
    change: Callable[[str, str, Row], Change],
    moved: Callable[[Row, Row], Iterator[Change]],
) -> Iterator[Change]:
    left = list(old)
    for one in new:
        twin = next((index for index, other in enumerate(left) if same(one, other)), None)
        if twin is None:
            yield change(kind, "+", one)
        else:
            yield from moved(one, left.pop(twin))
    for one in left:
        yield change(kind, "-", one)


def _same_action(one: summaries.Action, other: summaries.Action) -> bool:
    close = abs(one.at - other.at) <= SAME_WITHIN
    return close and (one.target, one.action) == (other.target, other.action)


def _same_finding(one: summaries.Finding, other: summaries.Finding) -> bool:
    about = (one.target, one.signal) == (other.target, other.signal)
    return about and one.start <= other.end and other.start <= one.end


def _moved(one: summaries.Action, other: summaries.Action) -> Iterator[Change]:
    by = one.at - other.at
    if abs(by) > AT_ONCE:
        side = "later" if by > datetime.timedelta() else "earlier"
        what = f"{one.summary}: {abs(by).total_seconds():.0f} s {side}"
        yield Change("action", "~", one.at, one.target, what)


def _as_before(one: summaries.Finding, other: summaries.Finding) -> Iterator[Change]:  # noqa: ARG001
    """A finding that overlaps another one is no news."""
    yield from ()


def _action(kind: str, sign: str, row: summaries.Action) -> Change:
    return Change(kind, sign, row.at, row.target, row.summary)


def _finding(kind: str, sign: str, row: summaries.Finding) -> Change:
    lasted = int((row.end - row.start).total_seconds())
    what = f"{row.signal} Unhealthy for {lasted} s, worst {row.worst:.6g}"
    return Change(kind, sign, row.start, row.target, what)


def counts(changes: Sequence[Change]) -> dict[str, int]:
    """How many rows came and went, such as ``+action``."""
    found: dict[str, int] = {}
    for each in changes:
        key = f"{each.sign}{each.kind}"
        found[key] = found.get(key, 0) + 1
    return found
