"""Passing states are left out of a comparison."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.detectors._trends import settled, trend

BLOCKS = 20
NOISE = np.random.default_rng(3).normal(0, 0.01, BLOCKS)
PLACES = np.arange(BLOCKS)


def _shifted(by: float, *, first: int, last: int) -> trend.Floats:
    return NOISE + np.where((PLACES >= first) & (PLACES < last), by, 0.0)


CASES = {
    "nothing but noise": (NOISE, []),
    "a line": (NOISE + 0.1 * PLACES, []),
    "a start, and the block after it": (_shifted(-0.3, first=0, last=4), [0, 1, 2, 3, 4]),
    "a start of one block": (_shifted(-0.3, first=0, last=1), [0, 1]),
    "a passing state, and what is beside it": (
        _shifted(0.2, first=8, last=11),
        [7, 8, 9, 10, 11],
    ),
    "the newest state": (_shifted(0.2, first=17, last=20), [16, 17, 18, 19]),
    "one wild block is no state": (_shifted(0.2, first=8, last=9), []),
}


@pytest.mark.parametrize(("means", "expected"), CASES.values(), ids=CASES)
def test_states_that_passed_are_left_out(means: trend.Floats, expected: list[int]) -> None:
    """Blocks that stand together, far from the line through most."""
    kept = settled.settled(means, np.full(BLOCKS, 0.01))
    assert expected == np.flatnonzero(~kept).tolist()


def test_too_little_is_never_left() -> None:
    """Half of so few blocks is no state that most are in."""
    means = np.where(np.arange(10) < 5, 0.0, 1.0) + NOISE[:10]
    assert settled.settled(means, np.full(10, 0.01)).all()
