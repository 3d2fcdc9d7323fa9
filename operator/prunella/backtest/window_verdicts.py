"""Forecasts and drifts judged ahead of the passes: all windows of a stretch, target by target.

The live memory judges a window when a pass asks, and a window is judged by nothing but its own
samples.  So all windows of a stretch are judged before its passes.  Most are told at once to be
Healthy for sure (`detectors/_trends/sliding.py`); the others are judged as the live memory does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from prunella.adapters.recorded import workloads
from prunella.backtest import recalled, verdicts, window_samples
from prunella.core import model
from prunella.core.signals import compiled, history, learning
from prunella.detectors import learning as memories

AT_A_TIME = 512
"""So many windows are judged in one call: some MB."""
_HEALTHY = model.Judgement(
    model.Verdict.HEALTHY, "JudgedAhead", "judged before the passes, with the whole stretch"
)
_CODES = {verdict: code for code, verdict in enumerate(verdicts.VERDICTS)}


class WindowVerdicts:
    """One forecast or drift of a policy, all through a run."""

    def __init__(self, signal: compiled.Signal, ask: recalled.Ask) -> None:
        """Raises ValueError for a signal without such a detector."""
        rule = memories.window_rule(signal)
        if rule is None or signal.lookback is None:
            raise ValueError(f"signal {signal.name} is neither a forecast nor a drift")
        self.bad = rule.bad
        self._rule = rule
        self._lookback = signal.lookback
        self._samples = window_samples.WindowSamples(signal, signal.lookback, rule.bad, ask)
        self._points = self._samples.points
        self._said: dict[tuple[float, model.Ref], model.Judgement] = {}

    def learner(self) -> learning.Learner:
        """The memory for the passes."""
        return recalled.Recalled(self.bad, self._lookback.step, self.judgement)

    def judgement(
        self,
        when: float,
        target: model.Ref,
        value: float,  # noqa: ARG002 - the window was judged, with this value at its end
        rollout: learning.Rollout | None,  # noqa: ARG002 - what is judged is no change
    ) -> model.Judgement:
        """What is said of a target at a point of the newest stretch."""
        return self._said.get((when, target), _HEALTHY)

    async def judge(self, states: workloads.States, interval: float) -> verdicts.Judged:
        """All verdicts of a stretch, stale data not yet regarded; ``interval`` of the passes."""
        step = self._lookback.step
        first = history.last_point(float(states.times[0]), step)
        # A pass beside the grid may come until just before the next stretch.
        last = history.last_point(float(states.times[-1]) + interval - recalled.BEFORE, step)
        await self._samples.load(states.refs, first, last)
        self._said = {}
        shape = states.exists.shape
        codes, values = np.full(shape, verdicts.UNKNOWN, np.int8), np.full(shape, np.nan)
        places = np.rint((np.floor(states.times / step) * step - first) / step).astype(np.int64)
        there = np.flatnonzero(states.exists.any(axis=1)).tolist()
        refs = [states.refs[row] for row in there]
        if refs:
            samples = np.stack([self._samples.rows[compiled.VALUE][ref] for ref in refs])
            codes[there] = self._judge_all(refs, samples)[:, places]
            values[there] = samples[:, self._points - 1 :][:, places]
        return verdicts.Judged(codes, values)

    def _judge_all(self, refs: Sequence[model.Ref], samples: history.Floats) -> verdicts.Codes:
        """The verdicts of some targets at all points, (targets, points)."""
        step = self._lookback.step
        bounds = self._samples.rows.get(compiled.LIMIT)
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
        times = self._samples.times[self._points - 1 :][points].tolist()
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
