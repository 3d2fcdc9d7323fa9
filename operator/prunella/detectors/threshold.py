"""The fixed limit: Unhealthy above, below or outside given values."""

from __future__ import annotations

import math

from prunella.api import reasons
from prunella.api import signals as signals_api
from prunella.core import model


def judge(value: float, params: signals_api.Threshold) -> model.Judgement:
    """Judge one value. The limit itself is still Healthy; NaN and infinities are Unknown."""
    if not math.isfinite(value):
        message = f"the value is {value}, which is no measurement"
        return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NOT_A_NUMBER, message)
    limit = describe(params)
    if _is_bad(value, params):
        return model.Judgement(model.Verdict.UNHEALTHY, "OverLimit", f"{value:.6g} is {limit}")
    return model.Judgement(model.Verdict.HEALTHY, "InLimit", f"{value:.6g} is not {limit}")


def describe(params: signals_api.Threshold) -> str:
    """The limit in words, such as ``above 0.05``."""
    if params.above is not None:
        return f"above {params.above:.6g}"
    if params.below is not None:
        return f"below {params.below:.6g}"
    low, high = params.outside or (math.nan, math.nan)
    return f"outside {low:.6g} to {high:.6g}"


def _is_bad(value: float, params: signals_api.Threshold) -> bool:
    if params.above is not None:
        return value > params.above
    if params.below is not None:
        return value < params.below
    low, high = params.outside or (math.nan, math.nan)
    return value < low or value > high
