"""Identical questions are asked once: one request answers all who want to know the same."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime

from prunella import ports
from prunella.core import model
from prunella.core.signals import history

_Key = tuple[str, str, str, datetime.datetime | None]
_Long = tuple[str, str, str, ports.Span]


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    at: datetime.datetime
    answer: asyncio.Task[model.Answer]


class SharedRound:
    """A Metrics that shares answers inside a namespace, never between two.

    An answer, a Failure too, is given to everybody who asks the same while it is under way or
    within ``window_seconds`` of its first asking.  Histories are shared while they are under
    way, and not kept: they are large, and nobody asks for the same one twice.
    """

    def __init__(
        self,
        metrics: ports.Metrics,
        clock: ports.Clock,
        *,
        window_seconds: float = 1.0,
        most_answers: int = 4096,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._window = datetime.timedelta(seconds=window_seconds)
        self._most = most_answers
        self._asked: dict[_Key, _Asked] = {}
        self._histories: dict[_Long, asyncio.Task[history.Answer]] = {}

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query, or wait for the answer that somebody else has asked for."""
        key = (source, namespace, query, at)
        now = self._clock.now()
        self._forget(now)
        asked = self._asked.get(key)
        if asked is None:
            asking = self._metrics.query(source, namespace, query, at)
            asked = _Asked(now, asyncio.ensure_future(asking))
            self._asked[key] = asked
        # One asker that is cancelled must not take the answer from the others.
        return await asyncio.shield(asked.answer)

    async def history(
        self, source: str, namespace: str, query: str, span: ports.Span
    ) -> history.Answer:
        """Ask a range query, or wait for the answer that somebody else has asked for."""
        key = (source, namespace, query, span)
        asked = self._histories.get(key)
        if asked is None:
            asked = asyncio.ensure_future(self._metrics.history(source, namespace, query, span))
            self._histories[key] = asked
            asked.add_done_callback(lambda _: self._histories.pop(key))
        return await asyncio.shield(asked)

    def _forget(self, now: datetime.datetime) -> None:
        """Drop what is too old, from the oldest on, and more where there are too many."""
        for key, asked in list(self._asked.items()):
            fresh = now - asked.at < self._window
            if fresh and len(self._asked) < self._most:
                return
            if asked.answer.done():
                del self._asked[key]
