"""An in-memory time series database that answers as Prometheus' own storage does.

Times are kept as whole milliseconds, as Prometheus keeps them: the left-open, right-closed
intervals of PromQL are exact only on integers.  The interface speaks seconds.
"""

from __future__ import annotations

import array
import bisect
import dataclasses
import functools
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NAME: Final = "__name__"
_BITS: Final = struct.Struct("<d")
_STALE: Final = 0x7FF0000000000002
_STALE_BITS: Final = struct.pack("<Q", _STALE)
STALE: Final[float] = _BITS.unpack(_STALE_BITS)[0]
"""The NaN that Prometheus writes when a target or a series has gone."""
_CACHED_SELECTIONS: Final = 1024


def is_stale(value: float) -> bool:
    """Whether a value is the staleness marker; an ordinary NaN is not."""
    return value != value and _BITS.pack(value) == _STALE_BITS  # noqa: PLR0124 - NaN test, hot


def stale(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of many values are the staleness marker."""
    return np.asarray(values.view(np.uint64) == _STALE)


def to_milliseconds(seconds: float) -> int:
    """The Prometheus timestamp, whole milliseconds since the epoch."""
    return round(seconds * 1000)


@functools.lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> re.Pattern[str]:
    """Compile an RE2 pattern as Prometheus reads it: ``.`` matches newlines, classes are ASCII.

    Raises ValueError for what Python's ``re`` does not know or reads in another way.
    """
    if "[:" in pattern:
        raise ValueError(f"the POSIX class in the regular expression {pattern!r} is not supported")
    try:
        return re.compile(pattern, re.DOTALL | re.ASCII)
    except re.error as error:
        raise ValueError(f"the regular expression {pattern!r} is not supported: {error}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; ``op`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    op: str
    name: str
    value: str

    def __post_init__(self) -> None:
        """Refuse an unknown operator or expression here, before any series is looked at."""
        if self.op not in {"=", "!=", "=~", "!~"}:
            raise ValueError(f"unknown matcher operator {self.op!r}: use =, !=, =~ or !~")
        if self.op.endswith("~"):
            compile_regex(self.value)

    def matches(self, value: str) -> bool:
        """Whether a label's value matches; an absent label has the value ``""``."""
        if self.op == "=":
            return value == self.value
        if self.op == "!=":
            return value != self.value
        found = compile_regex(self.value).fullmatch(value) is not None
        return found == (self.op == "=~")


class Series:
    """The samples of one label set, in ascending order of time."""

    __slots__ = ("has_stale", "labels", "times", "values")

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels: Final = labels
        self.times: Final = array.array("q")
        self.values: Final = array.array("d")
        self.has_stale = False

    def append(self, timestamp: float, value: float) -> None:
        """Add a sample; ``timestamp`` in seconds, later than the series' last one.

        Raises ValueError for a sample out of order, as Prometheus refuses it.
        """
        when = to_milliseconds(timestamp)
        if self.times and when <= self.times[-1]:
            raise ValueError(
                f"out of order sample for {self.labels}: {when / 1000} s is not later than the"
                f" last one at {self.times[-1] / 1000} s"
            )
        self.times.append(when)
        self.values.append(value)
        self.has_stale = self.has_stale or is_stale(value)

    def newest(self, at: int, lookback: int) -> tuple[int, float] | None:
        """The last sample in ``(at - lookback, at]``, unless the series is stale by then.

        Times and durations in milliseconds.
        """
        index = bisect.bisect_right(self.times, at) - 1
        if index < 0 or self.times[index] <= at - lookback:
            return None
        value = self.values[index]
        return None if is_stale(value) else (self.times[index], value)

    def between(self, after: int, until: int) -> tuple[Sequence[int], Sequence[float]]:
        """Times and values of the samples in ``(after, until]`` ms, without staleness markers."""
        first = bisect.bisect_right(self.times, after)
        last = bisect.bisect_right(self.times, until, first)
        times, values = self.times[first:last], self.values[first:last]
        if not self.has_stale or not any(map(is_stale, values)):
            return times, values
        kept = [pair for pair in zip(times, values, strict=True) if not is_stale(pair[1])]
        return [when for when, _ in kept], [value for _, value in kept]


class SeriesStore:
    """All series of a metric source, found by label matchers."""

    def __init__(self) -> None:
        self._series: dict[frozenset[tuple[str, str]], Series] = {}
        self._by_name: dict[str, list[Series]] = {}
        self._selections: dict[tuple[Matcher, ...], tuple[Series, ...]] = {}

    def series(self, labels: Mapping[str, str]) -> Series:
        """The series of a label set, created when new: the fast way to append many samples.

        A label with an empty value is the same as no label.  Raises ValueError without a
        ``__name__``.
        """
        present = {name: value for name, value in labels.items() if value}
        key = frozenset(present.items())
        if (known := self._series.get(key)) is not None:
            return known
        if NAME not in present:
            raise ValueError(f"a series needs a {NAME} label: {dict(labels)} has none")
        created = self._series[key] = Series(present)
        self._by_name.setdefault(present[NAME], []).append(created)
        self._selections.clear()
        return created

    def append(self, labels: Mapping[str, str], timestamp: float, value: float) -> None:
        """Add one sample; ``labels`` with ``__name__``, ``timestamp`` in seconds.

        Raises ValueError for a sample out of order or labels without a name.
        """
        self.series(labels).append(timestamp, value)

    def mark_stale(self, labels: Mapping[str, str], timestamp: float) -> None:
        """End a series at ``timestamp`` (seconds), as Prometheus does when its target has gone.

        It may be continued by a later append.  Raises ValueError for a series never seen.
        """
        key = frozenset((name, value) for name, value in labels.items() if value)
        if key not in self._series:
            raise ValueError(f"cannot mark {dict(labels)} stale: there is no such series")
        self._series[key].append(timestamp, STALE)

    def select(self, matchers: Iterable[Matcher]) -> tuple[Series, ...]:
        """The series that satisfy all matchers, in the order of their creation."""
        key = tuple(matchers)
        if (known := self._selections.get(key)) is not None:
            return known
        if len(self._selections) >= _CACHED_SELECTIONS:
            self._selections.clear()
        found = tuple(
            series
            for series in self._candidates(key)
            if all(each.matches(series.labels.get(each.name, "")) for each in key)
        )
        self._selections[key] = found
        return found

    def _candidates(self, matchers: Iterable[Matcher]) -> Iterable[Series]:
        for each in matchers:
            if each.name == NAME and each.op == "=":
                return self._by_name.get(each.value, ())
        return self._series.values()
