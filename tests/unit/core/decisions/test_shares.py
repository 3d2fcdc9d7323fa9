"""Shares of a set of targets, from one target to a hundred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.core.decisions import shares

SIZES = (1, 2, 3, 4, 5, 100)
ALLOWANCES: dict[int | str, tuple[int, ...]] = {
    # limit: allowed of 1, 2, 3, 4, 5, 100 targets
    "25%": (1, 1, 1, 1, 1, 25),
    "20%": (1, 1, 1, 1, 1, 20),
    "50%": (1, 1, 1, 2, 2, 50),
    "99%": (1, 1, 2, 3, 4, 99),
    "100%": (1, 2, 3, 4, 5, 100),
    "0%": (1, 1, 1, 1, 1, 1),
    0: (0, 0, 0, 0, 0, 0),
    3: (3, 3, 3, 3, 3, 3),
}
ROWS = [
    pytest.param(limit, size, allowed, id=f"{limit} of {size}")
    for limit, row in ALLOWANCES.items()
    for size, allowed in zip(SIZES, row, strict=True)
]
PERCENTS = st.integers(0, 100)


@pytest.mark.parametrize(("limit", "size", "expected"), ROWS)
def test_allowance(limit: int | str, size: int, expected: int) -> None:
    """Percentages round down and never fall below one; a number is taken as it is."""
    assert expected == shares.allowance(limit, size)


@pytest.mark.parametrize(
    ("limit", "size", "expected"),
    [("25%", 1, 1), ("25%", 4, 1), ("25%", 40, 10), ("25%", 100, 10), (30, 100, 30), (0, 5, 0)],
)
def test_unavailable_allowance(limit: int | str, size: int, expected: int) -> None:
    """A share is capped by an absolute number; a written number is the author's own choice."""
    assert expected == shares.unavailable_allowance(limit, size)


@given(percent=PERCENTS, size=st.integers(1, 100_000))
def test_a_share_is_at_least_one_and_at_most_all(percent: int, size: int) -> None:
    """However small the set, one target may be healed; never more than there are."""
    allowed = shares.allowance(f"{percent}%", size)
    assert 1 <= allowed <= size
    assert allowed == 1 or 100 * allowed <= percent * size
    assert 1 <= shares.unavailable_allowance(f"{percent}%", size) <= min(allowed, 10)


@given(percents=st.tuples(PERCENTS, PERCENTS), sizes=st.tuples(st.integers(1), st.integers(1)))
def test_a_larger_share_of_a_larger_set_allows_no_less(
    percents: tuple[int, int], sizes: tuple[int, int]
) -> None:
    """An allowance never falls when its limit or its set grows."""
    low, high = sorted(percents)
    small, large = sorted(sizes)
    assert shares.allowance(f"{low}%", small) <= shares.allowance(f"{high}%", large)
