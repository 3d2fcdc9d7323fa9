"""A month of many series through `prunella backtest`, from a real Prometheus: time and memory.

    python -m bench.backtest [--series 200] [--days 30] [--detector baseline|forecast|...]

A sample each minute, a daily season, up to two incidents a series.  The command runs as a process
of its own and writes its report too.  Prometheus has the same two cores; its own CPU time is told
apart.  Memory is the largest resident set of the command.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import yaml
from numpy.typing import NDArray

from bench import operator_process, prometheus_chain, rule_series

STEP, DAY = 60, 1440
GOAL, FLOOR = 60.0, 120.0
_WINDOW = f"{prometheus_chain.METRIC}[$window]"
DETECTORS: dict[str, dict[str, dict[str, object]]] = {
    "baseline": {"baseline": {"direction": "Above"}},
    "threshold": {"threshold": {"above": 0.9}},
    "forecast": {"forecast": {"reaches": "1.5", "within": "2h"}},
    "forecast-1d": {"forecast": {"reaches": "1.5", "within": "1d"}},
    "drift": {"drift": {}},
    "change": {"change": {}},
    "absent": {"absent": {"canary": f"count({prometheus_chain.METRIC})"}},
    "burn-rate": {
        "ratio": {
            "bad": f"sum by (deployment) (sum_over_time({_WINDOW}))",
            "total": f"100 * sum by (deployment) (count_over_time({_WINDOW}))",
        },
        "burnRate": {
            "objective": 99,
            "minimum": 1,
            "rules": [{"budget": 0.002, "long": "1h", "short": "5m"}],
        },
    },
}


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one backtest took."""

    seconds: float
    cpu: float
    prometheus: float
    """CPU seconds of Prometheus meanwhile."""
    peak_mib: float
    actions: int
    report_mib: float


def policy(detector: str) -> dict[str, object]:
    """A policy on all series, looked at each minute."""
    signal: dict[str, object] = {"name": "load", "for": "5m", **DETECTORS[detector]}
    if "ratio" not in signal:
        signal["prometheus"] = {"query": prometheus_chain.METRIC}
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "load", "namespace": "shop"},
        "spec": {
            "interval": "1m",
            "target": {"selector": {"matchLabels": {"app": "shop"}}},
            "signals": [signal],
            "steps": [{"restart": {}}],
        },
    }


def samples(series: int, days: int) -> NDArray[np.float64]:
    """Shape (series, minutes): a sine a day with noise, and incidents of up to 40 minutes."""
    rng = np.random.default_rng(3)
    minute = np.arange(days * DAY)
    values = 0.4 + 0.2 * np.sin(2.0 * np.pi * minute / DAY)[None, :]
    values = values + rng.normal(0.0, 0.03, (series, len(minute)))
    for row in values:
        for _ in range(rng.integers(0, 3)):
            begin = rng.integers(len(minute) - 100)
            row[begin : begin + rng.integers(1, 40)] += 1.0
    return values


def load(folder: pathlib.Path, values: NDArray[np.float64]) -> None:
    """Fill a Prometheus storage, a block for each day: a month of text would not fit in memory."""
    text = folder / "day.om"
    labels = 'namespace="shop",deployment="app-{}"'.format
    for first in range(0, values.shape[1], DAY):
        day = values[:, first : first + DAY].T
        times = rule_series.START + STEP * np.arange(first, first + len(day))
        prometheus_chain.write_openmetrics(text, times, day, labels, digits=3)
        prometheus_chain.load(text, folder / "data")
    text.unlink()


def measure(folder: pathlib.Path, server: prometheus_chain.Server, days: int) -> Run:
    """One run of the command over all that Prometheus holds."""
    program = pathlib.Path(sys.executable).with_name("prunella")
    report, answer = folder / "report.html", folder / "answer.json"
    command = [str(program), "backtest", str(folder / "policy.yaml")]
    start, end = rule_series.START, rule_series.START + days * DAY * STEP
    command += ["--prometheus", server.url, "--from", str(start), "--to", str(end)]
    command += ["--output", "json", "--report", str(report)]
    spent, begun = server.cpu_seconds(), time.monotonic()
    with answer.open("wb") as output:
        process = subprocess.Popen(command, stdout=output)
        _, code, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begun
    if code:
        raise SystemExit(f"the backtest ended with {os.waitstatus_to_exitcode(code)}")
    return Run(
        seconds=took,
        cpu=usage.ru_utime + usage.ru_stime,
        prometheus=server.cpu_seconds() - spent,
        peak_mib=usage.ru_maxrss / 1024,
        actions=len(json.loads(answer.read_bytes())["actions"]),
        report_mib=report.stat().st_size / 2**20,
    )


def tell(run: Run) -> str:
    """The figures, and whether the goal was reached, in lines."""
    reached = "goal" if run.seconds <= GOAL else "floor" if run.seconds <= FLOOR else "neither"
    return (
        f"{run.seconds:.1f} s, of which {run.cpu:.1f} s of its own CPU; "
        f"Prometheus used {run.prometheus:.1f} s of CPU meanwhile\n"
        f"largest resident set {run.peak_mib:.0f} MiB; {run.actions} actions; "
        f"report of {run.report_mib:.1f} MiB\n"
        f"goal {GOAL:g} s, floor {FLOOR:g} s for 30 days of 200 series: {reached} reached"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--detector", choices=DETECTORS, default="baseline")
    chosen = parser.parse_args()
    operator_process.build_lab()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        load(folder, samples(chosen.series, chosen.days))
        (folder / "policy.yaml").write_text(yaml.safe_dump(policy(chosen.detector)))
        with prometheus_chain.running(folder / "data") as server:
            run = measure(folder, server, chosen.days)
    what = f"{chosen.detector}, {chosen.series} series at 1 minute, {chosen.days} days"
    print(f"{operator_process.machine()}; {what}")
    print(tell(run))


if __name__ == "__main__":
    main()
