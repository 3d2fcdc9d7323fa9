"""The time until a series reaches a limit, with a band, or the reason why nobody can know it.

For a whole matrix of series at once, in one pass:

1. Single wild samples are taken out; falls become an envelope or are spliced (``sawtooth``).
2. The window is condensed to at most some hundred columns; a daily or weekly season that
   explains more than half of what moves is taken off, and put back when the limit is met.
3. Lines, lines through the newest level and parabolas are fitted to nine lengths of the end.
   Each is tried on the window's own past, from up to 16 origins, at the horizon that is asked
   for; the simplest (a line, the longest) within one standard error of the best is taken.
   None may look back beyond a significant change of slope.
4. The time is that at which ``level + slope t + curvature t^2 + season(t)`` meets the limit.
   The band is that time -+ ``z * error / speed``, where the error is the root mean square miss
   of step 3, grown in proportion to the time, and z belongs to the confidence.
5. It is doubted where the slope is younger than half of the time ahead, is falling
   significantly, or is less than twice its own error; and where the series falls again and
   again, the next fall is due before that time, and the peaks do not grow for sure.

Sources: Tashman (2000) for rolling origins, Breiman et al. (1984) for one standard error; see
``trend`` for the rest.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import statistics
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.detectors._trends import sawtooth, sliding, trend

Params = detectors_api.Forecast
Direction = detectors_api.Direction

MOST_PER_AGE: Final = 2.0
"""A slope is believed for at most so many times its own age."""
SLOWING: Final = -3.0
SLOWING_SINCE_BEND: Final = -2.0
"""t statistic of the curvature from which a slope counts as falling: one that is new is
believed less, as what comes to rest begins like a leak."""
SIGNIFICANCE: Final = 2.0
"""The slope must be so many times its error."""
PEAKS_GROW: Final = 0.01
"""Largest p value at which the peaks between falls count as growing."""
MOST_MISSING: Final = 0.3
"""Share of missing samples from which a window is not judged."""

Bools = npt.NDArray[np.bool_]


class Doubt(enum.StrEnum):
    """Why a time is not to be acted on."""

    NONE = ""
    TOO_SHORT = "TooShort"
    GAPS = "Gaps"
    YOUNG = "SlopeTooYoung"
    SLOWING = "SlowingDown"
    UNCERTAIN = "UncertainSlope"
    RESETS = "ResetsBefore"


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from the newest sample until the limit is reached, one element for each series."""

    seconds: trend.Floats
    """The best guess; infinite: never, as far as can be seen."""
    soonest: trend.Floats
    latest: trend.Floats
    reached: npt.NDArray[np.bool_]
    """It is there already: the median of the newest three samples."""
    doubts: tuple[Doubt, ...]

    def sure_seconds(self) -> trend.Floats:
        """The best guesses, infinite where they are doubted."""
        doubted = np.array([doubt is not Doubt.NONE for doubt in self.doubts])
        return np.where(self.reached, 0.0, np.where(doubted, np.inf, self.seconds))


@dataclasses.dataclass(frozen=True, slots=True)
class _Path:
    """The chosen fit of each series, in columns from the newest one."""

    level: trend.Floats
    slope: trend.Floats
    curvature: trend.Floats
    error: trend.Floats
    """Root mean square miss at the horizon."""
    horizon: trend.Floats
    slope_error: trend.Floats


def project(
    values: trend.Floats,
    limit: float | trend.Floats,
    step: float,
    *,
    direction: Direction = Direction.RISING,
    confidence: float = 0.9,
) -> Forecast:
    """Forecast (series, samples), a regular grid of ``step`` seconds, NaN where one is missing.

    The limit is one number, one for each series, or as large as ``values``.
    """
    limits = np.reshape(limit, (-1, 1)) if np.ndim(limit) == 1 else limit
    gap, share = trend.fill(np.asarray(values - np.asarray(limits), dtype=float))
    if direction is Direction.FALLING:
        gap = -gap
    if gap.shape[1] < trend.MIN_SAMPLES or not len(gap):
        return _nothing(len(gap))
    cleaned = trend.without_spikes(gap)
    resets: dict[int, sawtooth.Resets] = {}
    least = sawtooth.least_steps(cleaned, gap)
    for row in np.flatnonzero(sawtooth.has_steps(cleaned, least)):
        smooth = sawtooth.smooth(cleaned[row], gap[row], 0.0, float(least[row]))
        seen = sawtooth.resets(cleaned[row], gap[row], float(least[row]))
        if seen is not None:
            resets[int(row)] = seen
        cleaned[row] = smooth
    width = trend.bin_width(gap.shape[1], step)
    columns = trend.condense(cleaned, width)
    season, period = trend.season(columns, width * step)
    flat = columns - season[:, np.arange(columns.shape[1]) % period]
    bend = trend.bend(flat)
    path = _choose(flat, season.max(axis=1), bend.age)
    lead = _meet(path, np.roll(season, -(columns.shape[1] % period), axis=1))
    margin = _margin(path, lead, confidence)
    doubts = _doubts(path, lead, bend, share)
    # A column stands for its middle, the times count from its newest sample.
    late = 0.5 * (1 - 1 / width)
    times = [np.maximum(0.0, t - late) * width * step for t in (lead, lead - margin, lead + margin)]
    reached = np.median(gap[:, -3:], axis=1) >= 0
    doubts = _reset_before(doubts, lead, resets)
    return Forecast(times[0], times[1], times[2], reached & (share > 0), doubts)


