"""The Metrics port over samples from files, with the ages of data for a whole grid at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import promql_parser

from prunella import ports, settings
from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import spacings
from prunella.adapters.simulated import metrics as simulated
from prunella.core.signals import freshness, query_analysis
from prunella.core.signals import history as core_history
from prunella.promql import selectors, series_store


class StoredMetrics(simulated.SimulatedMetrics):
    """SimulatedMetrics, faster where freshness is asked: it is asked of every query."""

    def __init__(
        self,
        store: series_store.SeriesStore,
        clock: ports.Clock,
        sources: Mapping[str, settings.Source],
    ) -> None:
        super().__init__(store, clock, sources=sources)
        self._samples = store
        self._fresh: dict[str, recorded.Asked] = {}

    def expect(self, asked: Iterable[recorded.Asked]) -> None:
        """Prepare for the freshness of these queries."""
        for each in asked:
            reach = freshness.reach(self.spacing(each))
            self._fresh |= {each.fresh(): each, each.fresh(reach=reach): each}

    def spacing(self, asked: recorded.Asked) -> freshness.Spacing:
        """How far apart the samples of a query's series are, by the samples themselves."""
        found: dict[int, dict[frozenset[tuple[str, str]], float]] = {}
        for number, series, key in self._leaves(asked):
            usual = spacings.usual(np.frombuffer(series.times, np.int64))
            if usual is not None:
                groups = found.setdefault(number, {})
                groups[key] = min(usual, groups.get(key, usual))
        return freshness.spacing_of(found.values())

    def _leaves(
        self, asked: recorded.Asked
    ) -> Iterator[tuple[int, series_store.Series, frozenset[tuple[str, str]]]]:
        """Each leaf's number with each of its series, and the mapping labels that this has."""
        for number, leaf in enumerate(query_analysis.leaves(asked.query)):
            selector = promql_parser.parse(leaf)
            if not isinstance(selector, promql_parser.VectorSelector):
                continue
            for series in self._samples.select(selectors.matchers_of(selector)):
                own = {each: series.labels[each] for each in asked.labels if each in series.labels}
                yield number, series, frozenset(own.items())

    async def history(
        self, source: str, namespace: str, query: str, span: core_history.Span
    ) -> core_history.Answer:
        """Ask a query at each point of a grid; never raises."""
        known = self._fresh.get(query)
        if known is None:
            answer: core_history.Answer = await super().history(source, namespace, query, span)
            return answer
        return self._ages(known, core_history.grid(span.start, span.end, span.step))

    def _ages(self, asked: recorded.Asked, times: core_history.Floats) -> core_history.Matrix:
        rows: dict[frozenset[tuple[str, str]], core_history.Floats] = {}
        points = np.rint(times * 1000).astype(np.int64)
        for number, series, own in self._leaves(asked):
            key = own | {(freshness.LEAF_LABEL, str(number))}
            ages = _ages_of(series, points)
            before = rows.get(key)
            rows[key] = ages if before is None else np.fmin(before, ages)
        kept = {key: ages for key, ages in rows.items() if not np.isnan(ages).all()}
        values = np.stack(list(kept.values())) if kept else np.zeros((0, len(times)))
        return core_history.Matrix(times, tuple(dict(key) for key in kept), values)


def _ages_of(
    series: series_store.Series, points: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> core_history.Floats:
    """Seconds since the newest sample, NaN where none is within the lookback or it has ended."""
    times = np.frombuffer(series.times, np.int64)
    places = np.searchsorted(times, points, side="right") - 1
    newest = times[np.maximum(places, 0)]
    there = (places >= 0) & (newest > points - series.lookback)
    if series.has_stale:
        bits = np.frombuffer(series.values, np.uint64)
        stale = np.frombuffer(np.float64(series_store.STALE).tobytes(), np.uint64)[0]
        there &= bits[np.maximum(places, 0)] != stale
    return np.where(there, (points - newest) / 1000, np.nan)
