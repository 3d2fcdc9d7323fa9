"""The PromQL evaluator gives the same answers as a real Prometheus on the same samples."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import requests
import yaml

from lab import binaries, ports
from prunella.promql import evaluator, notation, range_evaluator, series_store

START = 1_700_000_000.0
"""Not a multiple of a minute, so that the alignment of subqueries shows."""
INTERVAL = 15.0
TIMES = [START + after for after in (0, 300, 599.999, 600, 905.5, 1234.567, 1800, 2099.9, 2130)]

SERIES: Mapping[str, str] = {
    'requests_total{deployment="cart",pod="cart-1",code="200"}': "0+7x60 3+11x58",
    'requests_total{deployment="cart",pod="cart-2",code="200"}': "100+5.5x40 _x12 400+3x66",
    'requests_total{deployment="cart",pod="cart-1",code="500"}': "0x30 1+1x20 21x68",
    'requests_total{deployment="shop",pod="shop-1",code="200"}': "5000+250x119",
    'requests_total{deployment="shop",pod="shop-1",code="503"}': "_x60 0+2x20 1+2x38",
    'requests_total{deployment="shop",pod="shop-2"}': "1000+0.1x30 20+0.1x30 _x30 90 91 97",
    'memory_bytes{pod="cart-1",container="app"}': "1e8+123456.7x80 2e8-654321x38",
    'memory_bytes{pod="cart-2",container="app"}': "5e8x119",
    'memory_bytes{pod="shop-1",container="app"}': "-3+0.5x119",
    'memory_bytes{pod="shop-1",container="proxy"}': "4 8 15 16 23 42 0.1 0.1x20 -7 3.5x90",
    'limit{deployment="cart",tier="gold"}': "50x119",
    'limit{deployment="shop",tier="iron"}': "200x119",
    'owner{pod="cart-1",deployment="cart",zone="a"}': "1x119",
    'owner{pod="cart-2",deployment="cart",zone="b"}': "1x119",
    'owner{pod="shop-1",deployment="shop"}': "1x119",
    'odd{kind="nan"}': "NaNx119",
    'odd{kind="inf"}': "Infx119",
    'odd{kind="minus"}': "-Infx119",
    'odd{kind="zero"}': "0x119",
    'odd{kind="minusone"}': "-1x119",
    'odd{kind="big"}': "1e308x119",
    'odd{kind="mixed"}': "NaN 1 NaN NaN 2 Inf -Inf 3 4 0 -0.5x109",
    'ended{why="drained"}': "1+1x20",
    'version{release="v1.2.3",path="/a/b"}': "1x119",
    'version{release="v2.0.0-rc1",path=""}': "2x119",
    'first{x="1"}': "3x119",
    'second{x="1"}': "4x119",
    'latency_bucket{job="a",le="0.1"}': "0+1x119",
    'latency_bucket{job="a",le="0.5"}': "0+3x119",
    'latency_bucket{job="a",le="1"}': "0+3.5x119",
    'latency_bucket{job="a",le="+Inf"}': "0+4x119",
    'latency_bucket{job="b",le="-1"}': "0+1x119",
    'latency_bucket{job="b",le="0.5"}': "0+3x119",
    'latency_bucket{job="b",le="0.50"}': "0+1x119",
    'latency_bucket{job="b",le="2e0"}': "0+2x119",
    'latency_bucket{job="b",le="+Inf"}': "0+9x119",
    'latency_bucket{job="open",le="1"}': "0+9x119",
    'latency_bucket{job="none",le="1"}': "0x119",
    'latency_bucket{job="none",le="+Inf"}': "0x119",
    'latency_bucket{job="bad",le="high"}': "0x119",
}

CASES = pathlib.Path(__file__).parent / "promql"
"""One expression a line."""

EXPRESSIONS = (CASES / "same_elements.txt").read_text().splitlines()

ORDERED = (CASES / "same_order.txt").read_text().splitlines()

REFUSED = (CASES / "refused.txt").read_text().splitlines()


@dataclasses.dataclass(frozen=True)
class Server:
    """A running Prometheus and the store that holds the same samples."""

    url: str
    session: requests.Session
    store: series_store.SeriesStore

    def ask(self, query: str, at: float) -> Any:
        """The decoded answer to an instant query, errors included."""
        parameters = {"query": query, "time": f"{at:.3f}"}
        return self.session.get(f"{self.url}/api/v1/query", params=parameters, timeout=10).json()

    def ask_range(self, query: str, times: Sequence[float], step: float) -> Any:
        """The decoded answer to a range query."""
        parameters = {"query": query, "start": f"{times[0]}", "end": f"{times[-1]}"}
        parameters["step"] = f"{step}"
        url = f"{self.url}/api/v1/query_range"
        return self.session.get(url, params=parameters, timeout=10).json()


def samples() -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
    """Labels and (time, value) pairs; each series is scraped at its own phase, with jitter."""
    for number, (metric, values) in enumerate(sorted(SERIES.items())):
        phase = number * 1.7 % INTERVAL if number % 3 else 0.0
        pairs = [
            (round(START + phase + i * INTERVAL + (i * 7 % 5) * 0.013 * (number % 3), 3), value)
            for i, value in enumerate(notation.parse_values(values))
            if value is not None
        ]
        yield notation.parse_metric(metric), pairs


def open_metrics() -> str:
    """The samples as text for promtool, one metric family after the other."""
    lines = []
    for labels, pairs in samples():
        text = ",".join(
            f'{name}="{value}"' for name, value in labels.items() if name != series_store.NAME
        )
        lines += [
            f"{labels[series_store.NAME]}{{{text}}} {value!r} {when:.3f}" for when, value in pairs
        ]
    return "\n".join([*lines, "# EOF\n"])


def wait_until_ready(
    session: requests.Session, process: subprocess.Popen[bytes], url: str, log: pathlib.Path
) -> None:
    """Return once Prometheus answers; fail with its log when it does not within 30 s."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if session.get(f"{url}/-/ready", timeout=5).ok:
                return
        time.sleep(0.1)
    pytest.fail(f"Prometheus did not become ready:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real Prometheus with the samples as blocks, beside a store with the same samples."""
    folder = tmp_path_factory.mktemp("prometheus")
    text, data, config = folder / "samples.om", folder / "data", folder / "prometheus.yml"
    text.write_text(open_metrics())
    config.write_text("global: {}\n")
    promtool = [binaries.locate("promtool"), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*promtool, text, data], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    store = series_store.SeriesStore()
    for labels, pairs in samples():
        for when, value in pairs:
            store.append(labels, when, value)
    address, log = f"127.0.0.1:{ports.free_port()}", folder / "log"
    command = [
        binaries.locate("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with log.open("wb") as output, requests.Session() as session:
        session.trust_env = False  # a proxy of the environment does not serve this machine
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603
        try:
            wait_until_ready(session, process, f"http://{address}", log)
            yield Server(f"http://{address}", session, store)
        finally:
            process.terminate()
            process.wait(timeout=20)


def theirs(answer: Any) -> list[tuple[frozenset[tuple[str, str]], float]]:
    """Prometheus' answer; a scalar is an element without labels and a mark."""
    assert answer["status"] == "success", answer
    data = answer["data"]
    if data["resultType"] == "scalar":
        return [(frozenset({("scalar", "")}), float(data["result"][1]))]
    return [(frozenset(e["metric"].items()), float(e["value"][1])) for e in data["result"]]


def ours(
    result: evaluator.Vector | evaluator.Scalar,
) -> list[tuple[frozenset[tuple[str, str]], float]]:
    """The evaluator's result in the same form."""
    if isinstance(result, evaluator.Scalar):
        return [(frozenset({("scalar", "")}), result.value)]
    return [(frozenset(each.labels.items()), each.value) for each in result.samples]


@pytest.mark.parametrize("query", EXPRESSIONS)
def test_same_elements(server: Server, query: str) -> None:
    """Same labels, same values, at every time."""
    for at in TIMES:
        expected = theirs(server.ask(query, at))
        actual = ours(evaluator.evaluate(server.store, query, at))

        assert len(expected) == len(actual), (at, expected, actual)
        assert pytest.approx(dict(expected), rel=1e-9, nan_ok=True) == dict(actual), at


RANGE_STEP = 37.5
RANGE = [START - 300 + RANGE_STEP * number for number in range(70)]
FIXED = [query for query in EXPRESSIONS if "start()" not in query and "end()" not in query]


@pytest.mark.parametrize("query", FIXED)
def test_same_ranges(server: Server, query: str) -> None:
    """Same labels, same values, at every point of a grid at once."""
    answer = server.ask_range(query, RANGE, RANGE_STEP)
    times = np.array([series_store.to_milliseconds(at) for at in RANGE], np.int64)
    rows = range_evaluator.evaluate(server.store, query, times)

    assert answer["status"] == "success", answer
    expected = {
        frozenset(each["metric"].items()): {when: float(value) for when, value in each["values"]}
        for each in answer["data"]["result"]
    }
    actual = {
        frozenset(row.labels.items()): {
            RANGE[column]: float(row.values[column]) for column in np.flatnonzero(row.present)
        }
        for row in rows
    }
    assert len(rows) == len(actual)
    assert expected.keys() == actual.keys()
    for labels, values in expected.items():
        assert pytest.approx(values, rel=1e-9, nan_ok=True) == actual[labels], labels


@pytest.mark.parametrize("query", ORDERED)
def test_same_order(server: Server, query: str) -> None:
    """The functions that order their result order it alike."""
    for at in TIMES:
        expected = [labels for labels, _ in theirs(server.ask(query, at))]

        assert expected == [
            labels for labels, _ in ours(evaluator.evaluate(server.store, query, at))
        ], at


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_both(server: Server, query: str) -> None:
    """What Prometheus refuses is refused here too."""
    assert server.ask(query, TIMES[4])["status"] == "error"
    with pytest.raises(evaluator.EvaluationError):
        evaluator.evaluate(server.store, query, TIMES[4])


def test_cases_have_data(server: Server) -> None:
    """Most comparisons are of real values: a store without samples would not go unnoticed."""
    answers = [ours(evaluator.evaluate(server.store, query, TIMES[4])) for query in EXPRESSIONS]

    assert sum(map(bool, answers)) > 0.9 * len(EXPRESSIONS)


NOTATION = {
    'a{x="1"}': "1+1x3 stale 7 _x2 8-1.5x4 _ stale",
    'a{x="2"}': "0x5 _x7 3 4e1 .5 1e-3x3",
    'b{x="1"}': "_ 1 -1 +2-1x2 NaN 5x2 stale stale 6",
}
NOTATION_EXPRESSIONS = [
    "a",
    "a + b <= Inf",
    "timestamp(a)",
    "count_over_time(a[3m])",
    "last_over_time(a[4m])",
    "increase(a[6m])",
    "changes(b[20m])",
    "sum_over_time(a[6m:1m])",
    "sum_over_time(a[6m:30s])",
    "absent(b)",
    'count({__name__=~"a|b"})',
    "a offset 2m",
]


def test_notation_and_staleness_as_promtool(tmp_path: pathlib.Path) -> None:
    """Promtool's own rule tests accept what is computed here from the same series notation."""
    store = series_store.SeriesStore()
    notation.load(store, NOTATION, interval=60)
    cases = []
    for query in NOTATION_EXPRESSIONS:
        for minute in range(24):
            result = evaluator.evaluate(store, query, minute * 60.0)
            assert isinstance(result, evaluator.Vector)
            expected = [
                {"labels": _written(each.labels), "value": each.value} for each in result.samples
            ]
            cases.append({"expr": query, "eval_time": f"{minute}m", "exp_samples": expected})
    series = [{"series": name, "values": values} for name, values in NOTATION.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": cases}
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"fuzzy_compare": True, "tests": [test]}))

    promtool = [binaries.locate("promtool"), "test", "rules", file]
    done = subprocess.run(promtool, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stdout + done.stderr


def _written(labels: dict[str, str]) -> str:
    pairs = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()))
    return f"{{{pairs}}}"