def _reset_before(
    doubts: tuple[Doubt, ...], lead: trend.Floats, resets: dict[int, sawtooth.Resets]
) -> tuple[Doubt, ...]:
    """Doubt what the newest tooth reaches only after the next fall, unless peaks grow surely."""
    doubted = list(doubts)
    for row, seen in resets.items():
        if (
            seen.due < seen.alone
            and seen.grows > PEAKS_GROW
            and lead[row] < np.inf
            and doubts[row] is Doubt.NONE
        ):
            doubted[row] = Doubt.RESETS
    return tuple(doubted)


def surely_healthy(
    values: trend.Floats,
    size: int,
    step: float,
    params: Params,
    limits: trend.Floats | None = None,
) -> Bools:
    """Which windows of ``size`` samples, of (samples,), `detect` surely finds Healthy."""
    bound: Any = params.limit if params.limit is not None else limits
    none = np.zeros(len(values) - size + 1, dtype=bool)
    if bound is None or size < trend.MIN_SAMPLES or not np.isfinite(values).any():
        return none
    gap = values - bound if params.direction is Direction.RISING else bound - values
    every = sliding.windows(gap, size, step)
    asked = np.flatnonzero(every.whole & (every.share >= 1 - MOST_MISSING))
    newest = np.stack([every.filled[size - 3 + late :][: len(none)] for late in range(3)])
    asked = asked[np.median(newest, axis=0)[asked] < 0]
    if not len(asked):
        return none
    within = params.within.total_seconds()
    none[asked] = never_within(every.columns[asked], every.width * step, within)
    return none


def never_within(columns: trend.Floats, seconds: float, within: float) -> Bools:
    """Which rows of gaps below the limit surely don't meet it within so many seconds, (rows,).

    Whatever is tried and chosen: not by any of the fits, nor by a line since a change of slope.
    Columns, ``seconds`` wide, have no steps.  It is many times cheaper than `project`.
    """
    season, period = trend.season(columns, seconds)
    flat = columns - season[:, np.arange(columns.shape[1]) % period]
    bank = trend.bank(columns.shape[1])
    # A meeting is rounded up to whole columns, and a column stands for its middle.
    ahead = within / seconds + 1.5
    ends = (flat @ bank.ends).reshape(len(flat), -1, 3)
    highest = ends[..., 0] + ahead * np.maximum(ends[..., 1], 0.0)
    highest += ahead**2 * np.maximum(ends[..., 2], 0.0)
    shortest = int(bank.lengths.min())
    lines = (flat @ trend.short_lines(columns.shape[1], shortest)).reshape(len(flat), -1, 2)
    newest = lines[..., 0] + ahead * np.maximum(lines[..., 1], 0.0)
    top = np.maximum(highest.max(axis=1), newest.max(axis=1)) + season.max(axis=1)
    never: Bools = top < -1e-9 * np.abs(columns).max(axis=1)
    return never


def _nothing(rows: int) -> Forecast:
    never = np.full(rows, np.inf)
    return Forecast(never, never, never, np.zeros(rows, bool), (Doubt.TOO_SHORT,) * rows)


