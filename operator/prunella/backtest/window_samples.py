"""The samples of all windows that end in a stretch, joined to targets and kept as they move on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prunella.backtest import recalled
from prunella.core import model
from prunella.core.signals import compiled, history, joined, learning, lineage


class WindowSamples:
    """Samples of one signal by role and target, on the grid ``times``."""

    def __init__(
        self,
        signal: compiled.Signal,
        lookback: compiled.Lookback,
        bad: learning.Bad,
        ask: recalled.Ask,
    ) -> None:
        self.points = round(lookback.seconds / lookback.step) + 1
        """Samples in one window."""
        self.times = np.zeros(0)
        self.rows: dict[str, dict[model.Ref, history.Floats]] = {}
        self._signal = signal
        self._step = lookback.step
        self._bad = bad
        self._ask = ask
        self._known: frozenset[model.Ref] = frozenset()

    async def load(self, refs: Sequence[model.Ref], first: float, last: float) -> None:
        """Have the samples of all windows that end between two points."""
        # Not the whole look-back: it need not be a multiple of the step.
        start = first - (self.points - 1) * self._step
        if not set(refs) <= self._known or not len(self.times) or self.times[0] > start:
            self._known |= set(refs)
            self.times, self.rows = np.zeros(0), {}
        begin = start if not len(self.times) else float(self.times[-1]) + self._step
        for piece in history.Span(begin, last, self._step).pieces(compiled.PIECE_POINTS):
            await self._extend(sorted(self._known), piece)
        kept = self.times >= start - self._step / 2
        self.times = self.times[kept]
        for rows in self.rows.values():
            for ref, row in rows.items():
                rows[ref] = row[kept]

    async def _extend(self, targets: Sequence[model.Ref], span: history.Span) -> None:
        answers = {
            role: await self._ask(query, span) for role, query in self._signal.queries.items()
        }
        pods = joined.pod_names(list(answers.values()), self._signal.confinement.pod_labels)
        owners = lineage.owners(pods, targets, {})
        found = joined.lesson(self._signal, answers, targets, owners, self._bad)
        times = next(iter(answers.values())).times
        roles = {compiled.VALUE, compiled.LIMIT} & self._signal.queries.keys() | {compiled.VALUE}
        for role in roles:
            before = self.rows.setdefault(role, {})
            for target in targets:
                old = before.get(target, np.full(len(self.times), np.nan))
                before[target] = np.concatenate([old, _row(found, role, target, len(times))])
        self.times = np.concatenate([self.times, times])


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
