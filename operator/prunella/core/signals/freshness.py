"""How old the data under a query is, and how far apart its samples are.

An aggregate has no age (``timestamp(sum(up))`` is always now), so each selector of a query is
asked for its own, by the labels that series are mapped by.  The spacing of samples is learned in
the same request, by counting samples in windows.  docs/design/0004-freshness.md tells what was
tried.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prunella.core import model
from prunella.core.signals import query_analysis

LEAF_LABEL: Final = "prunella_leaf"
"""Marks in an answer what a sample is about: leaf ``N``, ``count-WINDOW-N`` or ``every-N``."""
WINDOWS: Final = ((30, 120, 300), (900, 3_600), (14_400,))
"""Windows (s) in which samples are counted, for spacings up to 2 minutes, 30 minutes, 2 hours.

A longer one is asked for only where the shorter ones tell nothing: it reads many samples.  Only
series that exist now and existed before the window count: one that has just begun or ended would
seem to be sampled seldom.
"""
OTHER: Final = 2.0
"""More than so many times the spacing of a query's densest series is a spacing of its own."""
_WITHIN_LOOKBACK: Final = 100.0
"""Up to this spacing (s) a selector always finds the newest sample: Prometheus looks 300 s back."""
_SUBQUERY_STEP: Final = 240
_SCRAPES_BACK: Final = 4
_COUNT, _EVERY = "count-", "every-"

Key = frozenset[tuple[str, str]]
"""The mapping labels of a series."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spacing:
    """Seconds between the samples of a query's series."""

    seconds: float | None = None
    """Of the selector that is sampled least often, by its densest series; None: not known."""
    slower: tuple[model.Sample, ...] = ()
    """Series that are sampled much less often, by their mapping labels: the value is seconds."""

    @property
    def slowest(self) -> float | None:
        """The longest of all; None while none is known."""
        known = [] if self.seconds is None else [self.seconds]
        return max([*known, *(each.value for each in self.slower)], default=None)

    def by_labels(self) -> Mapping[Key, float]:
        """The spacing of the slower series, by their mapping labels."""
        return {unmarked(each.labels): each.value for each in self.slower}

    def merged(self, other: Spacing) -> Spacing:
        """That of two queries together."""
        known = [each.seconds for each in (self, other) if each.seconds is not None]
        return Spacing(max(known, default=None), (*self.slower, *other.slower))


@dataclasses.dataclass(frozen=True, slots=True)
class Freshness:
    """What a freshness query told: ages in seconds, with LEAF_LABEL among the labels."""

    ages: tuple[model.Sample, ...]
    spacing: Spacing = Spacing()

    @property
    def scrape_seconds(self) -> float | None:
        """The spacing of the selector that is sampled least often."""
        return self.spacing.seconds


def reach(spacing: Spacing) -> int:
    """Seconds for which the newest sample must be searched; 0 where a selector finds it."""
    slowest = spacing.slowest
    return (
        0 if slowest is None or slowest <= _WITHIN_LOOKBACK else math.ceil(slowest) * _SCRAPES_BACK
    )


def freshness_query(
    confined_query: str,
    mapping_labels: Sequence[str],
    *,
    windows: Sequence[int] = (),
    reach: int = 0,
) -> str:
    """One query for the ages of all leaves; `read_freshness` reads its answer.

    ``windows`` (s) are those in which samples are counted; ``reach`` (s) is how far back the newest
    sample is searched.  Empty when the query reads no series.  Raises PromqlError.
    """
    labels = ", ".join(query_analysis.name_text(label) for label in mapping_labels)
    branches = []
    for index, selector in enumerate(query_analysis.leaves(confined_query)):
        newest = f"timestamp({selector})"
        if reach:
            searched = f"max_over_time(timestamp({selector})[{reach}s:{_SUBQUERY_STEP}s])"
            newest = f"{newest} or {searched}"
        branches.append(_marked(f"time() - max by ({labels}) ({newest})", str(index)))
        for window in windows:
            counted = f"count_over_time({selector}[{window}s]) and {_whole(selector, window)}"
            mark = f"{_COUNT}{window}-{index}"
            branches.append(_marked(f"max by ({labels}) ({counted})", mark))
    return " or ".join(branches)


def _whole(selector: str, window: int) -> str:
    """What is there only for series that fill the window."""
    if window in WINDOWS[0]:
        return f"({selector} offset {window}s and {selector})"
    return f"count_over_time({selector}[{window}s] offset {window}s)"


def _marked(expression: str, leaf: str) -> str:
    return f'label_replace({expression}, "{LEAF_LABEL}", "{leaf}", "", "")'


def told(ages: Iterable[model.Sample], spacing: Spacing) -> tuple[model.Sample, ...]:
    """Ages with a spacing that is known, in the form that `read_freshness` reads."""
    marks = [model.Sample({**s.labels, LEAF_LABEL: f"{_EVERY}0"}, s.value) for s in spacing.slower]
    if spacing.seconds is not None:
        marks.append(model.Sample({LEAF_LABEL: f"{_EVERY}0"}, spacing.seconds))
    return (*ages, *marks)


def read_freshness(samples: Iterable[model.Sample]) -> Freshness:
    """The answer to a freshness query: ages, and the spacing where samples were counted."""
    ages: list[model.Sample] = []
    counts: list[tuple[str, float, model.Sample]] = []
    intervals: dict[str, dict[Key, float]] = {}
    for sample in samples:
        leaf = sample.labels.get(LEAF_LABEL, "")
        if leaf.startswith(_COUNT):
            window, _, number = leaf.removeprefix(_COUNT).partition("-")
            counts.append((number, float(window), sample))
        elif leaf.startswith(_EVERY) and sample.value > 0:
            number = leaf.removeprefix(_EVERY)
            intervals.setdefault(number, {})[unmarked(sample.labels)] = sample.value
        else:
            ages.append(sample)
    newest = {frozenset(sample.labels.items()): sample.value for sample in ages}
    for number, seconds, sample in counts:
        key = unmarked(sample.labels)
        age = newest.get(frozenset({*key, (LEAF_LABEL, number)}), 0.0)
        seen = _interval(seconds, sample.value, age)
        if seen is not None:
            known = intervals.setdefault(number, {})
            known[key] = min(seen, known.get(key, seen))
    return Freshness(tuple(ages), spacing_of(intervals.values()))


def unmarked(labels: Mapping[str, str]) -> Key:
    """The mapping labels of a sample, without the mark of its leaf."""
    return frozenset((name, value) for name, value in labels.items() if name != LEAF_LABEL)


def spacing_of(leaves: Iterable[Mapping[Key, float]]) -> Spacing:
    """The spacing of a query, from that of each of its leaves' groups of series."""
    found = [each for each in leaves if each]
    if not found:
        return Spacing()
    slower: dict[Key, float] = {}
    for groups in found:
        densest = min(groups.values())
        for key, seconds in groups.items():
            if seconds > OTHER * densest:
                slower[key] = max(seconds, slower.get(key, 0.0))
    seconds = max(min(groups.values()) for groups in found)
    samples = (model.Sample(dict(key), each) for key, each in slower.items() if each > seconds)
    return Spacing(seconds, tuple(samples))


def _interval(window: float, count: float, age: float) -> float | None:
    """Seconds between samples, or None when one can't tell, as after scraping has stopped.

    Samples can be counted up to the newest one only, so a window that ends in silence would
    make the interval seem long, and old data young.
    """
    if not count >= 2 or age > 2 * (window - age) / count:  # NaN tells nothing, either.
        return None
    return window / count
