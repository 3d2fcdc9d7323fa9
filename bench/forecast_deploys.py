"""Leaks that a weekly deploy resets: how often a forecast calls, and whether a real one is seen.

8 weeks of hourly points; 40 series of each kind, asked every 7 hours in the last 4 weeks whether
they are full within 7 days.  The limit is 5 % above the highest peak: they never are.  Then a
release leaks so fast that it is full, at 1.5 times the highest peak, 4 days after its deploy:
asked a day before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import forecast_set, forecast_weeks

WEEK, WEEKS, STEP = forecast_weeks.WEEK, 8, forecast_weeks.STEP
WITHIN = 7 * 86_400.0
KINDS = ("regular", "at other hours", "other rates", "other rates, at other hours", "daily")
DAY_BEFORE = 24

Floats = forecast_set.Floats


def deployed(kind: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A leak that each deploy resets, and the hours of the deploys."""
    t = np.arange(WEEKS * WEEK)
    first = rng.integers(0, WEEK)
    deploys = first + WEEK * np.arange(-1.0, WEEKS)
    if kind in ("at other hours", "other rates, at other hours", "daily"):
        deploys += rng.normal(0, 6, len(deploys))
    rates = np.full(len(deploys), rng.uniform(20, 50) / WEEK)
    if "rates" in kind:
        rates *= rng.lognormal(0, 0.3, len(deploys))
    newest = np.maximum(np.searchsorted(deploys, t, side="right") - 1, 0)
    y = rng.uniform(20, 40) + rates[newest] * (t - deploys[newest])
    if kind == "daily":
        y = y + rng.uniform(1, 5) * np.sin(2 * np.pi * t / 24 + rng.uniform(0, 6))
    return y + rng.normal(0, 0.5, len(t)), deploys


def filling(kind: str, rng: np.random.Generator) -> Floats:
    """The same, until a day before the newest release is full, 4 days after its deploy."""
    y, deploys = deployed(kind, rng)
    begun = int(deploys[np.searchsorted(deploys, 7 * WEEK) - 1]) + 1
    limit = 1.5 * float(y.max())
    base = float(np.mean(y[begun : begun + 3]))
    hours = np.arange(4 * 24 - DAY_BEFORE + 1)
    fast = base + (limit - base) * hours / (4 * 24) + rng.normal(0, 0.5, len(hours))
    return np.concatenate([y[:begun], fast]) - limit


def evaluate(predict: forecast_set.Predict, seed: int = 7) -> dict[str, Any]:
    """Share of the checks that call, and of the real ones that are seen, in all and by kind."""
    rng = np.random.default_rng(seed)
    called: dict[str, list[bool]] = {}
    seen: dict[str, list[bool]] = {}
    for kind in KINDS:
        for _ in range(40):
            y, _ = deployed(kind, rng)
            limit = 1.05 * float(y.max())
            for i in range(4 * WEEK, len(y), 7):
                called.setdefault(kind, []).append(predict(y[: i + 1], limit, STEP) <= WITHIN)
            seen.setdefault(kind, []).append(predict(filling(kind, rng), 0.0, STEP) <= WITHIN)
    every = [each for kind in called.values() for each in kind]
    found = [each for kind in seen.values() for each in kind]
    return {
        "false_alarms": round(float(np.mean(every)), 5),
        "false_by_kind": {kind: round(float(np.mean(each)), 4) for kind, each in called.items()},
        "seen": round(float(np.mean(found)), 3),
        "seen_by_kind": {kind: round(float(np.mean(each)), 3) for kind, each in seen.items()},
    }
