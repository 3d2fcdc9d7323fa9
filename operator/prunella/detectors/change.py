"""Before against after a rollout, or a canary against the stable pods: level and slope.

Where both were measured at the same times, the second is judged as a ratio to the first, which
takes out what they share; otherwise each is judged alone.  Wild samples are pulled in.

Level: the rank test of Brunner and Munzel (2000), of a pair the signed-rank test of Wilcoxon
(1945), on the means of about 20 blocks, allowing for their autocorrelation r by
``(1 + r) / (1 - r)``, with Cliff's delta and the shift of the medians, as a share of the
reference, as least effects.  Slope: least squares, whose noise is the mean power of the 12
slowest waves beside the line, or of the 4 slowest where these are clearly larger; t with as
many degrees of freedom.  So slow noise counts for what it does to a slope (Mueller and Watson
2008; Lazarus, Lewis, Stock and Watson 2018).

Of a pair, a canary that warms up is not blamed: states that passed are left out
(`_trends/settled.py`), and what moves towards the stable pods has not arrived yet.  A leak leads
away from them: where the line ends must be surely beyond them, and a level that is falling back
fast must not be about to be gone.  Once something was left out, the end must be as sure as a
slope has to be otherwise, and the slope of the rest may be less sure.

Healthy needs proof too: the change must be surely smaller than the least effects.  What is
neither is Unknown.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Final

import numpy as np

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.detectors._trends import ranks, settled, trend

Params = detectors_api.Change
Worse = detectors_api.Worse

_BLOCKS: Final = 20
_BOUND: Final = 0.025
"""Upper tail of the band that must be below the least effects for a Healthy."""
_LEAST_BLOCKS: Final = 8
_WAVES: Final = 12
_SLOW: Final = 4
_RED: Final = 3.84
"""The 5 % level of F with 4 and 8 degrees of freedom: slow waves are clearly larger than others."""
_HINT: Final = 0.01
"""A p value that is enough beside another one that is at most ``significance``."""
_WILD: Final = 4.0
"""Samples so many standard deviations from the median of their eighth are pulled in to there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One comparison, as a share of the reference, positive where it grew."""

    size: float
    low: float
    high: float
    p_value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a comparison shows; positive is more than the reference."""

    shift: Effect
    delta: float
    """Cliff's delta of the level, from -1 to 1."""
    grows: Effect
    """Per hour."""
    end: Effect | None = None
    """The newest quarter of a pair, beside the reference; None: nothing warms up."""
    left_out: float = 0.0
    """Share of the time in passing states."""
    arriving: bool = False
    """The newest samples are in such a state."""
    hours: float = 0.0
    """Length of the comparison."""

    def mirrored(self) -> Found:
        """The same with more for less."""
        return dataclasses.replace(
            self,
            shift=_mirrored(self.shift),
            delta=-self.delta,
            grows=_mirrored(self.grows),
            end=None if self.end is None else _mirrored(self.end),
        )

    def leads_away(self, params: Params) -> bool:
        """Whether the slope is sure, and no way back to the reference."""
        sure = self.grows.p_value <= params.significance
        if self.end is None:
            return sure
        if self.arriving:
            return False
        if sure and self.end.p_value <= _HINT:
            return True
        return (
            self.left_out > 0
            and self.end.p_value <= params.significance
            and self.grows.p_value <= _HINT
        )

    def soon_gone(self, params: Params) -> bool:
        """Whether the level falls so fast that little of it is left after as long again."""
        if self.end is None or 1 - self.grows.p_value > _HINT:
            return False
        return self.end.size + self.grows.size * self.hours < params.minimum_shift


def detect(
    reference: trend.Floats,
    candidate: trend.Floats,
    step: float,
    params: Params,
    *,
    paired: bool = False,
    fresh: bool = True,
) -> model.Judgement:
    """Judge (samples,) against (samples,), ``step`` seconds apart, oldest first, NaN: missing.

    ``paired``: both were measured at the same times, as a canary and its stable pods are.
    ``fresh``: the candidate of a pair is so young that it may still warm up.
    """
    sides = [np.asarray(each, dtype=float) for each in (reference, candidate)]
    if paired:
        sides = _together(sides)
    counts = [int(np.isfinite(each).sum()) for each in sides]
    if min(counts) < params.minimum_samples:
        message = f"{min(counts)} samples of {params.minimum_samples} that a comparison needs"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_FEW_SAMPLES, message)
    scale = float(np.median(np.abs(sides[0][np.isfinite(sides[0])])))
    if scale == 0:
        message = "the reference is 0: a change can't be told as a share of it"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NO_REFERENCE, message)
    found = _pair(tame(_apart(sides, scale)), step) if paired else _in_turn(sides, scale, step)
    if not fresh:
        found = dataclasses.replace(found, end=None)
    if params.worse is Worse.LOWER:
        return judge(found.mirrored(), params)
    if params.worse is Worse.EITHER:
        order = (model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN, model.Verdict.HEALTHY)
        both = (judge(found, params), judge(found.mirrored(), params))
        return min(both, key=lambda each: order.index(each.verdict))
    return judge(found, params)


