"""What a step requires of a metrics source before it writes: one number within bounds.

The query may hold ``$value`` and ``$current``, so that it is asked about the state that the step
would make: ``sum(pool_size) + $value - $current <= 90``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from prunella.api import capacity, reasons
from prunella.core import model
from prunella.core.decisions import action
from prunella.core.signals import freshness

FRESH_SECONDS: Final = 30.0
FRESH_SCRAPES: Final = 3
"""Data may be so many scrapes old, and at least ``FRESH_SECONDS``, as that of signals."""


def unmet(
    request: action.Request, required: Sequence[capacity.Requirement], value: float, current: float
) -> model.Refusal | tuple[model.Need, ...] | None:
    """Why a value may not be written, or what must be asked first; None when it may.

    What is not met is a reason to try the next step; what nobody knows is a reason to wait.
    """
    target = request.live_state.workload.ref
    texts = [capacity.with_numbers(each.query, value, current) for each in required]
    needs = tuple(
        model.Need(model.NeedKind.NUMBER, target, query=text, source=each.source)
        for each, text in zip(required, texts, strict=True)
        if (each.source, text) not in request.numbers
    )
    if needs:
        return needs
    for each, text in zip(required, texts, strict=True):
        number = request.numbers[each.source, text]
        if number.value is None:
            message = f"required, and not known: {text}: {number.problem}"
            return model.Refusal(reasons.Refused.REQUIREMENT_NOT_MET, message)
        if not _holds(each, number.value):
            message = f"{text} is {number.value:g}, required is {_bounds(each)}"
            return model.Refusal(reasons.Refused.REQUIREMENT_NOT_MET, message, skip_step=True)
    return None


def _holds(requirement: capacity.Requirement, value: float) -> bool:
    low, high = requirement.at_least, requirement.at_most
    return (low is None or value >= low) and (high is None or value <= high)


def _bounds(requirement: capacity.Requirement) -> str:
    low, high = requirement.at_least, requirement.at_most
    told = [f"at least {low:g}"] if low is not None else []
    told += [f"at most {high:g}"] if high is not None else []
    return " and ".join(told)


def number(answer: model.Answer, ages: model.Answer) -> model.Number:
    """The number that a query yields, if it is one and its data are fresh."""
    for each in (answer, ages):
        if isinstance(each, model.Failure):
            return model.Number(None, each.message)
    if isinstance(answer, model.Failure) or isinstance(ages, model.Failure):
        raise TypeError("a failure was answered for")
    if len(answer.samples) != 1:
        found = len(answer.samples)
        return model.Number(None, f"it yields {found} series, not one" if found else "no data")
    value = answer.samples[0].value
    if not math.isfinite(value):
        return model.Number(None, f"it yields {value}, not a number")
    told = freshness.read_freshness(ages.samples)
    oldest = max((sample.value for sample in told.ages), default=math.nan)
    limit = max(FRESH_SECONDS, FRESH_SCRAPES * (told.spacing.slowest or 0.0))
    if not oldest <= limit:
        age = f"{oldest:.0f} s" if math.isfinite(oldest) else "of no known age"
        return model.Number(None, f"its data are {age} old, at most {limit:.0f} s are allowed")
    return model.Number(value)
