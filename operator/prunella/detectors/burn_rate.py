"""Multi-window, multi-burn-rate alerts on an SLO.

    burn(W) = (bad(W) / total(W)) / (1 - objective)
    limit   = share of the budget * SLO window / long window

A rule fires while the burn rate of its long window *and* of its short window are over the
limit: the long one says that enough of the budget went, the short one that it still goes.
Source: The Site Reliability Workbook (Beyer et al. 2018), chapter 5, table 5-8: 2 % of a
30-day budget in 1 h (14.4x, with 5 min), 5 % in 6 h (6x, 30 min), 10 % in 3 d (1x, 6 h).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Annotated

import pydantic

from prunella.api import base, reasons, types
from prunella.core import model


class Rule(base.ApiModel):
    """So much of the budget in so much time."""

    budget: float = pydantic.Field(
        gt=0, le=1, description="Share of the error budget that may go in the long window."
    )
    long: types.Duration = pydantic.Field(description="The window in which it went.")
    short: types.Duration = pydantic.Field(description="The window in which it still goes.")

    @pydantic.model_validator(mode="after")
    def _shorter(self) -> Rule:
        if not 0 < self.short.total_seconds() < self.long.total_seconds():
            raise ValueError(f"short ({self.short}) must be shorter than long ({self.long})")
        return self


def _rule(budget: float, long: str, short: str) -> Rule:
    return Rule(budget=budget, long=types.duration(long), short=types.duration(short))


WORKBOOK = (_rule(0.02, "1h", "5m"), _rule(0.05, "6h", "30m"), _rule(0.1, "3d", "6h"))


class Params(base.ApiModel):
    """An objective and how fast its budget may go."""

    objective: float = pydantic.Field(
        gt=0, lt=100, description="Good events in percent of all, such as 99.9."
    )
    window: types.Duration = pydantic.Field(
        types.duration("30d"), description="Time over which the objective holds."
    )
    rules: Annotated[tuple[Rule, ...], pydantic.Field(min_length=1, max_length=8)] = pydantic.Field(
        WORKBOOK, description="Rules; any of them makes the signal Unhealthy."
    )
    minimum: float = pydantic.Field(
        20.0, ge=0, description="Fewest events in a window that allow a verdict on it."
    )

    @pydantic.model_validator(mode="after")
    def _can_fire(self) -> Params:
        if not any(limit(rule, self) * self.budget < 1 for rule in self.rules):
            raise ValueError(
                f"no rule can fire: with an objective of {self.objective:g} % each needs more "
                "bad events than there are events"
            )
        return self

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1 - self.objective / 100


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """Events of one window."""

    bad: float
    total: float


def windows(params: Params) -> tuple[int, ...]:
    """The windows to ask for, in seconds, shortest first."""
    sizes = {int(each.total_seconds()) for rule in params.rules for each in (rule.long, rule.short)}
    return tuple(sorted(sizes))


def limit(rule: Rule, params: Params) -> float:
    """The burn rate from which a rule fires."""
    return rule.budget * params.window.total_seconds() / rule.long.total_seconds()


def detect(events: Mapping[int, Events | model.Failure], params: Params) -> model.Judgement:
    """Judge the events of each of ``windows``, by seconds; a missing one is Unknown."""
    found = [_judge(rule, events, params) for rule in params.rules]
    order = (model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN, model.Verdict.HEALTHY)
    return min(found, key=lambda each: order.index(each.verdict))


def _judge(
    rule: Rule, events: Mapping[int, Events | model.Failure], params: Params
) -> model.Judgement:
    bound = limit(rule, params)
    doubt: model.Judgement | None = None
    rates = []
    for size, read in _read(rule, events):
        burn = _burn(size, read, params)
        if isinstance(burn, model.Judgement):
            doubt = doubt or burn
            continue
        rates.append(f"{burn:.3g}x in {size}")
        # One calm window is enough: the other need not be known.
        if burn <= bound:
            message = f"burns {', '.join(rates)}: not over {bound:.3g}x in both windows"
            return model.Judgement(model.Verdict.HEALTHY, "BudgetLasts", message)
    if doubt is not None:
        return doubt
    message = f"burns {', '.join(rates)}: over {bound:.3g}x in both windows"
    return model.Judgement(model.Verdict.UNHEALTHY, "BurnsTooFast", message)


def _read(
    rule: Rule, events: Mapping[int, Events | model.Failure]
) -> Iterator[tuple[types.Duration, Events | model.Failure | None]]:
    for size in (rule.long, rule.short):
        yield size, events.get(int(size.total_seconds()))


def _burn(
    size: types.Duration, read: Events | model.Failure | None, params: Params
) -> float | model.Judgement:
    unknown = model.Verdict.UNKNOWN
    if read is None:
        return model.Judgement(unknown, reasons.Doubt.NO_DATA, f"no events of the last {size}")
    if isinstance(read, model.Failure):
        return model.Judgement(unknown, read.reason, read.message)
    if not (math.isfinite(read.bad) and math.isfinite(read.total)):
        message = f"{read.bad} of {read.total} events in {size} are no measurement"
        return model.Judgement(unknown, reasons.Doubt.NOT_A_NUMBER, message)
    if read.total < params.minimum or read.total <= 0:
        message = f"{read.total:.6g} events in {size}, {params.minimum:.6g} are needed"
        return model.Judgement(unknown, reasons.Doubt.TOO_FEW_EVENTS, message)
    return read.bad / read.total / params.budget
