"""How far apart the samples of each query's series are: learned with their ages, and remembered.

Asked again every 10 minutes, and every 15 s until the same was seen twice: a young series seems
to be sampled more seldom.  Longer windows, which read many samples, are counted only while the
short ones leave something unexplained: nothing counted, or data older than it may be.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Final

from prunella.core.signals import detect, freshness

LEARN_EVERY: Final = datetime.timedelta(minutes=10)
LEARN_SOON: Final = datetime.timedelta(seconds=15)
ROUND_OF_TRIES: Final = 20
"""The long windows are tried second and third, and again after so many tries: 5 minutes."""
ALIKE: Final = 0.1
"""Two readings that differ by at most this share tell the same."""

Key = tuple[str, str]
"""Source and query."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Learned:
    spacing: freshness.Spacing
    when: datetime.datetime
    sure: bool
    tries: int
    """So often in a row something was left unexplained."""
    tier: int
    """The longest windows that told something."""


_NOTHING: Final = _Learned(
    freshness.Spacing(),
    datetime.datetime.min.replace(tzinfo=datetime.UTC),
    sure=False,
    tries=0,
    tier=0,
)


class Spacings:
    """What is known of each query."""

    def __init__(self) -> None:
        self._known: dict[Key, _Learned] = {}

    def windows(self, key: Key, now: datetime.datetime) -> tuple[int, ...]:
        """In which windows samples are to be counted now; none while enough is known."""
        known = self._known.get(key, _NOTHING)
        if now - known.when < (LEARN_EVERY if known.sure else LEARN_SOON):
            return ()
        tiers = sorted({0, known.tier, _tier(known.tries)})
        return tuple(window for tier in tiers for window in freshness.WINDOWS[tier])

    def learn(self, key: Key, found: freshness.Freshness, now: datetime.datetime) -> None:
        """Take in an answer in which samples were counted."""
        before = self._known.get(key, _NOTHING)
        spacing = _kept(before.spacing, found)
        open_ = spacing.seconds is None or _unexplained(spacing, found)
        sure = not open_ and _alike(before.spacing, spacing)
        told = found.spacing.slowest is not None and not open_ and before.tries > 0
        tier = max(before.tier, _tier(before.tries)) if told else before.tier
        tries = before.tries + 1 if open_ else 0
        self._known[key] = _Learned(spacing, now, sure, tries, tier)

    def of(self, keys: Iterable[Key]) -> freshness.Spacing:
        """That of some queries together."""
        spacing = freshness.Spacing()
        for key in keys:
            spacing = spacing.merged(self._known.get(key, _NOTHING).spacing)
        return spacing


def _tier(tries: int) -> int:
    place = tries % ROUND_OF_TRIES
    return place if place < len(freshness.WINDOWS) else 0


def _kept(before: freshness.Spacing, found: freshness.Freshness) -> freshness.Spacing:
    """What is known after an answer: of what it does not tell, what was known before.

    Just after a rollout no series is old enough to tell, and slow ones need long windows.
    """
    seen = found.spacing
    if seen.seconds is None:
        return before
    told = seen.by_labels()
    there = {freshness.unmarked(each.labels) for each in found.ages}
    slow = freshness.OTHER * seen.seconds
    others = tuple(
        each
        for each in before.slower
        if (key := freshness.unmarked(each.labels)) not in told
        and key in there
        and each.value > slow
    )
    return freshness.Spacing(seen.seconds, (*seen.slower, *others))


def _unexplained(spacing: freshness.Spacing, found: freshness.Freshness) -> bool:
    """Whether anything is older than the spacing that is known lets expect."""
    own = spacing.by_labels()
    for age in found.ages:
        apart = own.get(freshness.unmarked(age.labels), spacing.seconds or 0.0)
        if age.value > max(detect.STALE_SCRAPES * apart, detect.MINIMUM_STALE_SECONDS):
            return True
    return False


def _alike(one: freshness.Spacing, other: freshness.Spacing) -> bool:
    if one.seconds is None or other.seconds is None or len(one.slower) != len(other.slower):
        return False
    return abs(one.seconds - other.seconds) <= ALIKE * other.seconds
