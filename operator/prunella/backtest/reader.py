"""Reading history in stretches, one ahead of the one that is judged."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import workloads
from prunella.backtest import recorded_guards
from prunella.backtest import request as requests
from prunella.core.signals import compiled, history

STRETCH: Final = datetime.timedelta(days=1)
MOST_POINTS: Final = 2880
"""Points of a stretch: with 1,000 series 23 MB for each query."""

Bools = NDArray[np.bool_]
Questions = Mapping[str, Mapping[str, recorded.Asked]]
"""By signal and role."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stretch of history: samples, workloads, and what of them is known."""

    recording: recorded.Recording
    states: workloads.States
    facts: recorded_guards.Facts


class Reader:
    """Reads a run's history."""

    def __init__(
        self,
        request: requests.Request,
        metrics: recorded.RecordedMetrics,
        policy: compiled.Policy,
        questions: Questions,
    ) -> None:
        self._request = request
        self._metrics = metrics
        self._compiled = policy
        self._questions = questions
        self._census = workloads.Census(request.key.namespace, request.spec.target, request.names)
        self._scaled = False

    async def parts(self) -> AsyncIterator[Part]:
        """Stretch by stretch; the next one is fetched while this one is judged."""
        request = self._request
        size = max(1, min(MOST_POINTS, int(STRETCH.total_seconds() // request.interval)))
        spans = [
            history.Span(
                request.at(first).timestamp(),
                request.at(min(first + size, request.points) - 1).timestamp(),
                request.interval,
            )
            for first in range(0, request.points, size)
        ]
        fetching = asyncio.ensure_future(self._fetch(spans[0])) if spans else None
        try:
            for following in [*spans[1:], None]:
                if fetching is None:
                    return
                recording, told = await fetching
                fetching = (
                    None if following is None else asyncio.ensure_future(self._fetch(following))
                )
                yield self._part(recording, told)
        finally:
            if fetching is not None:
                fetching.cancel()

    async def _fetch(
        self, span: history.Span
    ) -> tuple[recorded.Recording, Sequence[history.Matrix]]:
        source = self._request.spec.signals[0].source
        label = self._request.settings.sources[source].namespace_label
        kind = self._request.spec.target.kind.value
        texts = workloads.queries(kind, label, self._request.key.namespace)
        recording = await self._metrics.fetch(span)
        told = [await self._metrics.ask(source, text, span) for text in texts]
        return recording, told

    def _part(self, recording: recorded.Recording, told: Sequence[history.Matrix]) -> Part:
        if told[0].labels:
            meant = workloads.meant_by(self._request.spec.target.selector)
            states = self._census.by_metrics(recording.times, told, meant)
        else:
            states = self._census.by_names(recording.times, self._seen(recording))
        self._scaled = self._scaled or bool(told[-1].labels)
        facts = recorded_guards.Facts(workloads=states.fields is not None, autoscalers=self._scaled)
        return Part(recording, states, facts)

    def _seen(self, recording: recorded.Recording) -> dict[str, Bools]:
        """At which points each name that a signal's series map to had a sample."""
        found: dict[str, Bools] = {}
        kind = self._request.spec.target.kind.value
        for signal in self._compiled.signals:
            for asked in self._questions[signal.name].values():
                for labels, present in self._presence(recording, asked):
                    name = workloads.name_of(signal, kind, labels)
                    if name is not None:
                        found[name] = found.get(name, np.False_) | present
        return found

    @staticmethod
    def _presence(
        recording: recorded.Recording, asked: recorded.Asked
    ) -> Sequence[tuple[Mapping[str, str], Bools]]:
        if asked.step is None:
            answered = recording.answers[asked.key]
            return list(zip(answered.matrix.labels, answered.present, strict=True))
        matrix = recording.grids.get((*asked.key, asked.step))
        if matrix is None:
            return ()
        places = np.searchsorted(matrix.times, recording.times + 0.002, side="right") - 1
        there = ~np.isnan(matrix.values)[:, np.maximum(places, 0)] & (places >= 0)
        return list(zip(matrix.labels, there, strict=True))
