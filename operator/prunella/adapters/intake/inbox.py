"""A bounded queue: what is accepted is kept until it is taken, and what is too much is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from prunella.adapters.intake.told import Told


class Inbox:
    """First in, first out; a batch goes in as a whole or not at all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Told] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def free(self) -> int:
        """How many more there is room for."""
        return self._limit - len(self._items)

    def put(self, batch: Sequence[Told]) -> bool:
        """Keep a batch; False, and nothing is kept, when there is no room for all of it."""
        if len(batch) > self.free:
            return False
        self._items.extend(batch)
        return True

    def take(self) -> list[Told]:
        """All that is there, oldest first."""
        taken = list(self._items)
        self._items.clear()
        return taken
