"""Seeded schedules of mishaps: whatever goes wrong, no promise is broken and all is settled.

``PRUNELLA_FAULTS`` is the number of schedules, ``PRUNELLA_FIRST_SEED`` the first seed.
"""

from __future__ import annotations

import collections
from collections.abc import Callable

import pytest

from tests.faults import figures, promises, schedules

NUMBER = int(figures.SCHEDULES or "300")
AT_ONCE = 25
"""Schedules of one test."""
FIRST = range(figures.FIRST_SEED, figures.FIRST_SEED + NUMBER, AT_ONCE)


@pytest.mark.parametrize("first", FIRST)
async def test_no_promise_is_broken_whatever_goes_wrong(
    first: int, record_property: Callable[[str, object], None]
) -> None:
    """Given any schedule of mishaps, then no promise is broken, and nothing stays unfinished."""
    last = min(first + AT_ONCE, figures.FIRST_SEED + NUMBER)
    runs = [await schedules.run(seed) for seed in range(first, last)]
    counts: collections.Counter[str] = collections.Counter(dict.fromkeys(promises.KINDS, 0))
    counts["seeded schedules"] = len(runs)
    for each in runs:
        counts.update(each.counts)
        counts.update(kind for kind, _ in each.broken)
    record_property(figures.PROPERTY, figures.of(**counts))
    assert [] == [str(each) for each in runs if each.broken]
