"""A baseline judged ahead of the passes: one tick for each grid point, as the live memory makes it.

The live memory learns a point when a pass asks for it.  Here all points of a stretch are learned
before its passes, in the same order and from the same history, and each tick is kept: it tells
where something happens, and a pass that does run is answered from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final

import numpy as np

from prunella.adapters.recorded import workloads
from prunella.api import detectors as detectors_api
from prunella.backtest import verdicts
from prunella.core import compiled, history, joined, learning, lineage, model
from prunella.detectors import baseline
from prunella.detectors import learning as memories

Ask = Callable[[str, history.Span], Awaitable[history.Matrix]]
"""Asks a query at each point of a span."""
_BEFORE: Final = 0.01
"""Seconds before a moment that is not included."""


class Ticks(memories.BaselineLearner):
    """The live memory, which keeps what it says of every point."""

    def __init__(self, params: detectors_api.Baseline, lookback: compiled.Lookback) -> None:
        super().__init__(params, lookback)
        self.kept: dict[float, dict[model.Ref, memories.Tick]] = {}
        self.values: dict[float, dict[model.Ref, float]] = {}

    def follow(self, targets: Collection[model.Ref], lesson: learning.Lesson) -> None:
        """Learn point by point, and keep each."""
        for point in range(len(lesson.times)):
            for _ in self.learn(targets, _single(lesson, point)):
                pass
            self.keep(float(lesson.times[point]))

    def keep(self, when: float) -> None:
        """Keep what is said of the newest point."""
        self.kept[when] = dict(self._ticks)
        self.values[when] = {
            target: float(row.values[-1]) for target, row in self._rows.items() if len(row.values)
        }

    def forget(self, before: float) -> None:
        """Drop what was said of earlier points."""
        for when in [each for each in self.kept if each < before]:
            del self.kept[when], self.values[when]


def _single(lesson: learning.Lesson, point: int) -> learning.Lesson:
    here = slice(point, point + 1)
    return learning.Lesson(
        lesson.times[here],
        {
            role: {
                target: dataclasses.replace(row, values=row.values[here])
                for target, row in rows.items()
            }
            for role, rows in lesson.rows.items()
        },
        {role: values[here] for role, values in lesson.common.items()},
    )


class Remembered:
    """A Learner for the passes, whose ticks have been made ahead."""

    def __init__(self, ticks: Ticks, lookback: compiled.Lookback) -> None:
        self.bad = ticks.bad
        self._ticks = ticks
        self._step = lookback.step
        self._last = -math.inf
        self._rows: dict[model.Ref, learning.Row] = {}

    def wanted(
        self,
        targets: Collection[model.Ref],  # noqa: ARG002 - it knows them all
        now: float,
    ) -> history.Span | None:
        """The newest point, for its values."""
        end = history.last_point(now, self._step)
        if end == self._last:
            return None
        self._last = end
        return history.Span(end, end, self._step)

    def learn(self, targets: Collection[model.Ref], lesson: learning.Lesson) -> Iterator[None]:
        """Take the values in."""
        values = lesson.rows[compiled.VALUE]
        self._rows = {target: values[target] for target in targets if target in values}
        yield

    def judge(
        self,
        target: model.Ref,
        rollout: learning.Rollout | None,  # noqa: ARG002 - what is usual stays usual
    ) -> learning.Judged | None:
        """As of the newest point."""
        kept = self._ticks.kept
        return memories.judged(self._rows.get(target), lambda: kept[self._last][target])


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """A stretch judged ahead, with the band of what is usual; arrays of (targets, points)."""

    judged: verdicts.Judged
    lower: history.Floats
    upper: history.Floats


class Ahead:
    """One baseline signal of a policy, all through a run."""

    def __init__(self, signal: compiled.Signal, ask: Ask) -> None:
        if signal.spec.baseline is None or signal.lookback is None:
            raise ValueError(f"signal {signal.name} is no baseline")
        self._signal = signal
        self._lookback = signal.lookback
        self._ask = ask
        self._ticks = Ticks(signal.spec.baseline, signal.lookback)
        self._known: set[model.Ref] = set()

    def learner(self) -> learning.Learner:
        """The memory for the passes."""
        return Remembered(self._ticks, self._lookback)

    async def judge(self, states: workloads.States, interval: float) -> Usual:
        """All verdicts of a stretch, stale data not yet regarded; ``interval`` of the passes."""
        step, times = self._lookback.step, states.times
        self._ticks.forget(history.last_point(float(times[0]), step))
        for first, end in self._parts(states):
            there = np.flatnonzero(states.exists[:, first]).tolist()
            targets = [states.refs[row] for row in there]
            if not targets:
                continue
            begin = float(times[first])
            await self._catch_up(targets, states.refs, begin)
            # A pass beside the grid may come until just before the next part.
            last = float(times[end - 1]) + interval - _BEFORE
            for moment in self._hops(begin, last):
                span = self._ticks.wanted(targets, moment)
                if span is not None:
                    self._ticks.follow(targets, await self._lesson(targets, states.refs, span))
        return self._gather(states)

    def _hops(self, begin: float, last: float) -> Iterator[float]:
        """Moments up to the last, so close that the memory never skips what is older than it."""
        hop = max(self._lookback.seconds / 2, self._lookback.step)
        while (begin := begin + hop) < last:
            yield begin
        yield last

    def _parts(self, states: workloads.States) -> Iterator[tuple[int, int]]:
        """Parts of the stretch within which no new target comes: one learns its history first."""
        new = states.exists.copy()
        new[:, 1:] &= ~np.logical_or.accumulate(states.exists, axis=1)[:, :-1]
        rows = [row for row, ref in enumerate(states.refs) if ref in self._known]
        new[rows] = False
        self._known.update(states.refs)
        firsts = sorted({0, *np.flatnonzero(new.any(axis=0)).tolist()})
        yield from zip(firsts, [*firsts[1:], len(states.times)], strict=True)

    async def _catch_up(
        self, targets: Sequence[model.Ref], refs: Sequence[model.Ref], now: float
    ) -> None:
        """Learn what is missing as of a moment, as the first pass of the live engine does."""
        span = self._ticks.wanted(targets, now)
        for piece in span.pieces(compiled.PIECE_POINTS) if span is not None else ():
            lesson = await self._lesson(targets, refs, piece)
            for _ in self._ticks.learn(targets, lesson):
                pass
        if span is not None:
            self._ticks.keep(history.last_point(now, self._lookback.step))

    async def _lesson(
        self, targets: Sequence[model.Ref], refs: Sequence[model.Ref], span: history.Span
    ) -> learning.Lesson:
        answers = {
            role: await self._ask(query, span) for role, query in self._signal.queries.items()
        }
        owners = lineage.owners(joined.pod_names(list(answers.values())), refs, {})
        found = joined.lesson(self._signal, answers, targets, owners, self._ticks.bad)
        if isinstance(found, model.Failure):
            # One series that could be about anything: the passes say so at every point.
            nothing: dict[str, dict[model.Ref, learning.Row]] = {role: {} for role in answers}
            nothing.setdefault(compiled.VALUE, {})
            return learning.Lesson(answers[next(iter(answers))].times, nothing, {})
        return found

    def _gather(self, states: workloads.States) -> Usual:
        shape = states.exists.shape
        codes = np.full(shape, verdicts.UNKNOWN, np.int8)
        values, lower, upper = (np.full(shape, np.nan) for _ in range(3))
        points = np.floor(states.times / self._lookback.step) * self._lookback.step
        starts = np.flatnonzero(np.diff(points, prepend=-np.inf)).tolist()
        for first, end in zip(starts, [*starts[1:], len(points)], strict=True):
            when = float(points[first])
            ticks, seen = self._ticks.kept.get(when, {}), self._ticks.values.get(when, {})
            for row, ref in enumerate(states.refs):
                if ref not in ticks or ref not in seen:
                    continue
                tick, place = ticks[ref]
                codes[row, first:end] = _code(tick, place)
                values[row, first:end] = seen[ref]
                lower[row, first:end] = tick.lower[place]
                upper[row, first:end] = tick.upper[place]
        return Usual(verdicts.Judged(codes, values), lower, upper)


def _code(tick: baseline.Tick, place: int) -> int:
    if tick.learning[place] or tick.unknown[place]:
        return verdicts.UNKNOWN
    return verdicts.UNHEALTHY if tick.unhealthy[place] else verdicts.HEALTHY
