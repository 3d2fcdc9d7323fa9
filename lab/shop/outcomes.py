"""How a call ends at its target: what stands in its way, how long it takes, who gives up."""

from __future__ import annotations

from lab.shop import queueing
from lab.shop.graph import Edge, Flow, Target
from lab.shop.network import TIMEOUT

DEFAULT_POOL = 20
POOL_FILLING = 0.15
"""How far a pool follows in one second what is wanted of it."""
_WIRE = 0.0005
"""Seconds that a call spends on the network."""
_QUICK = 0.002
"""Seconds until a refusal is known."""

DENIED = "authentication failed"
UNIMPLEMENTED = "unimplemented"


def misunderstood(edge: Edge, flow: Flow) -> str | None:
    """Why a callee that was reached does not do what is asked, or None."""
    if flow.profile.name != edge.call.to:
        return UNIMPLEMENTED
    given, wanted = edge.call.credentials, flow.profile.accepts
    if given is None or wanted is None or edge.caller is None:
        return None
    for theirs, ours in zip(given, wanted, strict=True):
        if theirs and edge.caller.variables.get(theirs) != flow.variables.get(ours):
            return DENIED
    return None


def outcome(edge: Edge, target: Target) -> tuple[float, float, float]:
    """Share of success, time of the good calls and of the bad ones at one target."""
    flow = target.flow
    if target.failure in (TIMEOUT, "name resolution timed out"):
        return 0.0, 0.0, edge.timeout
    if target.failure is not None or flow is None:
        return 0.0, 0.0, _QUICK
    loss = 1 - (1 - flow.effect.loss) * (1 - (edge.caller.effect.loss if edge.caller else 0.0))
    latency = flow.latency + _WIRE
    late = queueing.late(latency, edge.timeout)
    share = flow.success * (1 - loss) * (1 - late)
    bad = (1 - flow.success) * min(flow.failure_latency, edge.timeout) + (
        loss + late
    ) * edge.timeout
    weight = (1 - flow.success) + loss + late
    return share, min(latency, edge.timeout), bad / weight if weight else 0.0


def wait_for_connection(edge: Edge, good: float, before: float | None) -> float:
    """Calls wait for one of the pool's connections; who waits too long fails.

    ``before`` is how many connections were wanted in the last second; returns how many are now.
    """
    mean = edge.call.hold * (good * edge.latency + (1 - good) * edge.failure_latency)
    wanted = edge.rate * mean
    if before is not None:
        wanted = before + POOL_FILLING * (wanted - before)
    wait, served = queueing.waiting_at(wanted, mean, edge.pool_size)
    edge.pool_used = min(edge.pool_size, wanted)
    edge.pool_wait = wait
    late = queueing.late(edge.latency + wait, edge.timeout)
    edge.latency = min(edge.latency + wait, edge.timeout)
    edge.kept *= served * (1 - late)
    if served < 1:
        edge.failure_latency = max(edge.failure_latency, queueing.LONGEST_WAIT)
    return wanted


def pool_size(edge: Edge) -> int:
    """How many connections a caller's pod may hold at the same time."""
    assert edge.caller is not None  # noqa: S101 - only pods have pools
    text = edge.caller.variables.get(edge.call.pool or "", "")
    return int(text) if text.isdigit() else DEFAULT_POOL


def beyond(flow: Flow, wanted: float) -> float:
    """Share of connections that a store turns away."""
    if flow.profile.connections is None or not wanted:
        return 0.0
    variable, default = flow.profile.connections
    text = flow.variables.get(variable, "")
    most = int(text) if text.isdigit() else default
    return max(0.0, 1 - most / wanted)
