"""Rank tests, against values worked out by hand or from published tables."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.detectors._trends import ranks, trend

FIRST = np.array([1.0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1])
SECOND = np.array([3.0, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4])
"""The pain scores of Brunner and Munzel (2000), table 1."""


def test_equal_values_share_their_rank() -> None:
    """The mean of the places that they fill."""
    assert ranks.midranks(np.array([1.0, 2, 2, 2, 9])).tolist() == [1.0, 3.0, 3.0, 3.0, 5.0]


def test_cliffs_delta_counts_pairs() -> None:
    """4 of 6 pairs above, 1 below."""
    found = ranks.cliffs_delta(np.array([1.0, 3, 4]), np.array([4.0, 5]))
    assert found == pytest.approx((5 - 0) / 6)
    assert ranks.cliffs_delta(np.array([1.0]), np.array([2.0])) == 1.0


def test_the_published_example_of_brunner_and_munzel() -> None:
    """Their two-sided p is 0.0058: t = 3.1375 with 17.68 degrees of freedom."""
    assert ranks.brunner_munzel(FIRST, SECOND) == pytest.approx(0.0029, abs=2e-4)
    assert ranks.brunner_munzel(SECOND, FIRST) == pytest.approx(0.9971, abs=2e-4)
    assert ranks.brunner_munzel(FIRST, SECOND, 4.0) > 0.05


def test_mann_whitney_with_ties() -> None:
    """U = 112.5 of 154: z = (112.5 - 77 - 0.5) / 16.38... with the ties' variance."""
    assert 0.002 < ranks.mann_whitney(FIRST, SECOND) < 0.02
    assert ranks.mann_whitney(np.ones(9), np.ones(9)) == 1.0


def test_signed_ranks_weigh_the_sizes() -> None:
    """Of 1 to 10 only -1 is negative: (53 - 1) / sqrt(385) = 2.65; zeros say nothing."""
    values = np.array([-1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0])
    assert ranks.signed_rank(values) == pytest.approx(0.0040, abs=1e-4)
    assert ranks.signed_rank(-values) == pytest.approx(0.9960, abs=1e-4)
    assert ranks.signed_rank(values, 4.0) == pytest.approx(0.0926, abs=1e-3)
    assert ranks.signed_rank(np.zeros(9)) == 1.0


@pytest.mark.parametrize(
    ("statistic", "freedom", "upper"),
    [(1.812, 10, 0.05), (3.169, 10, 0.005), (2.552, 18, 0.01), (3.610, 18, 0.001), (0, 5, 0.5)],
)
def test_student_s_t_is_that_of_the_tables(statistic: float, freedom: int, upper: float) -> None:
    """And the quantile is its inverse."""
    assert ranks.upper_t(statistic, freedom) == pytest.approx(upper, rel=0.02)
    assert ranks.quantile_t(upper, freedom) == pytest.approx(statistic, rel=0.01, abs=1e-9)


def test_slopes_are_robust_and_trends_are_significant() -> None:
    """One wild value in twenty changes the median slope hardly."""
    line: trend.Floats = np.arange(0.0, 40.0, 2.0)
    line[7] = 1e6
    assert ranks.theil_sen(line) == pytest.approx(2.0)
    assert ranks.mann_kendall(line) < 1e-6
    assert ranks.mann_kendall(-line) > 0.999
    assert ranks.mann_kendall(line, dependence=50.0) > 0.01
    assert ranks.mann_kendall(np.ones(20)) == 1.0
