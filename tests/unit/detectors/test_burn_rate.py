"""Burn rates as the workbook's table has them."""

from __future__ import annotations

import pydantic
import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.detectors import burn_rate

PARAMS = burn_rate.Params(objective=99.9)
HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
M5, M30, H1, H6, D3 = 300, 1800, 3600, 21_600, 259_200
CALM = dict.fromkeys((M5, M30, H1, H6, D3), 0.0)
TOO_FEW = burn_rate.Events(1, 10)
LOST = model.Failure(reasons.Doubt.TIMEOUT, "no answer")


def test_the_limits_are_those_of_the_workbook() -> None:
    """14.4, 6 and 1 for 30 days; a week's objective burns in proportion."""
    limits = [PARAMS.limit(rule) for rule in PARAMS.rules]
    assert pytest.approx(limits) == [14.4, 6.0, 1.0]
    assert PARAMS.windows == (M5, M30, H1, H6, D3)
    week = burn_rate.Params.model_validate({"objective": 99.9, "window": "7d"})
    assert week.limit(week.rules[0]) == pytest.approx(3.36)


CASES = {
    "calm": (CALM, {}, HEALTHY, "BudgetLasts"),
    "fast, and still": (CALM | {H1: 15.0, M5: 15.0}, {}, UNHEALTHY, "BurnsTooFast"),
    "fast, but over": (CALM | {H1: 15.0, M5: 14.3}, {}, HEALTHY, "BudgetLasts"),
    "fast, but just begun": (CALM | {H1: 14.3, M5: 90.0}, {}, HEALTHY, "BudgetLasts"),
    "slow": (CALM | {H6: 6.1, M30: 6.1}, {}, UNHEALTHY, "BurnsTooFast"),
    "slowest": (CALM | {D3: 1.01, H6: 1.01}, {}, UNHEALTHY, "BurnsTooFast"),
    "as fast as allowed": (CALM | {D3: 0.99, H6: 1.5}, {}, HEALTHY, "BudgetLasts"),
    "few events": (CALM, dict.fromkeys(CALM, TOO_FEW), UNKNOWN, reasons.Doubt.TOO_FEW_EVENTS),
    "few events now": (CALM | {H1: 15.0}, {M5: TOO_FEW}, UNKNOWN, reasons.Doubt.TOO_FEW_EVENTS),
    "few events, calm before": (CALM, {M5: TOO_FEW}, HEALTHY, "BudgetLasts"),
    "no answer": (CALM | {H1: 15.0}, {M5: LOST}, UNKNOWN, reasons.Doubt.TIMEOUT),
    "one rule suffices": (CALM | {H1: 15, M5: 15}, {D3: LOST, H6: LOST}, UNHEALTHY, "BurnsTooFast"),
    "not a number": (
        CALM | {H1: 15.0},
        {M5: burn_rate.Events(float("nan"), 50)},
        UNKNOWN,
        reasons.Doubt.NOT_A_NUMBER,
    ),
}


@pytest.mark.parametrize(("rates", "instead", "verdict", "reason"), CASES.values(), ids=CASES)
def test_both_windows_of_a_rule_must_burn(
    rates: dict[int, float],
    instead: dict[int, burn_rate.Events | model.Failure],
    verdict: model.Verdict,
    reason: str,
) -> None:
    """Any rule is enough; doubt counts only where it could change the verdict."""
    events = {window: burn_rate.Events(rate * 100, 100_000) for window, rate in rates.items()}
    seen = burn_rate.detect({**events, **instead}, PARAMS)
    assert (verdict, reason) == (seen.verdict, seen.reason), seen.message


def test_a_window_without_an_answer_is_unknown() -> None:
    """Nothing at all was asked or returned."""
    seen = burn_rate.detect({}, PARAMS)
    assert (seen.verdict, seen.reason) == (UNKNOWN, reasons.Doubt.NO_DATA)


WRONG = {
    "an objective of all": {"objective": 100},
    "no objective": {},
    "rules that can't fire": {
        "objective": 50,
        "rules": [{"budget": 0.5, "long": "1h", "short": "5m"}],
    },
    "a short window that is longer": {
        "objective": 99,
        "rules": [{"budget": 0.5, "long": "1h", "short": "2h"}],
    },
}


@pytest.mark.parametrize("written", WRONG.values(), ids=WRONG)
def test_parameters_that_make_no_sense_are_refused(written: dict[str, object]) -> None:
    """Before they watch over nothing."""
    with pytest.raises(pydantic.ValidationError):
        burn_rate.Params.model_validate(written)
