"""A real Prometheus and the simulated source over the same samples, behind one face."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Final

from lab import binaries, processes
from prunella import ports, settings
from prunella.adapters import clock as clocks
from prunella.adapters.prometheus import metrics as prometheus_metrics
from prunella.adapters.simulated import clock as simulated_clocks
from prunella.adapters.simulated import metrics as simulated_metrics
from prunella.core import model
from prunella.core.signals import history, query_analysis
from prunella.promql import notation, series_store

NOW: Final = datetime.datetime.fromtimestamp(time.time() // 1 - 5, tz=datetime.UTC)
"""The newest samples are as old as this; later questions find them by looking back."""
HOSTILE: Final = 'a"} or b{c="\\d'


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
        confined = query_analysis.confine(query, "namespace", namespace)
        return await self.metrics.query(source, namespace, confined, at)

    async def ask_history(
        self, query: str, seconds: float, step: float, source: str = "default"
    ) -> history.Answer:
        """Ask for the last seconds up to NOW, confined."""
        confined = query_analysis.confine(query, "namespace", "shop")
        span = ports.Span(NOW.timestamp() - seconds, NOW.timestamp(), step)
        return await self.metrics.history(source, "shop", confined, span)


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


@contextlib.contextmanager
def prometheus(folder: pathlib.Path) -> Iterator[World]:
    """A Prometheus of our own, its samples in blocks in a folder."""
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


def simulated() -> World:
    """A store with the same samples."""
    store = series_store.SeriesStore()
    for series in SERIES:
        for when, value in series.samples():
            store.append({series_store.NAME: series.name, **series.labels}, when, value)
    clock = simulated_clocks.VirtualClock(NOW)
    faults = simulated_metrics.MetricsFaults(simulated_metrics.Fault.DOWN)
    return World(
        simulated_metrics.SimulatedMetrics(store, clock, sources=sources("http://unused")),
        simulated_metrics.SimulatedMetrics(store, clock, faults),
    )
