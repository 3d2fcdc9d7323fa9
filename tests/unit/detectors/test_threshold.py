"""The fixed limit: which values are Unhealthy, and what the message compares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.api import signals as signals_api
from prunella.core import model
from prunella.detectors import threshold

ABOVE = signals_api.Threshold(above=0.05)
BELOW = signals_api.Threshold(below=3.0)
OUTSIDE = signals_api.Threshold(outside=[10.0, 20.0])
HEALTHY, UNHEALTHY = model.Verdict.HEALTHY, model.Verdict.UNHEALTHY

JUDGED = {
    "over the limit": (0.06, ABOVE, UNHEALTHY, "OverLimit", "0.06 is above 0.05"),
    "at the upper limit": (0.05, ABOVE, HEALTHY, "InLimit", "0.05 is not above 0.05"),
    "under the upper limit": (0.0, ABOVE, HEALTHY, "InLimit", "0 is not above 0.05"),
    "under the limit": (2.0, BELOW, UNHEALTHY, "OverLimit", "2 is below 3"),
    "at the lower limit": (3.0, BELOW, HEALTHY, "InLimit", "3 is not below 3"),
    "over the lower limit": (4.0, BELOW, HEALTHY, "InLimit", "4 is not below 3"),
    "under the band": (9.5, OUTSIDE, UNHEALTHY, "OverLimit", "9.5 is outside 10 to 20"),
    "over the band": (20.5, OUTSIDE, UNHEALTHY, "OverLimit", "20.5 is outside 10 to 20"),
    "at the band's start": (10.0, OUTSIDE, HEALTHY, "InLimit", "10 is not outside 10 to 20"),
    "at the band's end": (20.0, OUTSIDE, HEALTHY, "InLimit", "20 is not outside 10 to 20"),
    "a limit of zero above": (
        0.1,
        signals_api.Threshold(above=0),
        UNHEALTHY,
        "OverLimit",
        "0.1 is above 0",
    ),
    "a limit of zero below": (
        -0.1,
        signals_api.Threshold(below=0),
        UNHEALTHY,
        "OverLimit",
        "-0.1 is below 0",
    ),
}


@pytest.mark.parametrize(
    ("value", "limits", "verdict", "reason", "message"), JUDGED.values(), ids=JUDGED
)
def test_a_value_is_compared_with_the_limit(
    value: float, limits: signals_api.Threshold, verdict: model.Verdict, reason: str, message: str
) -> None:
    """Only values beyond the limit are Unhealthy, and the message holds both numbers."""
    assert model.Judgement(verdict, reason, message) == threshold.judge(value, limits)


@pytest.mark.parametrize("limits", [ABOVE, BELOW, OUTSIDE], ids=["above", "below", "outside"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unknown(value: float, limits: signals_api.Threshold) -> None:
    """NaN and infinities are no measurements, whatever the limit."""
    judgement = threshold.judge(value, limits)
    assert model.Verdict.UNKNOWN is judgement.verdict
    assert judgement.reason == reasons.Doubt.NOT_A_NUMBER
    assert f"the value is {value}, which is no measurement" == judgement.message


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(value=st.floats(), limit=FINITE)
def test_above_and_below_are_each_other_s_mirror(value: float, limit: float) -> None:
    """A value is Unhealthy above a limit exactly when its negative is so below the negative."""
    above = threshold.judge(value, signals_api.Threshold(above=limit)).verdict
    below = threshold.judge(-value, signals_api.Threshold(below=-limit)).verdict
    assert above is below


@given(value=st.floats(), ends=st.tuples(FINITE, FINITE))
def test_outside_is_below_the_one_or_above_the_other(
    value: float, ends: tuple[float, float]
) -> None:
    """A band judges as its two ends together do."""
    low, high = sorted(ends)
    parts = {
        threshold.judge(value, signals_api.Threshold(below=low)).verdict,
        threshold.judge(value, signals_api.Threshold(above=high)).verdict,
    }
    expected = UNHEALTHY if UNHEALTHY in parts else parts.pop()
    band = signals_api.Threshold(outside=[low, high])
    assert expected is threshold.judge(value, band).verdict
