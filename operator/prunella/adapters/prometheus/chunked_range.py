"""A long range query, asked in pieces of a bounded size and put together on one grid.

Memory: the answer takes 8 bytes per value, at most `MOST_VALUES`; while series that were not
there before are added, twice that.  A piece takes its body (see `PIECE_VALUES`; never more than
the source's ``maxBodyBytes``) and 8 bytes per value.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from prunella.adapters import range_grids
from prunella.adapters.prometheus import matrix, session
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history

Floats = NDArray[np.float64]

MOST_VALUES = 8_000_000
"""Values of one answer, gaps included: 64 MB, 1,980 series with two weeks at 5 minutes."""
FIRST_POINTS = 256
"""Points of the first piece, as long as nobody knows how many series will come."""
MOST_POINTS = 10_000
"""Points of a piece: Prometheus refuses more than 11,000 for each series."""
PIECE_VALUES = 250_000
"""Values that a piece should bring: a body of about 9 MB, decoded in about 50 ms."""
BYTES_PER_VALUE = 40
MOST_SHRINKS = 4
MOST_TIMEOUTS = 2
MOST_SECONDS = 300.0
"""Time that the source may take for one answer, all of its pieces together."""
LIGHT_POINTS = 32
"""Up to so many points are the newest ones, that a round waits for: no backlog."""
_TOO_LARGE = ("too many", "exceed", "limit")

_Key = frozenset[tuple[str, str]]


class Sizes:
    """How many points the next piece asks for: by the series seen, less after a refusal."""

    def __init__(self, max_body_bytes: int) -> None:
        self.points = FIRST_POINTS
        self._values = min(PIECE_VALUES, max_body_bytes // BYTES_PER_VALUE)
        self._ceiling = MOST_POINTS
        self._shrinks = 0
        self._timeouts = 0

    def answered(self, series: int) -> None:
        """Note how many series a piece had."""
        self.points = min(max(self._values // max(series, 1), 1), self._ceiling)

    def shrink(self, asked: int, error: session.AskError) -> bool:
        """Whether a smaller piece may succeed where one of ``asked`` points did not."""
        timeout = error.reason is reasons.Doubt.TIMEOUT
        self._shrinks += 1
        self._timeouts += timeout
        if asked == 1 or self._shrinks > MOST_SHRINKS or self._timeouts > MOST_TIMEOUTS:
            return False
        text = str(error).lower()
        refused = error.reason is reasons.Doubt.QUERY_REJECTED
        too_large = error.reason is reasons.Doubt.BODY_TOO_LARGE or (
            refused and any(word in text for word in _TOO_LARGE)
        )
        self.points = self._ceiling = max(asked // 4, 1)
        return too_large or timeout


class Board:
    """The answer as it grows: pieces from the left to the right, series as they appear."""

    def __init__(self, points: int, max_series: int, most_values: int = MOST_VALUES) -> None:
        self._points = points
        self._max_series = max_series
        self._most = most_values
        self._rows: dict[_Key, int] = {}
        self._labels: list[Mapping[str, str]] = []
        self._values = np.empty((0, points))

    def add(self, first: int, block: matrix.Block) -> None:
        """Put a piece at its points. Raises session.AskError when it all becomes too much."""
        rows = [self._row(labels) for labels in block.labels]
        if len(self._labels) > self._max_series:
            raise session.AskError(
                reasons.Doubt.TOO_MANY_SERIES,
                f"more than {self._max_series} series over the time: aggregate in the query",
            )
        if len(self._labels) * self._points > self._most:
            raise session.AskError(
                reasons.Doubt.TOO_MANY_SERIES,
                f"{len(self._labels)} series of {self._points} points are more than"
                f" {self._most} values: aggregate in the query, or look back less",
            )
        self._grow()
        if rows:
            self._values[rows, first : first + block.values.shape[1]] = block.values

    def _row(self, labels: Mapping[str, str]) -> int:
        row = self._rows.setdefault(frozenset(labels.items()), len(self._labels))
        if row == len(self._labels):
            self._labels.append(labels)
        return row

    def _grow(self) -> None:
        """Make room for all series: exactly at first, then with an eighth to spare."""
        had, needed = len(self._values), len(self._labels)
        if needed <= had:
            return
        room = needed if not had else max(needed, had + had // 8)
        values = np.full((room, self._points), np.nan)
        values[:had] = self._values
        self._values = values

    def finish(self, times: Floats) -> history.Matrix:
        """The answer."""
        return history.Matrix(times, tuple(self._labels), self._values[: len(self._labels)])


Ask = Callable[[range_grids.Grid], Awaitable[tuple[matrix.Block | session.AskError, float]]]
"""Asks one piece; the answer and the seconds that it took."""


async def gather(
    ask: Ask, grid: range_grids.Grid, board: Board, max_body_bytes: int
) -> session.AskError | None:
    """Ask piece after piece, until the board is full or one can't be had."""
    sizes, first, spent = Sizes(max_body_bytes), 0, 0.0
    while first < grid.points:
        piece = grid.part(first, sizes.points)
        answer, seconds = await ask(piece)
        spent += seconds
        if spent > MOST_SECONDS:
            return session.AskError(
                reasons.Doubt.TIMEOUT,
                f"the source took more than {MOST_SECONDS:g} s for the history",
            )
        if isinstance(answer, matrix.Block):
            try:
                board.add(first, answer)
            except session.AskError as error:
                return error
            sizes.answered(len(answer.labels))
            first += piece.points
        elif not sizes.shrink(piece.points, answer):
            return answer
    return None


class Turns:
    """Who may ask for a long history: few at a time, and of each namespace one.

    So the histories in memory are few, and a namespace with many lets others through.
    """

    def __init__(self, at_once: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._namespaces: weakref.WeakValueDictionary[tuple[str, str], asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    def namespace(self, source: str, namespace: str) -> asyncio.Lock:
        """Held by the one of a namespace."""
        return self._namespaces.setdefault((source, namespace), asyncio.Lock())

    @property
    def slots(self) -> asyncio.Semaphore:
        """Held by each of all, after its namespace's."""
        return self._slots


def failure(source: str, error: session.AskError) -> model.Failure:
    """The Failure that an error of a source is."""
    return model.Failure(error.reason, f"source {source!r}: {error}")
