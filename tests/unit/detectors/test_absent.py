"""Absence is proved only by a Prometheus that is well."""

from __future__ import annotations

import math

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.detectors import absent

HEALTHY, UNHEALTHY, UNKNOWN = model.Verdict
LOST = model.Failure(reasons.Doubt.UNREACHABLE, "connection refused")
PARTIAL = model.Failure(reasons.Doubt.WARNINGS, "a store is missing")


def _answer(*values: float) -> model.Vector:
    return model.Vector(tuple(model.Sample({}, value) for value in values))


CASES = {
    "there": (_answer(0.0), LOST, HEALTHY, "Present"),
    "absent, Prometheus well": (_answer(), _answer(12.0), UNHEALTHY, "Absent"),
    "absent, canary empty": (_answer(), _answer(), UNKNOWN, "CanaryAbsent"),
    "absent, canary zero": (_answer(), _answer(0.0), UNKNOWN, "CanaryAbsent"),
    "absent, canary NaN": (_answer(), _answer(math.nan), UNKNOWN, "CanaryAbsent"),
    "absent, canary lost": (_answer(), LOST, UNKNOWN, reasons.Doubt.UNREACHABLE),
    "no answer": (LOST, _answer(12.0), UNKNOWN, reasons.Doubt.UNREACHABLE),
    "a partial answer": (PARTIAL, _answer(12.0), UNKNOWN, reasons.Doubt.WARNINGS),
    "only NaN": (_answer(math.nan), _answer(12.0), UNKNOWN, reasons.Doubt.NOT_A_NUMBER),
    "one of two is NaN": (_answer(math.nan, 1.0), _answer(12.0), HEALTHY, "Present"),
}


@pytest.mark.parametrize(("answer", "canary", "verdict", "reason"), CASES.values(), ids=CASES)
def test_absence_needs_a_complete_answer_and_a_live_canary(
    answer: model.Answer, canary: model.Answer, verdict: model.Verdict, reason: str
) -> None:
    """Anything else is Unknown."""
    seen = absent.detect(answer, canary, absent.Params())
    assert (verdict, reason) == (seen.verdict, seen.reason), seen.message


def test_the_canary_may_have_to_be_larger() -> None:
    """Half of the targets gone is no healthy Prometheus, if the policy says so."""
    params = absent.Params.model_validate({"canary": "count(up == 1)", "minimum": 10})
    assert UNKNOWN is absent.detect(_answer(), _answer(9.0), params).verdict
    assert UNHEALTHY is absent.detect(_answer(), _answer(6.0, 4.0), params).verdict
