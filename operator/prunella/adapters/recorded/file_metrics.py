"""The Metrics port over samples from files, with the ages of data for a whole grid at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import promql_parser

from prunella import ports, settings
from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.simulated import metrics as simulated
from prunella.core.signals import history as core_history
from prunella.core.signals import query_analysis
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
        self._fresh: dict[str, tuple[recorded.Asked, tuple[str, ...]]] = {}

    def expect(self, asked: Iterable[tuple[recorded.Asked, tuple[str, ...]]]) -> None:
        """Prepare for the freshness of these queries, each with its signal's mapping labels."""
        self._fresh = {each.fresh: (each, labels) for each, labels in asked}

    async def history(
        self, source: str, namespace: str, query: str, span: core_history.Span
    ) -> core_history.Answer:
        """Ask a query at each point of a grid; never raises."""
        known = self._fresh.get(query)
        if known is None:
            answer: core_history.Answer = await super().history(source, namespace, query, span)
            return answer
        asked, labels = known
        return self._ages(asked.query, labels, core_history.grid(span.start, span.end, span.step))

    def _ages(
        self, query: str, labels: tuple[str, ...], times: core_history.Floats
    ) -> core_history.Matrix:
        rows: dict[frozenset[tuple[str, str]], core_history.Floats] = {}
        points = np.rint(times * 1000).astype(np.int64)
        for number, leaf in enumerate(query_analysis.leaves(query)):
            selector = promql_parser.parse(leaf)
            if not isinstance(selector, promql_parser.VectorSelector):
                continue
            for series in self._samples.select(selectors.matchers_of(selector)):
                own = {name: series.labels[name] for name in labels if name in series.labels}
                key = frozenset({**own, query_analysis.LEAF_LABEL: str(number)}.items())
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
    there = (places >= 0) & (newest > points - selectors.LOOKBACK)
    if series.has_stale:
        bits = np.frombuffer(series.values, np.uint64)
        stale = np.frombuffer(np.float64(series_store.STALE).tobytes(), np.uint64)[0]
        there &= bits[np.maximum(places, 0)] != stale
    return np.where(there, (points - newest) / 1000, np.nan)
