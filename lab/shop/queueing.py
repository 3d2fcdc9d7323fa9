"""Waiting for a free server, and how likely a call takes too long.

Source: Erlang C for the M/M/c queue (Gross et al., Fundamentals of Queueing Theory, 2.4).
"""

from __future__ import annotations

import functools
import math

FULL = 0.98
"""Utilisation from which a queue is treated as full."""
QUEUE_GROWS = 0.5
"""Load beyond what is there, as a share, at which a queue is as long as it gets."""
LONGEST_WAIT = 1.0
"""Seconds that a request waits in a full queue before it is shed."""
SIGMA = 0.55
"""Spread of the log-normal latencies."""


def waiting(rate: float, service: float, servers: int) -> tuple[float, float]:
    """Mean seconds of waiting, and the share that is served, for an M/M/c queue.

    ``rate`` a second, each taking ``service`` seconds of one of ``servers``.
    """
    return waiting_at(rate * service, service, servers)


def waiting_at(load: float, service: float, servers: int) -> tuple[float, float]:
    """The same for a ``load`` given in busy servers."""
    if servers <= 0:
        return LONGEST_WAIT, 0.0
    if load <= 0:
        return 0.0, 1.0
    most = servers * FULL
    calm = min(load, most)
    wait = min(LONGEST_WAIT, _erlang_c(round(calm, 3), servers) * service / (servers - calm))
    if load <= most:
        return wait, 1.0
    # The longer it is too full, the longer the queue: no jump, or callers would swing.
    over = min(1.0, (load / most - 1) / QUEUE_GROWS)
    return wait + (LONGEST_WAIT - wait) * over, min(1.0, most / load)


@functools.lru_cache(maxsize=65536)
def _erlang_c(load: float, servers: int) -> float:
    """The probability that all servers are busy."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def computing(rate: float, work: float, cores: float) -> tuple[float, float]:
    """Mean seconds to compute ``work`` core-seconds on a quota of ``cores``, and the share served.

    A CPU quota does not slow a process down, it stops it when the period's quota is used up: so
    it hurts little while there is room, and much when there is none.
    """
    if cores <= 0:
        return LONGEST_WAIT, 0.0
    use = rate * work / cores
    served = 1.0 if use < FULL else min(1.0, 1 / use)
    busy = min(use, FULL)
    stopped = work / cores * busy**3 / (1 - busy)
    return min(LONGEST_WAIT * 3, work + stopped), served


def late(mean: float, limit: float) -> float:
    """The share of log-normal latencies of this mean that exceed ``limit``; tiny shares are 0."""
    if mean <= 0 or limit <= 0:
        return 0.0 if limit > 0 else 1.0
    middle = math.log(mean) - SIGMA**2 / 2
    share = 0.5 * math.erfc((math.log(limit) - middle) / (SIGMA * math.sqrt(2)))
    return share if share > 1e-4 else 0.0
