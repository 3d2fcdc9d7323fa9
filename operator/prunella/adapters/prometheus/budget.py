"""What one namespace may cost a source in one round, so that no tenant starves the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from prunella import settings
from prunella.api import reasons
from prunella.core import model

ROUND_SECONDS = 30.0
"""The default interval of policies: a round in which each of their queries is asked once."""


@dataclasses.dataclass(slots=True)
class _Spent:
    queries: set[str] = dataclasses.field(default_factory=set)
    seconds: float = 0.0


class Budget:
    """Distinct queries and seconds by source and namespace, counted anew each round.

    What is under way is paid when it ends, so as many requests as there are threads may
    go beyond the limit.  Used from one event loop.
    """

    def __init__(self, now: Callable[[], float], round_seconds: float = ROUND_SECONDS) -> None:
        """``now`` gives the time in seconds."""
        self._now = now
        self._length = round_seconds
        self._round = 0
        self._spent: dict[tuple[str, str], _Spent] = {}

    def take(
        self, name: str, source: settings.Source, namespace: str, query: str
    ) -> model.Failure | None:
        """Make sure that the namespace has not spent its share, and note the query."""
        spent = self._current().setdefault((name, namespace), _Spent())
        span = f"{self._length:g} s"
        problem = ""
        if spent.seconds >= source.max_seconds_per_namespace:
            problem = (
                f"its queries took {spent.seconds:.1f} s within {span}, "
                f"the limit is {source.max_seconds_per_namespace:g} s"
            )
        elif query not in spent.queries and (
            len(spent.queries) >= source.max_queries_per_namespace
        ):
            problem = (
                f"it has asked {len(spent.queries)} distinct queries within {span}, "
                f"the limit is {source.max_queries_per_namespace}"
            )
        if problem:
            return model.Failure(
                reasons.Doubt.QUERY_REJECTED,
                f"namespace {namespace} has used up its share of source {name!r}: {problem}",
            )
        spent.queries.add(query)
        return None

    def pay(self, name: str, namespace: str, seconds: float) -> None:
        """Add the time that a request took."""
        self._current().setdefault((name, namespace), _Spent()).seconds += seconds

    def _current(self) -> dict[tuple[str, str], _Spent]:
        number = int(self._now() // self._length)
        if number != self._round:
            self._round = number
            self._spent.clear()
        return self._spent
