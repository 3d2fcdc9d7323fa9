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
    return float(theil_sen_and_score(values[None, :])[0][0])


def mann_kendall(values: trend.Floats, dependence: float = 1.0) -> float:
    """The p value of a rising trend, with ties."""
    row = values[None, :]
    return float(mann_kendall_of(theil_sen_and_score(row)[1], row, np.array([dependence]))[0])


def theil_sen_and_score(values: trend.Floats) -> tuple[trend.Floats, trend.Floats]:
    """Of (series, places): the median slope of all pairs, and how many more rise than fall."""
    i, j = np.triu_indices(values.shape[1], 1)
    rises = values[:, j] - values[:, i]
    score: trend.Floats = np.sign(rises).sum(axis=1)
    return np.median(rises / (j - i), axis=1), score


def mann_kendall_of(
    score: trend.Floats, values: trend.Floats, dependence: trend.Floats
) -> trend.Floats:
    """The p values of a rising trend with these scores, ties among (series, places) counted."""
    n = values.shape[1]
    ties = np.zeros(len(values))
    ordered = np.sort(values, axis=1)
    for row in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)):
        _, counts = np.unique(values[row], return_counts=True)
        ties[row] = float((counts * (counts - 1) * (2 * counts + 5)).sum())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18 * dependence
    nearer = score - np.copysign(np.minimum(1.0, np.abs(score)), score)
    z = np.where(variance > 0, nearer / np.sqrt(np.maximum(variance, 1e-300)), -np.inf)
    return np.array([1 - _NORMAL.cdf(each) for each in z.tolist()])
