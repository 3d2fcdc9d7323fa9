"""Measurements as an incident needs them: of workloads, usual only until it began.

What a view holds ends now.  An hour into an incident the last hour is not what is usual.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from prunella.core import model
from prunella.core.incidents import anomalies
from prunella.core.incidents.diagnosis.scene import Scene

LEAD = 60.0
"""Seconds before the first symptom that are not usual any more: alerts fire late."""
SHARE = 0.25
"""Of a short history no more than this share is given up for that."""


def before(scene: Scene, onset: float) -> tuple[anomalies.Measurement, ...]:
    """The view's measurements, each of the workload that it is about."""
    return tuple(
        _until(each, target, onset)
        for each in scene.view.measurements
        for target in sorted(scene.workloads_of(each.target) or {each.target})
    )


def _until(each: anomalies.Measurement, target: model.Ref, onset: float) -> anomalies.Measurement:
    times = each.times
    if len(times) < 2:
        return dataclasses.replace(each, target=target)
    step = float(times[1] - times[0])
    lead = min(LEAD, SHARE * step * int(np.isfinite(each.usual).sum()))
    # The usual samples end one step before the recent ones.
    late = math.ceil((float(times[0]) - (onset - lead)) / step)
    usual = each.usual[: len(each.usual) - max(0, late)]
    if np.isfinite(usual).sum() < anomalies.ENOUGH:
        usual = each.usual
    return dataclasses.replace(each, target=target, usual=usual)
