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
from prunella.detectors._trends import ranks, trend

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
_WILD: Final = 4.0
"""Samples so many standard deviations from the median of their eighth are pulled in to there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One comparison, as a share of the reference, positive where it grew."""

    size: float
    low: float
    high: float
    p_value: float


def detect(
    reference: trend.Floats,
    candidate: trend.Floats,
    step: float,
    params: Params,
    *,
    paired: bool = False,
) -> model.Judgement:
    """Judge (samples,) against (samples,), ``step`` seconds apart, oldest first, NaN: missing.

    ``paired``: both were measured at the same times, as a canary and its stable pods are.
    """
    sides = [np.asarray(each, dtype=float) for each in (reference, candidate)]
    if paired:
        both = np.isfinite(sides[0]) & np.isfinite(sides[1])
        sides = [np.where(both, each, np.nan) for each in sides]
    counts = [int(np.isfinite(each).sum()) for each in sides]
    if min(counts) < params.minimum_samples:
        message = f"{min(counts)} samples of {params.minimum_samples} that a comparison needs"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_FEW_SAMPLES, message)
    scale = float(np.median(np.abs(sides[0][np.isfinite(sides[0])])))
    if scale == 0:
        message = "the reference is 0: a change can't be told as a share of it"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NO_REFERENCE, message)
    if paired:
        between = tame(_apart(sides, scale))
        shift, delta = paired_level(blocks(between))
        grows = slope([between], step)
    else:
        tamed = [tame(each) / scale for each in sides]
        shift, delta = level(*(blocks(each) for each in tamed))
        grows = slope(tamed, step)
    if params.worse is Worse.LOWER:
        return judge(_mirrored(shift), _mirrored(grows), -delta, params)
    if params.worse is Worse.EITHER:
        grown = judge(shift, grows, delta, params)
        shrunk = judge(_mirrored(shift), _mirrored(grows), -delta, params)
        order = (model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN, model.Verdict.HEALTHY)
        return min((grown, shrunk), key=lambda each: order.index(each.verdict))
    return judge(shift, grows, delta, params)


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
    """How much more per hour the last of one or two sides of (samples,) grows than the first.

    One side is how far a pair is apart: then it is that side's own slope.
    """
    lines = [_line(each, step / 3600) for each in sides]
    size = lines[-1][0] - (lines[0][0] if len(lines) > 1 else 0.0)
    error = math.hypot(*(line[1] for line in lines))
    freedom = min(line[2] for line in lines)
    wide = error * ranks.quantile_t(_BOUND, freedom)
    p_value = ranks.upper_t(size / error, freedom) if error > 0 else float(size <= 0)
    return Effect(size, size - wide, size + wide, p_value)


def judge(shift: Effect, grows: Effect, delta: float, params: Params) -> model.Judgement:
    """The verdict on two effects, whose positive side is the bad one."""
    message = (
        f"level {shift.size:+.1%} (p {shift.p_value:.2g}, delta {delta:+.2f}), "
        f"slope {grows.size:+.1%} per hour (p {grows.p_value:.2g})"
    )
    if (
        shift.p_value <= params.significance
        and shift.size >= params.minimum_shift
        and delta >= params.minimum_delta
    ):
        return model.Judgement(model.Verdict.UNHEALTHY, "LevelChanged", message)
    if grows.p_value <= params.significance and grows.size >= params.minimum_slope:
        return model.Judgement(model.Verdict.UNHEALTHY, "SlopeChanged", message)
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


def _line(values: trend.Floats, hours: float) -> tuple[float, float, int]:
    """Slope per hour, for samples so many hours apart, its standard error and its freedom."""
    basis = _waves(len(values))
    parts = values @ basis
    power = parts[2:] ** 2
    # Of a random walk the line has still more power than the waves: then the slowest count.
    red = power[:_SLOW].mean() > _RED * power[_SLOW:].mean()
    counted = power[:_SLOW] if red else power
    # A line that rises by 1 in each sample has this part.
    unit = float(np.arange(len(values)) @ basis[:, 1]) * hours
    return float(parts[1]) / unit, math.sqrt(float(counted.mean())) / unit, len(counted)


@functools.lru_cache(maxsize=64)
def _waves(samples: int) -> trend.Floats:
    """(samples, 2 + waves), orthonormal: a level, a line, and the slowest waves beside them."""
    x = (np.arange(samples) + 0.5) / samples
    waves = [np.cos(np.pi * k * x) for k in range(2, 2 + _WAVES)]
    basis, upper = np.linalg.qr(np.stack([np.ones(samples), x, *waves], axis=1))
    return basis * np.sign(np.diag(upper))
