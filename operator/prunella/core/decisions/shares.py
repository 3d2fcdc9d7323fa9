"""Shares of a set of targets: percentages round down and never fall below one.

With 4 targets 25 % is 1, with 3 it would be 0: a policy with a single target must still be
able to heal that target.
"""

from __future__ import annotations

MOST_UNAVAILABLE = 10
"""Most targets with an unfinished action, however large the share of a large set is."""
SMALLEST_SET = 5
"""Sets with fewer targets say nothing about how widespread a fault is."""


def allowance(limit: int | str, size: int) -> int:
    """How many of ``size`` targets a limit allows; ``limit`` is a number or ``N%``."""
    if isinstance(limit, int):
        return limit
    return max(1, size * int(limit.rstrip("%")) // 100)


def unavailable_allowance(limit: int | str, size: int) -> int:
    """The smaller of a share and an absolute number; a number alone is taken as it is."""
    allowed = allowance(limit, size)
    return allowed if isinstance(limit, int) else min(allowed, MOST_UNAVAILABLE)