def _choose(flat: trend.Floats, top: trend.Floats, age: trend.Indices) -> _Path:
    """The simplest fit within one standard error of the best on the window's own past.

    Fits that look back beyond a change of slope, ``age`` columns ago, are out; where none is
    left, the line since the change is taken.
    """
    bank = trend.bank(flat.shape[1])
    rows = np.arange(len(flat))
    ends = (flat @ bank.ends).reshape(len(flat), -1, 3)
    asked = _horizon(_solve(-ends[..., 0] - top[:, None], ends[..., 1], ends[..., 2]), bank)
    squares, spreads = _tried(flat, bank)
    loss, spread = squares[rows, asked], spreads[rows, asked]
    fits = bank.lengths <= age[:, None]
    loss = np.where(fits, loss, np.inf)
    best = loss.argmin(axis=1)
    good = loss <= (loss + spread)[rows, best][:, None]
    # Lines before parabolas, then the longer, then the fitted level before the newest.
    order = np.lexsort((np.arange(len(bank.lengths)), -bank.lengths, bank.curved))
    pick = order[good[:, order].argmax(axis=1)]
    level, slope, curvature = ends[rows, pick].T.copy()
    errors = np.sqrt(squares[rows, :, pick])
    path = _Path(
        level,
        slope,
        curvature,
        errors[rows, asked],
        bank.horizons[asked].astype(float),
        (errors / bank.horizons).min(axis=1),
    )
    for row in np.flatnonzero(~fits.any(axis=1)):
        _since(path, int(row), flat[row, -age[row] :])
    return path


def _since(path: _Path, row: int, columns: trend.Floats) -> None:
    """Put the line through the newest columns, five or more of them, into one row."""
    length = len(columns)
    x = np.arange(1 - length, 1.0)
    slope, level = np.polyfit(x, columns, 1)
    rest = (columns - level - slope * x)[None, :]
    part = float(trend.dependence(rest)[0])
    noise = math.sqrt(float((rest**2).sum()) / (length - 2) * part)
    path.level[row], path.slope[row], path.curvature[row] = level, slope, 0.0
    path.slope_error[row] = noise * math.sqrt(12 / length**3)
    # A line tells its own length ahead with about four times the variance of its middle.
    path.error[row], path.horizon[row] = 4 * noise / math.sqrt(length), length


