"""How often a canary that warms up is blamed, and whether its leak is still found.

    python -m bench.canary_warmup [--seeds 120] [--first 40000] [--minutes 120]

Pairs and noise are those of `bench.canary`; the canary's samples are multiplied by its warm-up,
or one of the stable pods restarts.  As the operator does it, a pair is judged every 5 minutes
from the 30th on, by its newest 60 minutes, until the canary is ``minutes`` old; the first
Unhealthy counts.  ``within_hour`` is what was found by the 60th minute already.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Callable

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs

from bench import canary  # noqa: E402
from prunella.core import model  # noqa: E402
from prunella.core.signals import joined  # noqa: E402
from prunella.detectors import change  # noqa: E402

Floats = canary.Floats
WINDOW, FIRST_LOOK, BETWEEN_LOOKS = 60, 30, 5
STABLE_PODS = 4

SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "-30 % gone in 20 min": lambda minute: 1 - 0.3 * np.clip(1 - minute / 20, 0, 1),
    "-10 % gone in 40 min": lambda minute: 1 - 0.1 * np.clip(1 - minute / 40, 0, 1),
    "-30 % falling off, 20 min": lambda minute: 1 - 0.3 * np.exp(-minute / 20),
    "-10 % falling off, 40 min": lambda minute: 1 - 0.1 * np.exp(-minute / 40),
    "+30 % falling off, 10 min": lambda minute: 1 + 0.3 * np.exp(-minute / 10),
    "-20 % until a step at 15 min": lambda minute: 1 - 0.2 * (minute < 15),
    "-30 %, then 10 % over": lambda minute: (
        1 - 0.4 * np.exp(-minute / 4) + 0.1 * np.exp(-minute / 12)
    ),
}
"""What the canary's samples are multiplied by, from its age in minutes."""


def warming(seed: int, leak: float, shape: str, minutes: int) -> tuple[Floats, Floats]:
    """Stable pods and a canary that warms up, (samples,) each."""
    _, stable, sick = canary.pair(seed, leak, minutes=minutes)
    return stable, sick * SHAPES[shape](_minutes(len(stable)))


def restarted(seed: int, leak: float, minutes: int, *, averaged: bool) -> tuple[Floats, Floats]:
    """One of four stable pods restarts between the 5th and 45th minute, 30 % lower for 10 min."""
    rng = np.random.default_rng(seed)
    kind, stable, sick = canary.pair(seed, leak, minutes=minutes)
    level = np.median(stable)
    # Each pod has its own noise on top of what they share; they differ in level by some percent.
    own = [level * rng.normal(1, 0.01) * canary.noise(kind, len(stable), rng) for _ in range(3)]
    pods = np.stack([stable, *(stable + each - each.mean() for each in own)])
    since = _minutes(len(stable)) - rng.uniform(5, 45)
    pods[0] *= np.where(since < 0, 1.0, 1 - 0.3 * np.exp(-np.maximum(since, 0) / 10))
    return pods.mean(axis=0) if averaged else joined.middle(pods), sick


def _minutes(samples: int) -> Floats:
    return np.arange(samples) * canary.STEP / 60


def found(stable: Floats, sick: Floats, minutes: int) -> int | None:
    """The minute at which the canary is blamed, if it is."""
    for minute in range(FIRST_LOOK, minutes + 1, BETWEEN_LOOKS):
        newest = slice(*(max(0, m) * 60 // canary.STEP for m in (minute - WINDOW, minute)))
        params = change.Params()
        seen = change.detect(stable[newest], sick[newest], canary.STEP, params, paired=True)
        if seen.verdict is model.Verdict.UNHEALTHY:
            return minute
    return None


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--first", type=int, default=40_000)
    parser.add_argument("--minutes", type=int, default=120)
    args = parser.parse_args()
    seeds, minutes = range(args.first, args.first + args.seeds), args.minutes
    pairs: dict[str, Callable[[int, float], tuple[Floats, Floats]]] = {
        shape: lambda seed, leak, shape=shape: warming(seed, leak, shape, minutes)  # type: ignore[misc]
        for shape in SHAPES
    }
    pairs["one of 4 stable pods restarts, asked for each"] = lambda seed, leak: restarted(
        seed, leak, minutes, averaged=False
    )
    pairs["one of 4 stable pods restarts, asked for the mean"] = lambda seed, leak: restarted(
        seed, leak, minutes, averaged=True
    )
    out = {name: _row(pair, seeds, minutes) for name, pair in pairs.items()}
    shapes = [out[shape] for shape in SHAPES]
    worst = {
        "blamed": max(row["blamed"] for row in shapes),
        "found": min(row["found"] for row in shapes),
    }
    print(json.dumps({"worst shape": worst, **out}, indent=1))


def _row(
    pair: Callable[[int, float], tuple[Floats, Floats]], seeds: range, minutes: int
) -> dict[str, float]:
    equal = [found(*pair(seed, 0.0), minutes) for seed in seeds]
    leaking = [found(*pair(seed, canary.LEAK), minutes) for seed in seeds]
    times = [minute for minute in leaking if minute is not None]
    return {
        "blamed": round(float(np.mean([minute is not None for minute in equal])), 3),
        "found": round(len(times) / len(leaking), 3),
        "within_hour": round(sum(minute <= WINDOW for minute in times) / len(leaking), 3),
        "median_minute": float(np.median(times)) if times else float("nan"),
    }


if __name__ == "__main__":
    main()
