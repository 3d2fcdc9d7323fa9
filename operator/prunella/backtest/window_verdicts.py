"""Forecasts and drifts judged ahead of the passes: all windows of a stretch, target by target.

The live memory judges a window when a pass asks, and a window is judged by nothing but its own
samples.  So all windows of a stretch are judged before its passes.  Most are told at once to be
Healthy for sure (`detectors/_trends/sliding.py`); the others are judged as the live memory does.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from prunella.adapters.recorded import workloads
from prunella.backtest import verdicts
from prunella.core import model
from prunella.core.signals import compiled, history, joined, learning, lineage
from prunella.detectors import learning as memories

Ask = Callable[[str, history.Span], Awaitable[history.Matrix]]
"""Asks a query at each point of a span."""
AT_A_TIME = 512
"""So many windows are judged in one call: some MB."""
_BEFORE = 0.01
"""Seconds before a moment that is not included."""
_HEALTHY = model.Judgement(
    model.Verdict.HEALTHY, "JudgedAhead", "judged before the passes, with the whole stretch"
)
_CODES = {verdict: code for code, verdict in enumerate(verdicts.VERDICTS)}


class WindowVerdicts:
    """One forecast or drift of a policy, all through a run."""

    def __init__(self, signal: compiled.Signal, ask: Ask) -> None:
        """Raises ValueError for a signal without such a detector."""
        rule = memories.window_rule(signal)
        if rule is None or signal.lookback is None:
            raise ValueError(f"signal {signal.name} is neither a forecast nor a drift")
        self.bad = rule.bad
        self._rule = rule
        self._signal = signal
        self._lookback = signal.lookback
        self._ask = ask
        self._points = round(signal.lookback.seconds / signal.lookback.step) + 1
        self._known: frozenset[model.Ref] = frozenset()
        self._times = np.zeros(0)
        self._samples: dict[str, dict[model.Ref, history.Floats]] = {}
        self._said: dict[tuple[float, model.Ref], model.Judgement] = {}

    def learner(self) -> learning.Learner:
        """The memory for the passes."""
        return Recalled(self, self._lookback.step)

    def judgement(self, when: float, target: model.Ref) -> model.Judgement:
        """What is said of a target at a point of the newest stretch."""
        return self._said.get((when, target), _HEALTHY)

    async def judge(self, states: workloads.States, interval: float) -> verdicts.Judged:
        """All verdicts of a stretch, stale data not yet regarded; ``interval`` of the passes."""
        step = self._lookback.step
        first = history.last_point(float(states.times[0]), step)
        # A pass beside the grid may come until just before the next stretch.
        last = history.last_point(float(states.times[-1]) + interval - _BEFORE, step)
        await self._load(states.refs, first, last)
        self._said = {}
        shape = states.exists.shape
        codes, values = np.full(shape, verdicts.UNKNOWN, np.int8), np.full(shape, np.nan)
        places = np.rint((np.floor(states.times / step) * step - first) / step).astype(np.int64)
        there = np.flatnonzero(states.exists.any(axis=1)).tolist()
        refs = [states.refs[row] for row in there]
        if refs:
            samples = np.stack([self._samples[compiled.VALUE][ref] for ref in refs])
            codes[there] = self._judge_all(refs, samples)[:, places]
            values[there] = samples[:, self._points - 1 :][:, places]
        return verdicts.Judged(codes, values)

    async def _load(self, refs: Sequence[model.Ref], first: float, last: float) -> None:
        """Have the samples of all windows that end between two points."""
        step = self._lookback.step
        # Not the whole look-back: it need not be a multiple of the step.
        start = first - (self._points - 1) * step
        if not set(refs) <= self._known or not len(self._times) or self._times[0] > start:
            self._known |= set(refs)
            self._times, self._samples = np.zeros(0), {}
        begin = start if not len(self._times) else float(self._times[-1]) + step
        for piece in history.Span(begin, last, step).pieces(compiled.PIECE_POINTS):
            await self._extend(sorted(self._known), piece)
        kept = self._times >= start - step / 2
        self._times = self._times[kept]
        for rows in self._samples.values():
            for ref, row in rows.items():
                rows[ref] = row[kept]

    async def _extend(self, targets: Sequence[model.Ref], span: history.Span) -> None:
        answers = {
            role: await self._ask(query, span) for role, query in self._signal.queries.items()
        }
        owners = lineage.owners(joined.pod_names(list(answers.values())), targets, {})
        found = joined.lesson(self._signal, answers, targets, owners, self.bad)
        times = next(iter(answers.values())).times
        roles = {compiled.VALUE, compiled.LIMIT} & self._signal.queries.keys() | {compiled.VALUE}
        for role in roles:
            before = self._samples.setdefault(role, {})
            for target in targets:
                old = before.get(target, np.full(len(self._times), np.nan))
                before[target] = np.concatenate([old, _row(found, role, target, len(times))])
        self._times = np.concatenate([self._times, times])

    def _judge_all(self, refs: Sequence[model.Ref], samples: history.Floats) -> verdicts.Codes:
        """The verdicts of some targets at all points, (targets, points)."""
        step = self._lookback.step
        bounds = self._samples.get(compiled.LIMIT)
        limits = None if bounds is None else np.stack([bounds[ref] for ref in refs])
        newest = samples[:, self._points - 1 :]
        codes = np.full(newest.shape, verdicts.UNKNOWN, np.int8)
        firsts = np.full(newest.shape, -1, np.int64)
        for row in range(len(refs)):
            limit = None if limits is None else limits[row]
            surely = self._rule.surely_healthy(samples[row], self._points, step, limit)
            there = np.isfinite(newest[row])
            codes[row, there & surely] = verdicts.HEALTHY
            asked = there & ~surely
            firsts[row, asked] = _first_samples(samples[row], self._points)[asked]
        # Windows that begin alike are judged together, whichever target they are of.
        for begin in np.unique(firsts[firsts >= 0]).tolist():
            rows, points = np.nonzero(firsts == begin)
            for part in range(0, len(rows), AT_A_TIME):
                some = slice(part, part + AT_A_TIME)
                windows = (rows[some], points[some], slice(begin, None))
                said = self._rule.judge(
                    sliding_window_view(samples, self._points, axis=1)[windows],
                    step,
                    None
                    if limits is None
                    else sliding_window_view(limits, self._points, axis=1)[windows],
                )
                self._note([refs[row] for row in rows[some]], points[some], said)
                codes[rows[some], points[some]] = [_CODES[each.verdict] for each in said]
        return codes

    def _note(
        self,
        refs: Sequence[model.Ref],
        points: NDArray[np.intp],
        said: Sequence[model.Judgement],
    ) -> None:
        """Keep what is not Healthy: a pass may ask for it."""
        times = self._times[self._points - 1 :][points].tolist()
        for ref, when, each in zip(refs, times, said, strict=True):
            if each.verdict is not model.Verdict.HEALTHY:
                self._said[when, ref] = each


def _first_samples(samples: history.Floats, size: int) -> NDArray[np.int64]:
    """Where in each window of (samples,) the first sample is; 0 where there is none."""
    places = np.arange(len(samples))
    following = np.where(np.isfinite(samples), places, len(samples))
    following = np.minimum.accumulate(following[::-1])[::-1]
    first = following[: len(samples) - size + 1] - places[: len(samples) - size + 1]
    return np.where(first < size, first, 0)


def _row(
    found: learning.Lesson | model.Failure, role: str, target: model.Ref, points: int
) -> history.Floats:
    if isinstance(found, model.Failure):
        # One series that could be about anything: the passes say so at every point.
        return np.full(points, np.nan)
    row = found.rows.get(role, {}).get(target)
    if row is not None:
        return row.values
    return found.common.get(role, np.full(points, np.nan))


class Recalled:
    """A Learner for the passes, whose windows have been judged ahead."""

    def __init__(self, ahead: WindowVerdicts, step: float) -> None:
        self.bad = ahead.bad
        self._ahead = ahead
        self._step = step
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
        rollout: learning.Rollout | None,  # noqa: ARG002 - what is judged is no change
    ) -> learning.Judged | None:
        """As of the newest point."""
        ahead, last = self._ahead, self._last
        return memories.judged(self._rows.get(target), lambda _: ahead.judgement(last, target))
