"""A trend without a limit: it grows, surely and by enough to matter, whatever the season.

Falls, jumps and a season are taken out as for a forecast.  The slope is Theil and Sen's, its
significance Mann and Kendall's, with the variance multiplied by ``(1 + r) / (1 - r)`` for the
lag-1 autocorrelation r of what the trend leaves (Yue and Wang 2004).
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.detectors._trends import ranks, sawtooth, sliding, trend

Params = detectors_api.Drift
Direction = detectors_api.Trend
Bools = npt.NDArray[np.bool_]

_MOST_PAIRS_OF: Final = 60
_MOST_MISSING: Final = 0.3


def detect(values: trend.Floats, step: float, params: Params) -> list[model.Judgement]:
    """Judge (series, samples) on a regular grid of ``step`` seconds, NaN where one is missing."""
    filled, share = trend.fill(np.asarray(values, dtype=float))
    if filled.shape[1] < trend.MIN_SAMPLES:
        return [_short(filled.shape[1])] * len(filled)
    cleaned = trend.without_spikes(filled)
    least = sawtooth.least_steps(cleaned, filled)
    for row in np.flatnonzero(sawtooth.has_steps(cleaned, least)):
        cleaned[row] = sawtooth.smooth(cleaned[row], filled[row], np.inf, float(least[row]))
    width = trend.bin_width(filled.shape[1], step)
    columns = trend.condense(cleaned, width)
    coarse = _coarse(columns, width * step)
    present = share >= 1 - _MOST_MISSING
    levels = np.median(np.abs(filled), axis=1)
    found = _measure(coarse, levels)
    return [
        judge(found, row, params) if present[row] else _short(int(share[row] * filled.shape[1]))
        for row in range(len(coarse))
    ]


def _coarse(columns: trend.Floats, seconds: float) -> trend.Floats:
    """Columns without their season, so few that all pairs of them can be looked at."""
    season, period = trend.season(columns, seconds)
    flat = columns
    if period > 1:
        flat = columns - season[:, np.arange(columns.shape[1]) % period]
    return trend.condense(flat, -(-flat.shape[1] // _MOST_PAIRS_OF))


def surely_healthy(values: trend.Floats, size: int, step: float, params: Params) -> Bools:
    """Which windows of ``size`` samples, of (samples,), `detect` surely finds Healthy."""
    healthy = np.zeros(len(values) - size + 1, dtype=bool)
    if size < trend.MIN_SAMPLES or not np.isfinite(values).any():
        return healthy
    every = sliding.windows(values, size, step)
    asked = np.flatnonzero(every.whole & (every.share >= 1 - _MOST_MISSING))
    if not len(asked):
        return healthy
    coarse = _coarse(every.columns[asked], every.width * step)
    # A change smaller than the least one for the smallest level is so for the window's own.
    levels = sliding.least_median(np.abs(every.filled), size)[asked]
    least = params.minimum * levels / (coarse.shape[1] - 1) * (1 - 1e-9)
    sides = {Direction.UP: (1,), Direction.DOWN: (-1,), Direction.EITHER: (1, -1)}
    healthy[asked] = np.logical_and.reduce(
        [_mostly_less(side * coarse, least) for side in sides[params.direction]]
    )
    return healthy


def _mostly_less(coarse: trend.Floats, least: trend.Floats) -> Bools:
    """Where more than half of all pairs of (rows, places) rise by less than ``least`` a place.

    Pairs equally far apart are looked at together: all pairs at once would be tens of MB.
    """
    rows, places = coarse.shape
    columns = np.ascontiguousarray(coarse.T)
    less = np.zeros(rows, dtype=np.int64)
    for apart in range(1, places):
        below = columns[apart:] - columns[:-apart] < apart * least
        # Bytes are added several times as fast as truths, and hold as many as there are places.
        less += np.add.reduce(below.view(np.uint8), axis=0, dtype=np.uint8)
    enough: Bools = less > places * (places - 1) / 4
    return enough


@dataclasses.dataclass(frozen=True, slots=True)
class Slopes:
    """What is seen of some series, one element for each."""

    slope: trend.Floats
    change: trend.Floats
    """Over the window, as a share of the median level."""
    p_value: trend.Floats
    """Of a trend in the slope's direction."""


def _measure(flat: trend.Floats, levels: trend.Floats) -> Slopes:
    """Slopes of series without season, (series, places), whose median size is ``levels``."""
    slope, score = ranks.theil_sen_and_score(flat)
    places = np.arange(flat.shape[1])
    rest = flat - slope[:, None] * places
    rest = rest - np.median(rest, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(
            levels > 0, slope * (flat.shape[1] - 1) / levels, np.copysign(np.inf, slope)
        )
    sign = np.where(slope >= 0, 1.0, -1.0)
    p_value = ranks.mann_kendall_of(sign * score, flat, trend.dependence(rest))
    return Slopes(slope, change, p_value)


def judge(found: Slopes, row: int, params: Params) -> model.Judgement:
    """Judge one series."""
    change, p_value = float(found.change[row]), float(found.p_value[row])
    bad = {Direction.UP: change, Direction.DOWN: -change, Direction.EITHER: abs(change)}
    message = f"it changes by {change:+.1%} over the window (p {p_value:.2g})"
    if found.slope[row] == 0 or bad[params.direction] < params.minimum:
        message += f", less than {params.minimum:.1%}"
        return model.Judgement(model.Verdict.HEALTHY, "NoDrift", message)
    if p_value > params.significance:
        message += f", which may be chance: p must be at most {params.significance:g}"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.UNCERTAIN_SLOPE, message)
    return model.Judgement(model.Verdict.UNHEALTHY, "Drifts", message)


def _short(samples: int) -> model.Judgement:
    message = f"{samples} samples are too few to see a trend"
    return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_SHORT, message)
