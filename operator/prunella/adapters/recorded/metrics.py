"""The Metrics port over history that was fetched ahead, one stretch of the grid at a time.

Passes of the engine ask instant queries at moments of the grid; each is a column of a range query
that was asked once for the whole stretch.  What falls beside the grid (the moment at which a
signal has held long enough, the time before a release) is asked of the source itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from prunella import ports
from prunella.core import model
from prunella.core.signals import alerts, compiled, freshness
from prunella.core.signals import history as core_history

Bools = NDArray[np.bool_]
_CLOSE = 0.002
"""Seconds: Prometheus knows times to the millisecond."""
_PROBES = 9
_WINDOWS = tuple(window for tier in freshness.WINDOWS for window in tier)


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


Spacings = Mapping[Key, freshness.Spacing]
"""By source and query."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One query of a signal with what is needed to ask for the age of its data."""

    source: str
    query: str
    labels: tuple[str, ...]
    """Labels that its series are mapped by."""
    step: float | None
    """Of a signal that looks back: it is asked on this grid, and only its age at each pass."""

    @property
    def key(self) -> Key:
        """Where its answers are found."""
        return self.source, self.query

    @property
    def fresh_key(self) -> Key:
        """Where the ages of its data are found."""
        return self.source, self.fresh()

    def fresh(self, windows: Sequence[int] = (), reach: int = 0) -> str:
        """The query for its age. Raises PromqlError."""
        return _fresh(self.query, self.labels, tuple(windows), reach)

    def texts(self, spacing: freshness.Spacing) -> dict[str, bool]:
        """All queries for its age that a pass may ask; whether each asks for the spacing too."""
        reaches = {0, freshness.reach(spacing)}
        tiers = range(len(freshness.WINDOWS))
        chosen = [{0}, *({0, tier} for tier in tiers), set(tiers)]
        found = {self.fresh(reach=reach): False for reach in reaches}
        for tiers_of in chosen:
            windows = [window for tier in sorted(tiers_of) for window in freshness.WINDOWS[tier]]
            found.update((self.fresh(windows, reach), True) for reach in reaches)
        return found


@functools.lru_cache(maxsize=8192)
def _fresh(query: str, labels: tuple[str, ...], windows: tuple[int, ...], reach: int) -> str:
    """The same text each time: parsing a query costs more than a column of its answer."""
    return freshness.freshness_query(query, labels, windows=windows, reach=reach)


@runtime_checkable
class KnowsSpacing(Protocol):
    """A source that has the samples themselves, and need not be asked at several moments."""

    def spacing(self, asked: Asked) -> freshness.Spacing:
        """How far apart the samples of a query's series are."""


def questions(signal: compiled.Signal) -> dict[str, Asked]:
    """The queries that a pass asks for one signal, by role."""
    step = signal.lookback.step if signal.lookback is not None else None
    return {
        role: Asked(signal.spec.source, query, signal.labels, step)
        for role, query in signal.queries.items()
    }


async def learn_spacings(
    origin: ports.Metrics, namespace: str, asked: Collection[Asked], start: float, end: float
) -> Spacings:
    """How far apart the samples of each query are, in all of a history. Raises HistoryError.

    Samples are told apart nowhere in an answer of PromQL, so they are counted at a few moments.
    """
    if isinstance(origin, KnowsSpacing):
        return {each.key: origin.spacing(each) for each in asked}
    times = np.linspace(start, end, _PROBES + 2)[1:].tolist()
    found = {}
    for each in {one.key: one for one in asked}.values():
        seen = []
        for when in times:
            at = datetime.datetime.fromtimestamp(when, datetime.UTC)
            answer = await origin.query(each.source, namespace, each.fresh(_WINDOWS), at)
            believed = _believed(answer, each.query)
            seen.append(freshness.read_freshness(believed.samples).spacing)
        found[each.key] = _usual(seen)
    return found


def _usual(seen: Sequence[freshness.Spacing]) -> freshness.Spacing:
    """The middle one of several readings; slow series are those that most readings know."""
    known = [each.seconds for each in seen if each.seconds is not None]
    if not known:
        return freshness.Spacing()
    slower: dict[frozenset[tuple[str, str]], list[float]] = {}
    for each in seen:
        for sample in each.slower:
            slower.setdefault(frozenset(sample.labels.items()), []).append(sample.value)
    samples = (
        model.Sample(dict(key), statistics.median_low(values))
        for key, values in slower.items()
        if 2 * len(values) > len(known)
    )
    return freshness.Spacing(statistics.median_low(known), tuple(samples))


class RecordedMetrics:
    """Answers of the stretch that is in use; everything else is asked of ``origin``.

    The spacing of samples is learned once for all of the history, so that a verdict does not
    depend on which moments were passed over.
    """

    def __init__(
        self,
        origin: ports.Metrics,
        clock: ports.Clock,
        namespace: str,
        asked: Sequence[Asked],
        spacings: Spacings,
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._namespace = namespace
        self._asked = tuple(dict.fromkeys(asked))
        self._recording = Recording(np.empty(0), {})
        self.spacings = spacings
        self._texts: dict[Key, tuple[Asked, bool]] = {}
        """Each query for ages that a pass may ask, and whether it asks for the spacing too."""
        self._search: dict[Key, str] = {}
        """By the key of a query's ages, the text that finds them in this history."""
        for each in self._asked:
            spacing = spacings.get(each.key, freshness.Spacing())
            for text, learns in each.texts(spacing).items():
                self._texts[each.source, text] = each, learns
            self._search[each.fresh_key] = each.fresh(reach=freshness.reach(spacing))
        self.samples = 0
        """Samples fetched so far."""

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
        asked, learns = self._texts.get((source, query), (None, False))
        text = query if asked is None else asked.fresh()
        answer = await self._answer(source, namespace, text, when)
        if asked is None or not learns or isinstance(answer, model.Failure):
            return answer
        spacing = self.spacings.get(asked.key, freshness.Spacing())
        return model.Vector(freshness.told(answer.samples, spacing), answer.infos)

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

    async def alerts(self, source: str, namespace: str, name: str, firing: str) -> alerts.Answer:  # noqa: ARG002
        """What fired. That its rule was there is taken for granted: no history tells of it."""
        answer = await self.query(source, namespace, firing)
        if isinstance(answer, model.Failure):
            return answer
        return alerts.History(tuple(each.labels for each in answer.samples), assumed=True)

    async def _answer(
        self, source: str, namespace: str, query: str, when: datetime.datetime
    ) -> model.Answer:
        known = self._recording.answers.get((source, query))
        column = self._recording.column(when.timestamp()) if known is not None else None
        if known is None or column is None:
            text = self._search.get((source, query), query)
            return await self._origin.query(source, namespace, text, when)
        return known.at(column)

    async def _fetch(self, key: Key, span: core_history.Span, *, tells_nan: bool) -> Answered:
        """``tells_nan``: whether a NaN must be told from no sample."""
        source, query = key
        matrix = await self.ask(source, self._search.get(key, query), span)
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