def _together(sides: list[trend.Floats]) -> list[trend.Floats]:
    """Both where both were measured, from the first such sample to the last."""
    both = np.isfinite(sides[0]) & np.isfinite(sides[1])
    there = np.flatnonzero(both)
    inside = slice(there[0], there[-1] + 1) if len(there) else slice(0, 0)
    return [np.where(both, each, np.nan)[inside] for each in sides]


def _pair(between: trend.Floats, step: float) -> Found:
    """What is seen in how far the second is from the first, (samples,)."""
    means = blocks(between)
    places = _places(len(between))
    sizes = np.bincount(places)
    errors = np.sqrt(np.bincount(places, (between - means[places]) ** 2)) / sizes
    steady = settled.settled(means, errors)
    shift, delta = paired_level(blocks(between[steady[places]]))
    line = _line(between, step / 3600, None if steady.all() else steady[places])
    return Found(
        shift,
        delta,
        _effect(line.slope, line.slope_error, line.freedom),
        _effect(line.end, line.end_error, line.freedom),
        left_out=1 - float(steady.mean()),
        arriving=not steady[-1],
        hours=len(between) * step / 3600,
    )


def _in_turn(sides: list[trend.Floats], scale: float, step: float) -> Found:
    tamed = [tame(each) / scale for each in sides]
    shift, delta = level(*(blocks(each) for each in tamed))
    return Found(shift, delta, slope(tamed, step))


def level(first: trend.Floats, second: trend.Floats) -> tuple[Effect, float]:
    """The shift of the medians between (blocks,) and (blocks,), and Cliff's delta."""
    parts = [_dependence(each) for each in (first, second)]
    error = math.hypot(
        *(_error(each, part) for each, part in zip((first, second), parts, strict=True))
    )
    size = float(np.median(second) - np.median(first))
    p_value = ranks.brunner_munzel(first, second, max(parts))
    wide = error * ranks.quantile_t(_BOUND, min(len(first), len(second)) - 1)
    return Effect(size, size - wide, size + wide, p_value), ranks.cliffs_delta(first, second)


def paired_level(between: trend.Floats) -> tuple[Effect, float]:
    """The median of how far the second is from the first, (blocks,), and the sign's dominance."""
    part = _dependence(between)
    size = float(np.median(between))
    wide = _error(between, part) * ranks.quantile_t(_BOUND, len(between) - 1)
    p_value = ranks.signed_rank(between, part)
    return Effect(size, size - wide, size + wide, p_value), float(np.sign(between).mean())


def slope(sides: list[trend.Floats], step: float) -> Effect:
    """How much more per hour the second of two sides of (samples,) grows than the first."""
    first, second = (_line(each, step / 3600) for each in sides)
    error = math.hypot(first.slope_error, second.slope_error)
    return _effect(second.slope - first.slope, error, min(first.freedom, second.freedom))


def _effect(size: float, error: float, freedom: int) -> Effect:
    wide = error * ranks.quantile_t(_BOUND, freedom)
    p_value = ranks.upper_t(size / error, freedom) if error > 0 else float(size <= 0)
    return Effect(size, size - wide, size + wide, p_value)


def judge(found: Found, params: Params) -> model.Judgement:
    """The verdict on effects whose positive side is the bad one."""
    shift, grows = found.shift, found.grows
    message = (
        f"level {shift.size:+.1%} (p {shift.p_value:.2g}, delta {found.delta:+.2f}), "
        f"slope {grows.size:+.1%} per hour (p {grows.p_value:.2g})"
    )
    if found.left_out:
        message += f", {found.left_out:.0%} of the time left out as passing states"
    shifted = (
        shift.p_value <= params.significance
        and shift.size >= params.minimum_shift
        and found.delta >= params.minimum_delta
    )
    if shifted and not found.soon_gone(params):
        return model.Judgement(model.Verdict.UNHEALTHY, "LevelChanged", message)
    steep = grows.p_value <= params.significance and grows.size >= params.minimum_slope
    if found.leads_away(params) and grows.size >= params.minimum_slope:
        return model.Judgement(model.Verdict.UNHEALTHY, "SlopeChanged", message)
    if shifted or steep:
        message += ": it is on its way to what it is compared with"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.WARMING_UP, message)
    if shift.high < params.minimum_shift and grows.high < params.minimum_slope:
        return model.Judgement(model.Verdict.HEALTHY, "NoChange", message)
    return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.INCONCLUSIVE, message)


