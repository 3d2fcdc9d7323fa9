"""A baseline's verdict as recording rules have recorded it, read as the operator's own.

The rules and their names are made in `prunella.core.recording`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled, learning, mapping

LOWER, UPPER, RARITY, UNHEALTHY = "lower", "upper", "rarity", "unhealthy"
"""Roles of the recorded series beside the value's."""


def judge_target(mapped: Mapping[str, mapping.Mapped], target: model.Ref) -> learning.Judged | None:
    """A baseline's recorded verdict on one target; None when nothing is recorded of it."""
    found = {role: each.series[target] for role, each in mapped.items() if target in each.series}
    if compiled.VALUE not in found:
        return None
    if any(target in each.duplicated for each in mapped.values()):
        message = "more than one recorded series of the same object"
        doubt = reasons.Doubt.DUPLICATE_SERIES
        return learning.Judged(model.Judgement(model.Verdict.UNKNOWN, doubt, message))
    values = {role: series[0].value for role, series in found.items()}
    first = found[compiled.VALUE][0]
    return learning.Judged(judge_recorded(values), first.value, first.mapped_by, first.pod)


def judge_recorded(values: Mapping[str, float]) -> model.Judgement:
    """What a baseline's recorded values of one target say, by role; a missing role has no value.

    The words are those of the operator's own detector.
    """
    unknown = model.Verdict.UNKNOWN
    value, verdict = values.get(compiled.VALUE), values.get(UNHEALTHY)
    if value is None:
        message = "the recording rules have no value: do they run, and has the query one?"
        return model.Judgement(unknown, reasons.Doubt.NO_DATA, message)
    if verdict is None:
        message = "the recording rules have no verdict yet: their history is shorter than `learn`"
        return model.Judgement(unknown, reasons.Doubt.LEARNING, message)
    if not math.isfinite(value) or verdict not in {0.0, 1.0}:
        message = f"value {value:g} and verdict {verdict:g} are no results of these rules"
        return model.Judgement(unknown, reasons.Doubt.NOT_A_NUMBER, message)
    message = f"{value:.6g}{_band(values)}{_rarity(values)} (recorded)"
    if verdict:
        return model.Judgement(model.Verdict.UNHEALTHY, "Unusual", message)
    return model.Judgement(model.Verdict.HEALTHY, "Usual", message)


def _band(values: Mapping[str, float]) -> str:
    lower, upper = values.get(LOWER), values.get(UPPER)
    if lower is None or upper is None:
        return ""
    return f", usual {lower:.6g} to {upper:.6g}"


def _rarity(values: Mapping[str, float]) -> str:
    rarity = values.get(RARITY)
    return "" if rarity is None else f", rarity {rarity:.2f}"
