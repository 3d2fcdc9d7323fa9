"""Which ranges of a query are too short for how far apart its samples are.

``rate`` and its relatives need two samples in their range, the ``..._over_time`` functions one.  A
range holds as many samples as their spacing fits into it, and now and then one more.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Final

from prunella.api import types
from prunella.core.signals import query_analysis

NEEDS_TWO: Final = frozenset(
    {"rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear"}
)
LOOKBACK: Final = 300.0
"""Seconds for which a plain selector takes a sample for the newest one: Prometheus' default."""
_SLACK: Final = 1.02
"""Scrapes come a little late."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShortRange:
    """A function whose range is too short; all in seconds."""

    text: str
    """As the query writes it, such as ``rate(x[5m])``."""
    needs: int
    range: float
    spacing: float

    @property
    def never(self) -> bool:
        """Whether it can never have data; else it has none part of the time."""
        return self.range <= (self.needs - 1) * self.spacing

    @property
    def smallest(self) -> types.Duration:
        """The smallest range that always has enough samples, in whole minutes where it has any."""
        seconds = self.needs * self.spacing
        unit = 60 if seconds >= 60 else 1
        return types.Duration.from_seconds(unit * math.ceil(seconds / unit - 0.05))

    def __str__(self) -> str:
        """What is wrong, and what to write."""
        often = "never has data" if self.never else "has no data part of the time"
        samples = "two samples" if self.needs > 1 else "one sample"
        return (
            f"{self.text} {often}: it needs {samples} in its range, and they are "
            f"{self.spacing:.4g} s apart; the smallest range that always can is [{self.smallest}]"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ShortLookback:
    """A plain selector of samples that are farther apart than Prometheus looks back."""

    selector: str
    spacing: float

    def __str__(self) -> str:
        """What is wrong, and what to write."""
        range_ = types.Duration.from_seconds(60 * math.ceil(2 * self.spacing / 60))
        return (
            f"{self.selector} has no data part of the time: Prometheus looks back {LOOKBACK:g} s, "
            f"and its samples are {self.spacing:.4g} s apart; write "
            f"last_over_time({self.selector}[{range_}])"
        )


def hint(queries: Iterable[str], spacing: float | None) -> str:
    """The first reason why the queries of a signal have no data, after a semicolon; or nothing.

    Raises PromqlError.
    """
    for query in queries:
        for each in (*short_ranges(query, spacing), *short_lookbacks(query, spacing)):
            return f"; {each}"
    return ""


def short_lookbacks(query: str, spacing: float | None) -> tuple[ShortLookback, ...]:
    """The plain selectors of a query that miss samples so far apart. Raises PromqlError."""
    if spacing is None or spacing <= LOOKBACK * _SLACK:
        return ()
    return tuple(ShortLookback(each, spacing) for each in query_analysis.plain_selectors(query))


def too_short(ranged: query_analysis.Ranged, spacing: float | None) -> ShortRange | None:
    """What is wrong with one range for samples so many seconds apart; None: nothing is known."""
    needs = 2 if ranged.function in NEEDS_TWO else 1
    if spacing is None or ranged.seconds * _SLACK >= needs * spacing:
        return None
    written = types.Duration.from_seconds(round(ranged.seconds))
    text = f"{ranged.function}({ranged.selector}[{written}])"
    return ShortRange(text, needs, ranged.seconds, spacing)


def short_ranges(query: str, spacing: float | None) -> tuple[ShortRange, ...]:
    """The ranges of a query that are too short. Raises PromqlError."""
    found = (too_short(each, spacing) for each in query_analysis.ranges(query))
    return tuple(each for each in found if each is not None)
