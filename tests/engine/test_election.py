"""The election at work: one writer at any moment, whatever happens to the replicas."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bench import failover
from prunella import leadership as leaderships
from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import leases, telemetry
from prunella.core.election import elector as electors
from prunella.core.election import lease as values
from prunella.engine import election as elections

SEEDS = 25
FLOOR_SECONDS = 20.0


class Stage:
    """One Lease, replicas, and a way to it that can be cut."""

    def __init__(self, found: values.Lease | None = None) -> None:
        self.clock = clocks.VirtualClock(failover.START)
        self.server = leases.LeaseServer(found)
        self.ways: dict[str, leases.Way] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def replica(self, name: str, *, willing: bool = True) -> elections.Election:
        """A replica that is not started yet."""
        around = elections.Around(self.clock, self.seconds, telemetry.RecordingTelemetry())
        way = leases.SimulatedLeases(
            self.server, self.clock, lambda: self.ways.get(name, leases.Way())
        )
        made = elections.Election(electors.Elector(name), way, around)
        made.willing = willing
        return made

    def started(self, *names: str) -> list[elections.Election]:
        """Replicas that take part."""
        made = [self.replica(name) for name in names]
        self.tasks += [asyncio.create_task(each.run()) for each in made]
        return made

    def seconds(self) -> float:
        """The monotonic clock."""
        return (self.clock.now() - failover.START).total_seconds()

    async def close(self) -> None:
        """End all."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


NEVER_HELD = values.Lease("")


@pytest.mark.parametrize("fault", failover.Fault)
async def test_no_two_ever_write_at_once(fault: failover.Fault) -> None:
    """Through killed, hung, cut off and stopped leaders, skewed clocks and lost answers.

    And somebody else evaluates everything within the promised time.
    """
    runs = [await failover.play(seed, fault) for seed in range(SEEDS)]
    assert [each.seed for each in runs if each.overlaps] == []
    assert [each.seed for each in runs if each.epochs < 2] == []
    assert failover.percentile([each.seconds for each in runs], 0.95) <= FLOOR_SECONDS


async def test_the_measurement_sees_two_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a leader that goes on for longer than its Lease, runs with two writers are found."""
    too_long = values.Times(duration=10.0, renew_deadline=1e9, retry=1.5)
    monkeypatch.setattr(electors.Elector, "left", lambda *_: 1e9)
    monkeypatch.setattr(failover, "TIMES", too_long)
    runs = [await failover.play(seed, failover.Fault.PARTITIONED) for seed in range(3)]
    assert all(each.overlaps for each in runs)


async def test_two_candidates_at_once_make_one_leader() -> None:
    """Both see a Lease that is free; one write is let through."""
    stage = Stage(NEVER_HELD)
    first, second = stage.started("a", "b")
    await stage.clock.advance(1)
    assert sorted([first.leading, second.leading]) == [False, True]
    assert stage.server.lease is not None
    assert stage.server.lease.transitions == 1
    await stage.close()


async def test_a_leader_that_is_cut_off_stops_and_goes_on_if_nobody_took_over() -> None:
    """Alone, it keeps its epoch: nothing has happened in between."""
    stage = Stage(NEVER_HELD)
    [alone] = stage.started("a")
    await stage.clock.advance(5)
    stage.ways["a"] = leases.DEAD
    await stage.clock.advance(30)
    assert (alone.leading, alone.refusal()[:26]) == (True, "the Lease was last renewed")
    with pytest.raises(leaderships.NotLeading):
        alone.sending().__enter__()
    stage.ways["a"] = leases.Way()
    await stage.clock.advance(5)
    assert (alone.refusal(), alone.epoch) == ("", 1)
    await stage.close()


async def test_a_deleted_lease_ends_its_leader_before_another_leads() -> None:
    """At most one acts; the next epoch is higher."""
    stage = Stage(NEVER_HELD)
    first, second = stage.started("a", "b")
    await stage.clock.advance(5)
    leader, other = (first, second) if first.leading else (second, first)
    stage.server.lease = None
    await stage.clock.advance(5)
    assert (leader.leading, other.leading) == (False, False)
    await stage.clock.advance(10)
    assert (other.leading, other.epoch) == (True, 2)
    await stage.close()


async def test_giving_back_waits_for_what_is_under_way() -> None:
    """Not before the last write is over does another begin; then at once."""
    stage = Stage(NEVER_HELD)
    first, second = stage.replica("a"), stage.replica("b")
    stage.tasks = [asyncio.create_task(first.run())]
    await stage.clock.advance(2)
    stage.tasks.append(asyncio.create_task(second.run()))
    sending = first.sending()
    sending.__enter__()
    handing = asyncio.create_task(first.hand_over(15.0))
    await stage.clock.advance(5)
    assert (handing.done(), second.leading, first.refusal()) == (
        False,
        False,
        "this replica is stopping",
    )
    sending.__exit__(None, None, None)
    await stage.clock.advance(2)
    assert (handing.result(), second.refusal(), second.epoch) == (True, "", 2)
    await stage.close()


async def test_what_does_not_end_keeps_the_lease_from_others() -> None:
    """A write that hangs may still come: the Lease ends by itself."""
    stage = Stage(NEVER_HELD)
    [first] = stage.started("a")
    await stage.clock.advance(2)
    with first.sending():
        handing = asyncio.create_task(first.hand_over(3.0))
        await stage.clock.advance(4)
    assert handing.result() is False
    assert stage.server.lease is not None
    assert stage.server.lease.holder == "a"
    await stage.close()


async def test_a_write_is_told_how_long_it_may_take() -> None:
    """It must be over before another replica may lead, its way there included."""
    stage = Stage(NEVER_HELD)
    first = stage.replica("a")
    await stage.clock.complete(first.step())
    given = []
    for _ in range(7):
        await stage.clock.advance(1)
        try:
            with first.sending() as seconds:
                given.append(round(seconds))
        except leaderships.NotLeading as refused:
            given.append(str(refused))
    assert given == [
        *(6, 5, 4, 3, 2),
        "another replica may lead in 4.0 s, and a write needs 4 s",
        "the Lease was last renewed 7.0 s ago, the limit is 7 s",
    ]


async def test_who_is_not_willing_leaves_the_lease_free() -> None:
    """A cold replica does not lead."""
    stage = Stage(NEVER_HELD)
    cold = stage.replica("a", willing=False)
    for _ in range(3):
        await stage.clock.complete(cold.step())
    assert stage.server.lease == dataclasses.replace(NEVER_HELD, version="1")


async def test_a_race_that_is_lost_is_no_error() -> None:
    """Who comes second sees who was first, and follows."""
    stage = Stage(NEVER_HELD)
    first, second = stage.replica("a"), stage.replica("b")
    steps = [asyncio.create_task(each.step()) for each in (first, second)]
    await stage.clock.advance(1)
    await asyncio.gather(*steps)
    roles = [each.refusal() for each in (first, second)]
    assert roles.count("") == 1
    with pytest.raises(ports.Conflict):
        stage.server.write(values.Lease("c", version="stale"))
