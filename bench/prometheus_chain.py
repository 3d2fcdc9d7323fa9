"""A Prometheus that evaluates a chain of rules for seasonal bands, expression by expression.

The arithmetic is that of Grafana's adaptive bands (promql-anomaly-detection): a filter for sparse
series; mean and deviation over an hour; that deviation, where it is large, averaged over 26 hours;
the same hour of yesterday and of last week; bands from the widest of those; and the comparison.
What the rules would have recorded is replaced by raw series of the same density, and each
expression is asked as an instant query within ``count()``, so that no answers are encoded.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench import operator_process
from lab import binaries, ports

METRIC = "app_load"
READY_SECONDS = 60


def _hour_before(offset: str, sign: str) -> str:
    hour = f"{METRIC}[1h] offset {offset}"
    return f"avg_over_time({hour}) {sign} 2 * stddev_over_time({hour})"


def _long(sign: str, best: str) -> str:
    week, day = _hour_before("167h30m", sign), _hour_before("23h30m", sign)
    return (
        f'{best} without (back) (label_replace({week}, "back", "1w", "", "")'
        f' or label_replace({day}, "back", "1d", "", ""))'
    )


def _band(sign: str, best: str) -> str:
    newest = f"last_over_time({METRIC}[10m])"
    return (
        f'{best} without (by) (label_replace({newest} {sign} {newest} * 2, "by", "short", "", "")'
        f' or label_replace({newest} {sign} {newest} * 0.5, "by", "margin", "", "")'
        f" or {newest})"
    )


CHAIN = {
    "select": f"({METRIC} > 0 unless avg_over_time({METRIC}[1h]) < 5 / 60) or {METRIC} > 0",
    "mean of 1 h": f"avg_over_time({METRIC}[1h])",
    "deviation of 1 h, filtered": f"stddev_over_time({METRIC}[1h]) > {METRIC} * 0.5",
    "its mean of 26 h": f"avg_over_time({METRIC}[26h])",
    "level": METRIC,
    "lower, long term": _long("-", "min"),
    "upper, long term": _long("+", "max"),
    "lower": f"clamp_min({_band('-', 'min')}, 0)",
    "upper": _band("+", "max"),
    "alert": f"last_over_time({METRIC}[10m]) < last_over_time({METRIC}[10m])"
    f" or last_over_time({METRIC}[10m]) > last_over_time({METRIC}[10m])",
}


def write_openmetrics(
    path: pathlib.Path,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    labels: Callable[[int], str] = 'series="{:04}"'.format,
    digits: int = 2,
) -> None:
    """Series of shape (ticks, n) as OpenMetrics text, one after the other.

    ``labels`` are those of a series by its number, ``digits`` the decimals of its values.
    """
    stamps = [str(each) for each in times.tolist()]
    with path.open("w") as file:
        file.write(f"# TYPE {METRIC} gauge\n")
        for number in range(values.shape[1]):
            name = f"{METRIC}{{{labels(number)}}}"
            column = zip(values[:, number].tolist(), stamps, strict=True)
            file.writelines(f"{name} {value:.{digits}f} {stamp}\n" for value, stamp in column)
        file.write("# EOF\n")


def load(text: pathlib.Path, storage: pathlib.Path) -> None:
    """Turn OpenMetrics text into blocks of a Prometheus storage folder; few blocks, not 2 hours."""
    command = [str(binaries.locate("promtool")), "tsdb", "create-blocks-from"]
    command += ["--max-block-duration=20d", "openmetrics", str(text), str(storage)]
    subprocess.run(command, check=True, capture_output=True)


class Server:
    """A running Prometheus on one core."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process = process
        self.url = url

    def cpu_seconds(self) -> float:
        """CPU time used so far, user and system."""
        return operator_process.cpu_seconds(self._process.pid)

    def count(self, expression: str, at: float) -> int:
        """How many series the expression gives at that time."""
        form = {"query": f"count({expression})", "time": str(at), "timeout": "60s"}
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/query", body, timeout=90) as answer:
            result = json.load(answer)["data"]["result"]
        return int(result[0]["value"][1]) if result else 0


def version() -> str:
    """The version that the lab builds."""
    return next(each.version for each in binaries.BINARIES if each.name == "prometheus")


@contextlib.contextmanager
def running(storage: pathlib.Path) -> Iterator[Server]:
    """Run Prometheus over a storage folder, without scraping, until the block ends."""
    port = ports.free_port()
    config, log = storage.parent / "prometheus.yml", storage.parent / "prometheus.log"
    config.write_text("global: {}\n")
    command = [
        str(binaries.locate("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={storage}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    environment = {**os.environ, "GOMAXPROCS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_ready(process, url, log)
        yield Server(process, url)
    finally:
        process.terminate()
        process.wait(30)


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: pathlib.Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{url}/-/ready", timeout=2).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"Prometheus did not become ready:\n{log.read_text()[-3000:]}")


def seconds_per_chain(server: Server, moments: list[float]) -> dict[str, float]:
    """CPU seconds that each expression takes, the mean over the moments; the first warms up."""
    found = {}
    for name, expression in CHAIN.items():
        server.count(expression, moments[0])
        begun = server.cpu_seconds()
        for at in moments:
            server.count(expression, at)
        found[name] = (server.cpu_seconds() - begun) / len(moments)
    return found
