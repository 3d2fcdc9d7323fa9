"""Rank tests in numpy, with ties; p values are one-sided: the second sample is larger.

Sources: Mann and Whitney (1947), Brunner and Munzel (2000), Cliff (1993), Wilcoxon (1945), Mann
(1945) and Kendall (1975), Theil (1950) and Sen (1968); the t distribution by Wallace (1959).
"""

from __future__ import annotations

import math
import statistics
from typing import Final

import numpy as np

from prunella.detectors._trends import trend

_NORMAL: Final = statistics.NormalDist()


def midranks(values: trend.Floats) -> trend.Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: trend.Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def cliffs_delta(first: trend.Floats, second: trend.Floats) -> float:
    """P(second > first) - P(second < first), from -1 to 1."""
    ranks = midranks(np.concatenate([first, second]))
    above = ranks[len(first) :].sum() - len(second) * (len(second) + 1) / 2
    return float(2 * above / (len(first) * len(second)) - 1)


def mann_whitney(first: trend.Floats, second: trend.Floats) -> float:
    """The p value, by the normal approximation with ties and continuity. Needs 8 or more each."""
    n, m = len(first), len(second)
    pooled = np.concatenate([first, second])
    above = midranks(pooled)[n:].sum() - m * (m + 1) / 2
    _, counts = np.unique(pooled, return_counts=True)
    ties = (counts**3 - counts).sum() / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - ties)
    if variance <= 0:
        return 1.0
    return 1 - _NORMAL.cdf((above - n * m / 2 - 0.5) / math.sqrt(variance))


def brunner_munzel(first: trend.Floats, second: trend.Floats, dependence: float = 1.0) -> float:
    """The p value without assuming equal spreads. Needs 8 or more each.

    ``dependence``: how many times fewer independent values there are than values.
    """
    n, m = len(first), len(second)
    ranks = midranks(np.concatenate([first, second]))
    own = float(np.var(ranks[:n] - midranks(first), ddof=1))
    other = float(np.var(ranks[n:] - midranks(second), ddof=1))
    shift = float(ranks[n:].mean() - ranks[:n].mean())
    spread = n * own + m * other
    if spread <= 0:
        return 0.0 if shift > 0 else 1.0
    statistic = n * m * shift / ((n + m) * math.sqrt(spread * dependence))
    freedom = spread**2 / ((n * own) ** 2 / (n - 1) + (m * other) ** 2 / (m - 1))
    return upper_t(statistic, max(2.0, freedom / dependence))


def signed_rank(values: trend.Floats, dependence: float = 1.0) -> float:
    """Wilcoxon's p value that values, of which 8 or more are not 0, are larger than 0."""
    there = values[values != 0]
    if not len(there):
        return 1.0
    places = midranks(np.abs(there))
    score = float((places * np.sign(there)).sum())
    near = max(0.0, abs(score) - 1) * math.copysign(1.0, score)
    return 1 - _NORMAL.cdf(near / math.sqrt(float((places**2).sum()) * dependence))


def upper_t(statistic: float, freedom: float) -> float:
    """P(T > statistic) of Student's t, good to about 1 % of itself from 3 degrees up."""
    size = math.sqrt(freedom * math.log1p(statistic**2 / freedom))
    return _NORMAL.cdf(-math.copysign((8 * freedom + 1) / (8 * freedom + 3) * size, statistic))


def quantile_t(upper: float, freedom: float) -> float:
    """The statistic with this upper tail: the inverse of ``upper_t``."""
    size = -_NORMAL.inv_cdf(upper) * (8 * freedom + 3) / (8 * freedom + 1)
    return math.copysign(math.sqrt(freedom * math.expm1(size**2 / freedom)), size)


def theil_sen(values: trend.Floats) -> float:
    """The median slope between all pairs, per place."""
    i, j = np.triu_indices(len(values), 1)
    return float(np.median((values[j] - values[i]) / (j - i)))


def mann_kendall(values: trend.Floats, dependence: float = 1.0) -> float:
    """The p value of a rising trend, with ties."""
    n = len(values)
    i, j = np.triu_indices(n, 1)
    score = float(np.sign(values[j] - values[i]).sum())
    _, counts = np.unique(values, return_counts=True)
    ties = float((counts * (counts - 1) * (2 * counts + 5)).sum())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18 * dependence
    if variance <= 0:
        return 1.0
    return 1 - _NORMAL.cdf(
        (score - math.copysign(min(1.0, abs(score)), score)) / math.sqrt(variance)
    )
