"""Changes after a rollout judged ahead of the passes: few windows hold one.

What a pass knows of a rollout is what the pass before it has left.  Passes run wherever a workload
changes, so what they will know is told here by the rules of the live memory
(`core/signals/onsets.py`), from one change to the next.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import numpy as np

from prunella.adapters.recorded import workloads
from prunella.backtest import recalled, verdicts, window_samples
from prunella.core import model
from prunella.core.signals import compiled, history, learning, onsets
from prunella.detectors import learning as memories

_CODES = {verdict: code for code, verdict in enumerate(verdicts.VERDICTS)}
_PATIENCE = datetime.timedelta(seconds=onsets.ROLLOUT_SECONDS)
_Known = tuple[int, int, learning.Rollout | None]
"""The first and the last point plus one at which passes know of this rollout."""


def can_judge(signal: compiled.Signal) -> bool:
    """Whether a signal is such a change. One beside other pods is to be judged at every point."""
    return signal.spec.change is not None and signal.spec.change.against is None


class ChangeVerdicts:
    """One change of a policy, all through a run."""

    def __init__(self, signal: compiled.Signal, ask: recalled.Ask) -> None:
        """Raises ValueError for a signal that is no change."""
        if signal.spec.change is None or signal.lookback is None:
            raise ValueError(f"signal {signal.name} is no change")
        self._change = signal.spec.change
        self._step = signal.lookback.step
        self._bad = memories.worse_side(self._change)
        self._samples = window_samples.WindowSamples(signal, signal.lookback, self._bad, ask)
        self._releases: dict[model.Ref, onsets.Release] = {}
        self._said: dict[tuple[float, model.Ref, learning.Rollout], model.Judgement] = {}

    def learner(self) -> learning.Learner:
        """The memory for the passes."""
        return recalled.Recalled(self._bad, self._step, self.judgement)

    def judgement(
        self,
        when: float,
        target: model.Ref,
        value: float,  # noqa: ARG002 - the window is judged, with this value at its end
        rollout: learning.Rollout | None,
    ) -> model.Judgement:
        """What is said of a target at a point of the grid."""
        known = None if rollout is None else self._said.get((when, target, rollout))
        if known is not None:
            return known
        end = round((when - self._samples.times[0]) / self._step) + 1
        window = slice(max(0, end - self._samples.points), end)
        values = self._samples.rows[compiled.VALUE][target][window]
        said = memories.changed(
            self._samples.times[window], values, rollout, self._step, self._change
        )
        if rollout is not None:
            self._said[when, target, rollout] = said
        return said

    async def judge(self, states: workloads.States, interval: float) -> verdicts.Judged:
        """All verdicts of a stretch, stale data not yet regarded; ``interval`` of the passes."""
        first = history.last_point(float(states.times[0]), self._step)
        # A pass beside the grid may come until just before the next stretch.
        last = history.last_point(float(states.times[-1]) + interval - recalled.BEFORE, self._step)
        await self._samples.load(states.refs, first, last)
        self._said = {}
        shape = states.exists.shape
        codes, values = np.full(shape, verdicts.UNKNOWN, np.int8), np.full(shape, np.nan)
        places = np.rint((np.floor(states.times / self._step) * self._step - first) / self._step)
        places = places.astype(np.int64) + self._samples.points - 1
        for row in np.flatnonzero(states.exists.any(axis=1)).tolist():
            samples = self._samples.rows[compiled.VALUE][states.refs[row]]
            values[row] = samples[places]
            for known in list(self._rollouts(states, row)):
                self._judge_part(states.refs[row], known, places, codes[row], values[row])
        for ref in set(self._releases) - set(states.refs):
            del self._releases[ref]
        return verdicts.Judged(codes, values)

    def _judge_part(
        self,
        ref: model.Ref,
        known: _Known,
        places: np.ndarray[tuple[int], np.dtype[np.int64]],
        codes: verdicts.Codes,
        values: history.Floats,
    ) -> None:
        """Write the verdicts of the points at which one rollout is known."""
        first, end, rollout = known
        if rollout is None or rollout.settled is None:
            return
        times = self._samples.times[places[first:end]]
        there = np.isfinite(values[first:end])
        old = rollout.settled <= times - 2 * self._change.window.total_seconds()
        codes[first:end][there & old] = verdicts.HEALTHY
        for point in np.flatnonzero(there & ~old).tolist():
            said = self.judgement(float(times[point]), ref, values[first + point], rollout)
            codes[first + point] = _CODES[said.verdict]

    def _rollouts(self, states: workloads.States, row: int) -> Iterator[_Known]:
        """The rollouts of one target as passes know them, one after the other."""
        known: learning.Rollout | None = None
        begin = 0
        for point in states.changes(row).tolist():
            if point == 0:
                known = self._rollout(states.workload(row, 0))
            self._pass(states, row, point)
            rollout = self._rollout(states.workload(row, point))
            # A pass reads with what the one before it has left.
            if rollout != known and point + 1 < len(states.times):
                yield begin, point + 1, known
                begin, known = point + 1, rollout
        yield begin, len(states.times), known

    def _pass(self, states: workloads.States, row: int, point: int) -> None:
        """Leave what a pass at a point leaves of one target."""
        ref = states.refs[row]
        before = self._releases.pop(ref, None)
        if states.exists[row, point]:
            now = datetime.datetime.fromtimestamp(float(states.times[point]), datetime.UTC)
            workload = states.workload(row, point)
            self._releases[ref] = onsets.released(before, workload, now, _PATIENCE)

    def _rollout(self, workload: model.Workload) -> learning.Rollout | None:
        return onsets.rollout(onsets.Memory(releases=self._releases), workload)
