"""A baseline judged ahead of the passes: one tick for each grid point, as the live memory makes it.

The live memory learns a point when a pass asks for it.  Here all points of a stretch are learned
before its passes, in the same order and from the same history, and each tick is kept: it tells
where something happens, and a pass that does run is answered from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from prunella.adapters.recorded import workloads
from prunella.api import detectors as detectors_api
from prunella.backtest import recalled, verdicts
from prunella.core import model
from prunella.core.signals import compiled, history, joined, learning, lineage
from prunella.detectors import baseline
from prunella.detectors import learning as memories


class _Places(dict[model.Ref, int]):
    """The place of each target among those that are judged together."""

    def __init__(self, targets: Sequence[model.Ref], refs: Sequence[model.Ref]) -> None:
        """``refs`` are those of the states, whose rows are looked for."""
        super().__init__((target, place) for place, target in enumerate(targets))
        self.targets = tuple(targets)
        self.rows = np.array([row for row, ref in enumerate(refs) if ref in self], dtype=np.int64)
        self.of_rows = np.array([self[refs[row]] for row in self.rows], dtype=np.int64)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """One tick of targets that were judged together, with their values."""

    places: _Places
    tick: baseline.Tick
    values: history.Floats


class Ticks(memories.BaselineLearner):
    """The live memory, which keeps what it says of every point."""

    def __init__(self, params: detectors_api.Baseline, lookback: compiled.Lookback) -> None:
        super().__init__(params, lookback)
        self.kept: dict[float, list[_Kept]] = {}
        self.since = -math.inf
        """Points before it are learned, and what is said of them is not kept."""
        self._refs: Sequence[model.Ref] = ()
        self._places: list[_Places] = []

    def begin(self, since: float, refs: Sequence[model.Ref]) -> None:
        """Drop what was said before ``since``; ``refs`` are all that the next stretch may show."""
        if refs != self._refs:
            self._refs, self._places = refs, []
        self.since = since
        self.kept = {
            when: [
                _Kept(self._placed(each.places.targets), each.tick, each.values) for each in all_
            ]
            for when, all_ in self.kept.items()
            if when >= since
        }

    def follow(self, targets: Collection[model.Ref], lesson: learning.Lesson) -> None:
        """Learn all points."""
        for _ in self.learn(targets, lesson):
            pass

    def judgement(
        self,
        when: float,
        target: model.Ref,
        value: float,
        rollout: learning.Rollout | None,  # noqa: ARG002 - what is usual stays usual
    ) -> model.Judgement:
        """What was said of a target's value at a point that is kept."""
        kept = next(each for each in self.kept[when] if target in each.places)
        return kept.tick.judgement(kept.places[target], value)

    def _note(
        self,
        when: float,
        targets: Sequence[model.Ref],
        values: history.Floats,
        tick: baseline.Tick,
    ) -> None:
        if when >= self.since:
            # What is kept for long keeps its band, not all that it is made of.
            tick.later.band()
            kept = _Kept(self._placed(tuple(targets)), tick, values)
            self.kept.setdefault(when, []).append(kept)

    def _placed(self, targets: tuple[model.Ref, ...]) -> _Places:
        """The same places for the same targets: they seldom change."""
        known = next((each for each in self._places if each.targets == targets), None)
        if known is None:
            known = _Places(targets, self._refs)
            self._places.append(known)
        return known


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """A stretch judged ahead, with the band of what is usual; arrays of (targets, points)."""

    judged: verdicts.Judged
    lower: history.Floats
    upper: history.Floats


class LearnedVerdicts:
    """One baseline signal of a policy, all through a run."""

    def __init__(self, signal: compiled.Signal, ask: recalled.Ask) -> None:
        if signal.spec.baseline is None or signal.lookback is None:
            raise ValueError(f"signal {signal.name} is no baseline")
        self._signal = signal
        self._lookback = signal.lookback
        self._ask = ask
        self._ticks = Ticks(signal.spec.baseline, signal.lookback)
        self._known: set[model.Ref] = set()

    def learner(self) -> learning.Learner:
        """The memory for the passes."""
        return recalled.Recalled(self._ticks.bad, self._lookback.step, self._ticks.judgement)

    async def judge(self, states: workloads.States, interval: float) -> Usual:
        """All verdicts of a stretch, stale data not yet regarded; ``interval`` of the passes."""
        step, times = self._lookback.step, states.times
        self._ticks.begin(history.last_point(float(times[0]), step), states.refs)
        for first, end in self._parts(states):
            there = np.flatnonzero(states.exists[:, first]).tolist()
            targets = [states.refs[row] for row in there]
            if not targets:
                continue
            begin = float(times[first])
            self._ticks.since = history.last_point(begin, step)
            await self._catch_up(targets, states.refs, begin)
            # A pass beside the grid may come until just before the next part.
            last = float(times[end - 1]) + interval - recalled.BEFORE
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
            self._ticks.follow(targets, lesson)

    async def _lesson(
        self, targets: Sequence[model.Ref], refs: Sequence[model.Ref], span: history.Span
    ) -> learning.Lesson:
        answers = {
            role: await self._ask(query, span) for role, query in self._signal.queries.items()
        }
        pods = joined.pod_names(list(answers.values()), self._signal.confinement.pod_labels)
        owners = lineage.owners(pods, refs, {})
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
            for kept in self._ticks.kept.get(when, ()):
                here = kept.places.rows, slice(first, end)
                places, tick = kept.places.of_rows, kept.tick
                codes[here] = _codes(tick)[places, None]
                values[here] = kept.values[places, None]
                # While it learns it takes nothing for usual; what it guesses is not drawn.
                lower[here] = np.where(tick.learning, np.nan, tick.lower)[places, None]
                upper[here] = np.where(tick.learning, np.nan, tick.upper)[places, None]
        return Usual(verdicts.Judged(codes, values), lower, upper)


def _codes(tick: baseline.Tick) -> verdicts.Codes:
    known = np.where(tick.unhealthy, verdicts.UNHEALTHY, verdicts.HEALTHY)
    return np.where(tick.learning | tick.unknown, verdicts.UNKNOWN, known).astype(np.int8)
