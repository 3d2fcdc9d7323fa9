"""How abnormal a series is of late, against its own usual days, and since when.

The scale is robust, as in BARO (Pham, Ha, Zhang: "BARO: Robust Root Cause Analysis for
Microservices via Multivariate Bayesian Online Change Point Detection", FSE 2024): median and
interquartile range, so that an outlier in the usual days spoils nothing.  An interquartile range
says nothing about tails, though, and noisy counters are all tail: a series is therefore also
measured by what its own usual windows of the same length reach once in a hundred.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math

import numpy as np
from numpy.typing import NDArray

from prunella.core import model

Floats = NDArray[np.float64]

ENOUGH = 8
"""Usual samples below which a series is not judged."""
KNOWN = 20
"""Usual samples below which a series must deviate more: half as many are half as sure."""
RARE = 0.99
"""Of usual windows, this share stays below a strength of 1."""
SUSTAINED = 3
"""A window is as abnormal as the mean of its most abnormal third: a fault that was detected late
fills only a part of the window, a single spike is not one."""


class Quantity(enum.Enum):
    """What is measured, and which way is worse."""

    LATENCY = ("latency", "s", 1.0, 0.002, 0.1)
    ERRORS = ("error share", "", 1.0, 0.005, 0.0)

    def __init__(self, word: str, unit: str, worse: float, least: float, relative: float) -> None:
        self.word, self.unit, self.worse = word, unit, worse
        self.least = least
        """A change smaller than this matters to nobody: 2 ms, half a percent of the requests."""
        self.relative = relative
        """Nor does one smaller than this share of what is usual."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """One quantity of one object: usual and recent samples on one grid, NaN where there is none."""

    target: model.Ref
    quantity: Quantity
    usual: Floats
    recent: Floats
    times: Floats
    """Of the recent samples, seconds since the epoch."""
    requests: float = 1.0
    """Mean of requests per sample of late: what the quantity is multiplied by to add up."""


@dataclasses.dataclass(frozen=True, slots=True)
class Anomaly:
    """How a measurement deviates. A strength of 1 is what usual windows reach once in a hundred."""

    measurement: Measurement
    strength: float
    usual: float
    excess: float
    """By how much the sustained part of the window is worse than usual, in the quantity's unit."""
    onset: float | None

    @property
    def harm(self) -> float:
        """Seconds lost or requests failed per sample beyond what is usual: these add up."""
        return self.excess * self.measurement.requests

    def sentence(self) -> str:
        """The deviation with its numbers."""
        each = self.measurement.quantity
        since = "" if self.onset is None else f" since {_clock(self.onset)}"
        return (
            f"{each.word} of {self.measurement.target} {self.usual + self.excess:.4g}{each.unit}, "
            f"usually {self.usual:.4g}{each.unit}{since}: {self.strength:.1f} times what it "
            f"reaches in 1 of 100 usual windows"
        )


def _clock(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%H:%M:%S} UTC"


def judge(measurement: Measurement) -> Anomaly | None:
    """Compare the recent window with usual ones; None when there is too little of either."""
    known = measurement.usual[np.isfinite(measurement.usual)]
    length, quantity = len(measurement.recent), measurement.quantity
    if len(known) < ENOUGH or not length or len(measurement.usual) < length:
        return None
    usual = float(np.median(known))
    low, high = np.quantile(known, (0.25, 0.75))
    windows = np.lib.stride_tricks.sliding_window_view(measurement.usual, length)
    reached = _sustained(quantity.worse * (windows - usual))
    excess = float(_sustained(quantity.worse * (measurement.recent[None] - usual))[0])
    scale = max(
        float(np.quantile(reached, RARE)),
        float(high - low),
        quantity.relative * abs(usual),
        quantity.least,
    )
    scale *= max(1.0, KNOWN / len(known))
    worse = quantity.worse * (measurement.recent - usual)
    late = np.flatnonzero(worse > max(excess / 2, float(high - low)))
    onset = float(measurement.times[late[0]]) if len(late) else None
    return Anomaly(measurement, excess / scale, usual, excess, onset)


def _sustained(worse: Floats) -> Floats:
    """The mean of the worst third of each row, at least two samples; 0 where it is not worse."""
    part = min(worse.shape[1], max(2, math.ceil(worse.shape[1] / SUSTAINED)))
    filled = np.sort(np.where(np.isfinite(worse), worse, -np.inf), axis=1)[:, -part:]
    mean = filled.mean(axis=1)
    return np.where(np.isfinite(mean), np.maximum(mean, 0.0), 0.0)