def _horizon(leads: trend.Floats, bank: trend.Bank) -> trend.Indices:
    """Which horizon is nearest to what the fits say in the middle, (series,)."""
    clipped = np.clip(leads, bank.horizons[0], bank.horizons[-1])
    there = np.sort(np.where(np.isfinite(leads), clipped, np.inf), axis=1)
    count = np.isfinite(there).sum(axis=1)
    middle = there[np.arange(len(there)), np.maximum(count - 1, 0) // 2]
    middle = np.where(count > 0, middle, bank.horizons[-1])
    nearest: trend.Indices = np.abs(np.log(bank.horizons / middle[:, None])).argmin(axis=1)
    return nearest


def _tried(flat: trend.Floats, bank: trend.Bank) -> tuple[trend.Floats, trend.Floats]:
    """(series, horizons, fits): mean squared misses, and their standard errors."""
    means, spreads = [], []
    for filters, weights in zip(bank.misses, bank.weights, strict=True):
        misses = (flat @ filters).reshape(len(flat), -1, len(weights)) ** 2
        mean = misses @ weights
        variance = np.maximum((misses**2) @ weights - mean**2, 0.0)
        means.append(mean)
        spreads.append(np.sqrt(variance * (weights**2).sum()))
    return np.stack(means, axis=1), np.stack(spreads, axis=1)


def _solve(gap: trend.Floats, slope: trend.Floats, curvature: trend.Floats) -> trend.Floats:
    """The first time from now at which ``slope t + curvature t^2`` is ``gap``, or infinity."""
    with np.errstate(all="ignore"):
        root = slope**2 + 4 * curvature * gap
        time = 2 * gap / (slope + np.sqrt(np.maximum(root, 0.0)))
        never = (root < 0) | (time < 0) | ~np.isfinite(time)
    return np.where(gap <= 0, 0.0, np.where(never, np.inf, time))


def _meet(path: _Path, season: trend.Floats) -> trend.Floats:
    """Columns until trend and season meet zero; the season's first phase is the next column."""
    period = season.shape[1]
    if period == 1:
        return _solve(-path.level - season[:, 0], path.slope, path.curvature)
    # A row without a season is met between columns, as it is by itself.
    smooth = _solve(-path.level, path.slope, path.curvature)
    phases = np.arange(1, period + 1)
    over = _solve(-season - path.level[:, None], path.slope[:, None], path.curvature[:, None])
    with np.errstate(invalid="ignore"):
        first = phases + period * np.ceil(np.maximum(0.0, over - phases) / period)
    meets: trend.Floats = first.min(axis=1)
    rows = np.flatnonzero(np.isfinite(meets))
    after = _height(path, season, rows, meets[rows])
    before = _height(path, season, rows, meets[rows] - 1)
    crossing = (before < 0) & (after > before)
    part = np.where(crossing, -before / np.where(crossing, after - before, 1.0), 1.0)
    meets[rows] += np.clip(part, 0.0, 1.0) - 1
    return np.where((season == 0).all(axis=1), smooth, meets)


def _height(
    path: _Path, season: trend.Floats, rows: trend.Indices, ahead: trend.Floats
) -> trend.Floats:
    phase = (ahead.astype(int) - 1) % season.shape[1]
    grown = path.slope[rows] * ahead + path.curvature[rows] * ahead**2
    height: trend.Floats = path.level[rows] + grown + season[rows, phase]
    return height


def _speed(path: _Path, lead: trend.Floats) -> trend.Floats:
    """The mean slope from now until the limit."""
    return path.slope + path.curvature * np.where(np.isfinite(lead), lead, 0.0)


def _margin(path: _Path, lead: trend.Floats, confidence: float) -> trend.Floats:
    quantile = statistics.NormalDist().inv_cdf(0.5 + confidence / 2)
    finite = np.where(np.isfinite(lead), lead, 0.0)
    error = path.error * np.maximum(1.0, finite / path.horizon)
    with np.errstate(all="ignore"):
        margin = quantile * error / _speed(path, lead)
    return np.where(np.isfinite(lead) & (margin >= 0), margin, 0.0)


def _doubts(
    path: _Path, lead: trend.Floats, bend: trend.Bend, share: trend.Floats
) -> tuple[Doubt, ...]:
    ahead = np.isfinite(lead)
    slowing = np.where(bend.changed, SLOWING_SINCE_BEND, SLOWING)
    uncertain = _speed(path, lead) < SIGNIFICANCE * path.slope_error
    chosen = np.select(
        [
            share < 1 - MOST_MISSING,
            ahead & (bend.curvature < slowing),
            ahead & (lead > MOST_PER_AGE * bend.age),
            ahead & uncertain,
        ],
        [Doubt.GAPS, Doubt.SLOWING, Doubt.YOUNG, Doubt.UNCERTAIN],
        default=Doubt.NONE,
    )
    return tuple(Doubt(str(doubt)) for doubt in chosen)


def detect(
    values: trend.Floats, step: float, params: Params, limit: trend.Floats | None = None
) -> list[model.Judgement]:
    """Judge each series; ``limit`` holds the answers of ``reachesQuery``, shaped as in project."""
    bound: Any = params.limit if params.limit is not None else limit
    if bound is None:
        message = "the query of the limit returned nothing"
        return [model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NO_LIMIT, message)] * len(
            values
        )
    found = project(values, bound, step, direction=params.direction, confidence=params.confidence)
    return [judge(found, row, params.within.total_seconds()) for row in range(len(values))]


def judge(found: Forecast, row: int, within: float) -> model.Judgement:
    """One series' verdict. Unhealthy only for a sure time, whose band does not end too late."""
    doubt, seconds = found.doubts[row], float(found.seconds[row])
    low, high = float(found.soonest[row]), float(found.latest[row])
    verdict = model.Verdict
    if doubt in (Doubt.TOO_SHORT, Doubt.GAPS):
        message = "too few samples to see where the series goes"
        return model.Judgement(verdict.UNKNOWN, doubt.value, message)
    if found.reached[row]:
        return model.Judgement(verdict.UNHEALTHY, "LimitReached", "the limit is reached already")
    if not math.isfinite(seconds):
        return model.Judgement(verdict.HEALTHY, "NotGrowing", "it is not on its way to the limit")
    message = f"the limit is reached in {_words(seconds)} ({_words(low)} to {_words(high)})"
    if seconds > within:
        message += f", not within {_words(within)}"
        return model.Judgement(verdict.HEALTHY, "NotWithin", message)
    if doubt is Doubt.NONE and high > 2 * within:
        doubt = Doubt.UNCERTAIN
    if doubt is not Doubt.NONE:
        return model.Judgement(verdict.UNKNOWN, doubt.value, f"if at all, {message}")
    message += f", within {_words(within)}"
    return model.Judgement(verdict.UNHEALTHY, "ReachesLimit", message)


def _words(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
