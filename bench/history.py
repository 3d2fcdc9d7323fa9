"""From the JSON of a range query to verdicts, against merely decoding the same bytes.

    python -m bench.history [--series 1000] [--points 2016] [--runs 3]

One week of 5-minute points by default.  Everything is measured in one process, in CPU seconds,
one way after the other and all of them again in the next run; the best run counts.

- *bare*: ``orjson.loads``, then ``float()`` of each sample's text, an array for each series;
- *matrix*: the shipped client's decoder, onto the grid, with all of its checks;
- *baseline*: matrix, then the shipped baseline detector with its defaults, tick by tick;
- *threshold*: matrix, then the verdicts of the threshold detector as backtests judge it: each
  series tied to its target, all points at once.

The ratio is bare's time over the other's: above 1 is faster than bare.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
import sys
import time
from collections.abc import Callable, Mapping

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

import numpy as np  # noqa: E402 - after the path, so that a plain checkout runs
import orjson  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from prunella.adapters.prometheus import client, matrix  # noqa: E402
from prunella.adapters.recorded import metrics as recorded  # noqa: E402
from prunella.api import policy  # noqa: E402
from prunella.backtest import verdicts  # noqa: E402
from prunella.core import model, objects  # noqa: E402
from prunella.core.signals import compiled, history, query_analysis  # noqa: E402
from prunella.detectors import baseline  # noqa: E402

Floats = NDArray[np.float64]
START, STEP, DAY = 1_772_323_200, 300, 86_400
LIMIT = 0.55
POLICY = {
    "target": {"kind": "Deployment", "selector": {"matchLabels": {"app": "all"}}},
    "signals": [
        {"name": "load", "prometheus": {"query": "load"}, "threshold": {"above": LIMIT}},
    ],
    "steps": [{"restart": {}}],
}


def times(points: int) -> Floats:
    """The grid in Unix seconds."""
    return START + STEP * np.arange(points, dtype=np.float64)


def body(series: int, points: int, seed: int = 1) -> bytes:
    """A range answer as Prometheus writes it: daily shapes with noise, all digits of a float."""
    random = np.random.default_rng(seed)
    shape = 0.4 + 0.2 * np.sin(2 * np.pi * times(points) / DAY)
    result = [
        {
            "metric": {"__name__": "load", "namespace": "shop", "deployment": f"cart-{number}"},
            "values": [
                [START + STEP * column, repr(value)]
                for column, value in enumerate((shape + random.normal(0, 0.05, points)).tolist())
            ],
        }
        for number in range(series)
    ]
    data = {"resultType": "matrix", "result": result}
    return orjson.dumps({"status": "success", "data": data})


def bare(text: bytes) -> Floats:
    """Decode and convert, nothing else: shape (series, points)."""
    result = orjson.loads(text)["data"]["result"]
    return np.array([[float(value) for _, value in each["values"]] for each in result])


def read(text: bytes, points: int, series: int) -> matrix.Block:
    """The shipped way from bytes to arrays."""
    data = matrix.loads(text)["data"]
    reply = client.Reply(data["resultType"], data["result"])
    return matrix.read_reply(reply, times(points), series)


def with_baseline(text: bytes, points: int, series: int) -> int:
    """Verdicts that are Unhealthy, by the baseline detector."""
    values = np.ascontiguousarray(read(text, points, series).values.T)
    detector = baseline.Baseline(baseline.Params(), series)
    ticks = zip(times(points), values, strict=True)
    return sum(int(detector.tick(when, row).unhealthy.sum()) for when, row in ticks)


class Threshold:
    """Verdicts by the threshold detector; all of the data is fresh."""

    def __init__(self, points: int, series: int) -> None:
        spec = policy.RemediationPolicySpec.model_validate(POLICY)
        found = compiled.compile_policy(objects.Key("shop", "load"), spec, {})
        self._signal, self._grid, self._series = found.signals[0], times(points), series
        self._asked = recorded.questions(self._signal)
        names = [f"cart-{number}" for number in range(series)]
        self._refs = [model.Ref("Deployment", "shop", name) for name in names]
        labels = tuple({"deployment": name, query_analysis.LEAF_LABEL: "0"} for name in names)
        self._ages = self._answered(labels, np.zeros((series, points)))

    def _answered(self, labels: tuple[Mapping[str, str], ...], values: Floats) -> recorded.Answered:
        return recorded.Answered(history.Matrix(self._grid, labels, values), ~np.isnan(values))

    def judge(self, text: bytes) -> int:
        """Verdicts that are Unhealthy."""
        block = read(text, len(self._grid), self._series)
        asked = self._asked[compiled.VALUE]
        answers = {asked.key: self._answered(block.labels, block.values)}
        answers[asked.fresh_key] = self._ages
        recording = recorded.Recording(self._grid, answers)
        found = verdicts.judge(self._signal, recording, self._asked, self._refs, 60.0)
        return int((found.codes == verdicts.UNHEALTHY).sum())


def measure(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """CPU seconds of each way: the best of its runs."""
    best = dict.fromkeys(ways, np.inf)
    for _ in range(runs):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - begun)
    return best


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--points", type=int, default=2016)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    text = body(args.series, args.points)
    if not np.array_equal(bare(text), read(text, args.points, args.series).values):
        sys.exit("the two ways to read the same bytes differ")
    shape = (text, args.points, args.series)
    ways: dict[str, Callable[[], object]] = {
        "bare": functools.partial(bare, text),
        "matrix": functools.partial(read, *shape),
        "baseline": functools.partial(with_baseline, *shape),
        "threshold": functools.partial(Threshold(*shape[1:]).judge, text),
    }
    seconds = measure(ways, args.runs)
    samples = args.series * args.points
    print(f"{args.series} series x {args.points} points, {len(text) / 1e6:.0f} MB of JSON")
    for name, took in seconds.items():
        ratio = seconds["bare"] / took
        print(f"{name:10s} {took:7.2f} s  {samples / took / 1e6:6.2f} M samples/s  {ratio:5.2f} x")


if __name__ == "__main__":
    main()
