"""The Metrics port over history that was fetched ahead, one stretch of the grid at a time.

Passes of the engine ask instant queries at moments of the grid; each is a column of a range query
that was asked once for the whole stretch.  What falls beside the grid (the moment at which a
signal has held long enough, the time before a release) is asked of the source itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prunella import ports
from prunella.core import model
from prunella.core.signals import compiled, query_analysis
from prunella.core.signals import history as core_history

Bools = NDArray[np.bool_]
_CLOSE = 0.002
"""Seconds: Prometheus knows times to the millisecond."""
_COUNTED = 300.0
"""Seconds in which the samples of the recorded scrape interval are told to have been counted."""
_PROBES = 9


class HistoryError(Exception):
    """History that can't be read: which query, and why."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A query's answers on a stretch. ``present`` (series, points): where there is a sample.

    A sample may be NaN, which is another thing than no sample.
    """

    matrix: core_history.Matrix
    present: Bools

    def at(self, column: int) -> model.Vector:
        """The instant vector at one point."""
        rows = np.flatnonzero(self.present[:, column])
        values = self.matrix.values[rows, column].tolist()
        labels = self.matrix.labels
        pairs = zip(rows.tolist(), values, strict=True)
        return model.Vector(tuple(model.Sample(labels[row], value) for row, value in pairs))


Key = tuple[str, str]
"""Source and query."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """All queries' answers on one stretch; ``times`` in Unix seconds."""

    times: core_history.Floats
    answers: Mapping[Key, Answered]
    grids: Mapping[tuple[str, str, float], core_history.Matrix] = dataclasses.field(
        default_factory=dict
    )
    """By source, query and step: what the detectors that look back will ask for."""

    def column(self, when: float) -> int | None:
        """The point at this moment; None beside the grid."""
        return place(self.times, when)


