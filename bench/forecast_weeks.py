"""The same kinds of curves as ``forecast_set``, in weeks: 8 weeks of hourly points.

240 leaking series, asked 7 days before full, and 160 healthy ones, asked daily in the last 3
weeks whether they will be full within 21 days (three times the lead, as in ``forecast_set``).
The daily kinds have a working week as well, and their phase is random.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import forecast_set

STEP, DAY, WEEK = 3600, 24, 168
LEAD = 7 * 86_400.0


def leaking(kind: str, rng: np.random.Generator) -> tuple[forecast_set.Floats, int]:
    """A curve that fills up, and the place at which it is full."""
    n = 8 * WEEK
    t, base, full = np.arange(n), rng.uniform(10, 40), n - 1
    growth = (100 - base) * t / full
    if kind == "linear":
        y = base + growth
    elif kind == "late":
        s = rng.integers(4 * WEEK, 6 * WEEK)
        y = base + np.where(t < s, 0, (100 - base) * (t - s) / (full - s))
    elif kind == "daily":
        wave = rng.uniform(2, 6) * np.sin(2 * np.pi * t / DAY + rng.uniform(0, 2 * np.pi))
        wave += 3 * ((t // DAY) % 7 < 5)
        y = base + growth + wave - wave[-1]
    elif kind == "sawtooth":
        period = rng.integers(20, 100)
        y = base + growth * (88 - base) / (100 - base) + 12 * ((t % period) / period)
    elif kind == "steps":
        j = np.cumsum(rng.random(n) < 0.05)
        y = base + (100 - base) * j / j[-1]
    else:
        y = base + (100 - base) * (t / full) ** 2.5
    hit = np.flatnonzero(y[5 * WEEK :] >= 100 - 1e-6)
    return y + rng.normal(0, 0.5, n), int(5 * WEEK + hit[0]) if len(hit) else full


def healthy(kind: str, rng: np.random.Generator) -> forecast_set.Floats:
    """A curve that never fills up."""
    n = 8 * WEEK
    t, b = np.arange(n), rng.uniform(30, 60)
    if kind == "flat":
        y = b + 0 * t
    elif kind == "daily":
        y = b + 15 * np.sin(2 * np.pi * t / DAY + rng.uniform(0, 6)) + 5 * ((t // DAY) % 7 < 5)
    elif kind == "gc":
        period = rng.integers(50, 250)
        y = b - 15 + 35 * ((t % period) / period)
    else:
        s = rng.integers(2 * WEEK, 7 * WEEK)
        y = b + 25 * (1 - np.exp(-np.maximum(0, t - s) / 60.0))
    curve: forecast_set.Floats = y + rng.normal(0, 0.5, n)
    return curve


def evaluate(predict: forecast_set.Predict, seed: int = 7) -> dict[str, Any]:
    """Figures 7 days before full, and of daily checks that say "full within 21 days"."""
    rng = np.random.default_rng(seed)
    predicted: dict[str, list[float]] = {}
    for kind in forecast_set.LEAKING:
        for _ in range(40):
            y, full = leaking(kind, rng)
            seconds = predict(y[: full - 7 * DAY + 1], forecast_set.LIMIT, STEP)
            predicted.setdefault(kind, []).append(seconds)
    alarms: dict[str, list[bool]] = {}
    for kind in forecast_set.HEALTHY:
        for _ in range(40):
            y = healthy(kind, rng)
            for i in range(5 * WEEK, 8 * WEEK, DAY):
                called = predict(y[: i + 1], forecast_set.LIMIT, STEP) <= 3 * LEAD
                alarms.setdefault(kind, []).append(called)
    return {"7d": forecast_set.lead_errors(predicted, LEAD)} | forecast_set.false_alarms(alarms)
