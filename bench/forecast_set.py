"""A seeded set of resource curves, to judge forecasts of exhaustion (memory leak, disk fill).

    python -m bench.forecast_set [--seed 7]

240 leaking series (6 kinds x 40; 5 days of 5-minute points; limit 100; truth = first crossing
of the noise-free curve) and 160 healthy ones (4 kinds x 40).  A forecaster is
``predict(values, limit, step_seconds) -> seconds until full`` (inf: never).  Run as a program it
prints the figures of ``predict_linear`` over 6 h, the rule most people use.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

STEP, DAY = 300, 288
LIMIT = 100.0
LEAKING = ("linear", "late", "daily", "sawtooth", "steps", "accel")
HEALTHY = ("flat", "daily", "gc", "plateau")

Floats = npt.NDArray[np.float64]
Predict = Callable[[Floats, float, float], float]


def leaking(kind: str, rng: np.random.Generator) -> tuple[Floats, int]:
    """A curve that fills up, and the place at which it is full."""
    n = 5 * DAY
    t, base, full = np.arange(n), rng.uniform(10, 40), n - 1
    if kind == "linear":
        y = base + (100 - base) * t / full
    elif kind == "late":
        s = rng.integers(3 * DAY, 4 * DAY - 12)
        y = base + np.where(t < s, 0, (100 - base) * (t - s) / (full - s))
    elif kind == "daily":
        wave = np.sin(2 * np.pi * t / DAY) - np.sin(2 * np.pi * full / DAY)
        y = base + (100 - base) * t / full + 6 * wave
    elif kind == "sawtooth":
        period = rng.integers(20, 50)
        y = base + (100 - base - 12) * t / full + 12 * ((t % period) / period)
    elif kind == "steps":
        j = np.cumsum(rng.random(n) < 0.05)
        y = base + (100 - base) * j / j[-1]
    else:
        y = base + (100 - base) * (t / full) ** 2.5
    hit = np.flatnonzero(y[3 * DAY :] >= 100 - 1e-6)
    return y + rng.normal(0, 0.5, n), int(3 * DAY + hit[0]) if len(hit) else full


def healthy(kind: str, rng: np.random.Generator) -> Floats:
    """A curve that never fills up."""
    n = 5 * DAY
    t, b = np.arange(n), rng.uniform(30, 60)
    if kind == "flat":
        y = b + 0 * t
    elif kind == "daily":
        y = b + 20 * np.sin(2 * np.pi * t / DAY + rng.uniform(0, 6))
    elif kind == "gc":
        period = rng.integers(100, 250)
        y = b - 15 + 35 * ((t % period) / period)
    else:
        s = rng.integers(2 * DAY, 4 * DAY)
        y = b + 25 * (1 - np.exp(-np.maximum(0, t - s) / 60.0))
    curve: Floats = y + rng.normal(0, 0.5, n)
    return curve


def cases(seed: int = 7) -> tuple[list[tuple[str, Floats, int]], list[tuple[str, Floats]]]:
    """The leaking (kind, values, full) and the healthy (kind, values)."""
    rng = np.random.default_rng(seed)
    bad = [(kind, *leaking(kind, rng)) for kind in LEAKING for _ in range(40)]
    good = [(kind, healthy(kind, rng)) for kind in HEALTHY for _ in range(40)]
    return bad, good


def lead_errors(predicted: dict[str, list[float]], true: float) -> dict[str, Any]:
    """Of |predicted - true| / true, at most 10: median, share within 20 %, medians by kind."""
    errors = {
        kind: [min(abs(each - true) / true, 10.0) for each in found]
        for kind, found in predicted.items()
    }
    every = np.concatenate(list(errors.values()))
    return {
        "median_error": round(float(np.median(every)), 3),
        "within_20pct": round(float(np.mean(every <= 0.2)), 3),
        "by_kind": {kind: round(float(np.median(each)), 2) for kind, each in errors.items()},
    }


def false_alarms(alarms: dict[str, list[bool]]) -> dict[str, Any]:
    """The share of checks on healthy series that called, and the same by kind."""
    every = [each for found in alarms.values() for each in found]
    return {
        "false_alarms": round(float(np.mean(every)), 4),
        "false_by_kind": {kind: round(float(np.mean(each)), 3) for kind, each in alarms.items()},
    }


def evaluate(predict: Predict, seed: int = 7) -> dict[str, Any]:
    """Figures 24, 8 and 2 hours before full, and of hourly checks that say "full within 24 h"."""
    bad, good = cases(seed)
    out: dict[str, Any] = {}
    for hours in (24, 8, 2):
        predicted: dict[str, list[float]] = {}
        for kind, y, full in bad:
            seconds = predict(y[: full - hours * 12 + 1], LIMIT, STEP)
            predicted.setdefault(kind, []).append(seconds)
        out[f"{hours}h"] = lead_errors(predicted, hours * 3600.0)
    alarms: dict[str, list[bool]] = {}
    for kind, y in good:
        for i in range(3 * DAY, 5 * DAY, 12):
            called = predict(y[: i + 1], LIMIT, STEP) <= 24 * 3600
            alarms.setdefault(kind, []).append(called)
    return out | false_alarms(alarms)


def predict_linear_6h(values: Floats, limit: float, step: float) -> float:
    """Prometheus' ``predict_linear`` over the last 6 hours."""
    y = values[-72:]
    x = np.arange(len(y)) - len(y) + 1.0
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    level = y.mean() - slope * x.mean()
    if level >= limit:
        return 0.0
    return float((limit - level) / slope * step) if slope > 1e-9 else np.inf


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    print(json.dumps(evaluate(predict_linear_6h, parser.parse_args().seed), indent=1))
