"""How often a leaking canary is found within an hour, and an equal one wrongly blamed.

    python -m bench.canary [--seeds 1000] [--first 0]

A pair is 60 minutes of 15-second samples of a canary and of its stable pods.  It is judged every
5 minutes from the 30th on, and the first Unhealthy counts.  The leak is 3 % of the level per
hour.  Level and load are shared by both; noise is each one's own, of six kinds: white, slowly
wandering (autoregressive), heavy-tailed, GC sawtooth, spikes, and growing with a shared load.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
import numpy.typing as npt  # noqa: E402

from prunella.core import model  # noqa: E402
from prunella.detectors import change  # noqa: E402

STEP, MINUTES = 15, 60
LOOKS = range(30, MINUTES + 1, 5)
LEAK = 0.03
KINDS = ("white", "wandering", "heavy", "sawtooth", "spikes", "load")

Floats = npt.NDArray[np.float64]


def noise(kind: str, samples: int, rng: np.random.Generator) -> Floats:
    """One side's own noise, as a share of its level."""
    white = rng.normal(0, 0.01, samples)
    if kind == "wandering":
        # Standard deviation 0.4 %, forgotten after about 2 minutes.
        kept, out = np.exp(-STEP / 120), np.zeros(samples)
        last = rng.normal(0, 0.004)
        for i in range(samples):
            out[i] = last
            last = kept * last + rng.normal(0, 0.004 * np.sqrt(1 - kept**2))
        return out
    if kind == "heavy":
        return np.asarray(rng.standard_t(2.5, samples) * 0.006)
    if kind == "sawtooth":
        period = rng.uniform(8, 24)
        phase = (np.arange(samples) + rng.uniform(0, period)) / period
        return 0.06 * (phase % 1.0) + white / 2
    if kind == "spikes":
        return white / 2 + np.where(rng.random(samples) < 0.02, rng.exponential(0.2, samples), 0)
    return white


def pair(seed: int, leak: float, *, minutes: int = MINUTES) -> tuple[str, Floats, Floats]:
    """The kind, the stable pods' samples and the canary's; the kinds take turns."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    samples = minutes * 60 // STEP
    hours = np.arange(samples) * STEP / 3600
    level = rng.uniform(50, 500)
    swing = 0.2 if kind == "load" else 0.0
    shared = 1 + swing * np.sin(2 * np.pi * (hours / rng.uniform(0.5, 6) + rng.uniform()))
    stable = level * shared * (1 + noise(kind, samples, rng))
    canary = level * shared * (1 + noise(kind, samples, rng) + leak * hours)
    return kind, stable, canary


def found(stable: Floats, canary: Floats, params: change.Params) -> int | None:
    """The minute at which the canary is blamed, if it is."""
    for minute in LOOKS:
        upto = minute * 60 // STEP
        seen = change.detect(stable[:upto], canary[:upto], STEP, params, paired=True)
        if seen.verdict is model.Verdict.UNHEALTHY:
            return minute
    return None


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    out: dict[str, object] = {}
    for name, leak in (("found", LEAK), ("false", 0.0)):
        by_kind: dict[str, list[bool]] = {}
        minutes = []
        for seed in range(args.first, args.first + args.seeds):
            kind, stable, canary = pair(seed, leak)
            minute = found(stable, canary, change.Params())
            by_kind.setdefault(kind, []).append(minute is not None)
            minutes += [minute] if minute is not None else []
        every = [each for kinds in by_kind.values() for each in kinds]
        out[name] = round(float(np.mean(every)), 4)
        out[f"{name}_by_kind"] = {k: round(float(np.mean(v)), 3) for k, v in by_kind.items()}
        if leak:
            out["median_minute"] = float(np.median(minutes)) if minutes else None
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