def place(times: core_history.Floats, when: float) -> int | None:
    """The index of a moment on a grid; None beside it."""
    if not len(times):
        return None
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    index = round((when - float(times[0])) / step)
    if 0 <= index < len(times) and abs(float(times[index]) - when) < _CLOSE:
        return index
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One query of a signal with what is needed to ask for the age of its data."""

    source: str
    query: str
    fresh: str
    learn: str
    step: float | None
    """Of a signal that looks back: it is asked on this grid, and only its age at each pass."""

    @property
    def key(self) -> Key:
        """Where its answers are found."""
        return self.source, self.query

    @property
    def fresh_key(self) -> Key:
        """Where the ages of its data are found."""
        return self.source, self.fresh


def questions(signal: compiled.Signal) -> dict[str, Asked]:
    """The queries that a pass asks for one signal, by role."""
    step = signal.lookback.step if signal.lookback is not None else None
    return {
        role: Asked(
            source=signal.spec.source,
            query=query,
            fresh=query_analysis.freshness_query(query, signal.labels),
            learn=query_analysis.freshness_query(query, signal.labels, learn_interval=True),
            step=step,
        )
        for role, query in signal.queries.items()
    }


class RecordedMetrics:
    """Answers of the stretch that is in use; everything else is asked of ``origin``.

    The scrape interval is learned once for all of the history, so that a verdict does not depend
    on which moments were passed over.
    """

    def __init__(
        self, origin: ports.Metrics, clock: ports.Clock, namespace: str, asked: Sequence[Asked]
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._namespace = namespace
        self._asked = tuple(dict.fromkeys(asked))
        self._learn = {(each.source, each.learn): each for each in asked}
        self._recording = Recording(np.empty(0), {})
        self.scrape_seconds: dict[Key, float | None] = {each.key: None for each in asked}
        """Of each query's metrics; None where it can't be told."""
        self.samples = 0
        """Samples fetched so far."""

    async def learn_intervals(self, start: float, end: float) -> None:
        """Learn how often the metrics of each query were scraped. Raises HistoryError."""
        times = np.linspace(start, end, _PROBES + 2)[1:].tolist()
        for asked in self._asked:
            seen: list[float] = []
            for when in times:
                at = datetime.datetime.fromtimestamp(when, datetime.UTC)
                answer = await self._origin.query(asked.source, self._namespace, asked.learn, at)
                found = query_analysis.read_freshness(_believed(answer, asked.query).samples)
                if found.scrape_seconds is not None:
                    seen.append(found.scrape_seconds)
            self.scrape_seconds[asked.key] = statistics.median_low(seen) if seen else None

    async def fetch(self, span: core_history.Span) -> Recording:
        """Ask all queries for a stretch, ages included. Raises HistoryError."""
        now = [each.key for each in self._asked if each.step is None]
        keys = list(dict.fromkeys([*now, *(each.fresh_key for each in self._asked)]))
        found = await asyncio.gather(
            *(self._fetch(key, span, tells_nan=key in now) for key in keys)
        )
        back = {(*each.key, each.step) for each in self._asked if each.step is not None}
        grids: dict[tuple[str, str, float], core_history.Matrix] = {}
        for source, query, step in sorted(back):
            matrix = await self._grid(source, query, step, span)
            if matrix is not None:
                grids[source, query, step] = matrix
        times = core_history.grid(span.start, span.end, span.step)
        return Recording(times, dict(zip(keys, found, strict=True)), grids)

    def use(self, recording: Recording) -> None:
        """Answer from this stretch from now on; the one before is dropped."""
        self._recording = recording

    async def ask(self, source: str, query: str, span: core_history.Span) -> core_history.Matrix:
        """One range query of the source. Raises HistoryError."""
        answer = await self._origin.history(source, self._namespace, query, span)
        if isinstance(answer, model.Failure):
            raise HistoryError(f"{query}: {answer.message}")
        self.samples += answer.values.size
        return answer

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query; ``at`` None is the simulated now. Never raises."""
        when = self._clock.now() if at is None else at
        learned = self._learn.get((source, query))
        text = query if learned is None else learned.fresh
        answer = await self._answer(source, namespace, text, when)
        if learned is None or isinstance(answer, model.Failure):
            return answer
        return _with_interval(answer, self.scrape_seconds[learned.key])

    async def history(
        self, source: str, namespace: str, query: str, span: core_history.Span
    ) -> core_history.Answer:
        """A piece of the grid that was fetched, or else asked of the source. Never raises."""
        known = self._recording.grids.get((source, query, span.step))
        if known is not None:
            first, last = place(known.times, span.start), place(known.times, span.end)
            if first is not None and last is not None:
                return _slice(known, first, last + 1)
        return await self._origin.history(source, namespace, query, span)

    async def _answer(
        self, source: str, namespace: str, query: str, when: datetime.datetime
    ) -> model.Answer:
        known = self._recording.answers.get((source, query))
        column = self._recording.column(when.timestamp()) if known is not None else None
        if known is None or column is None:
            return await self._origin.query(source, namespace, query, when)
        return known.at(column)

    async def _fetch(self, key: Key, span: core_history.Span, *, tells_nan: bool) -> Answered:
        """``tells_nan``: whether a NaN must be told from no sample."""
        source, query = key
        matrix = await self.ask(source, query, span)
        present = ~np.isnan(matrix.values)
        if tells_nan and not present.all():
            present |= await self._probe(source, query, span, matrix)
        return Answered(matrix, present)

    async def _grid(
        self, source: str, query: str, step: float, span: core_history.Span
    ) -> core_history.Matrix | None:
        """The points of a detector's own grid that are the newest ones in this stretch."""
        start = core_history.last_point(span.start, step)
        # Until the next stretch begins: a pass may come beside the grid of the passes.
        end = core_history.last_point(span.end + span.step - _CLOSE, step)
        if start > end:
            return None
        return await self.ask(source, query, core_history.Span(start, end, step))

    async def _probe(
        self, source: str, query: str, span: core_history.Span, matrix: core_history.Matrix
    ) -> Bools:
        """Where NaN is a sample: a comparison with itself is 0 there, and nothing where none is."""
        found = np.zeros(matrix.values.shape, np.bool_)
        probe = f"({query}) == bool ({query})"
        answer = await self._origin.history(source, self._namespace, probe, span)
        if isinstance(answer, model.Failure):
            return found  # Names alone tell its series apart: their NaN is taken for no sample.
        rows = {_identity(labels): row for row, labels in enumerate(matrix.labels)}
        for labels, values in zip(answer.labels, answer.values, strict=True):
            row = rows.get(_identity(labels))
            if row is not None and values.shape == found[row].shape:
                found[row] = values == 0
        return found


def _slice(matrix: core_history.Matrix, first: int, end: int) -> core_history.Matrix:
    """Some points, with the series that have a sample there, as a source would answer."""
    values = matrix.values[:, first:end]
    rows = np.flatnonzero(~np.isnan(values).all(axis=1))
    labels = tuple(matrix.labels[row] for row in rows.tolist())
    return core_history.Matrix(matrix.times[first:end], labels, values[rows])


def _identity(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != "__name__")


def _believed(answer: model.Answer, query: str) -> model.Vector:
    if isinstance(answer, model.Failure):
        raise HistoryError(f"{query}: {answer.message}")
    return answer


def _with_interval(ages: model.Vector, seconds: float | None) -> model.Vector:
    """Ages and the interval, in the form that `query_analysis.read_freshness` reads."""
    if seconds is None:
        return ages
    labels = {query_analysis.LEAF_LABEL: f"count-{_COUNTED:g}-recorded"}
    return model.Vector((*ages.samples, model.Sample(labels, _COUNTED / seconds)), ages.infos)
