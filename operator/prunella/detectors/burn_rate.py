"""Multi-window, multi-burn-rate alerts on an SLO.

    burn(W) = (bad(W) / total(W)) / (1 - objective)
    limit   = share of the budget * SLO window / long window

A rule fires while the burn rate of its long window *and* of its short window are over the
limit: the long one says that enough of the budget went, the short one that it still goes.
Source: The Site Reliability Workbook (Beyer et al. 2018), chapter 5, table 5-8: 2 % of a
30-day budget in 1 h (14.4x, with 5 min), 5 % in 6 h (6x, 30 min), 10 % in 3 d (1x, 6 h).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from prunella.api import detectors as detectors_api
from prunella.api import reasons, types
from prunella.core import model
from prunella.core.signals import events as events_module

Params = detectors_api.BurnRate
Events = events_module.Events
Rule = detectors_api.BurnRule


def detect(events: Mapping[int, Events | model.Failure], params: Params) -> model.Judgement:
    """Judge the events of each of the windows, by seconds; a missing one is Unknown."""
    found = [_judge(rule, events, params) for rule in params.rules]
    order = (model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN, model.Verdict.HEALTHY)
    return min(found, key=lambda each: order.index(each.verdict))


def _judge(
    rule: Rule, events: Mapping[int, Events | model.Failure], params: Params
) -> model.Judgement:
    bound = params.limit(rule)
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
