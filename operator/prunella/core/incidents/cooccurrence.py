"""Which alert names come in company and which come alone, learned as alerts arrive.

Some names tell of faults that spread (``TargetDown``), some of nothing but themselves
(``CertificateExpiresSoon``).  Nobody declares which: each alert is looked at once, some minutes
after it came, and counted as alone or in company of its neighbours; in company, as a symptom of
the suspected object itself or of who calls it.
"""

from __future__ import annotations

import enum
from collections import Counter
from typing import NamedTuple

PRIOR = 5.0
"""How many alerts it takes until a name's own counts weigh as much as what is usual."""


class Role(enum.Enum):
    """What an alert was: of the cause itself, of a caller of it, or alone."""

    OWN = 0
    CALLER = 1
    ALONE = 2


class Ratios(NamedTuple):
    """What a name says for each role, against what is usual."""

    own: float
    caller: float
    alone: float


class Names:
    """Counts of names by role. At most ``limit`` names are kept; others are taken as usual."""

    def __init__(self, limit: int = 10_000) -> None:
        self._counts: dict[Role, Counter[str]] = {role: Counter() for role in Role}
        self._totals: Counter[Role] = Counter()
        self._names: Counter[str] = Counter()
        self._limit = limit
        self._ratios: dict[str, Ratios] = {}

    def count(self, role: Role, name: str) -> None:
        """Learn from one alert."""
        if name not in self._names and len(self._names) >= self._limit:
            return
        self._counts[role][name] += 1
        self._totals[role] += 1
        self._names[name] += 1
        self._ratios.clear()

    def ratios(self, name: str) -> Ratios:
        """How much more often the name comes in each role than among all alerts; 1 is usual."""
        known = self._ratios.get(name)
        if known is None:
            usual = (self._names[name] + 1) / (self._totals.total() + len(self._names) + 1)
            known = Ratios(*(self._ratio(role, name, usual) for role in Role))
            if len(self._ratios) < self._limit:
                self._ratios[name] = known
        return known

    def _ratio(self, role: Role, name: str, usual: float) -> float:
        seen = self._counts[role][name] + PRIOR * usual
        return seen / (self._totals[role] + PRIOR) / usual