def _mirrored(effect: Effect) -> Effect:
    return Effect(-effect.size, -effect.high, -effect.low, 1 - effect.p_value)


def _apart(sides: list[trend.Floats], scale: float) -> trend.Floats:
    """How far the second is from the first: as a ratio, which a shared load leaves alone.

    Where the first comes near zero a ratio would be all noise: the difference is taken there.
    """
    first, second = sides
    if np.nanmin(first) > 0.2 * scale:
        return second / first - 1
    return (second - first) / scale


def tame(values: trend.Floats) -> trend.Floats:
    """The samples with gaps closed and wild ones pulled in towards their eighth's median."""
    filled = trend.fill(values[None, :])[0][0]
    # Long parts: the medians of short ones would follow the teeth of a garbage collection.
    places = np.arange(len(filled)) * _LEAST_BLOCKS // len(filled)
    middles = np.array([np.median(filled[places == block]) for block in range(places[-1] + 1)])
    away = filled - middles[places]
    most = _WILD * 1.4826 * float(np.median(np.abs(away)))
    # A spread of nothing says that most are equal, not that the others are wild.
    pulled: trend.Floats = middles[places] + np.clip(away, -most, most) if most > 0 else filled
    return pulled


def blocks(values: trend.Floats) -> trend.Floats:
    """Means of about 20 blocks."""
    places = _places(len(values))
    means: trend.Floats = np.bincount(places, values) / np.bincount(places)
    return means


def _places(samples: int) -> trend.Indices:
    count = max(_LEAST_BLOCKS, min(_BLOCKS, samples // 3))
    places: trend.Indices = np.arange(samples) * count // samples
    return places


def _dependence(values: trend.Floats) -> float:
    return float(trend.dependence((values - values.mean())[None, :])[0])


def _error(values: trend.Floats, dependence: float) -> float:
    return math.sqrt(float(np.var(values, ddof=1)) / len(values) * dependence)


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """A line through samples: its slope per hour, their newest quarter, and standard errors."""

    slope: float
    slope_error: float
    end: float
    end_error: float
    freedom: int


def _line(values: trend.Floats, hours: float, kept: settled.Mask | None = None) -> _Line:
    """The line through (samples,) so many hours apart, or through those that are kept."""
    there = np.ones(len(values), dtype=bool) if kept is None else kept
    basis, line, unit = _waves(len(values)) if kept is None else _basis(kept)
    parts = values[there] @ basis
    power = parts[-_WAVES:] ** 2
    # Of a random walk the line has still more power than the waves: then the slowest count.
    red = power[:_SLOW].mean() > _RED * power[_SLOW:].mean()
    counted = power[:_SLOW] if red else power
    noise = math.sqrt(float(counted.mean()))
    newest = values[there][-(len(basis) // 4) :]
    return _Line(
        float(parts[line]) / (unit * hours),
        noise / (unit * hours),
        float(newest.mean()),
        noise / math.sqrt(len(newest)),
        len(counted),
    )


@functools.lru_cache(maxsize=64)
def _waves(samples: int) -> tuple[trend.Floats, int, float]:
    """The basis where all samples are kept."""
    return _basis(np.ones(samples, dtype=bool))


def _basis(kept: settled.Mask) -> tuple[trend.Floats, int, float]:
    """(kept, levels + 1 + waves), orthonormal: levels, a line, and the slowest waves beside them.

    Each stretch that is kept has a level of its own: what lies between may have moved it.  Also
    which column is the line, and how much of it a rise by 1 in each sample has.
    """
    samples = np.flatnonzero(kept)
    stretch = np.cumsum(np.diff(samples, prepend=samples[0]) > 1)
    levels = [(stretch == each).astype(float) for each in range(int(stretch[-1]) + 1)]
    x = (samples + 0.5) / len(kept)
    waves = [np.cos(np.pi * k * x) for k in range(2, 2 + _WAVES)]
    basis, upper = np.linalg.qr(np.stack([*levels, x, *waves], axis=1))
    oriented: trend.Floats = basis * np.sign(np.diag(upper))
    line = len(levels)
    return oriented, line, float(samples @ oriented[:, line])
