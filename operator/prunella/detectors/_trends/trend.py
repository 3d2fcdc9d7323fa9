"""Where a series is heading: trend, season, teeth and the errors of a forecast on its own past.

Everything works on a matrix of series (rows) on one regular grid of times (columns), and every
fit is a fixed linear filter of the row: its matrix is made once for a length and is then one
multiplication for all series.

Sources: seasonal strength is from Wang, Smith and Hyndman (2006); the choice of a forecast by
its errors from rolling origins is from Tashman (2000), with the one-standard-error rule of
Breiman et al. (1984); the test of a change of slope is a sup-F test (Andrews 1993), whose limit
grows with the lag-1 autocorrelation of the residuals (Bayley and Hammersley 1946).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

MAX_BINS: Final = 336
"""Most columns that a window is condensed to: 5 days in half hours, 8 weeks in 4 hours."""
MIN_SAMPLES: Final = 24
"""Fewest samples that are worth a trend."""
_ORIGINS: Final = 16
_DAY: Final = 86_400
_WEEK: Final = 7 * _DAY
_BIN_SECONDS: Final = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800),
    *(3_600, 7_200, 10_800, 14_400, 21_600, 43_200, _DAY),
)
_SHARES: Final = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.0625)
_STRONG_SEASON: Final = 0.5
_SUP_F: Final = 12.0
"""About the 1 % level of Andrews' sup-F statistic for one parameter."""

Kind = Literal["line", "last", "curve"]


@dataclasses.dataclass(frozen=True, slots=True)
class Bank:
    """Filters for rows of one length: fits of several kinds over several lengths of the end."""

    lengths: Indices
    """Columns that each fit looks at, (fits,)."""
    curved: npt.NDArray[np.bool_]
    """Which fits are quadratic, (fits,)."""
    ends: Floats
    """(columns, fits * 3): level, slope and curvature at the last column."""
    horizons: Indices
    """Columns ahead for which errors are known, (horizons,)."""
    misses: tuple[Floats, ...]
    """For each horizon (columns, fits * origins): forecast minus what came."""
    weights: tuple[Floats, ...]
    """For each horizon (origins,): recent origins count more; they add up to 1."""


