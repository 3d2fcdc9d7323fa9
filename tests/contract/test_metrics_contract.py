"""A real Prometheus and the simulated source answer the operator's questions alike."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from lab import binaries, processes
from prunella import ports, settings
from prunella.adapters import clock as clocks
from prunella.adapters.prometheus import metrics as prometheus_metrics
from prunella.adapters.simulated import clock as simulated_clocks
from prunella.adapters.simulated import metrics as simulated_metrics
from prunella.adapters.simulated import notation, tsdb
from prunella.api import reasons
from prunella.core import model, promql

NOW: Final = datetime.datetime.fromtimestamp(time.time() // 1 - 5, tz=datetime.UTC)
"""The newest samples are as old as this; later questions find them by looking back."""
HOSTILE: Final = 'a"} or b{c="\\d'

Doubt = reasons.Doubt


@dataclasses.dataclass(frozen=True)
class Series:
    """Samples every ``interval`` seconds; the last is ``ended`` seconds before NOW."""

    name: str
    labels: Mapping[str, str]
    values: str
    interval: float = 15.0
    ended: float = 0.0

    def samples(self) -> list[tuple[float, float]]:
        """Times and values."""
        values = notation.parse_values(self.values)
        first = NOW.timestamp() - self.ended - (len(values) - 1) * self.interval
        return [
            (round(first + number * self.interval, 3), value)
            for number, value in enumerate(values)
            if value is not None
        ]


def shop(**labels: str) -> dict[str, str]:
    """Labels of a series of the namespace ``shop``."""
    return {"namespace": "shop", **labels}


SERIES: Final = (
    Series("requests_total", shop(deployment="cart", code="200"), "0+15x80"),
    Series("requests_total", shop(deployment="cart", code="500"), "0+3x80"),
    Series("requests_total", shop(deployment="mail", code="200"), "0+15x80", ended=2.0),
    Series("requests_total", {"namespace": "bank", "deployment": "vault", "code": "200"}, "0+1x80"),
    Series("memory_bytes", shop(pod="cart-1"), "5x240", interval=5.0),
    Series("memory_bytes", shop(pod="cart-2"), "7x8", interval=5.0),
    Series("slow", shop(pod="cart-1"), "1x20", interval=60.0, ended=10.0),
    Series("stopped", shop(pod="cart-1"), "1x80", ended=120.0),
    Series("long_gone", shop(pod="cart-1"), "1x40", ended=400.0),
    Series("young", shop(pod="cart-3"), "1x2", interval=5.0),
    Series("odd", shop(kind="nan"), "NaNx80"),
    Series("odd", shop(kind="inf"), "Infx80"),
    Series("odd", shop(kind="minus"), "-Infx80"),
    Series("named", {"namespace": HOSTILE}, "1x80"),
    Series("named", shop(), "2x80"),
)


@dataclasses.dataclass(frozen=True)
class World:
    """A source of the samples, and one that can't be reached."""

    metrics: ports.Metrics
    unreachable: ports.Metrics

    async def ask(
        self,
        query: str,
        namespace: str = "shop",
        at: datetime.datetime | None = NOW,
        source: str = "default",
    ) -> model.Answer:
        """Ask as the engine does: confined."""
        confined = promql.confine(query, "namespace", namespace)
        return await self.metrics.query(source, namespace, confined, at)


def sources(url: str) -> dict[str, settings.Source]:
    """The sources of the operator's settings."""
    return {
        "default": settings.Source(url=url),
        "small": settings.Source(url=url, max_series=1),
        "closed": settings.Source(url=url, allowed_namespaces=("bank",)),
    }


