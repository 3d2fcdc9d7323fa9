"""Writes the samples of a story's series into the store, as time passes."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence

from prunella.adapters.simulated import server, state
from prunella.policytest import fields
from prunella.policytest import series as series_module
from prunella.promql import notation, series_store

_TICK = 0.001
"""Until a staleness marker that follows a sample of the same moment."""


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """When the samples begin, when the operator starts, and seconds between two scrapes."""

    first: datetime.datetime
    start: datetime.datetime
    interval: float


@dataclasses.dataclass(slots=True)
class _Line:
    """One series that is being written, and where its counter stands."""

    samples: series_store.Series
    count: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Speaker:
    """Who a sample is of: the story itself, a workload, or one of its pods."""

    who: str
    image: str
    began: datetime.datetime
    pods: int = 1
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Scraper:
    """Scrapes the series at each call of `scrape`; a series whose pod is gone ends as stale."""

    def __init__(
        self,
        cluster: server.Server,
        store: series_store.SeriesStore,
        series: Sequence[series_module.Series],
        namespace: str,
        times: Times,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._series = [(each, _labels(each, namespace)) for each in series]
        self._namespace = namespace
        self._times = times
        self._lines: dict[tuple[int, str], _Line] = {}

    def scrape(self, now: datetime.datetime) -> None:
        """Append one sample to each series that has one now."""
        alive: dict[tuple[int, str], _Line] = {}
        workloads = {each.ref: each for each in self._cluster.states()}
        for number, (series, labels) in enumerate(self._series):
            workload = None
            if series.target is not None:
                workload = workloads.get(fields.ref(series.target, self._namespace))
            for speaker in self._speakers(series, workload):
                key = (number, speaker.who)
                alive[key] = self._lines.get(key) or self._line(labels, speaker)
                self._append(alive[key], series, speaker, now)
        self._end(alive, now)

    def _speakers(
        self, series: series_module.Series, workload: state.WorkloadState | None
    ) -> Iterator[_Speaker]:
        if series.target is None:
            yield _Speaker("", "", self._times.first)
            return
        if workload is None:
            return
        ready = [pod for pod in workload.pods if pod.ready]
        pods = max(1, len(ready)) if series.shared else 1
        if not series.per_pod:
            image = str(workload.template["spec"]["containers"][0]["image"])
            yield _Speaker(series.target or "", image, self._times.first, pods)
            return
        for pod in ready:
            yield _Speaker(pod.uid, pod.image, pod.created, pods, {"pod": pod.name})

    def _line(self, labels: Mapping[str, str], speaker: _Speaker) -> _Line:
        return _Line(self._store.series({**labels, **speaker.labels}))

    def _append(
        self,
        line: _Line,
        series: series_module.Series,
        speaker: _Speaker,
        now: datetime.datetime,
    ) -> None:
        interval = self._times.interval
        index = int((now - speaker.began).total_seconds() / interval + 1e-6)
        since_start = (now - self._times.start).total_seconds()
        value = series.value(index, now.timestamp(), since_start, speaker.image, speaker.who)
        if value is None:
            return
        if series_store.is_stale(value):
            line.samples.append(now.timestamp(), value)
            return
        if series.shared:
            value /= speaker.pods
        if series.counter:
            line.count += value * interval
            value = line.count
        line.samples.append(now.timestamp(), value)

    def _end(self, alive: Mapping[tuple[int, str], _Line], now: datetime.datetime) -> None:
        going_on = {id(line.samples) for line in alive.values()}
        for key, line in self._lines.items():
            if key in alive or id(line.samples) in going_on or not line.samples.times:
                continue
            just_seen = line.samples.times[-1] >= series_store.to_milliseconds(now.timestamp())
            line.samples.append(now.timestamp() + (_TICK if just_seen else 0.0), series_store.STALE)
        self._lines = dict(alive)


def _labels(series: series_module.Series, namespace: str) -> dict[str, str]:
    return {"namespace": namespace, **notation.parse_metric(series.metric)}
