"""The memory that passes ask where verdicts have been judged ahead."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final

from prunella.core import model
from prunella.core.signals import compiled, history, learning
from prunella.detectors import learning as memories

Ask = Callable[[str, history.Span], Awaitable[history.Matrix]]
"""Asks a query at each point of a span."""
Say = Callable[[float, model.Ref, float, learning.Rollout | None], model.Judgement]
"""What was said of a target and its value at a point of the grid, after a rollout."""
BEFORE: Final = 0.01
"""Seconds before a moment that is not included."""


class Recalled:
    """A Learner for the passes. It asks for the newest values alone: all else is known."""

    def __init__(self, bad: learning.Bad, step: float, say: Say) -> None:
        self.bad = bad
        self._step = step
        self._say = say
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

    def judge(self, target: model.Ref, rollout: learning.Rollout | None) -> learning.Judged | None:
        """As of the newest point."""
        last = self._last
        return memories.judged(
            self._rows.get(target), lambda value: self._say(last, target, value, rollout)
        )
