"""How well the forecast detector foresees exhaustion, with its default parameters.

    python -m bench.forecast --seed N            5 days of 5-minute points (bench.forecast_set)
    python -m bench.forecast --seed N --weeks    8 weeks of hourly points (bench.forecast_weeks)
    python -m bench.forecast --seed N --deploys  leaks that a deploy resets (bench.forecast_deploys)
    python -m bench.forecast --seed N --speed    forecasts per second and core, all at once

A doubted forecast counts as none (infinity).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs

from bench import forecast_deploys, forecast_set, forecast_weeks  # noqa: E402
from prunella.detectors import forecast  # noqa: E402


def predict(values: forecast_set.Floats, limit: float, step: float) -> float:
    """Seconds until full."""
    return float(forecast.project(values[None, :], limit, step).sure_seconds()[0])


def speed(seed: int) -> dict[str, float]:
    """CPU time of one call for 1,000 series of 5 days, the best of three."""
    bad, good = forecast_set.cases(seed)
    several = [each[1] for each in [*bad, *good]]
    matrix = np.array([several[i % len(several)] for i in range(1000)])[:, :1400]
    times = []
    for _ in range(4):
        start = time.process_time()
        forecast.project(matrix, forecast_set.LIMIT, forecast_set.STEP)
        times.append(time.process_time() - start)
    # The first call also makes the filters, which later ones find.
    return {"forecasts_per_second": round(1000 / min(times[1:])), "first_ms": round(times[0] * 1e3)}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weeks", action="store_true")
    parser.add_argument("--deploys", action="store_true")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    if args.speed:
        print(json.dumps(speed(args.seed), indent=1))
        return
    chosen = forecast_set.evaluate
    if args.weeks:
        chosen = forecast_weeks.evaluate
    if args.deploys:
        chosen = forecast_deploys.evaluate
    print(json.dumps(chosen(predict, args.seed), indent=1))


if __name__ == "__main__":
    main()
