"""A trend without a limit: it grows, surely and by enough to matter, whatever the season.

Falls, jumps and a season are taken out as for a forecast.  The slope is Theil and Sen's, its
significance Mann and Kendall's, with the variance multiplied by ``(1 + r) / (1 - r)`` for the
lag-1 autocorrelation r of what the trend leaves (Yue and Wang 2004).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.detectors._trends import ranks, sawtooth, trend

Params = detectors_api.Drift
Direction = detectors_api.Trend

_MOST_PAIRS_OF: Final = 60
_MOST_MISSING: Final = 0.3


def detect(values: trend.Floats, step: float, params: Params) -> list[model.Judgement]:
    """Judge (series, samples) on a regular grid of ``step`` seconds, NaN where one is missing."""
    filled, share = trend.fill(np.asarray(values, dtype=float))
    if filled.shape[1] < trend.MIN_SAMPLES:
        return [_short(filled.shape[1])] * len(filled)
    cleaned = trend.without_spikes(filled)
    for row in np.flatnonzero(sawtooth.has_steps(cleaned)):
        cleaned[row] = sawtooth.smooth(cleaned[row], filled[row], np.inf)
    width = trend.bin_width(filled.shape[1], step)
    columns = trend.condense(cleaned, width)
    season, period = trend.season(columns, width * step)
    flat = columns - season[:, np.arange(columns.shape[1]) % period]
    coarse = trend.condense(flat, -(-flat.shape[1] // _MOST_PAIRS_OF))
    present = share >= 1 - _MOST_MISSING
    levels = np.median(np.abs(filled), axis=1)
    return [
        judge(coarse[row], float(levels[row]), params)
        if present[row]
        else _short(int(share[row] * filled.shape[1]))
        for row in range(len(coarse))
    ]


def judge(flat: trend.Floats, level: float, params: Params) -> model.Judgement:
    """Judge one series without season, (places,), whose median size is ``level``."""
    slope = ranks.theil_sen(flat)
    places = np.arange(len(flat))
    rest = flat - slope * places
    rest = rest - np.median(rest)
    dependence = float(trend.dependence(rest[None, :])[0])
    change = slope * (len(flat) - 1) / level if level > 0 else np.copysign(np.inf, slope)
    bad = {Direction.UP: change, Direction.DOWN: -change, Direction.EITHER: abs(change)}
    sign = 1.0 if slope >= 0 else -1.0
    p_value = ranks.mann_kendall(sign * flat, dependence)
    message = f"it changes by {change:+.1%} over the window (p {p_value:.2g})"
    if slope == 0 or bad[params.direction] < params.minimum:
        message += f", less than {params.minimum:.1%}"
        return model.Judgement(model.Verdict.HEALTHY, "NoDrift", message)
    if p_value > params.significance:
        message += f", which may be chance: p must be at most {params.significance:g}"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.UNCERTAIN_SLOPE, message)
    return model.Judgement(model.Verdict.UNHEALTHY, "Drifts", message)


def _short(samples: int) -> model.Judgement:
    message = f"{samples} samples are too few to see a trend"
    return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_SHORT, message)
