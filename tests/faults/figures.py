"""What the suite has counted, as one table; the workers of a run hand their counts in."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.faults import promises

PROPERTY: Final = "faults"
"""Name of the property of a test's report that holds its counts."""
SCHEDULES: Final = os.environ.get("PRUNELLA_FAULTS", "")
"""How many schedules are run; empty: the short run, with a choice of crash points."""
WHOLE: Final = bool(SCHEDULES)
FIRST_SEED: Final = int(os.environ.get("PRUNELLA_FIRST_SEED", "0"))
ROWS: Final = (
    "actions with a crash schedule",
    "places in the code that send a request",
    "of these crashed at",
    "of these only passing on",
    "deaths, before or after a request",
    "seeded schedules",
    "operators that died in them",
    "answers lost",
    "errors of servers",
    "stale reads",
    "clock jumps",
    "two operators at once",
    "effects requested",
    *promises.KINDS,
)


def of(**counts: int) -> str:
    """Counts as a property; underscores stand for spaces."""
    return json.dumps({name.replace("_", " "): count for name, count in counts.items()})


def total(properties: Iterable[tuple[str, Any]]) -> Mapping[str, int]:
    """The sums of all that was handed in."""
    found: collections.Counter[str] = collections.Counter()
    for name, value in properties:
        if name == PROPERTY:
            found.update(json.loads(value))
    return found


def table(counts: Mapping[str, int]) -> list[str]:
    """One line for each figure; none for what was not run."""
    shown = {
        name: counts[name] for name in (*ROWS, *sorted(counts.keys() - set(ROWS))) if name in counts
    }
    width = max(map(len, shown), default=0)
    return [f"{name:<{width}}  {count:>9,}" for name, count in shown.items()]
