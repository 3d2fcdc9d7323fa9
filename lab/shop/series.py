"""Counters and histograms in Prometheus' text format, made to be cheap to render."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; OpenTelemetry's default for durations."""


Family = tuple[str, str, Iterable[str]]
"""Name, type and lines of a metric."""


def text_of(labels: Mapping[str, str]) -> str:
    """Labels as the text format writes them, without braces; empty ones are left out."""
    return ",".join(f'{key}="{_escape(value)}"' for key, value in labels.items() if value)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Histogram:
    """One series of a histogram."""

    __slots__ = ("_count_line", "_counts", "_heads", "_sum", "_sum_line")

    def __init__(self, name: str, labels: str) -> None:
        bounds = [*(f"{each:g}" for each in BUCKETS), "+Inf"]
        self._heads = [f'{name}_bucket{{{labels},le="{bound}"}} ' for bound in bounds]
        self._sum_line, self._count_line = f"{name}_sum{{{labels}}} ", f"{name}_count{{{labels}}} "
        self._counts = [0] * len(bounds)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def lines(self) -> Iterator[str]:
        """The series as text."""
        total = 0
        for head, count in zip(self._heads, self._counts, strict=True):
            total += count
            yield f"{head}{total}"
        yield f"{self._sum_line}{self._sum:.6g}"
        yield f"{self._count_line}{total}"


class Counter:
    """One series of a counter; it does not exist before it has counted something."""

    __slots__ = ("_head", "value")

    def __init__(self, name: str, labels: str) -> None:
        self._head = f"{name}{{{labels}}} "
        self.value = 0.0

    def lines(self) -> Iterator[str]:
        """The series as text; nothing at 0, as an SDK has no series before the first event."""
        if self.value:
            yield f"{self._head}{self.value:.10g}"


def gauge(name: str, labels: str, value: float) -> str:
    """One sample of a gauge, or of a counter that is kept elsewhere."""
    return f"{name}{{{labels}}} {value:.10g}"


def render(families: Iterable[Family]) -> str:
    """A page of families: name, type and lines; families without lines are left out."""
    page: list[str] = []
    for name, kind, lines in families:
        found = list(lines)
        if found:
            page.append(f"# TYPE {name} {kind}")
            page.extend(found)
    page.append("")
    return "\n".join(page)