def bin_width(samples: int, step: float) -> int:
    """Samples in one column, chosen so that a day is a whole number of columns if it can be."""
    needed = samples * step / MAX_BINS
    for seconds in _BIN_SECONDS:
        if needed <= seconds <= max(step, 4 * needed) and seconds % step == 0:
            return int(seconds // step)
    return max(1, int(np.ceil(samples / MAX_BINS)))


def condense(values: Floats, width: int) -> Floats:
    """Means of ``width`` samples each, aligned to the newest.

    Some of the oldest are left out, less than an eighth, so that there are few different numbers
    of columns: each needs filters of its own.
    """
    columns = columns_of(values.shape[1], width)
    newest = values[:, values.shape[1] - columns * width :]
    means: Floats = newest.reshape(-1, columns, width).mean(axis=2)
    return means


def columns_of(samples: int, width: int) -> int:
    """How many columns of ``width`` samples so many samples are condensed to."""
    columns = samples // width
    unit = 1 if columns < 64 else 8 if columns < 128 else 16
    return columns // unit * unit


def fill(values: Floats) -> tuple[Floats, Floats]:
    """Gaps (NaN, infinities) closed by straight lines, and the share of samples that were there.

    A row without any sample becomes zeros with a share of 0.
    """
    present = np.isfinite(values)
    share = present.mean(axis=1)
    if present.all():
        return values, share
    filled = np.where(present, values, 0.0)
    columns = np.arange(values.shape[1])
    for row in np.flatnonzero((share < 1) & (share > 0)):
        there = present[row]
        filled[row] = np.interp(columns, columns[there], values[row, there])
    return filled, share


def noise(values: Floats) -> Floats:
    """Standard deviation of the noise of each row, from the median of its second differences."""
    second = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
    spread: Floats = 1.4826 * np.median(np.abs(second), axis=1) / np.sqrt(6)
    return spread


def without_spikes(values: Floats) -> Floats:
    """The median of each three neighbours: a single wild sample vanishes, a step stays."""
    if values.shape[1] < 3:
        return values
    left, middle, right = values[:, :-2], values[:, 1:-1], values[:, 2:]
    cleaned = values.copy()
    cleaned[:, 1:-1] = np.maximum(
        np.minimum(left, middle), np.minimum(np.maximum(left, middle), right)
    )
    return cleaned


def season(columns: Floats, seconds: float) -> tuple[Floats, int]:
    """The season of each row, (rows, period), zero where it has none, and its period in columns.

    Classical decomposition: the mean of one period, moving, is taken off, the medians of each
    phase are the season.  It is kept where it explains more than half of what is left, and a
    week is preferred to a day.  The phase of column ``i`` is ``i % period``.
    """
    rows, length = columns.shape
    best, best_period = np.zeros((rows, 1)), 1
    for period in (round(_WEEK / seconds), round(_DAY / seconds)):
        if period < 4 or length < 2.5 * period or best_period % period * (best_period > 1):
            continue
        profile, strength = _profile(columns, period)
        strong = strength > _STRONG_SEASON
        if strong.any():
            tiled = np.tile(profile * strong[:, None], (1, best_period // period or 1))
            if best_period == 1:
                best, best_period = tiled, period
            else:
                best = np.where((best == 0).all(axis=1)[:, None], tiled, best)
    return best, best_period


def _profile(columns: Floats, period: int) -> tuple[Floats, Floats]:
    rows = len(columns)
    half = period // 2
    sums = np.concatenate([np.zeros((rows, 1)), np.cumsum(columns, axis=1)], axis=1)
    ends = sums[:, period:] - sums[:, :-period]
    moving = (ends[:, :-1] + ends[:, 1:]) / (2 * period)
    rest = columns[:, half : half + moving.shape[1]] - moving
    whole = -(-rest.shape[1] // period)
    padded = np.full((rows, whole * period), np.nan)
    padded[:, : rest.shape[1]] = rest
    profile = np.nanmedian(padded.reshape(rows, whole, period), axis=1)
    profile -= profile.mean(axis=1, keepdims=True)
    left = rest - np.tile(profile, (1, whole))[:, : rest.shape[1]]
    before = np.median(np.abs(rest - np.median(rest, axis=1, keepdims=True)), axis=1)
    strength = 1 - np.median(np.abs(left), axis=1) / np.maximum(before, 1e-300)
    return np.roll(profile, half, axis=1), strength


@functools.lru_cache(maxsize=12)
def bank(columns: int) -> Bank:
    """All filters for rows of so many columns: some MB, made in some ms, kept for the next."""
    lengths = [round(columns * share) for share in _SHARES if columns * share >= 8]
    fits: list[tuple[int, Kind]] = [(n, "line") for n in lengths]
    fits += [(n, "last") for n in lengths]
    fits += [(n, "curve") for n in lengths if n >= 24]
    ends = np.zeros((len(fits), 3, columns))
    for row, (length, kind) in zip(ends, fits, strict=True):
        row[:, columns - length :] = _fit(length, kind)
    horizons = sorted({max(2, columns // share) for share in (32, 16, 8, 4)})
    tested = [_misses(fits, columns, horizon) for horizon in horizons]
    return Bank(
        np.array([length for length, _ in fits]),
        np.array([kind == "curve" for _, kind in fits]),
        np.ascontiguousarray(ends.reshape(-1, columns).T),
        np.array(horizons),
        tuple(matrix for matrix, _ in tested),
        tuple(weights for _, weights in tested),
    )


@functools.lru_cache(maxsize=512)
def _fit(length: int, kind: Kind) -> Floats:
    """(3, length): least squares over ``length`` columns; level, slope, curvature at the last.

    ``last`` takes the slope of the line and the level of the last two columns: right where the
    series is a random walk with drift, whose past says nothing about its level.
    """
    x = np.arange(-length + 1, 1) / length
    degree = 2 if kind == "curve" else 1
    rows = np.zeros((3, length))
    rows[: degree + 1] = np.linalg.pinv(np.vander(x, degree + 1, increasing=True))
    rows /= np.array([[1.0], [length], [length**2]])
    if kind == "last":
        rows[0] = 0.5 * rows[1]
        rows[0, -2:] += 0.5
    return rows


@functools.lru_cache(maxsize=32)
def short_lines(columns: int, longest: int) -> Floats:
    """Filters (columns, lines * 2): level and slope of lines through the newest 5 to so many."""
    lengths = range(5, longest + 1)
    filters = np.zeros((len(lengths), 2, columns))
    for row, length in zip(filters, lengths, strict=True):
        row[:, columns - length :] = _fit(length, "line")[:2]
    return np.ascontiguousarray(filters.reshape(-1, columns).T)


def _misses(fits: list[tuple[int, Kind]], columns: int, horizon: int) -> tuple[Floats, Floats]:
    first = max(horizon, columns // 4, 8)
    origins = np.unique(np.linspace(first, columns - 1 - horizon, _ORIGINS).astype(int))
    filters = np.zeros((len(fits), len(origins), columns))
    ahead = np.array([1.0, horizon, horizon**2])
    for i, (length, kind) in enumerate(fits):
        for j, origin in enumerate(origins):
            known = min(length, origin + 1)
            filters[i, j, origin - known + 1 : origin + 1] = ahead @ _fit(known, kind)
            filters[i, j, origin + horizon] -= 1
    weights = np.exp((origins - origins[-1]) / (columns / 4))
    return np.ascontiguousarray(filters.reshape(-1, columns).T), weights / weights.sum()


@dataclasses.dataclass(frozen=True, slots=True)
class Bend:
    """Since when a row has its present slope, and whether that slope is falling."""

    age: Indices
    """Columns since the slope changed; all where no change is significant, (rows,)."""
    changed: npt.NDArray[np.bool_]
    """Whether that change is significant, (rows,)."""
    curvature: Floats
    """Student's t of the quadratic term since then; clearly negative: it slows down, (rows,)."""


def bend(columns: Floats) -> Bend:
    """Look for the one change of slope that explains most, and for curvature since then."""
    length = columns.shape[1]
    basis, knots = _hinges(length)
    line = columns - columns @ basis[:, :2] @ basis[:, :2].T
    gains = line @ basis[:, 2:]
    best = np.argmax(gains**2, axis=1)
    gain = np.take_along_axis(gains, best[:, None], axis=1)
    rest = line - gain * basis[:, 2:].T[best]
    left = (rest**2).sum(axis=1)
    statistic = gain[:, 0] ** 2 / np.maximum(left / (length - 4), 1e-300)
    found = statistic > _SUP_F * dependence(rest)
    age = np.where(found, length - knots[best], length)
    return Bend(age, found, _curvature(columns, age))


@functools.lru_cache(maxsize=32)
def _hinges(length: int) -> tuple[Floats, Indices]:
    """(length, 2 + knots): an orthonormal line, and hinges that are orthogonal to it."""
    x = np.arange(length, dtype=float)
    line, _ = np.linalg.qr(np.stack([np.ones(length), x], axis=1))
    knots = np.arange(3, length - 4)
    hinges = np.maximum(0.0, x[:, None] - knots)
    hinges -= line @ (line.T @ hinges)
    hinges /= np.linalg.norm(hinges, axis=0)
    return np.concatenate([line, hinges], axis=1), knots


def _curvature(columns: Floats, age: Indices) -> Floats:
    result = np.zeros(len(columns))
    for length in np.unique(age):
        if length < 5:
            continue
        rows = age == length
        result[rows] = curvature(columns[rows, -length:])
    return result


def curvature(columns: Floats) -> Floats:
    """Student's t of the quadratic term of each row, allowing for autocorrelated residuals."""
    length = columns.shape[1]
    basis = _parabola(length)
    parts = columns @ basis
    rest = columns - parts @ basis.T
    variance = (rest**2).sum(axis=1) / (length - 3) * dependence(rest)
    statistic: Floats = parts[:, 2] / np.sqrt(np.maximum(variance, 1e-300))
    return statistic


@functools.lru_cache(maxsize=512)
def _parabola(length: int) -> Floats:
    x = np.linspace(-1, 1, length)
    basis, upper = np.linalg.qr(np.stack([np.ones(length), x, x * x], axis=1))
    return basis * np.sign(np.diag(upper))


def dependence(rest: Floats) -> Floats:
    """(1 + r) / (1 - r): how many times fewer independent residuals there are, (rows,)."""
    power = np.maximum((rest**2).sum(axis=1), 1e-300)
    lag = np.clip((rest[:, 1:] * rest[:, :-1]).sum(axis=1) / power, 0.0, 0.97)
    ratio: Floats = (1 + lag) / (1 - lag)
    return ratio
