"""The probes of a replica, and the end of a leader that hangs."""

from __future__ import annotations

import pytest

from prunella.adapters import health, watchdog


def test_a_replica_is_ready_once_it_could_lead() -> None:
    """Afterwards a new policy that was not evaluated yet makes nothing unready."""
    left: list[str | None] = ["3 policies were not evaluated yet", None, "1 policies"]
    made = health.Health(120.0, monotonic=lambda: 100.0, warming=lambda: left.pop(0))
    made.heartbeat, made.listed = 100.0, 100.0
    assert [made.ready() for _ in range(3)] == ["3 policies were not evaluated yet", None, None]


@pytest.mark.parametrize(
    ("late", "told"),
    [
        pytest.param(10.0, "", id="in time"),
        pytest.param(
            61.5,
            "a leader that has not looked at its Lease for 61.5 s ends, the limit is 10 s",
            id="it was stopped for a minute",
        ),
    ],
)
def test_a_leader_that_hangs_ends(late: float, told: str) -> None:
    """Another one leads by then."""
    assert watchdog.problem(late, 10.0) == told
