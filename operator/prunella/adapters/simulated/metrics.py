"""The Metrics port over an in-memory store, with faults that can be switched on."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from prunella import ports, settings
from prunella.adapters import range_grids
from prunella.adapters import sources as sources_
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history as core_history
from prunella.promql import evaluator, grid_rows, range_evaluator, series_store


class Fault(enum.StrEnum):
    """The ways in which a source fails."""

    DOWN = "down"
    TIMEOUT = "timeout"
    HTML = "html"
    WARNINGS = "warnings"
    EMPTY = "empty"
    NAN = "nan"
    FROZEN = "frozen"
    """It answers, but nothing has been scraped since it was frozen."""


_FAILURES = {
    Fault.DOWN: model.Failure(reasons.Doubt.UNREACHABLE, "connection refused"),
    Fault.TIMEOUT: model.Failure(reasons.Doubt.TIMEOUT, "no answer in time"),
    Fault.HTML: model.Failure(
        reasons.Doubt.NOT_JSON, "HTTP 200, but not an answer of Prometheus (text/html)"
    ),
    Fault.WARNINGS: model.Failure(
        reasons.Doubt.WARNINGS, "the answer may be partial: a store did not answer"
    ),
}


@dataclasses.dataclass(slots=True)
class MetricsFaults:
    """The switch: at most one fault at a time; ``since`` is when scraping stopped."""

    fault: Fault | None = None
    since: datetime.datetime | None = None

    def set(self, fault: Fault, at: datetime.datetime) -> None:
        """Break the source, from now on."""
        self.fault, self.since = fault, at

    def heal(self) -> None:
        """End the fault."""
        self.fault = self.since = None


class SimulatedMetrics:
    """Answers over a SeriesStore as a Prometheus would that has scraped the same samples."""

    def __init__(
        self,
        store: series_store.SeriesStore,
        clock: ports.Clock,
        faults: MetricsFaults | None = None,
        sources: Mapping[str, settings.Source] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sources = {"default": settings.Source()} if sources is None else sources
        self.faults = faults or MetricsFaults()
        self._frozen: _FrozenStore | None = None

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query, already confined; ``at`` None is now. Never raises."""
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        answer = self._answer(query, self._clock.now() if at is None else at)
        if isinstance(answer, model.Failure):
            return answer
        if len(answer.samples) > admitted.max_series:
            return _too_many(admitted)
        own, _ = sources_.own_series(answer, admitted.namespace_label, namespace)
        return own

    async def history(
        self, source: str, namespace: str, query: str, span: ports.Span
    ) -> core_history.Answer:
        """Ask a query, already confined, at each point of a grid; never raises."""
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        grid = range_grids.Grid.of(span)
        if isinstance(grid, model.Failure):
            return grid
        rows = self._rows(query, grid)
        if isinstance(rows, model.Failure):
            return rows
        if len(rows) > admitted.max_series:
            return _too_many(admitted)
        label = admitted.namespace_label
        own = [row for row in rows if sources_.is_own(row.labels, label, namespace)]
        values = np.array([row.values for row in own]).reshape(len(own), grid.points)
        return core_history.Matrix(grid.times(), tuple(row.labels for row in own), values)

    def _rows(self, query: str, grid: range_grids.Grid) -> Sequence[grid_rows.Row] | model.Failure:
        fault = self.faults.fault
        if fault in _FAILURES:
            return _FAILURES[fault]
        try:
            rows = range_evaluator.evaluate(self._seen(), query, grid.milliseconds())
        except evaluator.EvaluationError as error:
            return model.Failure(reasons.Doubt.QUERY_REJECTED, f"execution: {error}")
        if fault is Fault.EMPTY:
            return ()
        if fault is Fault.NAN:
            return [dataclasses.replace(row, values=row.values * math.nan) for row in rows]
        return rows

    def _answer(self, query: str, at: datetime.datetime) -> model.Answer:
        fault = self.faults.fault
        if fault in _FAILURES:
            return _FAILURES[fault]
        try:
            result = evaluator.evaluate(self._seen(), query, at.timestamp())
        except evaluator.EvaluationError as error:
            return model.Failure(reasons.Doubt.QUERY_REJECTED, f"execution: {error}")
        if isinstance(result, evaluator.Scalar):
            samples: tuple[model.Sample, ...] = (model.Sample(model.NO_LABELS, result.value),)
        else:
            samples = tuple(model.Sample(each.labels, each.value) for each in result.samples)
        if fault is Fault.EMPTY:
            return model.Vector(())
        if fault is Fault.NAN:
            samples = tuple(model.Sample(each.labels, math.nan) for each in samples)
        return model.Vector(samples)

    def _seen(self) -> series_store.SeriesStore:
        """The store, or what of it had been scraped when it was frozen."""
        since = self.faults.since
        if self.faults.fault is not Fault.FROZEN or since is None:
            self._frozen = None
            return self._store
        until = series_store.to_milliseconds(since.timestamp())
        if self._frozen is None or self._frozen.until != until:
            self._frozen = _FrozenStore(self._store, until)
        return self._frozen


def _too_many(source: settings.Source) -> model.Failure:
    return model.Failure(
        reasons.Doubt.TOO_MANY_SERIES,
        f"more than {source.max_series} series: aggregate in the query",
    )


class _FrozenStore(series_store.SeriesStore):
    """A store as it was: later samples of its series can't be seen."""

    def __init__(self, store: series_store.SeriesStore, until: int) -> None:
        super().__init__()
        self._whole = store
        self.until = until

    def select(self, matchers: Iterable[series_store.Matcher]) -> tuple[series_store.Series, ...]:
        """The series that satisfy all matchers, cut off."""
        return tuple(self._cut(series) for series in self._whole.select(matchers))

    def _cut(self, series: series_store.Series) -> series_store.Series:
        cut = series_store.Series(series.labels)
        count = len([when for when in series.times if when <= self.until])
        cut.times.extend(series.times[:count])
        cut.values.extend(series.values[:count])
        cut.has_stale = series.has_stale
        return cut
