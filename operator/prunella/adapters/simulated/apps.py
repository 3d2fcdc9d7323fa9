"""Applications that report metrics as the lab's do: what they say depends on their pods alone.

An image whose tag contains ``bad`` fails 30 % of its requests, ``leak`` gains 1 MB a second,
``mute`` says nothing; annotations ``lab.prunella.dev/*`` of the pod template set rps, errors,
load and metrics (``none``, ``nan``, ``frozen``) as they do in the lab.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from typing import Final

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import server, state
from prunella.core import model
from prunella.promql import series_store

SCRAPE_SECONDS: Final = 5.0
ANNOTATION: Final = "lab.prunella.dev/"
_ERRORS, _LEAK, _FIRST_MEMORY = 0.3, 1e6, 50e6
_FROZEN_AGE: Final = 60.0
_TICK: Final = 0.001
"""Until a staleness marker that follows a sample of the same moment."""
_REQUESTS: Final = "app_http_requests_total"

_Key = tuple[str, str, str]
"""Who speaks (a pod's UID, or a workload), metric name, status code."""
_Report = dict[tuple[str, str], float]
"""Values by metric name and status code; most metrics have no code."""


@dataclasses.dataclass(slots=True)
class Surge:
    """What happens to a workload from outside, whatever its image: load and failing requests."""

    load: float | None = None
    errors: float | None = None


class Apps:
    """Scrapes every pod that is ready into a store, every 5 s of simulated time."""

    def __init__(
        self, clock: clocks.VirtualClock, cluster: server.Server, store: series_store.SeriesStore
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self._store = store
        self._alive: dict[_Key, series_store.Series] = {}
        self._counters: dict[str, _Counters] = {}
        self._surges: dict[model.Ref, Surge] = {}
        self._scraping = True
        self.nan = False
        """While set, every value is NaN."""
        clock.every(SCRAPE_SECONDS, self._scrape)

    def stop(self, *, after: float = 0.0, stale: bool = False) -> None:
        """End the scraping ``after`` seconds.

        With ``stale`` the series end with a marker, as if the targets had gone; without it the
        last values stay to be seen, as when the scraping hangs.
        """

        def now() -> None:
            self._scraping = False
            if stale:
                self._end({})

        self._clock.call_later(after, now) if after > 0 else now()

    def resume(self) -> None:
        """Scrape again."""
        self._scraping = True

    def surge(
        self, ref: model.Ref, *, load: float | None = None, errors: float | None = None
    ) -> None:
        """Give a workload a load, in pods' worth, or a share of failing requests, from now on.

        What is None is as the pods' own annotations and images say again.
        """
        self._surges[ref] = Surge(load, errors)

    def _scrape(self) -> None:
        if not self._scraping:
            return
        now = self._clock.now()
        alive: dict[_Key, series_store.Series] = {}
        counters: dict[str, _Counters] = {}
        for workload in self._cluster.states():
            surge = self._surges.get(workload.ref, Surge())
            reports: list[_Report] = []
            for pod in filter(_speaks, workload.pods):
                counters[pod.uid] = self._counters.get(pod.uid) or _Counters()
                age = (now - pod.created).total_seconds()
                reports.append(_report(pod, counters[pod.uid], age, surge))
                self._append(alive, pod.uid, reports[-1], _pod_labels(workload.ref, pod))
            namespace, name = workload.ref.namespace, workload.ref.name
            labels = {"namespace": namespace, "deployment": name}
            saturation = _saturation(workload.ref, reports)
            self._append(alive, f"{namespace}/{workload.ref}", saturation, labels)
        self._counters = counters
        self._end(alive)

    def _append(
        self,
        alive: dict[_Key, series_store.Series],
        who: str,
        report: _Report,
        labels: dict[str, str],
    ) -> None:
        """Add a report to the store, and its series to those that are alive."""
        now = self._clock.now().timestamp()
        for (name, code), value in report.items():
            series = self._alive.get((who, name, code))
            if series is None:
                series = self._store.series({series_store.NAME: name, **labels, "code": code})
            alive[who, name, code] = series
            series.append(now, math.nan if self.nan else value)

    def _end(self, alive: dict[_Key, series_store.Series]) -> None:
        """Mark the series stale that are no longer alive; a pod's successor may have its name."""
        now = self._clock.now().timestamp()
        going_on = {id(series) for series in alive.values()}
        for series in self._alive.values():
            if id(series) not in going_on:
                just_seen = series.times[-1] >= series_store.to_milliseconds(now)
                series.append(now + _TICK if just_seen else now, series_store.STALE)
        self._alive = alive


def _saturation(ref: model.Ref, reports: list[_Report]) -> _Report:
    """The lab's recording rule: the load of a Deployment over the pods that are there."""
    loads = [report["app_load", ""] for report in reports if ("app_load", "") in report]
    if not loads or ref.kind != "Deployment":
        return {}
    return {("app_cpu_saturation", ""): max(loads) / len(reports)}


@dataclasses.dataclass(slots=True)
class _Counters:
    """Requests of one pod since its start; they only grow, whatever changes around it."""

    age: float = 0.0
    good: float = 0.0
    bad: float = 0.0

    def grow(self, age: float, rps: float, errors: float) -> None:
        """Count the requests since the last time; ``errors`` is the share that fails."""
        requests = (age - self.age) * rps
        self.age = age
        self.good += requests * (1 - errors)
        self.bad += requests * errors


def _report(pod: state.PodState, counters: _Counters, age: float, surge: Surge) -> _Report:
    """What a pod says by its image, age, annotations and what happens to it."""
    metrics = _setting(pod, "metrics")
    errors = _number(pod, "errors", _ERRORS if _tagged(pod, "bad") else 0.0)
    errors = errors if surge.errors is None else surge.errors
    counters.grow(_FROZEN_AGE if metrics == "frozen" else age, _number(pod, "rps", 10.0), errors)
    load = _number(pod, "load", math.nan) if _setting(pod, "load") else None
    report = {
        ("app_up", ""): 1.0,
        (_REQUESTS, "200"): counters.good,
        (_REQUESTS, "500"): counters.bad or None,
        ("app_memory_bytes", ""): _FIRST_MEMORY + (_LEAK * age if _tagged(pod, "leak") else 0.0),
        ("app_load", ""): load if surge.load is None else surge.load,
    }
    believable = math.nan if metrics == "nan" else 1.0
    return {key: value * believable for key, value in report.items() if value is not None}


def _speaks(pod: state.PodState) -> bool:
    return pod.ready and _setting(pod, "metrics") != "none" and not _tagged(pod, "mute")


def _pod_labels(ref: model.Ref, pod: state.PodState) -> dict[str, str]:
    return {
        "namespace": ref.namespace,
        "pod": pod.name,
        ref.kind.lower(): ref.name,
        "instance": pod.node,
        "job": "app",
    }


def _setting(pod: state.PodState, name: str) -> str:
    return pod.annotations.get(ANNOTATION + name, "")


def _number(pod: state.PodState, name: str, default: float) -> float:
    return float(_setting(pod, name) or default)


@functools.lru_cache
def _matches(word: str, image: str) -> bool:
    return re.search(f":[^/]*{word}[^/]*$", image) is not None


def _tagged(pod: state.PodState, word: str) -> bool:
    return _matches(word, pod.image)
