"""The times and sizes of correlation."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds."""

    quiet: float = 900.0
    """An incident whose alerts have all ended is resolved after this time."""
    stale: float = 3600.0
    """One with alerts that nobody ended, when nothing was heard of it for this time."""
    reopen: float = 600.0
    """The same series firing again this long after the resolution opens the incident again."""
    settle: float = 600.0
    """How long after it came, or ended, an alert may still move to another open incident."""
    review: float = 60.0
    """How often young alerts and merges are looked at."""
    apart: float = 900.0
    """Symptoms that begin further apart than this are not put together by topology."""
    company: float = 300.0
    """Two alerts of neighbours within this time keep each other company."""
    certain: float = 3.0
    """How many nats better one cause must explain two incidents than two causes."""
    confirm: float = 300.0
    """What was taken up at a start and is not told again within this time has ended."""
    limit: int = 50_000
    """Firings followed at once; the incident that was silent longest is given up beyond it."""