def open_metrics() -> str:
    """The samples as text for promtool."""
    lines = []
    for series in sorted(SERIES, key=lambda each: each.name):
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in series.labels.items())
        lines += [
            f"{series.name}{{{labels}}} {value!r} {when:.3f}" for when, value in series.samples()
        ]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A Prometheus of our own, its samples in blocks."""
    folder = tmp_path_factory.mktemp("prometheus")
    text, config, data = folder / "samples.om", folder / "prometheus.yml", folder / "data"
    text.write_text(open_metrics())
    config.write_text("global: {}\n")
    tool = [str(binaries.locate("promtool")), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*tool, str(text), str(data)], check=True, capture_output=True)  # noqa: S603
    url = f"http://127.0.0.1:{processes.free_ports().prometheus}"
    command = [
        str(binaries.locate("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    log = pathlib.Path(folder / "log")
    process = processes.start(command, log)
    clock = clocks.RealClock()
    found = prometheus_metrics.PrometheusMetrics(sources(url), clock, threads=2)
    away = {"default": settings.Source(url="http://127.0.0.1:1")}
    unreachable = prometheus_metrics.PrometheusMetrics(away, clock, threads=1)
    try:
        processes.wait_for(f"{url}/-/ready", log)
        yield World(found, unreachable)
    finally:
        found.close()
        unreachable.close()
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def simulated() -> World:
    """A store with the same samples."""
    store = tsdb.SeriesStore()
    for series in SERIES:
        for when, value in series.samples():
            store.append({tsdb.NAME: series.name, **series.labels}, when, value)
    clock = simulated_clocks.VirtualClock(NOW)
    faults = simulated_metrics.MetricsFaults(simulated_metrics.Fault.DOWN)
    return World(
        simulated_metrics.SimulatedMetrics(store, clock, sources=sources("http://unused")),
        simulated_metrics.SimulatedMetrics(store, clock, faults),
    )


@pytest.fixture(params=["simulated", "prometheus"])
def world(request: pytest.FixtureRequest) -> World:
    """Every test runs on both."""
    found: World = request.getfixturevalue(request.param)
    return found


def values(answer: model.Answer, label: str) -> dict[str, float]:
    """The values of a vector by one label."""
    assert isinstance(answer, model.Vector), answer
    found = {sample.labels.get(label, ""): sample.value for sample in answer.samples}
    assert len(found) == len(answer.samples)
    return found


VECTORS = {
    "own series only": ("sum by (deployment) (requests_total)", {"cart": 1440.0, "mail": 1200.0}),
    "foreign matcher": ('requests_total{namespace="bank"}', {}),
    "foreign matcher, by pattern": (
        'sum by (deployment) (requests_total{namespace=~"bank|shop"})',
        {"cart": 1440.0, "mail": 1200.0},
    ),
    "rate": ("sum by (deployment) (rate(requests_total[5m]))", {"cart": 1.2, "mail": 1.0}),
    "subquery": (
        "max_over_time(sum by (deployment) (rate(requests_total[1m]))[5m:15s])",
        {"cart": 1.2, "mail": 1.0},
    ),
    "ratio without errors is empty": (
        'sum by (deployment) (rate(requests_total{code="404"}[1m]))',
        {},
    ),
    "scalar": ("scalar(named) + 1", {"": 3.0}),
    "offset": ("requests_total{code='500'} offset 5m", {"cart": 180.0}),
    "not there": ("nothing", {}),
    "older than the lookback": ("long_gone", {}),
}


@pytest.mark.parametrize(("query", "expected"), VECTORS.values(), ids=VECTORS)
async def test_values(world: World, query: str, expected: dict[str, float]) -> None:
    """The same values by the same labels."""
    answer = await world.ask(query)

    assert pytest.approx(expected) == values(answer, "deployment")


async def test_odd_numbers(world: World) -> None:
    """NaN and infinity arrive as they are."""
    found = values(await world.ask("odd"), "kind")

    assert math.isnan(found.pop("nan"))
    assert found == {"inf": math.inf, "minus": -math.inf}


async def test_history(world: World) -> None:
    """An earlier time shows what was then."""
    then = NOW - datetime.timedelta(minutes=10)

    assert values(await world.ask("requests_total{code='500'}", at=then), "code") == {"500": 120.0}
    assert values(await world.ask("long_gone", at=then), "pod") == {"cart-1": 1.0}
    assert values(await world.ask("young", at=then), "pod") == {}


async def test_now(world: World) -> None:
    """Without a time it is asked about now."""
    assert values(await world.ask("named", at=None), "namespace") == {"shop": 2.0}


async def test_a_hostile_namespace_reads_its_own(world: World) -> None:
    """Quotes and brackets in a value are a value, for the server too."""
    answer = await world.ask("sum by (namespace) (named)", namespace=HOSTILE)

    assert values(answer, "namespace") == {HOSTILE: 1.0}


async def test_forged_series_are_dropped(world: World) -> None:
    """A query can give its series another namespace, but they are not taken for real."""
    forged = 'label_replace(named, "namespace", "bank", "", "")'

    answer = await world.ask(f"sum by (namespace) ({forged} or memory_bytes)")

    assert values(answer, "namespace") == {"shop": 12.0}


FAILURES = {
    "refused": ("named * on (x) group_left (y) requests_total", "default", Doubt.QUERY_REJECTED),
    "many to many": ("requests_total * on (namespace) odd", "default", Doubt.QUERY_REJECTED),
    "too many series": ("odd", "small", Doubt.TOO_MANY_SERIES),
    "closed source": ("odd", "closed", Doubt.FORBIDDEN_SOURCE),
    "unknown source": ("odd", "thanos", Doubt.UNKNOWN_SOURCE),
}


@pytest.mark.parametrize(("query", "source", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failures(world: World, query: str, source: str, reason: reasons.Doubt) -> None:
    """No answer has the same reason on both."""
    answer = await world.ask(query, source=source)

    assert isinstance(answer, model.Failure), answer
    assert reason == answer.reason
    assert answer.message


async def test_unreachable(world: World) -> None:
    """A source that is down is a Failure."""
    answer = await world.unreachable.query("default", "shop", "up")

    assert isinstance(answer, model.Failure)
    assert answer.reason == Doubt.UNREACHABLE


async def freshness(world: World, query: str, *labels: str) -> promql.Freshness:
    """What a freshness query tells, with the scrape interval."""
    confined = promql.confine(query, "namespace", "shop")
    asked = promql.freshness_query(confined, ("namespace", *labels), learn_interval=True)
    answer = await world.metrics.query("default", "shop", asked, NOW)
    assert isinstance(answer, model.Vector), answer
    return promql.read_freshness(answer.samples)


AGES = {
    "fresh": ("max(memory_bytes)", {("0", "cart-1"): 0.0, ("0", "cart-2"): 0.0}, 5.0),
    "aggregate of rates": (
        "sum by (deployment) (rate(requests_total[5m]))",
        {("0", "cart"): 0.0, ("0", "mail"): 2.0},
        15.0,
    ),
    "each leaf": (
        "sum(requests_total{code='500'}) / sum(slow)",
        {("0", "cart"): 0.0, ("1", "cart-1"): 10.0},
        60.0,
    ),
    "stopped, and not taken for slow": ("stopped", {("0", "cart-1"): 120.0}, None),
    "young": ("young", {("0", "cart-3"): 0.0}, None),
    "offset does not hide the age": ("stopped offset 1m", {("0", "cart-1"): 120.0}, None),
    "gone": ("long_gone", {}, None),
    "not there": ("sum(nothing)", {}, None),
    "foreign": ("requests_total{namespace='bank'}", {}, None),
    "no name": ("{__name__=~'memory.*', pod='cart-2'}", {("0", "cart-2"): 0.0}, 5.0),
}


@pytest.mark.parametrize(("query", "ages", "interval"), AGES.values(), ids=AGES)
async def test_freshness(
    world: World, query: str, ages: dict[tuple[str, str], float], interval: float | None
) -> None:
    """The age of the newest sample of each leaf and target, and how often it is scraped."""
    found = await freshness(world, query, "deployment", "pod")

    seen = {}
    for each in found.ages:
        target = each.labels.get("deployment", each.labels.get("pod", ""))
        seen[each.labels[promql.LEAF_LABEL], target] = each.value
    assert pytest.approx(ages, abs=0.01) == seen
    assert interval == found.scrape_seconds


async def test_an_aggregate_has_no_age(world: World) -> None:
    """Why freshness is asked of the leaves: the sum of old data is always new."""
    answer = await world.ask("time() - timestamp(sum(stopped))")

    assert values(answer, "pod") == {"": 0.0}
