"""Ranges that are too short for how far apart samples are."""

from __future__ import annotations

import pytest

from prunella.core.signals import ranges

SHORT = {
    "a rate of one sample": ("rate(x[5m])", 300.0, ("10m", True)),
    "a rate that has two now and then": ("rate(x[8m])", 300.0, ("10m", False)),
    "a rate that always has two": ("rate(x[10m])", 300.0, None),
    "an average of none now and then": ("avg_over_time(x[4m])", 300.0, ("5m", False)),
    "an average of one": ("avg_over_time(x[5m])", 300.0, None),
    "scrapes come late": ("rate(x[10m])", 303.0, None),
    "fine samples": ("rate(x[1m])", 15.0, None),
    "seconds": ("rate(x[10s])", 15.0, ("30s", True)),
    "an hour": ("increase(x[1h])", 3600.0, ("2h", True)),
    "inside an expression": ('sum by (a) (rate(x{b="c"}[5m])) / 2', 300.0, ("10m", True)),
    "a subquery": ("max_over_time(x[5m:1m])", 300.0, None),
    "no range": ("x", 300.0, None),
    "a spacing that is not known": ("rate(x[5m])", None, None),
}


@pytest.mark.parametrize(("query", "spacing", "expected"), SHORT.values(), ids=SHORT)
def test_the_smallest_range_is_told(
    query: str, spacing: float | None, expected: tuple[str, bool] | None
) -> None:
    """Given samples so far apart, then a range that holds too few is told, and which does not."""
    found = [(str(each.smallest), each.never) for each in ranges.short_ranges(query, spacing)]

    assert ([] if expected is None else [expected]) == found


def test_what_is_said_of_it() -> None:
    """All numbers that were compared are in the sentence."""
    (found,) = ranges.short_ranges('rate(x{a="b"}[5m])', 300.0)

    assert str(found) == (
        'rate(x{a="b"}[5m]) never has data: it needs two samples in its range, and they are 300 s '
        "apart; the smallest range that always can is [10m]"
    )


HINTS = {
    "hourly samples": (
        "x",
        3600.0,
        (
            "; x has no data part of the time: Prometheus looks back 300 s, and its samples are "
            "3600 s apart; write last_over_time(x[2h])"
        ),
    ),
    "beside a range": ("sum_over_time(x[1h]) + y", 600.0, "; y has no data part of the time"),
    "a range alone": ("sum_over_time(x[1h])", 600.0, ""),
    "a range that is too short comes first": ("rate(x[1m]) + y", 600.0, "; rate(x[1m]) never"),
    "samples of 5 minutes": ("x", 303.0, ""),
    "a spacing that is not known": ("x", None, ""),
}


@pytest.mark.parametrize(("query", "spacing", "expected"), HINTS.values(), ids=HINTS)
def test_what_a_signal_without_data_is_told(
    query: str, spacing: float | None, expected: str
) -> None:
    """Given samples farther apart than a selector looks back, then what to write is said."""
    found = ranges.hint([query], spacing)

    assert found.startswith(expected)
    assert bool(found) == bool(expected)
