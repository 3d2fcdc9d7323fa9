"""A series that should be there and is not, told apart from a Prometheus that is ill.

Absence is proved only by two answers to the same source: the query's, which is complete and
empty, and the canary's, which has data.  The canary is a series that any healthy Prometheus has,
as Alertmanager's dead man's switch is an alert that always fires.
"""

from __future__ import annotations

import math

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model

Params = detectors_api.Absent


def detect(answer: model.Answer, canary: model.Answer, params: Params) -> model.Judgement:
    """Judge the series of one target by its own answer and that of the canary query."""
    unknown = model.Verdict.UNKNOWN
    if isinstance(answer, model.Failure):
        return model.Judgement(unknown, answer.reason, answer.message)
    present = [sample for sample in answer.samples if not math.isnan(sample.value)]
    if present:
        message = f"{len(present)} series are there"
        return model.Judgement(model.Verdict.HEALTHY, "Present", message)
    if answer.samples:
        message = "the series are there, all are NaN"
        return model.Judgement(unknown, reasons.Doubt.NOT_A_NUMBER, message)
    if isinstance(canary, model.Failure):
        message = f"the series is absent, and so is the canary's proof: {canary.message}"
        return model.Judgement(unknown, canary.reason, message)
    alive = math.fsum(sample.value for sample in canary.samples)
    if not alive >= params.minimum:
        message = (
            f"the series is absent, but {params.canary} gives {alive:.6g}, "
            f"at least {params.minimum:.6g} is needed: Prometheus may be ill"
        )
        return model.Judgement(unknown, reasons.Doubt.CANARY_ABSENT, message)
    message = f"the series is absent while {params.canary} gives {alive:.6g}"
    return model.Judgement(model.Verdict.UNHEALTHY, "Absent", message)
